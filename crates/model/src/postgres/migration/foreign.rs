//! Ledgers of other tools: which of their rows stand for which files, and whether the files are still what ran.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha384};

use super::file::{MigrationFile, hex};
use super::set::MigrationSet;

/// A tool whose ledger is understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tool {
    Sqlx,
    Dbmate,
    Goose,
    Flyway,
    Supabase,
}

/// A row of such a ledger, as far as tools agree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ForeignRow {
    /// What a file's name begins with; as text, in the tool's own form. Empty when the row has none.
    pub version: String,
    /// The name of the file, where the row has it.
    pub file: Option<String>,
    /// RFC 3339.
    pub at: Option<String>,
    /// Whether the tool calls it a success.
    pub is_done: bool,
    /// Everything up to this version counts as done.
    pub is_baseline: bool,
    pub sum: Sum,
}

/// What a row remembers of the file's text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Sum {
    #[default]
    Nothing,
    /// sqlx: of the bytes.
    Sha384(String),
    /// Flyway: of the lines without their ends.
    Crc32(i32),
    /// Supabase: the statements themselves.
    Statements(Vec<String>),
}

/// Whether a file is what the tool ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Proof {
    Same,
    /// The row does not say.
    Untold,
    /// Another text now.
    Changed,
}

/// What a foreign ledger comes to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Import {
    /// The files that it has as applied, in order.
    pub files: Vec<Imported>,
    /// Rows for which there is no file, or more than one.
    pub without_file: Vec<String>,
    /// Files that the tool began and did not end.
    pub broken_off: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Imported {
    pub file: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    pub proof: Proof,
}

impl Tool {
    pub const ALL: [Tool; 5] = [Tool::Sqlx, Tool::Dbmate, Tool::Goose, Tool::Flyway, Tool::Supabase];

    pub fn word(self) -> &'static str {
        match self {
            Tool::Sqlx => "sqlx",
            Tool::Dbmate => "dbmate",
            Tool::Goose => "goose",
            Tool::Flyway => "flyway",
            Tool::Supabase => "supabase",
        }
    }

    /// Where it keeps its ledger unless told otherwise.
    pub fn table(self) -> &'static str {
        match self {
            Tool::Sqlx => "public._sqlx_migrations",
            Tool::Dbmate => "public.schema_migrations",
            Tool::Goose => "public.goose_db_version",
            Tool::Flyway => "public.flyway_schema_history",
            Tool::Supabase => "supabase_migrations.schema_migrations",
        }
    }

    /// The version that a file's name says, in the form of the ledger's rows.
    fn version(self, file: &str) -> Option<String> {
        let digits = |text: &str| text.chars().take_while(char::is_ascii_digit).collect::<String>();
        let found = match self {
            // `V1_2__name.sql` is version 1.2.
            Tool::Flyway => {
                let rest = file.strip_prefix('V').or_else(|| file.strip_prefix('v'))?;
                dotted(rest.split_once("__")?.0)
            }
            Tool::Sqlx | Tool::Goose => plain(&digits(file)),
            Tool::Dbmate | Tool::Supabase => digits(file),
        };
        (!found.is_empty()).then_some(found)
    }

    fn as_kept(self, version: &str) -> String {
        match self {
            Tool::Flyway => dotted(version),
            Tool::Sqlx | Tool::Goose => plain(version),
            Tool::Dbmate | Tool::Supabase => version.to_owned(),
        }
    }
}

impl fmt::Display for Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// A number without what stands before it.
fn plain(version: &str) -> String {
    let bare = version.trim_start_matches('0');
    if bare.is_empty() && !version.is_empty() { "0".into() } else { bare.to_owned() }
}

/// `1_02` and `1.2` are one version.
fn dotted(version: &str) -> String {
    let parts: Vec<String> = version.replace('_', ".").split('.').map(plain).collect();
    let mut parts = parts.as_slice();
    while let [rest @ .., last] = parts
        && last == "0"
        && !rest.is_empty()
    {
        parts = rest;
    }
    parts.join(".")
}

impl ForeignRow {
    /// Reads the rows of a tool's table as they are, in any order.
    ///
    /// # Errors
    /// What the table lacks to be a ledger of this tool.
    pub fn read_all(tool: Tool, rows: &[Value]) -> Result<Vec<ForeignRow>, String> {
        let mut rows: Vec<&Value> = rows.iter().collect();
        let (order, needed): (&str, &[&str]) = match tool {
            Tool::Sqlx => ("version", &["version", "success", "checksum"]),
            Tool::Dbmate => ("version", &["version"]),
            Tool::Goose => ("id", &["version_id", "is_applied"]),
            Tool::Flyway => ("installed_rank", &["version", "script", "type", "success"]),
            Tool::Supabase => ("version", &["version"]),
        };
        if let Some(row) = rows.first() {
            let lacks = needed.iter().find(|column| row.get(column).is_none());
            if let Some(column) = lacks {
                return Err(format!("it has no column `{column}`, which {tool} has"));
            }
        }
        rows.sort_by_key(|row| row.get(order).and_then(Value::as_i64));
        let mut read: Vec<ForeignRow> = Vec::new();
        for row in rows {
            let Some(one) = ForeignRow::read(tool, row) else { continue };
            // Later rows say how it went on: applied again, or taken back.
            read.retain(|before| (&before.version, &before.file) != (&one.version, &one.file));
            let sort = text(row, "type").unwrap_or_default();
            let is_taken_back = match tool {
                Tool::Goose => !one.is_done,
                Tool::Flyway => sort == "DELETE" || sort.starts_with("UNDO"),
                _ => false,
            };
            if is_taken_back {
                read.retain(|before| before.version != one.version);
            } else {
                read.push(one);
            }
        }
        Ok(read)
    }

