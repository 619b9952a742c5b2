//! The table that says which files were applied.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Postgres keeps so many bytes of a name.
const LONGEST_NAME: usize = 63;
/// What leads to the hash of a file's words in a note.
const TOKENS: &str = "tokens=";

/// The schema and table of a ledger, such as `public.pms_schema_migrations`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LedgerName {
    pub schema: String,
    pub table: String,
}

impl LedgerName {
    /// Reads `table` or `schema.table`; names are taken as they are written, in double quotes or without.
    ///
    /// # Errors
    /// What is wrong with the name.
    pub fn parse(text: &str) -> Result<LedgerName, String> {
        let parts: Vec<&str> = text.split('.').collect();
        let (schema, table) = match parts.as_slice() {
            [table] => ("public", *table),
            [schema, table] => (*schema, *table),
            _ => return Err(format!("`{text}` has more than one `.`; write `schema.table`")),
        };
        Ok(LedgerName { schema: name(text, schema)?, table: name(text, table)? })
    }

    /// As it is written in SQL.
    pub fn quoted(&self) -> String {
        format!("{}.{}", quoted(&self.schema), quoted(&self.table))
    }

    /// The table beside it that remembers how far a file without a transaction has come.
    pub fn attempts(&self) -> LedgerName {
        let room = LONGEST_NAME - "_attempts".len();
        let short: String = self.table.chars().take(room).collect();
        LedgerName { schema: self.schema.clone(), table: format!("{short}_attempts") }
    }
}

impl Default for LedgerName {
    fn default() -> Self {
        LedgerName { schema: "public".into(), table: "schema_migrations".into() }
    }
}

impl fmt::Display for LedgerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.schema, self.table)
    }
}

/// A name as it is written in SQL.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn name(whole: &str, part: &str) -> Result<String, String> {
    let bare = part.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(part);
    if bare.is_empty() || bare.contains('"') || bare.contains('\0') {
        return Err(format!("`{whole}` is no name of a table; write `schema.table`"));
    }
    if bare.len() > LONGEST_NAME {
        return Err(format!("`{bare}` is longer than the {LONGEST_NAME} bytes that Postgres keeps of a name"));
    }
    // What is written without quotes is small to Postgres, and is found under that name only.
    Ok(if bare.len() == part.len() { bare.to_lowercase() } else { bare.to_owned() })
}

/// A row: the scenario's four columns.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerRow {
    pub filename: String,
    /// RFC 3339.
    pub applied_at: String,
    /// Without one, the row was made by hand or by another tool.
    pub sha256: Option<String>,
    pub notes: Option<String>,
}

/// What Mainstay writes into `notes`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Note {
    /// The hash of the file's words, by which a later change is told to be cosmetic.
    pub tokens_sha256: Option<String>,
    pub took_ms: Option<u64>,
    pub by: Option<String>,
}

impl Note {
    /// Finds the hash of the words in a row's notes, whatever else stands there.
    pub fn tokens_in(notes: &str) -> Option<&str> {
        let at = notes.rfind(TOKENS)? + TOKENS.len();
        let hash = notes.get(at..at + 64)?;
        hash.bytes().all(|byte| byte.is_ascii_hexdigit()).then_some(hash)
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("mainstay")?;
        if let Some(by) = &self.by {
            write!(f, " by={}", by.split_whitespace().collect::<Vec<_>>().join("_"))?;
        }
        if let Some(took) = self.took_ms {
            write!(f, " took_ms={took}")?;
        }
        match &self.tokens_sha256 {
            Some(hash) => write!(f, " {TOKENS}{hash}"),
            None => Ok(()),
        }
    }
}
