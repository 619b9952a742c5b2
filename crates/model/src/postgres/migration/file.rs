//! One file of a migration: its text as it is executed, its hashes, its statements.

use serde::Serialize;
use sha2::{Digest, Sha256};
use squawk_syntax::{Parse, SourceFile};

use super::fault::{Fault, FaultKind};
use super::place::Place;
use super::statement::{Statement, as_judged, tokens};

/// Longer statements are shown by their beginning.
const SHOWN_CHARACTERS: usize = 60;
/// Markers of files that hold what undoes them too, with the tool's own spelling in small letters.
const DOWN_MARKERS: &[&str] = &["-- migrate:down", "-- +goose down"];
/// The first of these lines in a file's leading comments lets each statement run by itself.
const NO_TRANSACTION: &[&str] = &["-- mainstay: no-transaction", "-- no-transaction"];

/// How a file is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// All of it and its row in the ledger, in one transaction.
    Transaction,
    /// Statement by statement, each by itself; resumed after the last one that was done.
    NoTransaction,
}

/// A file that can be applied.
#[derive(Clone, Debug)]
pub struct MigrationFile {
    /// The name in its folder: the key in the ledger.
    pub name: String,
    /// What is executed: without a byte order mark, with line feeds only.
    pub text: String,
    /// SHA-256 of [`text`](Self::text), in hexadecimal: the same after a checkout with other line ends.
    pub sha256: String,
    /// SHA-256 of the bytes as they are on disk: what other tools may have written into a ledger.
    pub raw_sha256: String,
    /// SHA-256 of the words without comments and spaces: the same after an edit that changes nothing.
    pub tokens_sha256: String,
    pub mode: Mode,
    pub statements: Vec<Statement>,
    /// The bytes as they are on disk.
    pub(super) raw: Vec<u8>,
    parse: Parse<SourceFile>,
}

impl MigrationFile {
    /// Reads a file, and finds what must not reach a server.
    ///
    /// # Errors
    /// Every fault of the file.
    pub fn read(name: &str, bytes: &[u8]) -> Result<MigrationFile, Vec<Fault>> {
        let fault = |place, kind| Fault { file: name.to_owned(), place, kind };
        let text = match std::str::from_utf8(bytes) {
            Ok(text) => normalised(text),
            Err(error) => {
                let valid = String::from_utf8_lossy(&bytes[..error.valid_up_to()]).into_owned();
                return Err(vec![fault(Some(Place::of_byte(&valid, valid.len())), FaultKind::NotUtf8)]);
            }
        };
        if let Some(at) = text.find('\0') {
            return Err(vec![fault(Some(Place::of_byte(&text, at)), FaultKind::Nul)]);
        }
        let parse = SourceFile::parse(&text);
        let statements = Statement::split(&text, &parse);
        let mode = if asks_for_no_transaction(&text) { Mode::NoTransaction } else { Mode::Transaction };
        let file = MigrationFile {
            name: name.to_owned(),
            sha256: hex(&Sha256::digest(text.as_bytes())),
            raw_sha256: hex(&Sha256::digest(bytes)),
            tokens_sha256: hash_of_words(&parse),
            raw: bytes.to_vec(),
            mode,
            statements,
            parse,
            text,
        };
        let faults = file.faults();
        if faults.is_empty() { Ok(file) } else { Err(faults) }
    }

    /// Whether one of a file's two hashes is this one; without reading it any further.
    pub(super) fn has_hash(bytes: &[u8], hash: &str) -> bool {
        let raw = hex(&Sha256::digest(bytes));
        let text = || std::str::from_utf8(bytes).ok().map(normalised);
        hash.eq_ignore_ascii_case(&raw)
            || text().is_some_and(|text| hash.eq_ignore_ascii_case(&hex(&Sha256::digest(text.as_bytes()))))
    }

    /// The words of a text in order, without comments, spaces and what ends statements.
    pub(super) fn words_of(text: &str) -> Vec<String> {
        let parse = SourceFile::parse(text);
        let statements = Statement::split(text, &parse);
        statements.into_iter().flat_map(|one| one.words).filter(|word| word != ";").collect()
    }

    /// The file as it was parsed.
    pub(super) fn parse(&self) -> &Parse<SourceFile> {
        &self.parse
    }

    /// Whether data goes by one of its statements; see [`Statement::loses_data`].
    pub fn loses_data(&self) -> bool {
        self.statements.iter().any(Statement::loses_data)
    }

    /// The statement that holds a character which a server counts from 1 in [`text`](Self::text).
    pub fn statement_at(&self, position: u32) -> Option<&Statement> {
        let byte = self.text.char_indices().nth(position.saturating_sub(1) as usize).map(|(byte, _)| byte)?;
        self.statements.iter().find(|statement| byte < statement.range.end)
    }

