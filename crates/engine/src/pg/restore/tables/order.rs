//! Tables in the order in which their rows can come: what is referred to comes first.

use crate::pg::restore::RestoreError;
use crate::pg::session::Session;

/// # Errors
/// When some of them refer to each other in a circle.
pub(super) async fn by_references(session: &Session, names: &[String]) -> Result<Vec<String>, RestoreError> {
    let sql = "SELECT DISTINCT one.name, other.name FROM unnest($1::text[]) AS one(name), unnest($1::text[]) AS other(name), \
               pg_constraint k WHERE k.contype = 'f' AND k.conrelid = to_regclass(one.name) AND k.confrelid = to_regclass(other.name) \
               AND one.name <> other.name";
    let rows = session.client.query(sql, &[&names]).await.map_err(RestoreError::of("reading foreign keys"))?;
    let refers: Vec<(String, String)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    sorted(names, &refers).ok_or_else(|| {
        RestoreError::refused(
            "the tables refer to each other in a circle, so their rows cannot come one after the other",
        )
        .hint("restore the whole backup beside the database, and take what you want: `mainstay db restore --into NAME`")
    })
}

fn sorted(names: &[String], refers: &[(String, String)]) -> Option<Vec<String>> {
    let mut open: Vec<&String> = names.iter().collect();
    let mut done: Vec<String> = Vec::new();
    while !open.is_empty() {
        let is_free = |name: &&String| !refers.iter().any(|(from, to)| from == *name && !done.contains(to));
        let at = open.iter().position(is_free)?;
        let next = open.remove(at).clone();
        done.push(next);
    }
    Some(done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_referred_to_comes_first_and_a_circle_has_no_order() {
        let names = ["a", "b", "c"].map(str::to_owned);
        let refers = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
            pairs.iter().map(|(from, to)| ((*from).to_owned(), (*to).to_owned())).collect()
        };
        assert_eq!(
            sorted(&names, &refers(&[("a", "c"), ("c", "b")])),
            Some(["b", "c", "a"].map(str::to_owned).to_vec())
        );
        assert_eq!(sorted(&names, &refers(&[("a", "c"), ("c", "a")])), None);
    }
}
