//! `\\'` inside double quotes: YAML does not know it, but the reference's reader does, and people write it.

/// Texts in double quotes that are mended in one file; each costs a reading.
pub(super) const MOST_MENDED: usize = 100;
/// Larger files are not mended.
pub(super) const MENDED_BYTES_MAX: usize = 256 * 1024;

/// The text without the backslashes before `'` in the double-quoted scalar that starts at a character; `None` when
/// there is no such scalar, or nothing to mend in it.
pub(super) fn mend(text: &str, at: usize) -> Option<String> {
    let (start, _) = text.char_indices().nth(at)?;
    let (before, scalar) = text.split_at(start);
    let mut out = String::with_capacity(text.len());
    out.push_str(before);
    let mut letters = scalar.char_indices();
    if letters.next()?.1 != '"' {
        return None;
    }
    out.push('"');
    while let Some((_, letter)) = letters.next() {
        match letter {
            '"' => {
                out.push(letter);
                break;
            }
            '\\' => match letters.next()?.1 {
                '\'' => out.push('\''),
                escaped => out.extend([letter, escaped]),
            },
            _ => out.push(letter),
        }
    }
    out.push_str(letters.as_str());
    (out.len() < text.len()).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_quotes_of_one_scalar_are_mended() {
        assert_eq!(mend(r#"é: "it\'s" # \'"#, 3).as_deref(), Some(r#"é: "it's" # \'"#));
        assert_eq!(mend(r#"a: "\\'" "#, 3), None);
        assert_eq!(mend(r#"a: 'it\'"#, 3), None);
        assert_eq!(mend("a", 9), None);
    }
}
