//! The way over the system's `ssh`: its configuration, its agent and its known hosts count.

use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;

use super::address::Address;
use super::{Link, travel};
use crate::boot::Boot;
use crate::problem::Problem;

/// What `ssh` says of its own trouble is short.
const MOST_WORDS: usize = 16 * 1024;
/// How long `ssh` may take to end when both sides are done.
const LAST_GRACE: Duration = Duration::from_secs(3);
/// `ssh` ends so when the trouble is its own, and a shell when there is no such command.
const OF_SSH: i32 = 255;
const NO_COMMAND: i32 = 127;
const NO_RIGHT: i32 = 126;

/// The `ssh` that holds a link.
pub struct Client {
    child: Child,
    words: JoinHandle<String>,
    /// How Mainstay is started there.
    there: String,
}

/// Starts `ssh`; whether it comes through is known when the other side greets.
///
/// # Errors
/// When there is no `ssh` here.
pub fn reach(boot: &Boot, address: &Address) -> Result<Link, Problem> {
    let Address::Ssh { user, host, port } = address else {
        return Err(Problem::usage("bad-host", format!("`{address}` is no way for `ssh`")));
    };
    let there = boot.environment.get("MAINSTAY_HOST_COMMAND").unwrap_or("mainstay").to_owned();
    let mut command = Command::new("ssh");
    command.args(["-T", "-o", "ConnectTimeout=15"]);
    if !travel::has_terminal(boot) {
        // Nobody could answer. And Ctrl-C is ours: it goes through the link, and `ssh` lives until the command has ended.
        // On a terminal no key is a signal while a command runs there.
        command.args(["-o", "BatchMode=yes"]).process_group(0);
    }
    if let Some(user) = user {
        command.args(["-l", user]);
    }
    if let Some(port) = port {
        command.args(["-p", &port.to_string()]);
    }
    command.args(["--", host]).arg(format!("{there} bridge"));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().map_err(|error| {
        Problem::world("no-ssh", "the program `ssh` could not be started here")
            .caused_by(&error)
            .hint("install it (`apt install openssh-client`), or use `https://`")
    })?;
    let (Some(from), Some(to), Some(stderr)) = (child.stdout.take(), child.stdin.take(), child.stderr.take()) else {
        return Err(Problem::world("no-ssh", "the program `ssh` has no streams"));
    };
    let words = tokio::spawn(gathered(stderr));
    Ok(Link { from: Box::new(from), to: Box::new(to), ssh: Some(Client { child, words, there }) })
}

async fn gathered(mut stderr: impl tokio::io::AsyncRead + Unpin) -> String {
    let mut words = Vec::new();
    let mut buffer = vec![0; 1024];
    while let Ok(length @ 1..) = stderr.read(&mut buffer).await {
        if words.len() < MOST_WORDS {
            words.extend_from_slice(&buffer[..length]);
        }
    }
    String::from_utf8_lossy(&words).into_owned()
}

impl Client {
    /// Lets `ssh` end by itself.
    pub async fn end(mut self) {
        if tokio::time::timeout(LAST_GRACE, self.child.wait()).await.is_err() {
            let _ = self.child.kill().await;
        }
    }

    /// Why nobody greeted; `said` is what came in the place of a greeting.
    pub async fn why(mut self, host: &str, said: Option<String>) -> Problem {
        let ended = tokio::time::timeout(LAST_GRACE, self.child.wait()).await;
        if ended.is_err() {
            let _ = self.child.kill().await;
        }
        let code = ended.ok().and_then(Result::ok).and_then(|status| status.code());
        let words = tokio::time::timeout(LAST_GRACE, &mut self.words).await.ok().and_then(Result::ok);
        let words = words.unwrap_or_default();
        let mut problem = judged(host, &self.there, code, &words, said);
        let shown = words.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('@'));
        problem.causes.extend(shown.rev().take(4).map(str::to_owned).collect::<Vec<_>>().into_iter().rev());
        problem
    }
}

