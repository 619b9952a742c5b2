//! What is wrong with a YAML text, in the words of somebody who edits Compose files.

use granit_parser::{ErrorKind, ScanError, Tag as RawTag};

use super::super::diagnostic::Diagnostic;
use super::super::tree::{FileId, Node, Span, Value};
use super::{DEPTH_MAX, NODES_MAX, slip, suspect};

/// Whether nothing that comes after the complaint can be read sensibly.
pub(super) fn is_fatal(diagnostic: &Diagnostic) -> bool {
    matches!(diagnostic.code, "yaml-too-large" | "yaml-too-deep" | "yaml-endless" | "yaml-collection-key")
}

pub(super) fn not_utf8(body: &[u8], at: usize, file: FileId) -> Diagnostic {
    let before = &body[..at];
    let line_start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    // Everything before the fault is UTF-8, so characters can be counted by their first bytes.
    let column = before[line_start..].iter().filter(|byte| **byte & 0xC0 != 0x80).count() + 1;
    let span =
        Span { file, line: u32::try_from(line).unwrap_or(u32::MAX), column: u32::try_from(column).unwrap_or(u32::MAX) };
    let hint = match body {
        [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] => "the file is broken UTF-16: save it as UTF-8",
        _ => "save the file as UTF-8; an older editor may have written it as Latin-1",
    };
    let byte = body.get(at).copied().unwrap_or(0);
    Diagnostic::error("not-utf8", span, format!("the byte 0x{byte:02X} is not UTF-8 text")).hint(hint)
}

pub(super) fn bare_date(text: &str, span: Span) -> Diagnostic {
    Diagnostic::error("bare-date", span, format!("`{text}` is read as a date, which Compose takes nowhere"))
        .hint(format!("put it in quotes: \"{text}\""))
}

pub(super) fn tag_mismatch(text: &str, wanted: &str, span: Span) -> Diagnostic {
    Diagnostic::error("tag-mismatch", span, format!("the tag asks for {wanted}, but `{}` is none", short(text)))
        .hint("take the tag away, or write a value of that type")
}

pub(super) fn unknown_tag(tag: Option<&RawTag>, span: Span) -> Diagnostic {
    let name = tag.map(RawTag::original).unwrap_or_default();
    Diagnostic::error("unknown-tag", span, format!("the tag `{name}` has no meaning in a Compose file")).hint(format!(
        "put a text that starts with `!` in quotes: {}; the tags of Compose are `!reset` and `!override`",
        slip::quoted(&name)
    ))
}

pub(super) fn collection_key(span: Span) -> Diagnostic {
    Diagnostic::error("yaml-collection-key", span, "a list or a mapping cannot be a key")
        .hint("quote a value that starts with `{` or `[`; a template with `{{ }}` must be rendered first")
}

pub(super) fn too_deep(span: Span) -> Diagnostic {
    Diagnostic::error("yaml-too-deep", span, format!("the file nests more than {DEPTH_MAX} levels"))
}

pub(super) fn too_large(span: Span) -> Diagnostic {
    let message =
        format!("the file holds more than {NODES_MAX} values or 64 MiB of text, with what its aliases repeat");
    Diagnostic::error("yaml-too-large", span, message)
        .hint("aliases of anchors that hold aliases multiply: write fewer of them")
}

pub(super) fn endless_alias(span: Span) -> Diagnostic {
    Diagnostic::error("yaml-endless", span, "the alias stands inside its own anchor, so it would never end")
}

pub(super) fn unknown_alias(name: &str, span: Span) -> Diagnostic {
    let message = format!("there is no anchor `&{name}` above this alias");
    let is_word = name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
    Diagnostic::error("unknown-anchor", span, message).hint(match is_word {
        true => format!("define it earlier in this file with `&{name}`, or quote a text that starts with `*`"),
        false => format!("put a text that starts with `*` in quotes: {}", slip::quoted(&format!("*{name}"))),
    })
}

pub(super) fn second_merge(first: Span, span: Span) -> Diagnostic {
    let message = format!("`<<` stands twice in one mapping; the first is in line {}", first.line);
    Diagnostic::error("duplicate-key", span, message).hint("merge several mappings with one key: `<<: [*one, *two]`")
}

