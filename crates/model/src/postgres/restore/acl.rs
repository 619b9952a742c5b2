//! Privileges of a database as the catalog writes them: `web=Tc/postgres`.

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct AclItem {
    /// None: everybody.
    pub grantee: Option<String>,
    pub grantor: String,
    /// A letter each, and whether it may be given on.
    pub privileges: Vec<(char, bool)>,
}

impl AclItem {
    pub(super) fn read(text: &str) -> Option<AclItem> {
        let (grantee, rest) = name(text)?;
        let rest = rest.strip_prefix('=')?;
        let (letters, grantor) = rest.split_once('/')?;
        let (grantor, rest) = name(grantor)?;
        if !rest.is_empty() {
            return None;
        }
        let mut privileges: Vec<(char, bool)> = Vec::new();
        for letter in letters.chars() {
            match letter {
                '*' => privileges.last_mut()?.1 = true,
                letter => privileges.push((letter, false)),
            }
        }
        Some(AclItem { grantee: (!grantee.is_empty()).then_some(grantee), grantor, privileges })
    }
}

/// A name at the beginning of a text, and what comes after it. One with unusual characters stands in double quotes.
fn name(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(['=', '/']).unwrap_or(text.len());
        return Some((text[..end].to_owned(), &text[end..]));
    };
    let mut out = String::new();
    let mut letters = quoted.char_indices().peekable();
    while let Some((at, letter)) = letters.next() {
        if letter != '"' {
            out.push(letter);
        } else if letters.peek().is_some_and(|(_, next)| *next == '"') {
            letters.next();
            out.push('"');
        } else {
            return Some((out, &quoted[at + 1..]));
        }
    }
    None
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_read_with_names_of_any_kind() {
        let read = |text: &str| AclItem::read(text).unwrap();
        assert_eq!(
            read("web=Tc*/postgres"),
            AclItem {
                grantee: Some("web".into()),
                grantor: "postgres".into(),
                privileges: vec![('T', false), ('c', true)]
            }
        );
        assert_eq!(read("=c/postgres").grantee, None);
        let odd = read("\"we \"\"i/=rd\"=C/\"o wner\"");
        assert_eq!((odd.grantee.as_deref(), odd.grantor.as_str()), (Some("we \"i/=rd"), "o wner"));
        assert!(AclItem::read("nonsense").is_none() && AclItem::read("\"open=c/x").is_none());
    }
}
