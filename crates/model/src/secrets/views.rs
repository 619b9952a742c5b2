//! A text as it reads after its escapes are taken away, with the way back to where each byte stands.
//!
//! Escaping has too many dialects to list what a value looks like in each; undoing it is one small function for all of
//! them, and works inside of each other.

/// One reading of a text.
#[derive(Clone, Debug)]
pub(super) struct View {
    pub bytes: Vec<u8>,
    /// Where each byte begins in the original, and the original's length behind the last.
    from: Vec<usize>,
}

/// How escapes are undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Undo {
    /// `%41` is `A`.
    Percent,
    /// The same, and `+` is a space, as forms have it.
    Form,
    /// `\n`, `\"`, `A`, `\u{41}`, `\x41`: JSON, and whatever prints strings for programmers.
    Backslash,
    /// Line ends that only fold a long word.
    Fold,
}

/// A value in JSON in a URL in JSON is as deep as it gets.
const DEEPEST: usize = 3;

/// Every other reading of a text.
pub(super) fn undone(text: &[u8]) -> Vec<View> {
    if !text.iter().any(|byte| b"%+\\\n".contains(byte)) {
        // Most lines have no escapes.
        return Vec::new();
    }
    let mut views = vec![View { bytes: text.to_vec(), from: (0..=text.len()).collect() }];
    let mut done = 0;
    for _ in 0..DEEPEST {
        let end = views.len();
        for index in done..end {
            for undo in [Undo::Percent, Undo::Form, Undo::Backslash, Undo::Fold] {
                if let Some(view) = views[index].undone(undo)
                    && views.iter().all(|known| known.bytes != view.bytes)
                {
                    views.push(view);
                }
            }
        }
        done = end;
    }
    views.remove(0);
    views
}

impl View {
    /// The range of the original that a range of this view came from: whole escapes, never a part of one.
    pub(super) fn original(&self, start: usize, end: usize) -> (usize, usize) {
        let begins = self.from[start];
        let last = self.from[end.max(1) - 1];
        let behind = self.from[end..].iter().copied().find(|place| *place > last);
        (begins, behind.unwrap_or_else(|| self.from[self.bytes.len()]))
    }

    /// `None` when there is nothing to undo.
    fn undone(&self, undo: Undo) -> Option<View> {
        let marks: &[u8] = match undo {
            Undo::Percent => b"%",
            Undo::Form => b"+",
            Undo::Backslash => b"\\",
            Undo::Fold => b"\n",
        };
        if !self.bytes.iter().any(|byte| marks.contains(byte)) {
            return None;
        }
        let mut view = View { bytes: Vec::with_capacity(self.bytes.len()), from: Vec::new() };
        let mut at = 0;
        while at < self.bytes.len() {
            let (length, meant) = undo.at(&self.bytes[at..]);
            for byte in meant.as_slice() {
                view.bytes.push(*byte);
                view.from.push(self.from[at]);
            }
            at += length;
        }
        view.from.push(self.from[self.bytes.len()]);
        Some(view)
    }
}

/// Up to four bytes: one character.
struct Meant([u8; 4], usize);

impl Meant {
    fn byte(byte: u8) -> Self {
        Meant([byte, 0, 0, 0], 1)
    }

    fn character(code: u32) -> Option<Self> {
        let mut bytes = [0; 4];
        let length = char::from_u32(code)?.encode_utf8(&mut bytes).len();
        Some(Meant(bytes, length))
    }

    fn nothing() -> Self {
        Meant([0; 4], 0)
    }

    fn as_slice(&self) -> &[u8] {
        &self.0[..self.1]
    }
}

impl Undo {
    /// How long what stands first is, and what it means.
    fn at(self, rest: &[u8]) -> (usize, Meant) {
        let as_is = (1, Meant::byte(rest[0]));
        match (self, rest[0]) {
            (Undo::Form, b'+') => (1, Meant::byte(b' ')),
            (Undo::Percent | Undo::Form, b'%') => match number(rest.get(1..3)) {
                Some(byte) => (3, Meant::byte(byte as u8)),
                None => as_is,
            },
            (Undo::Backslash, b'\\') => backslash(rest).unwrap_or(as_is),
            (Undo::Fold, b'\n') => (1, Meant::nothing()),
            (Undo::Fold, b'\r') if rest.get(1) == Some(&b'\n') => (1, Meant::nothing()),
            _ => as_is,
        }
    }
}

fn backslash(rest: &[u8]) -> Option<(usize, Meant)> {
    let letter = *rest.get(1)?;
    let plain = |byte| Some((2, Meant::byte(byte)));
    match letter {
        b'n' => plain(b'\n'),
        b't' => plain(b'\t'),
        b'r' => plain(b'\r'),
        b'b' => plain(8),
        b'f' => plain(12),
        b'a' => plain(7),
        b'v' => plain(11),
        b'e' => plain(27),
        b'0' => plain(0),
        b'x' => Some((4, Meant::byte(number(rest.get(2..4))? as u8))),
        b'u' if rest.get(2) == Some(&b'{') => {
            let end = rest.iter().take(12).position(|byte| *byte == b'}')?;
            Some((end + 1, Meant::character(number(rest.get(3..end))?)?))
        }
        b'u' => {
            let high = number(rest.get(2..6))?;
            if !(0xd800..0xdc00).contains(&high) {
                return Some((6, Meant::character(high)?));
            }
            let low = (rest.get(6..8) == Some(b"\\u")).then(|| number(rest.get(8..12)))??;
            let code = 0x10000 + ((high - 0xd800) << 10) + low.checked_sub(0xdc00)?;
            Some((12, Meant::character(code)?))
        }
        // Quotes, a slash, a backslash, a dollar, a line end: it stands for itself.
        byte if !byte.is_ascii_alphanumeric() && byte.is_ascii() => plain(byte),
        _ => None,
    }
}

/// Hexadecimal digits as a number.
fn number(digits: Option<&[u8]>) -> Option<u32> {
    let digits = std::str::from_utf8(digits?).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
    u32::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reads(text: &str) -> Vec<String> {
        undone(text.as_bytes()).into_iter().map(|view| String::from_utf8_lossy(&view.bytes).into_owned()).collect()
    }

    #[test]
    fn escapes_of_all_kinds_are_undone_and_inside_of_each_other() {
        for text in [
            "a%20b\"€😀",
            "a+b%22%e2%82%AC%F0%9F%98%80",
            r#"a b\"€😀"#,
            r#"a\u0020b\u0022\u20ac\ud83d\ude00"#,
            r"a\x20b\u{22}\u{20ac}\u{1f600}",
            r#"a%20b%5C%22%5Cu20ac😀"#,
            "a b\"€\r\n😀",
        ] {
            assert!(reads(text).iter().any(|read| read == "a b\"€😀"), "{text}: {:?}", reads(text));
        }
    }

    #[test]
    fn what_is_no_escape_stays() {
        for text in ["100%", "%zz", r"\", r"\u12", r"\ud83d", r"\q"] {
            assert!(reads(text).is_empty(), "{text}: {:?}", reads(text));
        }
    }
}