    fn read(tool: Tool, row: &Value) -> Option<ForeignRow> {
        let flag = |name: &str| row.get(name).and_then(Value::as_bool).unwrap_or(false);
        let (sort, at) = (text(row, "type").unwrap_or_default(), |name: &str| text(row, name));
        Some(match tool {
            Tool::Sqlx => ForeignRow {
                version: text(row, "version")?,
                at: at("installed_on"),
                is_done: flag("success"),
                // As the server writes bytes.
                sum: text(row, "checksum")
                    .map_or(Sum::Nothing, |sum| Sum::Sha384(sum.trim_start_matches("\\x").to_owned())),
                ..ForeignRow::default()
            },
            Tool::Dbmate => ForeignRow { version: text(row, "version")?, is_done: true, ..ForeignRow::default() },
            // The row of version 0 is there from the beginning.
            Tool::Goose => ForeignRow {
                version: text(row, "version_id").filter(|version| version != "0")?,
                at: at("tstamp"),
                is_done: flag("is_applied"),
                ..ForeignRow::default()
            },
            // It makes schemas too, and remembers that.
            Tool::Flyway if sort == "SCHEMA" => return None,
            Tool::Flyway => ForeignRow {
                version: text(row, "version").unwrap_or_default(),
                file: text(row, "script").filter(|_| sort == "SQL"),
                at: at("installed_on"),
                is_done: flag("success"),
                is_baseline: sort == "BASELINE",
                sum: match row.get("checksum").and_then(Value::as_i64).and_then(|sum| i32::try_from(sum).ok()) {
                    Some(sum) if sort == "SQL" => Sum::Crc32(sum),
                    _ => Sum::Nothing,
                },
            },
            Tool::Supabase => {
                let version = text(row, "version")?;
                let statements = row.get("statements").and_then(Value::as_array);
                let statements =
                    statements.map(|list| list.iter().filter_map(|one| one.as_str().map(str::to_owned)).collect());
                ForeignRow {
                    file: text(row, "name").map(|name| format!("{version}_{name}.sql")),
                    version,
                    is_done: true,
                    sum: statements.map_or(Sum::Nothing, Sum::Statements),
                    ..ForeignRow::default()
                }
            }
        })
    }
}

