//! Whether a text can stand in YAML without quotes, and whether it would still be a text then.

/// What the letters of a text allow.
pub struct Look {
    pub can_be_plain: bool,
    pub can_be_single_quoted: bool,
    pub can_be_block: bool,
}

impl Look {
    pub fn of(text: &str) -> Look {
        let mut look = Look { can_be_plain: true, can_be_single_quoted: true, can_be_block: true };
        if text.starts_with("---") || text.starts_with("...") {
            look.can_be_plain = false;
        }
        let letters: Vec<char> = text.chars().collect();
        let is_blank =
            |letter: Option<&char>| letter.is_none_or(|letter| matches!(letter, ' ' | '\t') || is_break(*letter));
        for (at, &letter) in letters.iter().enumerate() {
            let before_blank = is_blank(letters.get(at + 1));
            let after_blank = at == 0 || is_blank(letters.get(at - 1));
            let is_indicator = match letter {
                '#' => after_blank,
                ':' => before_blank,
                '?' | '-' => at == 0 && before_blank,
                ',' | '[' | ']' | '{' | '}' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%' | '@' | '`' => at == 0,
                _ => false,
            };
            look.can_be_plain &= !is_indicator;
            if letter != '\t' && !is_printable(letter) {
                look = Look { can_be_plain: false, can_be_single_quoted: false, can_be_block: false };
            }
            if letter == '\t' {
                look.can_be_plain = false;
                look.can_be_single_quoted = false;
            }
            look.spaces_and_breaks(&letters, at);
        }
        look
    }

    fn spaces_and_breaks(&mut self, letters: &[char], at: usize) {
        let (first, last) = (at == 0, at + 1 == letters.len());
        let next = letters.get(at + 1).copied();
        if letters[at] == ' ' {
            self.can_be_plain &= !(first || last);
            self.can_be_block &= !last;
            if next.is_some_and(is_break) {
                *self = Look { can_be_plain: false, can_be_single_quoted: false, can_be_block: false };
            }
        } else if is_break(letters[at]) {
            self.can_be_plain = false;
            if next == Some(' ') {
                self.can_be_single_quoted = false;
            }
        }
    }
}

fn is_break(letter: char) -> bool {
    matches!(letter, '\r' | '\n' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// The letters that the reference's emitter writes as they are.
pub fn is_printable(letter: char) -> bool {
    matches!(letter, '\n' | ' '..='~' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fefe}' | '\u{ff00}'..='\u{fffd}')
}

/// Whether a reader would take the bare text for something else than a text: by YAML 1.2, or by the older
/// rules under which `yes` is a truth and `1:30` a number.
pub fn reads_as_other(text: &str) -> bool {
    is_word(text) || is_number(text) || is_date(text) || is_base_sixty(text)
}

fn is_word(text: &str) -> bool {
    matches!(
        text,
        "" | "~"
            | "null"
            | "Null"
            | "NULL"
            | "true"
            | "True"
            | "TRUE"
            | "false"
            | "False"
            | "FALSE"
            | "y"
            | "Y"
            | "yes"
            | "Yes"
            | "YES"
            | "on"
            | "On"
            | "ON"
            | "n"
            | "N"
            | "no"
            | "No"
            | "NO"
            | "off"
            | "Off"
            | "OFF"
            | ".nan"
            | ".NaN"
            | ".NAN"
            | ".inf"
            | ".Inf"
            | ".INF"
            | "+.inf"
            | "+.Inf"
            | "+.INF"
            | "-.inf"
            | "-.Inf"
            | "-.INF"
    )
}

fn is_number(text: &str) -> bool {
    if !text.starts_with(|first: char| first.is_ascii_digit() || matches!(first, '+' | '-' | '.')) {
        return false;
    }
    let text = text.replace('_', "");
    let digits = text.strip_prefix(['+', '-']).unwrap_or(&text);
    let lower = digits.to_ascii_lowercase();
    let based = |prefix: &str, base: u32| {
        lower
            .strip_prefix(prefix)
            .is_some_and(|rest| !rest.is_empty() && rest.chars().all(|letter| letter.is_digit(base)))
    };
    based("0x", 16) || based("0b", 2) || based("0o", 8) || is_decimal(&lower)
}

/// Digits, a point, an exponent.
fn is_decimal(text: &str) -> bool {
    let (mantissa, exponent) =
        text.split_once('e').map_or((text, None), |(mantissa, exponent)| (mantissa, Some(exponent)));
    let all_digits = |text: &str| text.chars().all(|letter| letter.is_ascii_digit());
    let exponent_is_right = exponent.is_none_or(|exponent| {
        let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        !digits.is_empty() && all_digits(digits)
    });
    let mantissa_is_right = match mantissa.split_once('.') {
        None => !mantissa.is_empty() && all_digits(mantissa),
        Some((whole, part)) => (!whole.is_empty() || !part.is_empty()) && all_digits(whole) && all_digits(part),
    };
    exponent_is_right && mantissa_is_right
}

/// `2001-01-01`, alone or with a time after it.
fn is_date(text: &str) -> bool {
    let (date, time) = match text.find(['T', 't', ' ']) {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    };
    let parts: Vec<&str> = date.split('-').collect();
    let [year, month, day] = parts[..] else { return false };
    let in_range = |text: &str, most: u32| {
        (1..=2).contains(&text.len()) && text.parse::<u32>().is_ok_and(|value| (1..=most).contains(&value))
    };
    let is_day = year.len() == 4
        && year.chars().all(|letter| letter.is_ascii_digit())
        && in_range(month, 12)
        && in_range(day, 31);
    let is_time = |time: &str| time.split(':').count() == 3 && time.starts_with(|first: char| first.is_ascii_digit());
    is_day && time.is_none_or(is_time)
}

/// `1:30`, which YAML 1.1 reads as ninety.
fn is_base_sixty(text: &str) -> bool {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let mut parts = digits.split(':');
    let first = parts.next().unwrap_or_default();
    let is_start = first.starts_with(|first: char| first.is_ascii_digit())
        && first.chars().all(|letter| letter.is_ascii_digit() || letter == '_');
    let rest: Vec<&str> = parts.collect();
    let Some((last, middle)) = rest.split_last() else { return false };
    let (last, fraction) = last.split_once('.').unwrap_or((last, ""));
    let is_sixtieth = |text: &str| match text.as_bytes() {
        [one] => one.is_ascii_digit(),
        [ten, one] => (b'0'..=b'5').contains(ten) && one.is_ascii_digit(),
        _ => false,
    };
    is_start
        && is_sixtieth(last)
        && middle.iter().all(|part| is_sixtieth(part))
        && fraction.chars().all(|letter| letter.is_ascii_digit() || letter == '_')
}
