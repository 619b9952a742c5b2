//! One statement of a file: where it stands and what kind it is.

use std::ops::Range;

use serde::Serialize;
use squawk_syntax::{Parse, SourceFile, SyntaxElement, SyntaxKind};

use super::place::Place;

/// A statement, from its first word to its semicolon.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Statement {
    /// Bytes of the file's text.
    pub range: Range<usize>,
    pub place: Place,
    /// Its words and signs in capitals, without comments; literals stand as they are. What is judged.
    #[serde(skip)]
    pub words: Vec<String>,
    /// Whether the parser understood all of it.
    pub is_understood: bool,
}

impl Statement {
    /// Splits a text; what stands between two semicolons of the top level is one statement.
    pub(super) fn split(text: &str, parse: &Parse<SourceFile>) -> Vec<Statement> {
        let mut statements = Vec::new();
        let mut under_way: Vec<SyntaxElement> = Vec::new();
        for element in parse.syntax_node().children_with_tokens() {
            if element.kind().is_trivia() && under_way.is_empty() {
                continue;
            }
            let ends = last_token_is_semicolon(&element);
            under_way.push(element);
            if ends {
                statements.extend(statement(text, &std::mem::take(&mut under_way)));
            }
        }
        statements.extend(statement(text, &under_way));
        statements
    }

    /// The statement itself.
    pub fn text<'t>(&self, text: &'t str) -> &'t str {
        text.get(self.range.clone()).unwrap_or_default()
    }

    /// Whether it begins with these words.
    pub fn begins(&self, words: &[&str]) -> bool {
        self.words.len() >= words.len() && self.words.iter().zip(words).all(|(one, other)| one == other)
    }

    /// Whether the word is in it anywhere.
    pub fn has(&self, word: &str) -> bool {
        self.words.iter().any(|one| one == word)
    }

    /// Whether these words follow one another in it.
    pub fn has_run(&self, words: &[&str]) -> bool {
        self.words.windows(words.len()).any(|window| window.iter().zip(words).all(|(one, other)| one == other))
    }

    /// Whether rows, or what holds them, go by it, as far as its own words tell: what a function or a `DO` block does is
    /// not seen.
    pub fn loses_data(&self) -> bool {
        const KEPT_BY: &[&str] = &["CONSTRAINT", "DEFAULT", "NOT", "EXPRESSION", "IDENTITY"];
        let drops_a_whole = ["TABLE", "SCHEMA", "DATABASE", "OWNED"].iter().any(|what| self.begins(&["DROP", what]));
        let drops_a_column = self.begins(&["ALTER", "TABLE"])
            && self.words.windows(2).any(|pair| pair[0] == "DROP" && !KEPT_BY.contains(&pair[1].as_str()));
        drops_a_whole || drops_a_column || self.begins(&["TRUNCATE"]) || self.begins(&["DELETE"])
    }

    /// Why it cannot run inside a transaction, in words that go on after "`…`"; `None` when it can.
    pub fn outside_transactions(&self) -> Option<&'static str> {
        let concurrently = self.has("CONCURRENTLY");
        let about_index = self.begins(&["CREATE", "INDEX"])
            || self.begins(&["CREATE", "UNIQUE", "INDEX"])
            || self.begins(&["DROP", "INDEX"])
            || self.begins(&["REINDEX"]);
        if concurrently && about_index {
            return Some("works on an index CONCURRENTLY");
        }
        if concurrently && self.has_run(&["DETACH", "PARTITION"]) {
            return Some("detaches a partition CONCURRENTLY");
        }
        let always: &[(&[&str], &str)] = &[
            (&["VACUUM"], "vacuums"),
            (&["CREATE", "DATABASE"], "makes a database"),
            (&["DROP", "DATABASE"], "drops a database"),
            (&["CREATE", "TABLESPACE"], "makes a tablespace"),
            (&["DROP", "TABLESPACE"], "drops a tablespace"),
            (&["ALTER", "SYSTEM"], "changes the server's configuration"),
            (&["REINDEX", "DATABASE"], "reindexes a database"),
            (&["REINDEX", "SYSTEM"], "reindexes the system's tables"),
            (&["REINDEX", "SCHEMA"], "reindexes a schema"),
            (&["CREATE", "SUBSCRIPTION"], "makes a subscription"),
            (&["DROP", "SUBSCRIPTION"], "drops a subscription"),
            (&["DISCARD", "ALL"], "discards the session's state"),
        ];
        if let Some((_, why)) = always.iter().find(|(words, _)| self.begins(words)) {
            return Some(why);
        }
        if self.begins(&["ALTER", "DATABASE"]) && self.has_run(&["SET", "TABLESPACE"]) {
            return Some("moves a database to a tablespace");
        }
        (self.begins(&["CLUSTER"]) && self.words.iter().filter(|word| *word != ";").count() == 1)
            .then_some("clusters every table")
    }
}

fn statement(text: &str, elements: &[SyntaxElement]) -> Option<Statement> {
    let last = elements.iter().rposition(|element| !element.kind().is_trivia())?;
    let tokens: Vec<_> = elements[..=last].iter().flat_map(tokens).filter(|(kind, ..)| !kind.is_trivia()).collect();
    let (start, end) = (tokens.first()?.1.start, tokens.last()?.1.end);
    let words: Vec<String> = tokens.iter().map(|(_, _, word)| as_judged(word)).collect();
    if words.iter().all(|word| word == ";") {
        return None;
    }
    let is_understood = elements[..=last].iter().all(|element| element.kind() != SyntaxKind::ERROR);
    Some(Statement { range: start..end, place: Place::of_byte(text, start), words, is_understood })
}

/// Each token of an element with its bytes and its text.
pub(super) fn tokens(element: &SyntaxElement) -> Vec<(SyntaxKind, Range<usize>, String)> {
    let all: Vec<_> = match element {
        SyntaxElement::Token(token) => vec![token.clone()],
        SyntaxElement::Node(node) => node.descendants_with_tokens().filter_map(SyntaxElement::into_token).collect(),
    };
    all.into_iter()
        .map(|token| {
            let range = token.text_range();
            (token.kind(), usize::from(range.start())..usize::from(range.end()), token.text().to_owned())
        })
        .collect()
}

/// Words in capitals, quoted names and literals as they are.
pub(super) fn as_judged(word: &str) -> String {
    let is_plain =
        word.chars().next().is_some_and(|first| first.is_alphabetic() || first == '_') && !word.contains(['\'', '"']);
    if is_plain { word.to_uppercase() } else { word.to_owned() }
}

fn last_token_is_semicolon(element: &SyntaxElement) -> bool {
    match element {
        SyntaxElement::Token(token) => token.kind() == SyntaxKind::SEMICOLON,
        SyntaxElement::Node(node) => node.last_token().is_some_and(|token| token.kind() == SyntaxKind::SEMICOLON),
    }
}
