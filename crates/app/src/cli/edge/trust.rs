//! `mainstay edge trust`: the edge's authority among those that this host trusts.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use clap::Args;

use super::of;
use crate::boot::Boot;
use crate::problem::{Outcome, Problem};

/// Put the edge's root certificate among those that this host trusts
#[derive(Debug, Args)]
pub(super) struct Trust {
    /// Take it away again
    #[arg(long)]
    remove: bool,
}

/// Where a distribution takes certificates of its own from, and what makes them known.
const PLACES: &[(&str, &[&str])] = &[
    ("/usr/local/share/ca-certificates", &["update-ca-certificates"]),
    ("/etc/pki/ca-trust/source/anchors", &["update-ca-trust", "extract"]),
    ("/etc/ca-certificates/trust-source/anchors", &["trust", "extract-compat"]),
];

/// The certificate as a file of this host, and the command that makes a change of it known.
struct Place {
    file: PathBuf,
    command: &'static [&'static str],
}

pub(super) async fn run(boot: &Boot, args: &Trust) -> Outcome {
    let name = of(boot).settings()?.name;
    let place = PLACES.iter().find(|(folder, _)| Path::new(folder).is_dir());
    let place = place.map(|(folder, command)| Place { file: Path::new(folder).join(format!("{name}.crt")), command });
    match (place, args.remove) {
        (Some(place), false) => trust(boot, &place).await,
        (Some(place), true) => distrust(boot, &place),
        (None, true) => {
            boot.ui.talk("this host has no store of trusted certificates that is known, so nothing was put there");
            Ok(ExitCode::SUCCESS)
        }
        (None, false) => {
            Err(Problem::world("no-trust-store", "this host has no store of trusted certificates that is known")
                .hint("`mainstay edge certificate` prints the certificate; import it where it is to be trusted"))
        }
    }
}

async fn trust(boot: &Boot, place: &Place) -> Outcome {
    let certificate = of(boot).root_certificate().await?;
    if boot.settings.dry_run {
        boot.ui.talk(&format!("would write `{}` and run `{}`", place.file.display(), place.command.join(" ")));
        return Ok(ExitCode::SUCCESS);
    }
    std::fs::write(&place.file, certificate).map_err(|error| {
        Problem::world("untrusted", format!("`{}` could not be written", place.file.display()))
            .caused_by(&error)
            .hint("run it as root: `sudo mainstay edge trust`")
    })?;
    place.make_known("the certificate lies in")?;
    boot.ui.talk(&format!("this host trusts the edge's own authority now (`{}`)", place.file.display()));
    boot.ui
        .talk("browsers that keep a store of their own (Firefox) want it imported there: `mainstay edge certificate`");
    Ok(ExitCode::SUCCESS)
}

/// The edge need not answer: it may be gone already.
fn distrust(boot: &Boot, place: &Place) -> Outcome {
    if !place.file.exists() {
        boot.ui
            .talk(&format!("this host does not trust the edge's authority: `{}` is not there", place.file.display()));
        return Ok(ExitCode::SUCCESS);
    }
    if boot.settings.dry_run {
        boot.ui.talk(&format!("would remove `{}` and run `{}`", place.file.display(), place.command.join(" ")));
        return Ok(ExitCode::SUCCESS);
    }
    match std::fs::remove_file(&place.file) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            return Err(Problem::world("still-trusted", format!("`{}` could not be removed", place.file.display()))
                .caused_by(&error)
                .hint("run it as root: `sudo mainstay edge trust --remove`"));
        }
        _ => {}
    }
    place.make_known("the certificate is gone from")?;
    boot.ui.talk("this host no longer trusts the edge's own authority");
    Ok(ExitCode::SUCCESS)
}

impl Place {
    fn make_known(&self, so_far: &str) -> Result<(), Problem> {
        let ended = Command::new(self.command[0]).args(&self.command[1..]).output();
        if ended.as_ref().is_ok_and(|output| output.status.success()) {
            return Ok(());
        }
        let file = self.file.display();
        let problem = Problem::world("trust-store", format!("`{}` failed; {so_far} `{file}`", self.command.join(" ")));
        Err(match ended {
            Ok(output) => problem.hint(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
            Err(error) => problem.caused_by(&error),
        })
    }
}
