//! The SQL of a set: each folder or file that came lies in a folder of its own, and an index says for what.

use std::path::{Component, Path, PathBuf};

use mainstay_engine::sources::{Arrived, ArrivedSql};

use super::Written;
use crate::problem::Problem;
use crate::remote::frames::{SentSql, SqlOf};

/// Everything that is to be written, with paths below the set's folder, and where lies what the command line names.
///
/// # Errors
/// When a name leads elsewhere.
pub(super) fn written(all: &[SentSql]) -> Result<(Written, ArrivedSql), Problem> {
    let mut written = Written::new();
    let mut arrived = Arrived::default();
    let mut given = ArrivedSql::default();
    for (number, one) in all.iter().enumerate() {
        let folder = number.to_string();
        for file in &one.files {
            must_be_plain(&file.name)?;
            written.push((PathBuf::from(Arrived::FOLDER).join(&folder).join(&file.name), file.bytes()));
        }
        match &one.of {
            SqlOf::Dir(name) => arrived.databases.entry(name.clone()).or_default().dir = Some(folder),
            SqlOf::GivenDir => given.dir = Some(folder),
            SqlOf::Before(name) => {
                arrived.databases.entry(name.clone()).or_default().before = Some(only(one, &folder)?);
            }
            SqlOf::GivenBefore => given.before = Some(only(one, &folder)?),
        }
    }
    if !all.is_empty() {
        let index = serde_json::to_vec(&arrived).map_err(|error| {
            Problem::world("not-laid-down", "what came along could not be written down").caused_by(&error)
        })?;
        written.push((PathBuf::from(Arrived::FOLDER).join(Arrived::INDEX), index));
    }
    Ok((written, given))
}

fn only(one: &SentSql, folder: &str) -> Result<String, Problem> {
    match one.files.as_slice() {
        [file] => Ok(format!("{folder}/{}", file.name)),
        _ => Err(Problem::usage("bad-request", "one file of SQL was to come along")),
    }
}

/// The name of a file in a folder.
fn must_be_plain(name: &str) -> Result<(), Problem> {
    let mut parts = Path::new(name).components();
    let is_plain = matches!((parts.next(), parts.next()), (Some(Component::Normal(part)), None) if part == name);
    if is_plain && !name.contains('\0') {
        return Ok(());
    }
    Err(Problem::usage("bad-request", format!("`{}` is no name of a file", name.escape_debug())))
}

#[cfg(test)]
mod tests {
    use mainstay_model::declared::SqlFile;

    use super::*;

    fn sent(of: SqlOf, names: &[&str]) -> SentSql {
        SentSql { of, files: names.iter().map(|name| SqlFile::new(*name, name.as_bytes().to_vec())).collect() }
    }

    #[test]
    fn each_must_lie_where_the_index_says() {
        let all = [
            sent(SqlOf::Dir("../crm".to_owned()), &["1.sql", "2 ä\n.SQL"]),
            sent(SqlOf::Before("../crm".to_owned()), &["old.sql"]),
            sent(SqlOf::GivenDir, &[]),
            sent(SqlOf::GivenBefore, &["index.json"]),
        ];
        let (written, given) = written(&all).expect("written");
        let paths: Vec<&str> = written.iter().filter_map(|(path, _)| path.to_str()).collect();
        assert_eq!(
            paths,
            [".sql/0/1.sql", ".sql/0/2 ä\n.SQL", ".sql/1/old.sql", ".sql/3/index.json", ".sql/index.json"]
        );
        let index: Arrived = serde_json::from_slice(&written[4].1).expect("an index");
        let crm = &index.databases["../crm"];
        assert_eq!((crm.dir.as_deref(), crm.before.as_deref()), (Some("0"), Some("1/old.sql")));
        assert_eq!((given.dir.as_deref(), given.before.as_deref()), (Some("2"), Some("3/index.json")));
    }

    #[test]
    fn no_name_may_lead_elsewhere() {
        for name in ["../1.sql", "/etc/1.sql", "a/1.sql", "1.sql/", ".", "..", "", "a\0.sql", "./1.sql"] {
            assert!(written(&[sent(SqlOf::GivenDir, &[name])]).is_err(), "{name:?}");
        }
        assert!(written(&[sent(SqlOf::GivenBefore, &["1.sql", "2.sql"])]).is_err());
        assert!(written(&[sent(SqlOf::Before("crm".to_owned()), &[])]).is_err());
    }

    #[test]
    fn where_nothing_came_nothing_is_written() {
        let (written, given) = written(&[]).expect("written");
        assert!(written.is_empty() && given == ArrivedSql::default());
    }
}
