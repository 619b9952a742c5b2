//! The order of keys in the reference's YAML: letters before what is none, numbers by their size.

use std::cmp::Ordering;

pub fn compare(a: &str, b: &str) -> Ordering {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut after_digit = false;
    for at in 0..a.len().min(b.len()) {
        let (left, right) = (a[at], b[at]);
        if left == right {
            after_digit = left.is_numeric();
            continue;
        }
        return match (left.is_alphabetic(), right.is_alphabetic()) {
            (true, true) => left.cmp(&right),
            (false, false) => compare_numbers(&a, &b, at),
            // After a digit a letter comes first, elsewhere last.
            (left_is_letter, _) if left_is_letter == after_digit => Ordering::Less,
            _ => Ordering::Greater,
        };
    }
    a.len().cmp(&b.len())
}

fn compare_numbers(a: &[char], b: &[char], at: usize) -> Ordering {
    let mut start = 0u64;
    if a[at] == '0' || b[at] == '0' {
        let before = a[..at].iter().rev().take_while(|letter| letter.is_ascii_digit());
        start = u64::from(before.into_iter().any(|letter| *letter != '0'));
    }
    let read = |letters: &[char]| {
        let digits: Vec<u64> = letters[at..].iter().map_while(|letter| letter.to_digit(10)).map(u64::from).collect();
        let number = digits.iter().fold(start, |number, digit| number.wrapping_mul(10).wrapping_add(*digit));
        (number, digits.len())
    };
    read(a).cmp(&read(b)).then(a[at].cmp(&b[at]))
}
