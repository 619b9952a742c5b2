//! `mainstay token`: who may give orders over HTTPS, and which.

use std::process::ExitCode;
use std::str::FromStr;

use clap::{Args, Subcommand};
use jiff::{SignedDuration, Timestamp};
use mainstay_engine::tokens::{OVERLAP, Scope, Token, Tokens};
use serde::Serialize;

use crate::boot::Boot;
use crate::problem::{Outcome, Problem};
use crate::ui::since::ago;
use crate::ui::{Cell, Table, Tone};

/// No name is longer.
const LONGEST_NAME: usize = 64;

/// Make and revoke the tokens with which `--host https://…` gives orders to this host.
#[derive(Debug, Args)]
#[command(
    disable_help_subcommand = true,
    after_help = "Examples:\n  mainstay token create ci --scope release:shop --expires 90d\n  mainstay token create watcher --scope read\n  mainstay token ls             who has one, until when, and when it was last used\n  mainstay token rotate ci      a new one; the old one is taken for 10 minutes yet\n  mainstay token revoke ci\n\nA token is printed once: only its hash is kept. Scopes: `read` and `read:STACK` look;\n`release:STACK` promotes, rolls back, asks smoke checks and looks; `admin` does everything.\ndocs/REMOTE.md tells how a token is used."
)]
pub struct TokenArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Create(Create),
    /// List the tokens that there are
    Ls,
    Rotate(Rotate),
    Revoke(Revoke),
}

/// Make a token and print it: the only time that it is seen
#[derive(Debug, Args)]
struct Create {
    /// A name for people, such as who uses it
    #[arg(value_name = "NAME")]
    name: String,
    /// What it allows: `read`, `read:STACK`, `release:STACK` or `admin`; may be repeated
    #[arg(long, value_name = "SCOPE", required = true)]
    scope: Vec<Scope>,
    /// How long it is taken: `90d`, `12h`, `30m`; default: until it is revoked
    #[arg(long, value_name = "TIME")]
    expires: Option<Span>,
}

/// Make a new token of the same name and scopes, and let the old one end soon
#[derive(Debug, Args)]
struct Rotate {
    /// The name
    #[arg(value_name = "NAME")]
    name: String,
    /// How long the old one is taken yet; `0s` ends it at once. Default: 10m
    #[arg(long, value_name = "TIME")]
    keep_old: Option<Span>,
    /// How long the new one is taken; default: as long as the old one was given
    #[arg(long, value_name = "TIME")]
    expires: Option<Span>,
}

/// Take a token back: from now on it is refused
#[derive(Debug, Args)]
struct Revoke {
    /// The name, or the id where several have it
    #[arg(value_name = "NAME|ID")]
    token: String,
}

/// `90d`, `12h`, `30m` or `10s`.
#[derive(Clone, Copy, Debug)]
struct Span(SignedDuration);

impl FromStr for Span {
    type Err = String;
    fn from_str(text: &str) -> Result<Span, String> {
        let wrong = || "it is a number with `d`, `h`, `m` or `s` behind it, such as `90d`".to_owned();
        let (number, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or_else(wrong)?;
        let number: i64 = number.parse().ok().filter(|number| (0..=1_000_000).contains(number)).ok_or_else(wrong)?;
        let seconds = match unit {
            "d" => 24 * 60 * 60,
            "h" => 60 * 60,
            "m" => 60,
            "s" => 1,
            _ => return Err(wrong()),
        };
        Ok(Span(SignedDuration::from_secs(number * seconds)))
    }
}

impl Span {
    fn after_now(self) -> Result<Timestamp, Problem> {
        let at = Timestamp::now().checked_add(self.0);
        at.map_err(|error| Problem::usage("bad-time", "that is after the end of time").caused_by(&error))
    }
}

/// A token as `--json` gives it.
#[derive(Serialize)]
struct Told<'t> {
    id: &'t str,
    name: &'t str,
    scopes: &'t [Scope],
    made: Timestamp,
    made_by: &'t str,
    expires: Option<Timestamp>,
    expired: bool,
    last_used: Option<Timestamp>,
    /// Only when it was just made.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<&'t str>,
}

impl<'t> Told<'t> {
    fn of(token: &'t Token, text: Option<&'t str>) -> Self {
        Told {
            id: &token.id,
            name: &token.name,
            scopes: &token.scopes,
            made: token.made,
            made_by: &token.made_by,
            expires: token.expires,
            expired: token.is_expired(Timestamp::now()),
            last_used: token.last_used,
            token: text,
        }
    }
}

pub async fn run(boot: &Boot, args: TokenArgs) -> Outcome {
    let tokens = Tokens::of(&boot.settings.state_dir);
    match args.verb {
        Verb::Ls => list(boot, &tokens),
        Verb::Create(args) => create(boot, &tokens, args),
        Verb::Rotate(args) => rotate(boot, &tokens, args),
        Verb::Revoke(args) => revoke(boot, &tokens, &args),
    }
}

