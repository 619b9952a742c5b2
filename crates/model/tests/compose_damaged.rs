//! Damaged Compose files: whatever is cut, doubled or swapped, a load answers and never panics.

use std::collections::BTreeMap;

use mainstay_model::compose::{FileProblem, Files, LoadOptions, LoadRequest, load, print};
use proptest::prelude::*;

/// Every file asked for has the same text: `extends` and `include` find themselves.
struct Same(String);

impl Files for Same {
    fn read(&self, path: &str, _limit: u64) -> Result<Vec<u8>, FileProblem> {
        if path.ends_with("missing") { Err(FileProblem::Missing) } else { Ok(self.0.clone().into_bytes()) }
    }

    fn is_directory(&self, _path: &str) -> bool {
        false
    }
}

fn seeds() -> Vec<String> {
    let cases = [
        include_str!("compose_cases/merging.txt"),
        include_str!("compose_cases/printing.txt"),
        include_str!("compose_cases/sources.txt"),
        include_str!("compose_cases/refusals.txt"),
    ];
    let texts = cases.iter().flat_map(|text| text.split("-- file ").skip(1));
    texts
        .map(|text| text.lines().skip(1).take_while(|line| !line.starts_with("-- ")).collect::<Vec<_>>().join("\n"))
        .collect()
}

#[derive(Clone, Debug)]
enum Damage {
    Cut {
        from: usize,
        length: usize,
    },
    Insert {
        at: usize,
        piece: &'static str,
    },
    /// A line of another file.
    Line {
        at: usize,
        seed: usize,
        line: usize,
    },
}

fn damage() -> impl Strategy<Value = Damage> {
    let pieces = vec![
        ":",
        "- ",
        "\n",
        "  ",
        "[",
        "]",
        "{",
        "}",
        "!reset ",
        "!override ",
        "null",
        "${A:-",
        "$",
        "\"",
        "'",
        "*a",
        "&a ",
        "<<: *a",
        "é",
        "\t",
        "0",
        "-1",
        "extends: a",
        "x-",
        "---\n",
        "99999999999999999999999999999999999999999",
        ",",
        "~",
    ];
    prop_oneof![
        (any::<usize>(), 1usize..20).prop_map(|(from, length)| Damage::Cut { from, length }),
        (any::<usize>(), proptest::sample::select(pieces)).prop_map(|(at, piece)| Damage::Insert { at, piece }),
        (any::<usize>(), any::<usize>(), any::<usize>()).prop_map(|(at, seed, line)| Damage::Line { at, seed, line }),
    ]
}

fn apply(text: &str, damage: &Damage, seeds: &[String]) -> String {
    let letters: Vec<char> = text.chars().collect();
    let cut =
        |from: usize, to: usize| letters[from.min(letters.len())..to.min(letters.len())].iter().collect::<String>();
    match damage {
        Damage::Cut { from, length } => {
            let from = from % (letters.len() + 1);
            cut(0, from) + &cut(from + length, letters.len())
        }
        Damage::Insert { at, piece } => {
            let at = at % (letters.len() + 1);
            cut(0, at) + piece + &cut(at, letters.len())
        }
        Damage::Line { at, seed, line } => {
            let other: Vec<&str> = seeds[seed % seeds.len()].lines().collect();
            let mut lines: Vec<&str> = text.lines().collect();
            if let Some(line) = other.get(line % other.len().max(1)) {
                lines.insert(at % (lines.len() + 1), line);
            }
            lines.join("\n")
        }
    }
}

proptest! {
    #[test]
    fn a_damaged_file_is_answered(
        seed in any::<usize>(),
        damages in proptest::collection::vec(damage(), 1..6),
        interpolate in any::<bool>(),
    ) {
        let seeds = seeds();
        let mut text = seeds[seed % seeds.len()].clone();
        for damage in &damages {
            text = apply(&text, damage, &seeds);
        }
        let request = LoadRequest {
            working_directory: "/work".to_owned(),
            files: vec!["/work/f0.yaml".to_owned(), "/work/f1.yaml".to_owned()],
            environment: BTreeMap::from([("COMPOSE_DISABLE_ENV_FILE".to_owned(), "1".to_owned())]),
            options: LoadOptions { interpolate, ..LoadOptions::default() },
            ..LoadRequest::default()
        };
        match load(&request, &Same(text)) {
            Ok(loaded) => {
                print::to_json(&loaded);
                print::to_yaml(&loaded);
            }
            Err(complaints) => prop_assert!(complaints.has_errors() && !complaints.render().is_empty()),
        }
    }
}
