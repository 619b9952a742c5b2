//! The forms in which a value turns up that no decoding of the text around it would show: base64 and hexadecimal.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// What is looked for, and how much around it belongs to it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Form {
    pub bytes: Vec<u8>,
    pub edges: Edges,
}

/// Letters beside a found form that carry some bits of the value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Edges {
    pub before: bool,
    pub after: bool,
    /// It is base64: its padding goes with it.
    pub base64: bool,
}

/// Every form of a value, itself included.
pub(super) fn of(value: &str, shortest_line: usize) -> Vec<Form> {
    let plain = |bytes: &[u8]| Form { bytes: bytes.to_vec(), edges: Edges::default() };
    let bytes = value.as_bytes();
    let mut forms = vec![plain(bytes), plain(hex(bytes, "0123456789abcdef").as_bytes())];
    forms.push(plain(hex(bytes, "0123456789ABCDEF").as_bytes()));
    forms.extend((0..3).flat_map(|before| base64(bytes, before)));
    if value.contains('\n') {
        // What prints lines prints them one by one. The first and last lines of a key in PEM are no secret.
        let lines = value.lines().map(str::trim).filter(|line| line.len() >= shortest_line);
        forms.extend(lines.filter(|line| !line.starts_with("-----")).map(|line| plain(line.as_bytes())));
    }
    forms.sort();
    forms.dedup();
    forms
}

/// What of base64 is the same whatever stands around the value, when `before` bytes modulo three stand in front of it.
/// Six bits are a letter, so the first and last letters may carry bits of the neighbours as well.
fn base64(value: &[u8], before: usize) -> Vec<Form> {
    let mut padded = vec![0; before];
    padded.extend_from_slice(value);
    let first = (before * 8).div_ceil(6);
    let end = padded.len() * 8 / 6;
    let edges = Edges { before: before != 0, after: !(padded.len() * 8).is_multiple_of(6), base64: true };
    let form = |text: String| {
        let letters = text.as_bytes().get(first..end)?;
        Some(Form { bytes: letters.to_vec(), edges })
    };
    [form(STANDARD_NO_PAD.encode(&padded)), form(URL_SAFE_NO_PAD.encode(&padded))].into_iter().flatten().collect()
}

fn hex(bytes: &[u8], digits: &str) -> String {
    let digit = |half: u8| char::from(digits.as_bytes()[usize::from(half)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}
