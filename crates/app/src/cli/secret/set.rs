//! `mainstay secret set`

use std::ffi::OsString;
use std::io::Read as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use mainstay_model::declared::Hidden;

use super::about::About;
use crate::boot::Boot;
use crate::problem::{Outcome, Problem};
use crate::ui::ask;

/// An environment carries no more than a few hundred kilobytes; more than this is another file.
const LARGEST_BYTES: usize = 128 * 1024;

/// Keep a value: from standard input, from a file, or typed without being shown.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  mainstay secret set STRIPE_KEY                          asks, without showing what is typed\n  openssl rand -hex 32 | mainstay secret set KEY --trim   without the line's end\n  mainstay secret set TLS_KEY --from-file key.pem         byte for byte\n  mainstay secret set STRIPE_KEY --env prod < key.txt     for one environment\n\nA value from a file or a pipe is kept byte for byte, its last newline too, unless `--trim`\nis given. The stack gets it at its next `up`."
)]
pub(super) struct Set {
    /// The name of the variable
    #[arg(value_name = "NAME")]
    name: String,
    /// Read the value from this file
    #[arg(long, value_name = "FILE")]
    from_file: Option<PathBuf>,
    /// Leave out one newline at the end
    #[arg(long)]
    trim: bool,
    /// Only to say that a value does not belong here
    #[arg(hide = true, num_args = 0.., trailing_var_arg = true)]
    more: Vec<OsString>,
}

pub(super) async fn run(boot: &Boot, args: Set) -> Outcome {
    boot.refuse_dry_run("secret set")?;
    About::check_name("set", &args.name, &args.more)?;
    let about = About::of(boot, "secret set").await?;
    let name = &args.name;
    let value = args.value(boot)?;
    boot.ui.redactions.learn([&value]);
    let length = value.reveal().chars().count();
    let wish = about.wish(name);
    if let Some(wish) = wish.filter(|wish| length < wish.min_length) {
        let message =
            format!("`{name}` needs {} characters, and this value has {length}; nothing was kept", wish.min_length);
        return Err(Problem::files("secret-too-short", message));
    }
    let replaced = about.secrets.set(&about.namespace, name, value, &boot.environment.user())?;
    let verb = if replaced { "replaced" } else { "kept" };
    let characters = if length == 1 { "1 character".to_owned() } else { format!("{length} characters") };
    boot.ui.talk(&format!("{verb} `{name}` for `{}`: {characters}", about.namespace));
    if wish.is_none() && about.read.is_some() {
        boot.ui.note(&format!(
            "the files do not declare it: `x-mainstay: {{ secrets: {{ {name}: {{}} }} }}` has it checked"
        ));
    }
    if let Some(read) = &about.read
        && let Some(shadow) = super::ls::shadow(read, name)
    {
        boot.ui.warn(&format!("{shadow} sets `{name}` too, and wins: the stack does not get this value"));
    }
    Ok(ExitCode::SUCCESS)
}

impl Set {
    /// Whether the value is in a file.
    pub(super) fn reads_a_file(&self) -> bool {
        self.from_file.is_some()
    }

    fn value(&self, boot: &Boot) -> Result<Hidden, Problem> {
        let is_typed = self.from_file.is_none() && boot.ui.in_is_terminal;
        let mut bytes = match &self.from_file {
            Some(path) => {
                let path = boot.environment.working_directory.join(path);
                read_at_most(std::fs::File::open(&path), &path.display().to_string())?
            }
            None if is_typed => {
                ask::hidden(&boot.ui, &format!("value of `{}` (it is not shown):", self.name))?.into_bytes()
            }
            None if boot.stdin.is_some() => {
                return Err(Problem::usage("no-stdin", "the standard input was taken for a Compose file (`--file -`)")
                    .hint("name a file: `--from-file FILE`"));
            }
            None => read_at_most(Ok(std::io::stdin()), "the standard input")?,
        };
        if bytes.is_empty() {
            return Err(Problem::usage("no-value", "there is no value: it would be empty; nothing was kept")
                .hint(format!("pipe it in: `mainstay secret set {} < FILE`", self.name)));
        }
        if !is_typed && bytes.ends_with(b"\n") {
            if self.trim {
                bytes.pop();
                if bytes.ends_with(b"\r") {
                    bytes.pop();
                }
            } else {
                boot.ui.warn("the value ends with a newline, which is kept; `--trim` leaves it out");
            }
        }
        text(bytes)
    }
}

fn read_at_most(source: std::io::Result<impl std::io::Read>, what: &str) -> Result<Vec<u8>, Problem> {
    let mut bytes = Vec::new();
    let read = source.and_then(|source| source.take(LARGEST_BYTES as u64 + 1).read_to_end(&mut bytes));
    read.map_err(|error| Problem::usage("no-value", format!("`{what}` could not be read")).caused_by(&error))?;
    if bytes.len() > LARGEST_BYTES {
        return Err(Problem::usage("value-too-long", format!("the value is longer than {LARGEST_BYTES} bytes"))
            .hint("the kernel takes no longer variable; mount a file instead"));
    }
    Ok(bytes)
}

/// What an environment can carry, and the engine's interface.
fn text(bytes: Vec<u8>) -> Result<Hidden, Problem> {
    let refused = |why: &str| {
        Problem::usage("no-text", format!("{why}; nothing was kept"))
            .hint("encode it, and let the program decode it: `base64 --wrap=0 FILE | mainstay secret set NAME`")
    };
    if let Some(at) = bytes.iter().position(|byte| *byte == 0) {
        return Err(refused(&format!("byte {} of the value is NUL, at which an environment ends", at + 1)));
    }
    String::from_utf8(bytes).map(Hidden::new).map_err(|error| {
        let at = error.utf8_error().valid_up_to() + 1;
        refused(&format!("byte {at} of the value is no UTF-8, and the engine takes text only"))
    })
}