pub(super) fn merge_not_map(found: &str, span: Span) -> Diagnostic {
    Diagnostic::error("merge-not-map", span, format!("`<<` merges a mapping or a list of mappings, not {found}"))
        .hint("entries of a list cannot be merged into a mapping; write the list as `key: value` lines")
}

pub(super) fn duplicate_key(name: &str, first: Span, span: Span) -> Diagnostic {
    let message = format!("`{name}` stands twice in one mapping; the first is in line {}", first.line);
    Diagnostic::error("duplicate-key", span, message)
        .hint("put what belongs together under one of them, and take the other away")
}

pub(super) fn key_not_text(key: &Node) -> Diagnostic {
    let shown = match &key.value {
        Value::Null => "an empty key".to_owned(),
        Value::Bool(value) => format!("the key `{value}`"),
        Value::Int(value) => format!("the key `{value}`"),
        Value::Float(value) => format!("the key `{value}`"),
        _ => "the key".to_owned(),
    };
    Diagnostic::error("key-not-text", key.span, format!("{shown} is not text, and every key must be"))
        .hint("put the key in quotes")
}

/// The parser's error as a sentence with a hint.
pub(super) fn from_parser(error: &ScanError, text: &str, file: FileId) -> Diagnostic {
    let marker = error.marker();
    let line = marker.line().max(1);
    let span = Span {
        file,
        line: u32::try_from(line).unwrap_or(u32::MAX),
        column: u32::try_from(marker.col()).unwrap_or(u32::MAX).saturating_add(1),
    };
    let source = text.lines().nth(line - 1).unwrap_or_default();
    let of_line = match error.kind() {
        ErrorKind::UnclosedQuotedScalar | ErrorKind::InvalidQuotedScalarIndent => None,
        ErrorKind::ExpectedBlockMappingKey | ErrorKind::InvalidIndentation => {
            slip::look(source, line, 0).or_else(|| suspect::other_column(text, line))
        }
        _ => slip::look(source, line, marker.col() + 1),
    };
    let better = of_line.or_else(|| match error.kind() {
        ErrorKind::MappingValueNotAllowed | ErrorKind::InvalidColonPlacement | ErrorKind::SimpleKeyExpected => {
            suspect::look(text, line)
        }
        ErrorKind::UnclosedQuotedScalar | ErrorKind::InvalidQuotedScalarIndent => suspect::open_quote(text, line),
        _ => None,
    });
    if let Some(suspect) = better {
        return suspect.complaint("yaml-syntax", file);
    }
    let (message, hint) = words(error, source);
    let complaint = Diagnostic::error("yaml-syntax", span, message);
    if hint.is_empty() { complaint } else { complaint.hint(hint) }
}

/// A complaint of the composer, which sees no lines, with what the line shows.
pub(super) fn seen(complaint: Diagnostic, text: &str) -> Diagnostic {
    let span = complaint.span;
    let source = text.lines().nth((span.line as usize).saturating_sub(1)).unwrap_or_default();
    let at: String = source.chars().skip((span.column as usize).saturating_sub(1)).collect();
    match complaint.code {
        "yaml-collection-key" | "yaml-syntax" => match slip::look(source, span.line as usize, 0) {
            Some(suspect) => suspect.complaint(complaint.code, span.file),
            None => complaint,
        },
        "unknown-tag" if !at.starts_with('!') => {
            // The parser gives the place of what follows the tag.
            let before = source.chars().take((span.column as usize).saturating_sub(1)).collect::<String>();
            let column = before.rfind('!').map_or(span.column, |at| before[..at].chars().count() as u32 + 1);
            Diagnostic { span: Span { column, ..span }, ..complaint }
        }
        _ => complaint,
    }
}

pub(super) fn tab(span: Span) -> Diagnostic {
    Diagnostic::error("yaml-syntax", span, "a tab cannot indent YAML").hint(TAB_HINT)
}

