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
    pub fn check(&self, command: &Command, global: &Global, typed: &Global, brings_files: bool) -> Result<(), Problem> {
        let Some(scopes) = &self.scopes else { return Ok(()) };
        let mut needed = needed(command, global)?;
        // Files can ask for anything that the engine can do, and print any value of the host.
        let would_look_without_files = brings_files && !needed.contains(&Scope::Admin);
        if brings_files {
            needed = vec![Scope::Admin];
        }
        for scope in &needed {
            if !scopes.iter().any(|mine| mine.includes(scope)) {
                let problem = self.lacks(command, scope, scopes);
                return Err(match would_look_without_files {
                    true => problem.hint("or without the files that are here: `--stack NAME`, in another folder"),
                    false => problem,
                });
            }
        }
        if scopes.contains(&Scope::Admin) {
            return Ok(());
        }
        match elsewhere(typed).or_else(|| elsewhere_of_a_database(command)) {
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

/// Flags that would read other folders, buckets and tables of that machine than the stack declares.
fn elsewhere_of_a_database(command: &Command) -> Option<&'static str> {
    match command {
        Command::Db(args) => args.typed().elsewhere,
        _ => None,
    }
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
        Command::Db(args) if args.typed().only_looks => look(),
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
            (&["read:shop"], "db status --stack shop", true),
            (&["read:shop"], "db backups --stack shop --database crm --json", true),
            (&["read:shop"], "db backup verify --stack shop --all", true),
            (&["read:shop"], "db retention --stack shop", true),
            (&["read:shop"], "db drift --stack shop --check", true),
            (&["read:shop"], "db migrate status --stack shop", true),
            (&["release:shop"], "db migrate plan --stack shop", true),
            (&["read:crm"], "db migrate plan --stack shop", false),
            (&["read:shop"], "db status", false),
            (&["read:shop"], "db backups --stack shop --to s3://other/place", false),
            (&["read:shop"], "db backups --stack shop --to /etc", false),
            (&["read:shop"], "db migrate status --stack shop --dir /etc", false),
            (&["read:shop"], "db migrate status --stack shop --ledger a.b", false),
            (&["read:shop"], "db drift --stack shop --before /etc/passwd", false),
            (&["read:shop"], "db drift --stack shop --scratch evil:1", false),
            (&["read:shop"], "db drift --stack shop --role postgres", false),
            (&["release:shop"], "db backup --stack shop", false),
            (&["release:shop"], "db drill --stack shop", false),
            (&["release:shop"], "db retention --stack shop --apply", false),
            (&["release:shop"], "db restore --stack shop --dry-run", false),
            (&["release:shop"], "db migrate apply --stack shop", false),
            (&["release:shop"], "db migrate rehearse --stack shop", false),
            (&["release:shop"], "db migrate adopt --stack shop 1.sql", false),
            (&["release:shop"], "db migrate accept --stack shop 1.sql --reason x", false),
            (&["admin"], "db migrate apply --stack shop --dir /srv/sql", true),
            (&["admin"], "exec --stack shop web sh", true),
            (&["admin"], "up --stack shop --state-dir /tmp", true),
        ] {
            let judged = judged(scopes, line);
            assert_eq!(judged.is_ok(), is_allowed, "{scopes:?}: {line}: {judged:?}");
        }
    }

    #[test]
    fn files_from_elsewhere_must_need_everything() {
        let read = Powers { who: "the token ci".to_owned(), scopes: Some(vec!["read:shop".parse().expect("a scope")]) };
        let words = ["mainstay", "db", "migrate", "plan", "--stack", "shop"];
        let (global, command) = crate::cli::Cli::try_parse_from(words).expect("a line").parts();
        assert!(read.check(&command, &global, &global, false).is_ok());
        let problem = read.check(&command, &global, &global, true).expect_err("refused");
        assert!(problem.message.contains("needs the scope `admin`"), "{}", problem.message);
        assert!(problem.hints.iter().any(|hint| hint.contains("`--stack NAME`")), "{:?}", problem.hints);
    }

    #[test]
    fn a_refusal_must_name_what_is_missing() {
        let problem = judged(&["release:shop"], "exec --stack shop web sh").expect_err("refused");
        assert_eq!(problem.code, "scope-missing");
        assert_eq!(problem.message, "`mainstay exec` needs the scope `admin`, and the token ci has `release:shop`");
    }
}
