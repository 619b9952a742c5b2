//! `mainstay secret recovery-key`

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use mainstay_engine::secrets::{Secrets, SecretsError, kit};

use crate::boot::Boot;
use crate::problem::{Outcome, Problem};

/// Make a second key for backups, which this host does not keep.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  mainstay secret recovery-key recovery.txt\n  mainstay secret recovery-key new.txt --replace     backups from now on; earlier ones need the earlier key\n\nEvery backup of a database is sealed for the key of the host and for this one, so that it can be opened when\nthe host is gone. Only its public half stays here."
)]
pub(super) struct RecoveryKey {
    /// A file that is not there yet
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Although this host seals for one already
    #[arg(long)]
    replace: bool,
}

pub(super) fn run(boot: &Boot, args: RecoveryKey) -> Outcome {
    boot.refuse_dry_run("secret recovery-key")?;
    let secrets = boot.secrets();
    if let Some(there) = secrets.recovery_recipient()?.filter(|_| !args.replace) {
        return Err(Problem::usage("recovery-key-there", format!("this host seals its backups for {there} already"))
            .hint("to seal for a new one from now on: `--replace`; keep the old one for the backups that there are"));
    }
    let path = boot.environment.working_directory.join(&args.file);
    if path.exists() {
        return Err(SecretsError::InTheWay { path }.into());
    }
    let (text, public) = Secrets::new_recovery_key();
    boot.ui.redactions.learn([&text]);
    kit::write(&path, text.reveal())?;
    secrets.keep_recovery_recipient(&public)?;
    boot.ui.talk(&format!("wrote the recovery key to `{}`: it opens the backups of this host", path.display()));
    boot.ui.talk(&format!("key: {public}"));
    boot.ui.note("keep it where this host is not, and take it off this host (`shred -u`)");
    Ok(ExitCode::SUCCESS)
}
