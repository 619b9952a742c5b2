//! A command that was typed behind `ssh HOST` with a key that is kept to `mainstay bridge`: it runs as if the key were not
//! kept, and within what the key may.

use std::process::ExitCode;

use clap::Parser as _;

use super::{There, child};
use crate::cli::{Cli, Command};
use crate::problem::{Outcome, Problem};
use crate::remote::frames::Begin;

/// Where `sshd` says what was typed, when the key has a command of its own.
const TYPED: &str = "SSH_ORIGINAL_COMMAND";

/// What was typed, when it was no other end of `--host`.
pub fn typed(variables: &std::collections::BTreeMap<String, String>) -> Option<&str> {
    let line = variables.get(TYPED)?.trim();
    (!line.is_empty() && !is_bridge(line)).then_some(line)
}

/// However the other end starts this program, `bridge` is its last word; but a service may have that name as well.
fn is_bridge(line: &str) -> bool {
    let words: Vec<&str> = line.split_whitespace().collect();
    let starts = words.iter().position(|word| word.rsplit('/').next() == Some("mainstay"));
    let read = starts.and_then(|at| Cli::try_parse_from(&words[at..]).ok());
    match read {
        Some(cli) => matches!(cli.parts().1, Command::Bridge(_)),
        None => words.last() == Some(&"bridge"),
    }
}

impl There {
    /// Runs it on the streams of this process.
    ///
    /// # Errors
    /// When it is not Mainstay that was typed, or more than this key may.
    pub async fn run_typed(&self, line: &str) -> Outcome {
        let args = words(line)?;
        let names = Cli::try_parse_from(std::iter::once("mainstay").chain(args.iter().map(String::as_str)));
        let stacks = names.ok().map(|cli| cli.parts().0.stack);
        let begin = Begin { args, stacks, ..Begin::default() };
        let (carried, _) = self.prepared(&begin).await?;
        let failed =
            |error: std::io::Error| Problem::world("not-started", "the command was not started").caused_by(&error);
        let mut command = child::command_of(self, &begin, &carried).map_err(failed)?;
        let status = command.status().await.map_err(failed)?;
        Ok(ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)))
    }
}

/// The words behind `mainstay`. No shell reads them, so nothing of a shell's is taken.
fn words(line: &str) -> Result<Vec<String>, Problem> {
    let mut words = line.split_whitespace();
    let program = words.next().unwrap_or_default();
    if program.rsplit('/').next() != Some("mainstay") {
        let message = format!("this key runs `mainstay` and nothing else, not `{}`", program.escape_debug());
        return Err(Problem::usage("scope-missing", message).hint("such as `ssh HOST mainstay ps --stack NAME`"));
    }
    let is_plain = |word: &str| word.chars().all(|c| c.is_ascii_alphanumeric() || "-_.,:/=@+%".contains(c));
    words
        .map(|word| match is_plain(word) {
            true => Ok(word.to_owned()),
            false => {
                let message = format!("`{}` is no plain word, and no shell reads it here", word.escape_debug());
                Err(Problem::usage("not-understood", message).hint("leave quotes and variables to the other side"))
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(line: &str) -> std::collections::BTreeMap<String, String> {
        std::collections::BTreeMap::from([(TYPED.to_owned(), line.to_owned())])
    }

    #[test]
    fn a_bridge_is_no_typed_command() {
        assert_eq!(typed(&variables("mainstay bridge")), None);
        assert_eq!(typed(&variables("sudo -n mainstay bridge")), None);
        assert_eq!(typed(&variables("  ")), None);
        assert_eq!(typed(&Default::default()), None);
        assert_eq!(typed(&variables("/opt/bin/mainstay --state-dir /x bridge")), None);
        assert_eq!(typed(&variables("/opt/ms bridge")), None);
        assert_eq!(typed(&variables("mainstay ps ")), Some("mainstay ps"));
        for named in ["mainstay logs --stack shop bridge", "mainstay promote --stack shop --tag 2 --service bridge"] {
            assert_eq!(typed(&variables(named)), Some(named), "a service of that name");
        }
    }

    #[test]
    fn only_mainstay_and_plain_words_are_taken() {
        let taken = words("/usr/local/bin/mainstay promote --stack shop --tag sha-1.2_x --yes").expect("plain");
        assert_eq!(taken, ["promote", "--stack", "shop", "--tag", "sha-1.2_x", "--yes"]);
        for refused in ["sh -c id", "mainstay ps; id", "mainstay ps $(id)", "mainstay logs 'web'", "id", ""] {
            assert!(words(refused).is_err(), "{refused}");
        }
    }
}