    /// SHA-256 of a statement's text, in hexadecimal: by it a later attempt knows what ran.
    pub fn hash_of(&self, statement: &Statement) -> String {
        hex(&Sha256::digest(statement.text(&self.text).as_bytes()))
    }

    fn faults(&self) -> Vec<Fault> {
        let at = |byte, kind| Fault { file: self.name.clone(), place: Some(Place::of_byte(&self.text, byte)), kind };
        if let Some((byte, marker)) = down_part(&self.text) {
            return vec![at(byte, FaultKind::HasDownPart { marker })];
        }
        if self.statements.is_empty() {
            return vec![Fault { file: self.name.clone(), place: None, kind: FaultKind::Empty }];
        }
        let alone = self.statements.len() == 1;
        let mut faults: Vec<Fault> = Vec::new();
        for statement in &self.statements {
            let start = statement.range.start;
            if let Some((byte, kind)) = self.foreign(statement) {
                faults.push(at(byte, kind));
                // What follows a command of psql is read wrongly.
                break;
            }
            if let Some(word) = own_transaction(statement) {
                faults.push(at(start, FaultKind::OwnTransaction { word }));
            } else if self.mode == Mode::NoTransaction && !statement.is_understood && !alone {
                faults.push(at(start, FaultKind::CannotBeSplit));
            } else if self.mode == Mode::Transaction
                && let Some(why) = statement.outside_transactions()
            {
                let statement = shown(statement.text(&self.text));
                faults.push(at(start, FaultKind::NeedsNoTransaction { statement, why: why.to_owned() }));
            }
        }
        faults
    }

    /// What is no SQL for a server, with its byte.
    fn foreign(&self, statement: &Statement) -> Option<(usize, FaultKind)> {
        let start = statement.range.start;
        if statement.begins(&["COPY"]) && statement.has_run(&["FROM", "STDIN"]) {
            return Some((start, FaultKind::CopyFromStdin));
        }
        if statement.is_understood {
            return None;
        }
        let text = statement.text(&self.text);
        if let Some(at) = text.find("{{") {
            return Some((start + at, FaultKind::Template));
        }
        let mut byte = start;
        for line in text.split_inclusive('\n') {
            let command = line.trim_start();
            if command.starts_with('\\') {
                let at = byte + (line.len() - command.len());
                return Some((at, FaultKind::PsqlCommand { command: shown(command) }));
            }
            byte += line.len();
        }
        None
    }
}

/// Without a byte order mark; CR LF, and CR alone, become LF: what is hashed is what is executed, for a function keeps
/// the line ends of its body.
fn normalised(text: &str) -> String {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    text.replace("\r\n", "\n").replace('\r', "\n")
}

fn asks_for_no_transaction(text: &str) -> bool {
    let leading = text.lines().map(str::trim).take_while(|line| line.is_empty() || line.starts_with("--"));
    leading.map(str::to_lowercase).any(|line| NO_TRANSACTION.contains(&line.as_str()))
}

fn down_part(text: &str) -> Option<(usize, String)> {
    let mut byte = 0;
    for line in text.split_inclusive('\n') {
        let lower = line.trim().to_lowercase();
        if DOWN_MARKERS.iter().any(|marker| lower.starts_with(marker)) {
            return Some((byte, line.trim().to_owned()));
        }
        byte += line.len();
    }
    None
}

/// The word with which a statement begins or ends a transaction; savepoints are the file's own affair.
fn own_transaction(statement: &Statement) -> Option<String> {
    let first = statement.words.first()?;
    let is_own = match first.as_str() {
        "BEGIN" | "COMMIT" | "END" | "ABORT" => true,
        "START" => statement.begins(&["START", "TRANSACTION"]),
        "PREPARE" => statement.begins(&["PREPARE", "TRANSACTION"]),
        "ROLLBACK" => !statement.has("TO"),
        _ => false,
    };
    is_own.then(|| statement.words.iter().take_while(|word| *word != ";").cloned().collect::<Vec<_>>().join(" "))
}

fn hash_of_words(parse: &Parse<SourceFile>) -> String {
    let mut hash = Sha256::new();
    for element in parse.syntax_node().children_with_tokens() {
        for (kind, _, word) in tokens(&element) {
            if !kind.is_trivia() {
                hash.update(as_judged(&word).as_bytes());
                hash.update([0]);
            }
        }
    }
    hex(&hash.finalize())
}

/// On one line, and not too long.
pub(super) fn shown(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(SHOWN_CHARACTERS) {
        Some((byte, _)) => format!("{}…", &line[..byte]),
        None => line,
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
