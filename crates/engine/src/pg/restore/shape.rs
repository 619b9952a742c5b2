//! What a table is made of, as `pg_dump` writes it: columns, defaults, keys, indexes, triggers, policies, row security, grants,
//! comments, and the sequences that it owns.

use super::error::RestoreError;
use super::whole::APPLICATION;
use crate::pg::backup::Tools;

/// Which part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Section {
    All,
    /// Before its rows: the table, its defaults, sequences and grants.
    Before,
    /// After its rows: keys, indexes, triggers, policies, row security.
    After,
}

/// The statements that make these tables, without what only `psql` understands. Their names are in
/// quotes, so as patterns they stand for themselves.
pub(super) async fn of(tools: &Tools, tables: &[String], section: Section) -> Result<String, RestoreError> {
    let mut command: Vec<String> =
        ["pg_dump", "--no-password", "--schema-only", "--strict-names"].map(str::to_owned).into();
    match section {
        Section::All => {}
        Section::Before => command.push("--section=pre-data".into()),
        Section::After => command.push("--section=post-data".into()),
    }
    command.extend(tables.iter().map(|table| format!("--table={table}")));
    let text = tools.output(command, APPLICATION).await?;
    let told = text.lines().filter(|line| !line.starts_with("\\restrict ") && !line.starts_with("\\unrestrict "));
    Ok(told.map(|line| format!("{line}\n")).collect())
}

/// What one has and the other has not, with its sign; empty when they are the same. Comments, and the order, do not count.
pub(super) fn difference(live: &str, backed_up: &str) -> Vec<String> {
    let statements = |text: &str| -> Vec<String> {
        let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with("--")).collect();
        let whole = lines.join("\n");
        let mut all: Vec<String> = whole
            .split("\n\n")
            .map(|one| one.split_whitespace().collect::<Vec<_>>().join(" "))
            .filter(|one| {
                !one.is_empty() && !one.starts_with("SET ") && !one.starts_with("SELECT pg_catalog.set_config")
            })
            .collect();
        all.sort();
        all
    };
    let (live, backed_up) = (statements(live), statements(backed_up));
    let only = |of: &[String], other: &[String], sign: &str| -> Vec<String> {
        of.iter().filter(|one| !other.contains(one)).map(|one| format!("{sign} {one}")).collect()
    };
    [only(&live, &backed_up, "now:   "), only(&backed_up, &live, "backup:")].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_is_told_and_from_which_side() {
        let live =
            "--\n-- Name: a\n--\n\nCREATE TABLE a (\n  id int\n);\n\nSET x = 1;\n\nGRANT SELECT ON TABLE a TO web;\n";
        let backed_up = "CREATE TABLE a (\n  id int\n);\n\nALTER TABLE a ENABLE ROW LEVEL SECURITY;\n";
        assert_eq!(
            difference(live, backed_up),
            ["now:    GRANT SELECT ON TABLE a TO web;", "backup: ALTER TABLE a ENABLE ROW LEVEL SECURITY;"]
        );
        assert!(difference(live, live).is_empty());
    }
}
