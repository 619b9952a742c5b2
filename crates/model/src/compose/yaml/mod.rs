//! From bytes to spanned trees: one [`Node`] for each YAML document.
//!
//! The grammar is `granit-parser`'s; what a document *means* is decided here, as Compose means it:
//! anchors, merge keys and scalars ([`scalar`]) become plain values, and nothing outside this folder
//! knows the parser ([`complaint`] turns its errors into sentences). Both time and memory are bounded,
//! because a file of 500 bytes can ask for more nodes than there are atoms.

mod complaint;
mod composer;
mod quotes;
mod scalar;
mod slip;
pub(super) mod suspect;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use granit_parser::{Parser, ScanError};

use self::composer::Composer;
use super::diagnostic::Diagnostic;
use super::tree::{FileId, Node, Span};

/// A Compose file of a person has some kilobytes; the largest that was seen is under one megabyte.
pub const FILE_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Nodes after aliases were expanded. The limit is on the result, not on the number of aliases:
/// real files use many aliases of small anchors, a bomb uses few aliases of large ones.
pub const NODES_MAX: usize = 1_000_000;
/// Bytes of text after aliases were expanded, so that one long string cannot be the bomb.
pub const TEXT_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Levels of nesting. Trees are walked by recursion later, and no stack may overflow there.
pub const DEPTH_MAX: usize = 128;

/// Reads every document of a file; a file without content has no documents.
///
/// # Errors
/// Every complaint, each with its place; one of them is always an error.
pub fn parse(bytes: &[u8], file: FileId) -> Result<Vec<Node>, Vec<Diagnostic>> {
    let start = Span { file, line: 1, column: 1 };
    if bytes.len() > FILE_BYTES_MAX {
        let message = format!("the file has {} bytes; at most {FILE_BYTES_MAX} are read", bytes.len());
        return Err(vec![Diagnostic::error("file-too-large", start, message).hint("is this really a Compose file?")]);
    }
    let mut text = Cow::Borrowed(decode(bytes, file)?);
    let mut mends_left = if bytes.len() > quotes::MENDED_BYTES_MAX { 0 } else { quotes::MOST_MENDED };
    loop {
        match compose(&text, file) {
            Ok(documents) => return documents,
            Err(error) => match quotes::mend(&text, error.marker().index()).filter(|_| mends_left > 0) {
                Some(better) => {
                    mends_left -= 1;
                    text = Cow::Owned(better);
                }
                None => return Err(vec![complaint::from_parser(&error, &text, file)]),
            },
        }
    }
}

/// Reads a text once.
///
/// # Errors
/// Where the parser stopped, when nothing was complained about before.
fn compose(text: &str, file: FileId) -> Result<Result<Vec<Node>, Vec<Diagnostic>>, ScanError> {
    let mut composer = Composer::new(file, text);
    for event in Parser::new_from_str_with_options(text, parser_options()) {
        let proceed = match event {
            Ok((event, span)) => composer.take(event, span),
            Err(error) if composer.is_content() => return Err(error),
            Err(error) => {
                composer.complain(complaint::from_parser(&error, text, file));
                false
            }
        };
        if !proceed {
            break;
        }
    }
    Ok(composer.finish().map_err(|problems| problems.into_iter().map(|one| complaint::seen(one, text)).collect()))
}

fn parser_options() -> granit_parser::Options {
    granit_parser::options! {
        emit_unresolved_aliases: true,
        emit_comments: false,
        flow_nesting_limit: DEPTH_MAX,
        block_nesting_limit: DEPTH_MAX,
    }
}

/// The text of a file that says with its first two bytes that it is UTF-16, as some shells of Windows write it.
pub fn from_utf16(bytes: &[u8]) -> Option<String> {
    let (unit, body): (fn([u8; 2]) -> u16, _) = match bytes {
        [0xFF, 0xFE, body @ ..] => (u16::from_le_bytes, body),
        [0xFE, 0xFF, body @ ..] => (u16::from_be_bytes, body),
        _ => return None,
    };
    let (pairs, rest) = body.as_chunks::<2>();
    let text = char::decode_utf16(pairs.iter().map(|pair| unit(*pair))).collect::<Result<String, _>>().ok()?;
    rest.is_empty().then_some(text)
}

/// The text without its byte order mark, when it is UTF-8.
fn decode(bytes: &[u8], file: FileId) -> Result<&str, Vec<Diagnostic>> {
    let body = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    match std::str::from_utf8(body) {
        Ok(text) => Ok(text),
        Err(error) => Err(vec![complaint::not_utf8(body, error.valid_up_to(), file)]),
    }
}
