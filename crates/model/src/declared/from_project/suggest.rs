//! The word that a mistyped one most likely meant.

/// The candidate with the fewest edits between it and the word, when they are few for the word's length.
pub(crate) fn closest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let allowed = (word.chars().count() / 3).clamp(1, 3);
    candidates
        .map(|candidate| (edits(&word.to_ascii_lowercase().replace('-', "_"), candidate), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Levenshtein's distance, in characters.
fn edits(from: &str, to: &str) -> usize {
    let mut above: Vec<usize> = (0..=to.chars().count()).collect();
    for (row, here) in from.chars().enumerate() {
        let mut left = row + 1;
        let mut current = vec![left];
        for (there, pair) in to.chars().zip(above.windows(2)) {
            let &[diagonal, up] = pair else { continue };
            left = (diagonal + usize::from(here != there)).min(up + 1).min(left + 1);
            current.push(left);
        }
        above = current;
    }
    above.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_is_named() {
        assert_eq!(closest("requries", ["requires", "routes"].into_iter()), Some("requires"));
        assert_eq!(closest("network-mode", ["network_mode", "networks"].into_iter()), Some("network_mode"));
        assert_eq!(closest("evironment", ["environment", "entrypoint"].into_iter()), Some("environment"));
    }

    #[test]
    fn another_word_is_not_guessed() {
        assert_eq!(closest("kitchen", ["requires", "routes"].into_iter()), None);
    }
}
