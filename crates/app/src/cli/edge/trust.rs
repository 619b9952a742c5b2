//! `mainstay edge trust`: the edge's authority among those that this host trusts.

use std::path::Path;
use std::process::{Command, ExitCode};

use super::of;
use crate::boot::Boot;
use crate::problem::{Outcome, Problem};

/// Where a distribution takes certificates of its own from, and what makes them known.
const PLACES: &[(&str, &[&str])] = &[
    ("/usr/local/share/ca-certificates", &["update-ca-certificates"]),
    ("/etc/pki/ca-trust/source/anchors", &["update-ca-trust", "extract"]),
    ("/etc/ca-certificates/trust-source/anchors", &["trust", "extract-compat"]),
];

pub(super) async fn run(boot: &Boot) -> Outcome {
    let edge = of(boot);
    let certificate = edge.root_certificate().await?;
    let Some((folder, command)) = PLACES.iter().find(|(folder, _)| Path::new(folder).is_dir()) else {
        return Err(Problem::world("no-trust-store", "this host has no store of trusted certificates that is known")
            .hint("`mainstay edge certificate` prints the certificate; import it where it is to be trusted"));
    };
    let file = Path::new(folder).join(format!("{}.crt", edge.settings()?.name));
    if boot.settings.dry_run {
        boot.ui.talk(&format!("would write `{}` and run `{}`", file.display(), command.join(" ")));
        return Ok(ExitCode::SUCCESS);
    }
    std::fs::write(&file, certificate).map_err(|error| {
        Problem::world("untrusted", format!("`{}` could not be written", file.display()))
            .caused_by(&error)
            .hint("run it as root: `sudo mainstay edge trust`")
    })?;
    let ended = Command::new(command[0]).args(&command[1..]).output();
    let is_done = ended.as_ref().is_ok_and(|output| output.status.success());
    if !is_done {
        let problem = Problem::world(
            "untrusted",
            format!("`{}` failed; the certificate lies in `{}`", command.join(" "), file.display()),
        );
        return Err(match ended {
            Ok(output) => problem.hint(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
            Err(error) => problem.caused_by(&error),
        });
    }
    boot.ui.talk(&format!("this host trusts the edge's own authority now (`{}`)", file.display()));
    boot.ui
        .talk("browsers that keep a store of their own (Firefox) want it imported there: `mainstay edge certificate`");
    Ok(ExitCode::SUCCESS)
}
