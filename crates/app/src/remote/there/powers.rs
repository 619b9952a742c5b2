//! What whoever asks from afar may do.

use std::path::PathBuf;

use mainstay_engine::tokens::Scope;
use mainstay_model::identity::StackName;

use crate::cli::{Command, Global};
use crate::problem::Problem;

/// Who it is, and what he may.
#[derive(Clone, Debug)]
pub struct Powers {
    /// As the history names him: "deploy", "the token ci".
    pub who: String,
    /// `None`: whatever the user who runs this may.
    pub scopes: Option<Vec<Scope>>,
}

impl Powers {
    /// With whom the history ends up.
    pub fn on_behalf_of(&self, claimed: &str) -> String {
        if claimed.is_empty() { self.who.clone() } else { format!("{} for {claimed}", self.who) }
    }

    /// # Errors
    /// When a scope is missing, or a flag is not for him.
    pub fn check(&self, command: &Command, global: &Global, typed: &Global, has_files: bool) -> Result<(), Problem> {
        let Some(scopes) = &self.scopes else { return Ok(()) };
        let mut needed = needed(command, global)?;
        // Files can ask for anything that the engine can do, and print any value of the host.
        if has_files {
            needed = vec![Scope::Admin];
        }
        for scope in &needed {
            if !scopes.iter().any(|mine| mine.includes(scope)) {
                return Err(self.lacks(command, scope, scopes));
            }
        }
        if scopes.contains(&Scope::Admin) {
            return Ok(());
        }
        match elsewhere(typed) {
            Some(flag) => Err(Problem::usage(
                "scope-missing",
                format!("`{flag}` leads elsewhere on that machine, and {} may not say so", self.who),
            )
            .hint("leave it out, or use a token with the scope `admin`")),
            None => Ok(()),
        }
    }

    fn lacks(&self, command: &Command, scope: &Scope, scopes: &[Scope]) -> Problem {
        let has = scopes.iter().map(|one| format!("`{one}`")).collect::<Vec<_>>().join(", ");
        let message = format!("`mainstay {}` needs the scope `{scope}`, and {} has {has}", command.name(), self.who);
        Problem::usage("scope-missing", message)
            .hint(format!("on the server: `mainstay token create NAME --scope {scope}`"))
    }
}

/// Flags that would lead a command to other state, keys, engines or files.
fn elsewhere(typed: &Global) -> Option<&'static str> {
    let is_set = |path: &Option<PathBuf>| path.is_some();
    [
        (is_set(&typed.state_dir), "--state-dir"),
        (is_set(&typed.key_file), "--key-file"),
        (typed.docker_host.is_some(), "--docker-host"),
        (!typed.profile.is_empty(), "--profile"),
        (typed.dialect.is_some(), "--dialect"),
        (typed.domain.is_some(), "--domain"),
        // Other files of the stack, and other addresses; the one that it is up with is remembered.
        (typed.env.is_some(), "--env"),
    ]
    .into_iter()
    .find_map(|(is_set, flag)| is_set.then_some(flag))
}