/// The sentences of `ssh` that everybody meets, what they mean, and what to do.
const SENTENCES: &[(&str, &str, &str, &str)] = &[
    (
        "REMOTE HOST IDENTIFICATION HAS CHANGED",
        "host-key-changed",
        "shows another key than the one that is known for it",
        "compare its key with the one on the server (`ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub`); when it is \
         right: `ssh-keygen -R HOST`, and connect once by hand",
    ),
    (
        "Host key verification failed",
        "host-key",
        "is not known here by its key",
        "compare its key with the one on the server, and take it in: `ssh HOST` once by hand, or `ssh-keyscan`",
    ),
    (
        "Permission denied",
        "ssh-denied",
        "does not let this user in",
        "see which keys are offered: `ssh-add -l`, `ssh -v`; the public key belongs into `~/.ssh/authorized_keys` there",
    ),
    (
        "Connection refused",
        "ssh-refused",
        "refuses connections: no `sshd` listens on that port",
        "check the port: `ssh://HOST:PORT`",
    ),
    (
        "Could not resolve hostname",
        "no-such-host",
        "is not the name of a host",
        "check the name, or give it an entry in `~/.ssh/config`",
    ),
    ("timed out", "ssh-timeout", "does not answer in time", "is it up, and does a firewall let `ssh` through?"),
    ("No route to host", "ssh-unreachable", "cannot be reached from here", "check the network and the address"),
    ("Network is unreachable", "ssh-unreachable", "cannot be reached from here", "check the network and the address"),
];

fn judged(host: &str, there: &str, code: Option<i32>, words: &str, said: Option<String>) -> Problem {
    let known = SENTENCES.iter().find(|(sentence, ..)| words.contains(sentence));
    match (code, known) {
        (Some(OF_SSH) | None, Some((_, code, what, hint))) => {
            let place = host.trim_start_matches("ssh://");
            let place = place.rsplit_once('@').map_or(place, |(_, place)| place);
            let place = place.split(':').next().unwrap_or(place);
            Problem::world(code, format!("`{host}` {what}")).hint(hint.replace("HOST", place))
        }
        (Some(NO_COMMAND | NO_RIGHT), _) => {
            Problem::world("no-mainstay", format!("there is no command `{there}` on `{host}` that could be run"))
                .hint("install Mainstay there, where a shell without a login finds it, such as in `/usr/local/bin`")
                .hint("or say how it is started there: `MAINSTAY_HOST_COMMAND=/opt/mainstay/mainstay`")
        }
        (Some(2), _) if words.contains("unrecognized subcommand") => Problem::world(
            "version-mismatch",
            format!("the mainstay on `{host}` is too old to be reached with `--host`"),
        )
        .hint(format!("install {} there; `ssh` and `{there} version` tell which it is", env!("CARGO_PKG_VERSION"))),
        _ => {
            let message = format!("`{there} bridge` on `{host}` did not answer as it should");
            let problem = Problem::world("host-lost", message);
            match said.filter(|said| !said.is_empty()) {
                Some(said) => problem
                    .hint(format!("it said: {said}"))
                    .hint("what a login script prints comes in between: let it print on terminals only"),
                None => problem.hint(format!("run it by hand to see why: `ssh … {there} version`")),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failure_of_ssh_must_have_its_own_word_and_next_step() {
        for (code, words, expected) in [
            (255, "ssh: connect to host vps port 22: Connection refused", "ssh-refused"),
            (255, "ssh: connect to host vps port 22: Connection timed out", "ssh-timeout"),
            (255, "ssh: Could not resolve hostname vps: Name or service not known", "no-such-host"),
            (255, "ada@vps: Permission denied (publickey).", "ssh-denied"),
            (255, "No ED25519 host key is known for vps.\nHost key verification failed.", "host-key"),
            (
                255,
                "@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\nHost key verification failed.",
                "host-key-changed",
            ),
            (127, "bash: line 1: mainstay: command not found", "no-mainstay"),
            (126, "bash: line 1: /opt/mainstay: Permission denied", "no-mainstay"),
            (2, "error: unrecognized subcommand 'bridge'", "version-mismatch"),
            (1, "", "host-lost"),
        ] {
            let problem = judged("ssh://ada@vps:22", "mainstay", Some(code), words, None);
            assert_eq!(problem.code, expected, "{words}");
            assert!(!problem.hints.is_empty(), "{words}");
        }
        let known = judged("ssh://ada@vps:22", "mainstay", Some(255), "Host key verification failed", None);
        assert!(known.hints[0].contains("`ssh vps`"), "{:?}", known.hints);
    }
}
