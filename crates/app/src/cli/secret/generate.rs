//! `mainstay secret generate`

use std::collections::BTreeMap;
use std::process::ExitCode;

use clap::Args;
use mainstay_model::compose::schema::suggest;
use mainstay_model::secrets::Recipe;

use super::about::About;
use super::{listed, rm};
use crate::boot::Boot;
use crate::problem::{Outcome, Problem};

/// Make the secrets that the files say how to make. `up` does the same for those that have no value yet.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  mainstay secret generate                          all that have no value yet\n  mainstay secret generate SESSION_SECRET\n  mainstay secret generate SESSION_SECRET --rotate  a new value in the place of the old one\n\nIn the files:\n  x-mainstay:\n    secrets:\n      SESSION_SECRET: { generate: 48 }                48 letters and digits\n      APP_KEY: { generate: 32, format: base64 }       32 random bytes; also hex, base64url"
)]
pub(super) struct Generate {
    /// Names of secrets; default: all that the files say how to make
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Also those that have a value: the old one is forgotten
    #[arg(long)]
    rotate: bool,
}

pub(super) async fn run(boot: &Boot, args: Generate) -> Outcome {
    boot.refuse_dry_run("secret generate")?;
    args.names.iter().try_for_each(|name| About::check_name("set", name, &[]))?;
    let mut about = About::of(boot, "secret generate").await?;
    if let Some(trouble) = about.trouble.take() {
        return Err(trouble);
    }
    let recipes = recipes(&about, &args.names)?;
    if recipes.is_empty() {
        boot.ui.talk(&format!("the files of `{}` say of no secret how to make it", about.namespace));
        return Ok(ExitCode::SUCCESS);
    }
    if args.rotate {
        let kept = about.secrets.values(&about.namespace)?;
        let lost = listed(recipes.keys().filter(|name| kept.contains_key(*name)));
        let reason =
            format!("the present value of {lost} is forgotten, and whatever it opens must be told the new one");
        rm::consent(boot, if lost.is_empty() { Vec::new() } else { vec![reason] }).await?;
    }
    let drawn = about.secrets.generate(&about.namespace, &recipes, args.rotate, &boot.environment.user())?;
    if !drawn.made.is_empty() {
        boot.ui.talk(&format!("generated {} for `{}`; `up` hands it out", listed(&drawn.made), about.namespace));
    }
    if !drawn.there.is_empty() {
        boot.ui.talk(&format!("{} had a value, which stays (`--rotate` makes a new one)", listed(&drawn.there)));
    }
    Ok(ExitCode::SUCCESS)
}

fn recipes(about: &About, names: &[String]) -> Result<BTreeMap<String, Recipe>, Problem> {
    let Some(wishes) = about.wishes() else {
        let message =
            format!("the files of `{}` are not known here, and they say how a secret is made", about.namespace);
        return Err(
            Problem::files("no-compose-file", message).hint("go to the stack's folder, or name it: `--stack DIR`")
        );
    };
    if names.is_empty() {
        return Ok(wishes.iter().filter_map(|(name, wish)| Some((name.clone(), wish.generate?))).collect());
    }
    let one = |name: &String| match wishes.get(name) {
        Some(wish) => match wish.generate {
            Some(recipe) => Ok((name.clone(), recipe)),
            None => Err(Problem::usage("no-recipe", format!("the files do not say how `{name}` is made"))
                .hint(format!("set it: `mainstay secret set {name}{}`", about.flags()))
                .hint(format!("or let it be made: `x-mainstay: {{ secrets: {{ {name}: {{ generate: 48 }} }} }}`"))),
        },
        None => {
            let problem = Problem::usage("no-such-secret", format!("the files declare no secret `{name}`"));
            Err(match suggest(name, wishes.keys().map(String::as_str)) {
                Some(meant) => problem.hint(format!("did you mean `{meant}`?")),
                None => {
                    problem.hint(format!("declare it: `x-mainstay: {{ secrets: {{ {name}: {{ generate: 48 }} }} }}`"))
                }
            })
        }
    };
    names.iter().map(one).collect()
}
