//! No form of a secret survives, whatever stands around it.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use mainstay_model::secrets::{MASK, Redactor};
use proptest::prelude::*;

/// One way in which a text is written into another.
#[derive(Clone, Copy, Debug)]
enum Writing {
    AsItIs,
    Json,
    JsonAscii,
    Debug,
    Percent,
    PercentSmall,
    PercentAll,
    Form,
    Hex,
    Base64,
    Base64Url,
    Base64NoPad,
    Base64UrlNoPad,
}

const WRITINGS: [Writing; 13] = [
    Writing::AsItIs,
    Writing::Json,
    Writing::JsonAscii,
    Writing::Debug,
    Writing::Percent,
    Writing::PercentSmall,
    Writing::PercentAll,
    Writing::Form,
    Writing::Hex,
    Writing::Base64,
    Writing::Base64Url,
    Writing::Base64NoPad,
    Writing::Base64UrlNoPad,
];

fn escaped(text: &str, keep: impl Fn(u8) -> bool, upper: bool) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        let _ = match (keep(byte), upper) {
            (true, _) => write!(out, "{}", char::from(byte)),
            (false, true) => write!(out, "%{byte:02X}"),
            (false, false) => write!(out, "%{byte:02x}"),
        };
        out
    })
}

impl Writing {
    fn write(self, text: &str) -> String {
        let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        match self {
            Writing::AsItIs => text.to_owned(),
            Writing::Json => unquoted(&serde_json::to_string(text).expect("text")),
            Writing::JsonAscii => text.encode_utf16().fold(String::new(), |mut out, unit| {
                let _ = match u8::try_from(unit) {
                    Ok(byte) if byte.is_ascii_alphanumeric() => write!(out, "{}", char::from(byte)),
                    _ => write!(out, "\\u{unit:04x}"),
                };
                out
            }),
            Writing::Debug => unquoted(&format!("{text:?}")),
            Writing::Percent => escaped(text, unreserved, true),
            Writing::PercentSmall => escaped(text, |byte| unreserved(byte) || b"!'()*:@/".contains(&byte), false),
            Writing::PercentAll => escaped(text, |_| false, true),
            Writing::Form => escaped(text, |byte| unreserved(byte) || byte == b' ', true).replace(' ', "+"),
            Writing::Hex => text.bytes().map(|byte| format!("{byte:02x}")).collect(),
            Writing::Base64 => STANDARD.encode(text),
            Writing::Base64Url => URL_SAFE.encode(text),
            Writing::Base64NoPad => STANDARD_NO_PAD.encode(text),
            Writing::Base64UrlNoPad => URL_SAFE_NO_PAD.encode(text),
        }
    }

    fn is_base64(self) -> bool {
        matches!(self, Writing::Base64 | Writing::Base64Url | Writing::Base64NoPad | Writing::Base64UrlNoPad)
    }
}

/// Without the quotes around it: a secret may end in one of its own.
fn unquoted(text: &str) -> String {
    text[1..text.len() - 1].to_owned()
}

/// As people, programs and pass phrases make them.
fn secret() -> impl Strategy<Value = String> {
    prop_oneof![
        "[A-Za-z0-9]{6,64}",
        "[ -~]{6,40}",
        "[a-z0-9$\"'\\\\%+&=/ \n\t€äß😀]{6,24}".prop_filter("six bytes", |text| text.len() >= 6),
        "[A-Za-z0-9+/]{20,40}\n[A-Za-z0-9+/]{20,40}",
    ]
}

fn surroundings() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z =:/,.\\[\\]{}]{0,30}", "[ -~\n]{0,30}", "\\PC{0,12}"]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// Around the secret, inside of the writing, stands something as well: `user:secret@host`, in a URL in JSON.
    #[test]
    fn a_secret_is_found_in_every_writing(
        secret in secret(),
        inner in (0..WRITINGS.len()).prop_map(|index| WRITINGS[index]),
        outer in (0..9usize).prop_map(|index| WRITINGS[index % 8]),
        beside in ("[a-z:]{0,7}", "[a-z@]{0,7}"),
        before in surroundings(),
        behind in surroundings(),
    ) {
        let redactor = Redactor::new([secret.as_str()]);
        let written = inner.write(&format!("{}{secret}{}", beside.0, beside.1));
        let text = format!("{before}{}{behind}", outer.write(&written));
        let cleaned = redactor.clean(&text);
        prop_assert!(cleaned.contains(MASK), "{text:?}");
        prop_assert!(!cleaned.contains(&outer.write(&inner.write(&secret))), "{cleaned:?}");
        // The letters of base64 that the secret alone decides must be gone, at whatever offset it stands.
        if inner.is_base64() {
            let (from, to) = (beside.0.len() * 8, (beside.0.len() + secret.len()) * 8);
            let decided = &written[from.div_ceil(6)..to / 6];
            prop_assert!(!cleaned.contains(&outer.write(decided)), "{decided:?} {cleaned:?}");
        }
        // A second look finds nothing that the first one left.
        prop_assert_eq!(redactor.clean(&cleaned), cleaned.as_ref());
    }

    /// Nothing is taken that is none.
    #[test]
    fn what_has_no_secret_in_it_stays(text in "[a-z .,\n%+\\\\=]{0,60}", secret in "[0-9A-Z]{6,20}") {
        let redactor = Redactor::new([secret.as_str()]);
        prop_assert_eq!(redactor.clean(&text), text.as_str());
    }

    /// Several at once, beside and inside of each other.
    #[test]
    fn secrets_that_overlap_all_go(parts in ("[a-z]{6,9}", "[a-z]{6,9}", "[a-z]{6,9}"), between in "[A-Z]{0,3}") {
        let (a, b, c) = parts;
        let (ab, bc) = (format!("{a}{b}"), format!("{b}{c}"));
        let redactor = Redactor::new([ab.as_str(), bc.as_str(), a.as_str()]);
        let text = format!("{between}{a}{b}{c}{between}{a}");
        let cleaned = redactor.clean(&text).into_owned();
        for value in [&ab, &bc, &a] {
            prop_assert!(!cleaned.contains(value.as_str()), "{cleaned}");
        }
        prop_assert!(!cleaned.contains(c.as_str()), "{cleaned}");
    }

    /// A value that is all there is may be cut out of bytes that are no text.
    #[test]
    fn bytes_that_are_no_text_are_cleaned_as_well(secret in "[A-Za-z0-9]{6,20}", noise in proptest::collection::vec(128..255u8, 0..20)) {
        let mut bytes = noise.clone();
        bytes.extend_from_slice(secret.as_bytes());
        bytes.extend_from_slice(&noise);
        let mut expected = noise.clone();
        expected.extend_from_slice(MASK.as_bytes());
        expected.extend_from_slice(&noise);
        let redactor = Redactor::new([secret.as_str()]);
        prop_assert_eq!(redactor.clean_bytes(&bytes).into_owned(), expected);
    }
}