/// A value as text, whatever it is in the table.
fn text(row: &Value, name: &str) -> Option<String> {
    match row.get(name)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

impl Import {
    /// Holds the rows of a tool's ledger against the files.
    pub fn of(tool: Tool, rows: &[ForeignRow], set: &MigrationSet) -> Import {
        let mut by_version: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        for name in set.names() {
            if let Some(version) = tool.version(name) {
                by_version.entry(version).or_default().push(name);
            }
        }
        let mut import = Import::default();
        let mut found: BTreeMap<&str, Imported> = BTreeMap::new();
        for row in rows {
            let version = tool.as_kept(&row.version);
            if row.is_baseline {
                let before = |(other, _): &(&String, &Vec<&str>)| numbers(other) <= numbers(&version);
                for name in by_version.iter().filter(before).flat_map(|(_, names)| names) {
                    let one = Imported { file: (*name).to_owned(), at: row.at.clone(), proof: Proof::Untold };
                    found.entry(name).or_insert(one);
                }
                continue;
            }
            let by_name =
                row.file.as_deref().map(base).and_then(|file| set.names().into_iter().find(|one| *one == file));
            let by_number = || match by_version.get(&version).map(Vec::as_slice) {
                Some([one]) => Some(*one),
                _ => None,
            };
            match by_name.or_else(by_number) {
                Some(name) if !row.is_done => import.broken_off.push(name.to_owned()),
                Some(name) => {
                    let proof = set.files.get(name).map_or(Proof::Untold, |file| proof(&row.sum, file));
                    let one = Imported { file: name.to_owned(), at: row.at.clone(), proof };
                    found.insert(name, one);
                }
                None => import.without_file.push(row.file.clone().unwrap_or_else(|| row.version.clone())),
            }
        }
        import.files = found.into_values().collect();
        import
    }
}

/// For versions in order, as numbers.
fn numbers(version: &str) -> Vec<u128> {
    version.split('.').map(|part| part.parse().unwrap_or(u128::MAX)).collect()
}

fn base(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

fn proof(sum: &Sum, file: &MigrationFile) -> Proof {
    let is_same = match sum {
        Sum::Nothing => return Proof::Untold,
        // Its own newer versions leave line ends out of it; either is what ran.
        Sum::Sha384(sum) => [&file.raw, file.text.as_bytes()]
            .into_iter()
            .any(|bytes| hex(&Sha384::digest(bytes)).eq_ignore_ascii_case(sum)),
        Sum::Crc32(sum) => crc32_of_lines(&file.text) == *sum,
        Sum::Statements(told) if told.is_empty() => return Proof::Untold,
        Sum::Statements(told) => {
            let told = MigrationFile::words_of(&told.join(";\n"));
            told == MigrationFile::words_of(&file.text)
        }
    };
    if is_same { Proof::Same } else { Proof::Changed }
}

/// As Flyway counts: the bytes of every line, without what ends it.
fn crc32_of_lines(text: &str) -> i32 {
    let mut sum = u32::MAX;
    for byte in text.bytes().filter(|byte| *byte != b'\n') {
        sum ^= u32::from(byte);
        for _ in 0..8 {
            sum = if sum & 1 == 1 { (sum >> 1) ^ 0xEDB8_8320 } else { sum >> 1 };
        }
    }
    (!sum).cast_signed()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn set(names: &[&str]) -> MigrationSet {
        MigrationSet::read(names.iter().map(|name| (*name, b"select 1;\nselect 2;\n".as_slice())))
    }

    fn row(version: &str) -> ForeignRow {
        ForeignRow { version: version.into(), is_done: true, ..ForeignRow::default() }
    }

    fn names(import: &Import) -> Vec<(&str, Proof)> {
        import.files.iter().map(|one| (one.file.as_str(), one.proof)).collect()
    }

    #[test]
    fn versions_find_their_files() {
        let import = Import::of(
            Tool::Goose,
            &[row("1"), row("20"), row("9")],
            &set(&["00001_a.sql", "00020_b.sql", "00021_c.sql"]),
        );
        assert_eq!(names(&import), [("00001_a.sql", Proof::Untold), ("00020_b.sql", Proof::Untold)]);
        assert_eq!(import.without_file, ["9"]);
        let flyway = set(&["V1__a.sql", "V1_2__b.sql", "V2__c.sql", "V10__d.sql", "V11__e.sql"]);
        let baseline = ForeignRow { is_baseline: true, ..row("2") };
        let import =
            Import::of(Tool::Flyway, &[baseline, row("10.0"), ForeignRow { is_done: false, ..row("11") }], &flyway);
        let found: Vec<&str> = names(&import).into_iter().map(|(name, _)| name).collect();
        assert_eq!(found, ["V10__d.sql", "V1_2__b.sql", "V1__a.sql", "V2__c.sql"]);
        assert_eq!(import.broken_off, ["V11__e.sql"]);
    }

    #[test]
    fn later_rows_say_how_it_went_on() {
        let rows = serde_json::json!([
            { "id": 3, "version_id": 1, "is_applied": false, "tstamp": "2026-01-03T12:00:00" },
            { "id": 1, "version_id": 0, "is_applied": true, "tstamp": "2026-01-01T12:00:00" },
            { "id": 2, "version_id": 1, "is_applied": true, "tstamp": "2026-01-02T12:00:00" },
            { "id": 4, "version_id": 2, "is_applied": true, "tstamp": "2026-01-04T12:00:00" },
        ]);
        let read = ForeignRow::read_all(Tool::Goose, rows.as_array().unwrap()).unwrap();
        assert_eq!(read.iter().map(|row| row.version.as_str()).collect::<Vec<_>>(), ["2"]);
        let rows = serde_json::json!([{ "version": "1" }]);
        assert!(ForeignRow::read_all(Tool::Sqlx, rows.as_array().unwrap()).unwrap_err().contains("`success`"));
    }

    #[test]
    fn one_version_of_two_files_is_none_of_them() {
        let import = Import::of(Tool::Sqlx, &[row("1")], &set(&["1_a.sql", "01_b.sql"]));
        assert_eq!((import.files.len(), import.without_file), (0, vec!["1".to_owned()]));
    }

    #[test]
    fn sums_are_those_of_the_tools() {
        // Of `select 1;select 2;`, by zlib.
        let files = set(&["V1__a.sql"]);
        let file = &files.files["V1__a.sql"];
        assert_eq!(crc32_of_lines("123456789"), 0xCBF4_3926_u32.cast_signed());
        assert_eq!(proof(&Sum::Crc32(crc32_of_lines("select 1;select 2;")), file), Proof::Same);
        assert_eq!(proof(&Sum::Crc32(1), file), Proof::Changed);
        let sha = hex(&Sha384::digest(b"select 1;\nselect 2;\n"));
        assert_eq!(proof(&Sum::Sha384(sha.to_uppercase()), file), Proof::Same);
        assert_eq!(proof(&Sum::Sha384("00".into()), file), Proof::Changed);
        let statements = |list: &[&str]| Sum::Statements(list.iter().map(|one| (*one).to_owned()).collect());
        assert_eq!(proof(&statements(&["select 1", "SELECT 2"]), file), Proof::Same);
        assert_eq!(proof(&statements(&["select 1"]), file), Proof::Changed);
        assert_eq!(proof(&statements(&[]), file), Proof::Untold);
    }
}
