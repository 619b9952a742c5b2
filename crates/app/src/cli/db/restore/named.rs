//! A table by its name, before anything is copied.

use mainstay_model::postgres::backup::{Manifest, quoted};

/// Whether a backup may have the table: one without a schema may be in any, which only a server tells.
pub(super) fn may_be_in(manifest: &Manifest, told: &str) -> bool {
    let tables = &manifest.contents.tables;
    match parts(told).as_deref() {
        Some([schema, table]) => tables.contains_key(&quoted(schema, table)),
        Some([table]) => {
            let end = quoted("", table).split_off(2);
            tables.keys().any(|name| name.ends_with(&end))
        }
        _ => false,
    }
}

/// The parts of a name as SQL reads it: what is in quotes as it is, all else in small letters.
fn parts(told: &str) -> Option<Vec<String>> {
    let mut all = Vec::new();
    let mut rest = told.trim();
    loop {
        let (part, after) = match rest.strip_prefix('"') {
            Some(quoted) => in_quotes(quoted)?,
            None => {
                let end = rest.find(|letter: char| letter == '.' || letter == '"' || letter.is_whitespace());
                let (word, after) = rest.split_at(end.unwrap_or(rest.len()));
                (word.to_lowercase(), after)
            }
        };
        if part.is_empty() {
            return None;
        }
        all.push(part);
        let after = after.trim_start();
        if after.is_empty() {
            return Some(all);
        }
        rest = after.strip_prefix('.')?.trim_start();
    }
}

/// Up to the closing quote, and what comes after it.
fn in_quotes(text: &str) -> Option<(String, &str)> {
    let mut name = String::new();
    let mut rest = text;
    loop {
        let (before, after) = rest.split_once('"')?;
        name += before;
        match after.strip_prefix('"') {
            Some(more) => {
                name.push('"');
                rest = more;
            }
            None => return Some((name, after)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_as_sql_reads_it() {
        let read = |told: &str| parts(told).map(|parts| parts.join("|"));
        assert_eq!(read("Public.Guests").as_deref(), Some("public|guests"));
        assert_eq!(read(r#""we ird" . "tab""le""#).as_deref(), Some(r#"we ird|tab"le"#));
        assert_eq!(read("guests").as_deref(), Some("guests"));
        for none in ["", "a.", ".a", "a b", r#""a"#, r#"a"b""#, r#""a"b"#] {
            assert_eq!(read(none), None, "{none}");
        }
    }
}