/// The scopes that a command needs, all of them. `global` names its stacks.
fn needed(command: &Command, global: &Global) -> Result<Vec<Scope>, Problem> {
    let stacks = || global.stack.iter().map(|name| StackName::new(name.as_str())).collect::<Result<Vec<_>, _>>();
    let look = || -> Result<Vec<Scope>, Problem> {
        let stacks = stacks()?;
        Ok(match stacks.is_empty() {
            true => vec![Scope::Read(None)],
            false => stacks.into_iter().map(|stack| Scope::Read(Some(stack))).collect(),
        })
    };
    let release = || -> Result<Vec<Scope>, Problem> {
        let stacks: Vec<Scope> = stacks()?.into_iter().map(Scope::Release).collect();
        if stacks.is_empty() {
            return Err(
                Problem::usage("which-stack", "it is not said which stack is meant").hint("say it: `--stack NAME`")
            );
        }
        Ok(stacks)
    };
    match command {
        Command::Version(_) => Ok(Vec::new()),
        Command::Ps(_) | Command::Logs(_) | Command::History(_) | Command::Releases(_) => look(),
        Command::Stacks(_) => Ok(vec![Scope::Read(None)]),
        Command::Edge(args) if args.only_looks() => Ok(vec![Scope::Read(None)]),
        Command::Promote(_) | Command::Rollback(_) => release(),
        Command::Smoke(args) if args.asks_this_edge() => release(),
        Command::Smoke(_)
        | Command::Edge(_)
        | Command::Up(_)
        | Command::Watch(_)
        | Command::Db(_)
        | Command::Bucket(_)
        | Command::Plan(_)
        | Command::Down(_)
        | Command::Start(_)
        | Command::Stop(_)
        | Command::Restart(_)
        | Command::Exec(_)
        | Command::Config(_)
        | Command::Secret(_)
        | Command::Token(_)
        | Command::Serve(_)
        | Command::Bridge(_)
        | Command::Init(_)
        | Command::Completions(_) => Ok(vec![Scope::Admin]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;

    fn judged(scopes: &[&str], line: &str) -> Result<(), Problem> {
        let scopes = scopes.iter().map(|text| text.parse().expect("a scope")).collect();
        let powers = Powers { who: "the token ci".to_owned(), scopes: Some(scopes) };
        let words = std::iter::once("mainstay").chain(line.split_whitespace());
        let (global, command) = crate::cli::Cli::try_parse_from(words).expect(line).parts();
        powers.check(&command, &global, &global, false)
    }

    #[test]
    fn a_scope_must_open_what_it_names_and_nothing_else() {
        for (scopes, line, is_allowed) in [
            (&["release:shop"][..], "promote --stack shop --tag 1.4.2", true),
            (&["release:shop"], "rollback --stack shop", true),
            (&["release:shop"], "ps --stack shop", true),
            (&["release:shop"], "logs --follow --stack shop web", true),
            (&["release:shop"], "smoke --stack shop", true),
            (&["release:shop"], "version", true),
            (&["release:shop"], "promote --stack crm --tag 1.4.2", false),
            (&["release:shop"], "promote --tag 1.4.2", false),
            (&["release:shop"], "promote --stack ../crm --tag 1", false),
            (&["release:shop"], "promote --stack shop --stack crm --tag 1", false),
            (&["release:shop"], "promote --stack shop --tag 1 --state-dir /tmp", false),
            (&["release:shop"], "promote --stack shop --tag 1 --docker-host tcp://x:1", false),
            (&["release:shop"], "smoke --stack shop --edge 10.0.0.1:443", false),
            (&["release:shop"], "ps --all", false),
            (&["release:shop"], "history", false),
            (&["release:shop"], "exec --stack shop web sh", false),
            (&["release:shop"], "up --stack shop", false),
            (&["release:shop"], "down --stack shop", false),
            (&["release:shop"], "plan --stack shop", false),
            (&["release:shop"], "config --stack shop", false),
            (&["release:shop"], "secret --stack shop ls", false),
            (&["release:shop"], "token ls", false),
            (&["read"], "history", true),
            (&["read"], "stacks", true),
            (&["read"], "edge status", true),
            (&["read"], "edge down", false),
            (&["read"], "rollback --stack shop", false),
            (&["read:shop"], "ps --stack shop", true),
            (&["read:shop"], "stacks", false),
            (&["read:shop", "release:crm"], "ps --stack shop --stack crm", true),
            (&["admin"], "exec --stack shop web sh", true),
            (&["admin"], "up --stack shop --state-dir /tmp", true),
        ] {
            let judged = judged(scopes, line);
            assert_eq!(judged.is_ok(), is_allowed, "{scopes:?}: {line}: {judged:?}");
        }
    }

    #[test]
    fn a_refusal_must_name_what_is_missing() {
        let problem = judged(&["release:shop"], "exec --stack shop web sh").expect_err("refused");
        assert_eq!(problem.code, "scope-missing");
        assert_eq!(problem.message, "`mainstay exec` needs the scope `admin`, and the token ci has `release:shop`");
    }
}
