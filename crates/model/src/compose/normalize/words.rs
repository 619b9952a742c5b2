//! A command line as words, as the reference cuts it: quotes and backslashes count, nothing is expanded.

/// The words of a command line, and what was cut off.
#[derive(Debug, PartialEq, Eq)]
pub struct Words {
    pub words: Vec<String>,
    /// Where the reference stops reading: a `;`, `&`, `|`, `<` or `>` outside quotes, and all after it.
    pub cut_off: Option<String>,
}

#[derive(Default)]
struct Reader {
    words: Vec<String>,
    word: String,
    /// Whether a word was begun: a quoted empty word is one.
    begun: bool,
    escaped: bool,
    in_double: bool,
    in_single: bool,
    in_backquote: bool,
    in_dollar: bool,
}

/// Cuts a command line.
///
/// # Errors
/// What is wrong, in words that fit after "the command".
pub fn split(line: &str) -> Result<Words, String> {
    let mut reader = Reader::default();
    let mut cut_off = None;
    for (at, letter) in line.char_indices() {
        if reader.stops_at(letter) {
            reader.drop_descriptor(letter);
            cut_off = Some(line[at..].to_owned());
            break;
        }
        reader.read(letter)?;
    }
    if reader.escaped || reader.is_quoted() {
        return Err("ends inside a quotation".to_owned());
    }
    reader.end_word();
    Ok(Words { words: reader.words, cut_off })
}

impl Reader {
    fn is_quoted(&self) -> bool {
        self.in_single || self.in_double || self.in_backquote || self.in_dollar
    }

    fn stops_at(&self, letter: char) -> bool {
        matches!(letter, ';' | '&' | '|' | '<' | '>') && !self.escaped && !self.is_quoted()
    }

    /// In `2>file` the number belongs to the redirection.
    fn drop_descriptor(&mut self, letter: char) {
        if letter == '>' && self.word.starts_with(|first: char| first.is_ascii_digit()) {
            self.word.clear();
            self.begun = false;
        }
    }

    fn end_word(&mut self) {
        if std::mem::take(&mut self.begun) {
            self.words.push(std::mem::take(&mut self.word));
        }
    }

    fn push(&mut self, letter: char) {
        self.word.push(letter);
        self.begun = true;
    }

    fn read(&mut self, letter: char) -> Result<(), String> {
        if std::mem::take(&mut self.escaped) {
            self.push(letter);
            return Ok(());
        }
        match letter {
            '\\' if self.in_single => self.word.push(letter),
            '\\' => self.escaped = true,
            ' ' | '\t' | '\r' | '\n' if self.is_quoted() => self.word.push(letter),
            ' ' | '\t' | '\r' | '\n' => self.end_word(),
            '"' if !self.in_single && !self.in_dollar => {
                self.begun |= self.in_double;
                self.in_double = !self.in_double;
            }
            '\'' if !self.in_double && !self.in_dollar => {
                self.begun |= self.in_single;
                self.in_single = !self.in_single;
            }
            '(' if !self.in_single && !self.in_double && !self.in_backquote => {
                if self.in_dollar || !self.word.ends_with('$') {
                    return Err("has a parenthesis outside quotes".to_owned());
                }
                self.in_dollar = true;
                self.word.push(letter);
            }
            _ => {
                match letter {
                    '`' if !self.in_single && !self.in_double && !self.in_dollar => {
                        self.in_backquote = !self.in_backquote;
                    }
                    ')' if !self.in_single && !self.in_double && !self.in_backquote => {
                        self.in_dollar = !self.in_dollar;
                    }
                    _ => {}
                }
                self.push(letter);
            }
        }
        Ok(())
    }
}