pub(super) const TAB_HINT: &str = "indent with spaces; most editors can turn tabs into spaces";
const QUOTE_HINT: &str = "a quote opened above is not closed, or text follows a closed one";
const INDENT_HINT: &str =
    "keys of one mapping start in the same column; check the indentation of this line and the one above";
const COLON_HINT: &str = "put a value that contains `: ` in quotes, or check the indentation of this line";

/// The sentence and the hint for an error; the line itself tells what the parser cannot.
fn words(error: &ScanError, source: &str) -> (String, &'static str) {
    let indent: String = source.chars().take_while(|c| c.is_whitespace()).collect();
    if indent.contains('\t') {
        return ("a tab cannot indent YAML".into(), TAB_HINT);
    }
    let (message, hint) = match error.kind() {
        ErrorKind::TabNotAllowed
        | ErrorKind::TabInBlockIndentation
        | ErrorKind::TabInIndentation
        | ErrorKind::TabInPlainScalar
        | ErrorKind::TabAtBlockScalarStart => ("a tab cannot stand here", TAB_HINT),
        ErrorKind::UnclosedQuotedScalar => ("a quoted text has no end", QUOTE_HINT),
        ErrorKind::InvalidTrailingSingleQuotedScalar => (
            "the text ends at this quote, and more follows",
            "double a single quote that stands inside (`it''s`), or put the text in double quotes",
        ),
        ErrorKind::InvalidTrailingDoubleQuotedScalar => (
            "the text ends at this quote, and more follows",
            "write `\\\"` for a quote that stands inside, or put the text in single quotes",
        ),
        ErrorKind::InvalidQuotedScalarIndent => ("a quoted text runs over a line that is not indented", QUOTE_HINT),
        ErrorKind::UnknownQuotedScalarEscape => {
            ("this escape is unknown inside double quotes", "write `\\\\` for a backslash, or use single quotes")
        }
        ErrorKind::MappingValueNotAllowed => ("a `:` cannot stand here", COLON_HINT),
        ErrorKind::InvalidColonPlacement => ("a `:` cannot stand here", COLON_HINT),
        ErrorKind::ExpectedBlockMappingKey | ErrorKind::InvalidIndentation if source.trim_start().starts_with("- ") => {
            ("a list item stands where a `key:` is expected", INDENT_HINT)
        }
        ErrorKind::ExpectedBlockMappingKey | ErrorKind::InvalidIndentation => {
            ("this line does not fit the indentation around it", INDENT_HINT)
        }
        ErrorKind::ExpectedBlockSequenceEntry => ("a `- ` is expected here, because a list is open", INDENT_HINT),
        ErrorKind::BlockSequenceEntryNotAllowed => {
            ("a list item cannot stand here", "start the list on a line of its own, below its key")
        }
        ErrorKind::SimpleKeyExpected | ErrorKind::InvalidSimpleKey => (
            "this line is neither `key: value` nor a list item",
            "a `:` or a space after it is missing, or the indentation is off",
        ),
        ErrorKind::UnexpectedCharacter { .. } => ("this character cannot start a value", "put the value in quotes"),
        ErrorKind::MisplacedFlowCollectionEnd
        | ErrorKind::MismatchedFlowCollectionEnd { .. }
        | ErrorKind::UnclosedFlowCollection { .. }
        | ErrorKind::UnexpectedEofFlowSequence
        | ErrorKind::UnexpectedEofFlowMapping
        | ErrorKind::ExpectedFlowMappingSeparator
        | ErrorKind::ExpectedFlowSequenceSeparator => (
            "the brackets of this value do not fit together",
            "close every `[` and `{`, or quote a text that starts with one",
        ),
        ErrorKind::RecursionLimitExceeded => ("the file nests too deeply", ""),
        ErrorKind::MissingAnchorOrAliasName => {
            ("`*` and `&` start an alias and an anchor, and need a name", "put a text that starts with one in quotes")
        }
        _ => return (format!("this is not YAML: {}", error.kind()), ""),
    };
    (message.into(), hint)
}

fn short(text: &str) -> String {
    if text.chars().count() > 40 { text.chars().take(40).chain(['…']).collect() } else { text.to_owned() }
}
