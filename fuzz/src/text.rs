//! The small readers: YAML, interpolation, env files, durations and sizes.

use mainstay_model::compose::interpolate::{self, Interpolation};
use mainstay_model::compose::{FileId, Span, bytes, cast, dotenv, duration, schema, yaml};

use crate::places;

/// What a variable's value may be: something that would be interpolated again, if anything did so.
fn lookup(name: &str) -> Option<String> {
    match name.len() % 3 {
        0 => None,
        1 => Some(String::new()),
        _ => Some(format!("${{{name}}} $$ x")),
    }
}

pub fn yaml(input: &[u8]) {
    let of_file = |_: Span| Some(input.to_vec());
    match yaml::parse(input, FileId(0)) {
        Err(complaints) => {
            assert!(!complaints.is_empty(), "refused without a word");
            places::check(&complaints, &of_file);
        }
        Ok(documents) => {
            for mut document in documents {
                let mut out = Interpolation::default();
                interpolate::interpolate(&mut document, &lookup, &mut out);
                places::check(&out.diagnostics, &of_file);
                places::check(&cast::cast(&mut document), &of_file);
                places::check(&schema::check(&document), &of_file);
            }
        }
    }
}

pub fn interpolation(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let mut out = Interpolation::default();
    let result = interpolate::text(text, Span::NOWHERE, &lookup, &mut out);
    assert!(result.len() <= 64 * (text.len() + 64), "{} bytes of {}", result.len(), text.len());
    let mut out = Interpolation::default();
    let guarded = text.replace('$', "$$");
    assert_eq!(interpolate::text(&guarded, Span::NOWHERE, &lookup, &mut out), text, "a doubled dollar guards");
    assert!(out.diagnostics.is_empty() && out.variables.is_empty());
}

pub fn env_file(input: &[u8]) {
    let of_file = |_: Span| Some(input.to_vec());
    for read in [dotenv::parse(input, FileId(0), &lookup), dotenv::parse_raw(input, FileId(0))] {
        match read {
            Err(complaints) => {
                assert!(!complaints.is_empty(), "refused without a word");
                places::check(&complaints, &of_file);
            }
            Ok(variables) => {
                assert!(variables.iter().all(|(name, _)| !name.contains(['=', '\n'])), "{variables:?}");
            }
        }
    }
}

pub fn values(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    if let Ok(found) = duration::parse(text) {
        assert_eq!(duration::parse(&duration::print(found)), Ok(found), "{text}");
    }
    if let Ok(found) = bytes::parse(text) {
        assert_eq!(bytes::parse(&bytes::print(found)), Ok(found), "{text}");
    }
}