fn create(boot: &Boot, tokens: &Tokens, args: Create) -> Outcome {
    boot.refuse_dry_run("token create")?;
    let fits = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if args.name.is_empty() || args.name.len() > LONGEST_NAME || !args.name.chars().all(fits) {
        return Err(Problem::usage("bad-name", format!("`{}` cannot be the name of a token", args.name))
            .hint("it has letters, digits, `.`, `_` and `-`"));
    }
    let now = Timestamp::now();
    if tokens.all()?.iter().any(|one| one.name == args.name && !one.is_expired(now)) {
        return Err(Problem::usage("token-exists", format!("there is a token `{}` already", args.name))
            .hint(format!("a new one in its place: `mainstay token rotate {}`", args.name)));
    }
    let expires = args.expires.map(Span::after_now).transpose()?;
    make(boot, tokens, &args.name, args.scope, expires)
}

fn make(boot: &Boot, tokens: &Tokens, name: &str, scopes: Vec<Scope>, expires: Option<Timestamp>) -> Outcome {
    let (token, text) = tokens.create(name, scopes, &boot.environment.user(), expires)?;
    if boot.ui.json {
        boot.ui.json_document(&Told::of(&token, Some(text.reveal())))?;
    } else {
        boot.ui.data(text.reveal())?;
    }
    let until = token.expires.map_or("until it is revoked".to_owned(), |at| format!("until {}", shown(at)));
    let scopes = token.scopes.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    boot.ui.talk(&format!("the token `{name}` is taken {until}, for {scopes}"));
    boot.ui.note("it is not shown again: only its hash is kept here");
    Ok(ExitCode::SUCCESS)
}

fn list(boot: &Boot, tokens: &Tokens) -> Outcome {
    let all = tokens.all()?;
    if boot.ui.json {
        boot.ui.json_document(&all.iter().map(|token| Told::of(token, None)).collect::<Vec<_>>())?;
        return Ok(ExitCode::SUCCESS);
    }
    if all.is_empty() {
        boot.ui.talk("there are no tokens; `mainstay token create NAME --scope SCOPE` makes one");
        return Ok(ExitCode::SUCCESS);
    }
    let now = Timestamp::now();
    let mut table = Table::new(&["NAME", "ID", "SCOPES", "EXPIRES", "LAST USED", "MADE BY"]);
    for token in &all {
        let expires = match token.expires {
            None => Cell::new(Tone::Dim, "never"),
            Some(_) if token.is_expired(now) => Cell::new(Tone::Bad, "expired"),
            Some(at) => shown(at).into(),
        };
        let used = match token.last_used {
            None => Cell::new(Tone::Dim, "never"),
            Some(at) => format!("{} ago", ago(&at.to_string(), now)).replace("just now ago", "just now").into(),
        };
        let scopes = token.scopes.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let cells = [token.name.clone().into(), token.id.clone().into(), scopes.into(), expires, used];
        table.row(cells.into_iter().chain([token.made_by.clone().into()]).collect());
    }
    boot.ui.data(&table.render(boot.ui.out, boot.ui.width))?;
    Ok(ExitCode::SUCCESS)
}

fn rotate(boot: &Boot, tokens: &Tokens, args: Rotate) -> Outcome {
    boot.refuse_dry_run("token rotate")?;
    let all = tokens.all()?;
    let old: Vec<&Token> = all.iter().filter(|one| one.name == args.name).collect();
    let Some(newest) = old.last() else { return Err(unknown(&args.name, &all)) };
    let expires = match (args.expires, newest.expires) {
        (Some(told), _) => Some(told.after_now()?),
        (None, Some(at)) => Some(Span(at.duration_since(newest.made)).after_now()?),
        (None, None) => None,
    };
    let ends = Span(args.keep_old.map_or(OVERLAP, |span| span.0)).after_now()?;
    let made = make(boot, tokens, &args.name, newest.scopes.clone(), expires)?;
    for token in &old {
        if args.keep_old.is_some_and(|span| span.0.is_zero()) {
            tokens.revoke(token)?;
        } else {
            tokens.end_at(token, ends)?;
        }
    }
    Ok(made)
}

fn revoke(boot: &Boot, tokens: &Tokens, args: &Revoke) -> Outcome {
    boot.refuse_dry_run("token revoke")?;
    let all = tokens.all()?;
    let meant: Vec<&Token> = all.iter().filter(|one| one.name == args.token || one.id == args.token).collect();
    if meant.is_empty() {
        return Err(unknown(&args.token, &all));
    }
    for token in meant {
        tokens.revoke(token)?;
        boot.ui.talk(&format!("revoked the token `{}` ({})", token.name, token.id));
    }
    Ok(ExitCode::SUCCESS)
}

fn unknown(name: &str, all: &[Token]) -> Problem {
    let problem = Problem::usage("no-such-token", format!("there is no token `{name}`"));
    match mainstay_model::compose::schema::suggest(name, all.iter().map(|one| one.name.as_str())) {
        Some(meant) => problem.hint(format!("did you mean `{meant}`?")),
        None => problem.hint("`mainstay token ls` lists what there is"),
    }
}

fn shown(at: Timestamp) -> String {
    let text = at.to_string();
    format!("{} UTC", text.get(..16).unwrap_or(&text).replace('T', " "))
}
