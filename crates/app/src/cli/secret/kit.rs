//! `mainstay secret kit` and `mainstay secret restore-kit`

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use mainstay_engine::secrets::kit;
use mainstay_model::declared::Hidden;

use crate::boot::Boot;
use crate::problem::{Outcome, Problem};
use crate::ui::ask;

/// Write the recovery kit: the key of this host, to be kept where this host is not.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  mainstay secret kit kit.txt                  a text to print or to put into a password manager\n  mainstay secret kit kit.age --passphrase     sealed with a passphrase that is asked for\n\nThe kit opens every secret of this host, those that are set later too. It is an age identity:\n`age --decrypt -i kit.txt STACK.age` opens them without Mainstay."
)]
pub(super) struct Kit {
    /// A file that is not there yet
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    passphrase: Passphrase,
}

/// Put the key of a recovery kit in place on this host.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  mainstay secret restore-kit kit.txt\n  mainstay secret restore-kit kit.age          asks for its passphrase\n\nPut the folder `secrets` of the old state folder into the new one as well: the kit is the\nkey, and not what it opens."
)]
pub(super) struct RestoreKit {
    /// What `mainstay secret kit` wrote
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Read the passphrase from this file
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct Passphrase {
    /// Seal the kit with a passphrase, which is asked for
    #[arg(long)]
    passphrase: bool,
    /// Seal the kit with the passphrase in this file
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
}

/// Shorter ones are guessed.
const SHORTEST_PASSPHRASE: usize = 8;

pub(super) fn run(boot: &Boot, args: Kit) -> Outcome {
    boot.refuse_dry_run("secret kit")?;
    let path = boot.environment.working_directory.join(&args.file);
    if path.exists() {
        return Err(mainstay_engine::secrets::SecretsError::InTheWay { path }.into());
    }
    let passphrase = args.passphrase.chosen(boot)?;
    let (text, public) = boot.secrets().kit()?;
    boot.ui.redactions.learn([&text]);
    match &passphrase {
        Some(passphrase) => kit::write(&path, &kit::close(&text, passphrase)?)?,
        None => kit::write(&path, text.reveal())?,
    }
    let how = if passphrase.is_some() {
        "the passphrase opens it"
    } else {
        "whoever has it can open every secret of this host"
    };
    boot.ui.talk(&format!("wrote the recovery kit to `{}`: {how}", path.display()));
    boot.ui.talk(&format!("key: {public}"));
    boot.ui.note("keep it where this host is not, and take it off this host (`shred -u`)");
    Ok(ExitCode::SUCCESS)
}

impl Passphrase {
    fn chosen(&self, boot: &Boot) -> Result<Option<Hidden>, Problem> {
        let chosen = match (&self.passphrase_file, self.passphrase) {
            (Some(path), _) => from_file(boot, path)?,
            (None, false) => return Ok(None),
            (None, true) => {
                let once = ask_for(boot, "passphrase for the kit (it is not shown):")?;
                if ask_for(boot, "the same once more:")? != once {
                    return Err(Problem::usage("passphrase", "the two are not the same; nothing was written"));
                }
                once
            }
        };
        if chosen.reveal().chars().count() < SHORTEST_PASSPHRASE {
            let message =
                format!("a passphrase of fewer than {SHORTEST_PASSPHRASE} characters is guessed; nothing was written");
            return Err(Problem::usage("passphrase", message));
        }
        Ok(Some(chosen))
    }
}

pub(super) fn restore(boot: &Boot, args: RestoreKit) -> Outcome {
    boot.refuse_dry_run("secret restore-kit")?;
    let path = boot.environment.working_directory.join(&args.file);
    let content = std::fs::read(&path).map_err(|error| {
        Problem::usage("no-kit", format!("`{}` could not be read", path.display())).caused_by(&error)
    })?;
    let text = if kit::is_closed(&content) {
        let passphrase = match &args.passphrase_file {
            Some(path) => from_file(boot, path)?,
            None => ask_for(boot, "passphrase of the kit (it is not shown):")?,
        };
        kit::open(&content, &passphrase)?
    } else {
        Hidden::new(String::from_utf8_lossy(&content))
    };
    let secrets = boot.secrets();
    let restored = secrets.restore(&text)?;
    let key = secrets.key_path().display();
    boot.ui.talk(&match restored.was_there {
        true => format!("the key is in place already: `{key}`"),
        false => format!("the key is in place: `{key}`"),
    });
    boot.ui.talk(&match restored.opened {
        0 => {
            "there is nothing that it opens yet: put the folder `secrets` of the old state folder beside it".to_owned()
        }
        1 => "it opens what is kept for one stack".to_owned(),
        number => format!("it opens what is kept in {number} places"),
    });
    for path in &restored.closed {
        boot.ui.warn(&format!("it does not open `{}`", path.display()));
    }
    Ok(ExitCode::SUCCESS)
}

fn ask_for(boot: &Boot, question: &str) -> Result<Hidden, Problem> {
    if !boot.ui.in_is_terminal {
        return Err(Problem::usage("passphrase", "a passphrase is needed, and there is no terminal to ask on")
            .hint("`--passphrase-file FILE` reads it from a file"));
    }
    ask::hidden(&boot.ui, question).map(Hidden::new)
}

/// The first line of a file.
fn from_file(boot: &Boot, path: &Path) -> Result<Hidden, Problem> {
    let path = boot.environment.working_directory.join(path);
    let text = std::fs::read_to_string(&path).map_err(|error| {
        Problem::usage("passphrase", format!("`{}` could not be read", path.display())).caused_by(&error)
    })?;
    Ok(Hidden::new(text.lines().next().unwrap_or_default()))
}
