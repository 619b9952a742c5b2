//! `mainstay config`

mod digests;
mod lists;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use mainstay_engine::sources::{self, Find};
use mainstay_model::compose::{LoadOptions, Loaded, Node, print};
use mainstay_model::declared::{Hidden, declare};

use super::{chosen, generated};
use crate::boot::Boot;
use crate::problem::{Outcome, Problem};

/// Show the stack's files as one, merged, interpolated and settled.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  mainstay config                       as YAML\n  mainstay config --format json\n  mainstay config --quiet               only check: would `up` take these files?\n  mainstay config --images              one image a line\n  mainstay config --variables           which variables the files use"
)]
pub struct Config {
    /// `yaml` or `json`
    #[arg(long, value_enum, value_name = "FORMAT", hide_possible_values = true)]
    format: Option<Format>,
    /// Show secrets and values that were made up; else `…` stands for each
    #[arg(long, alias = "show-secrets")]
    reveal: bool,
    /// Leave variables as they are written
    #[arg(long)]
    no_interpolate: bool,
    /// Leave short forms short
    #[arg(long)]
    no_normalize: bool,
    /// Leave relative paths relative
    #[arg(long)]
    no_path_resolution: bool,
    /// Do not look whether what is named is declared
    #[arg(long)]
    no_consistency: bool,
    /// Leave `env_file` as it is
    #[arg(long)]
    no_env_resolution: bool,
    /// Only the names of the services
    #[arg(long, group = "list")]
    services: bool,
    /// Only the names of the models
    #[arg(long, group = "list")]
    models: bool,
    /// Only the names of the volumes
    #[arg(long, group = "list")]
    volumes: bool,
    /// Only the names of the networks
    #[arg(long, group = "list")]
    networks: bool,
    /// Only the images
    #[arg(long, group = "list")]
    images: bool,
    /// Only the profiles
    #[arg(long, group = "list")]
    profiles: bool,
    /// Only the variables that the files use
    #[arg(long, group = "list")]
    variables: bool,
    /// Only what variables are looked up in: the environment over the env files. Shows secrets
    #[arg(long, group = "list")]
    environment: bool,
    /// Only the hashes by which `docker compose` knows these services: names with commas between, or `*`
    #[arg(long, group = "list", value_name = "SERVICES")]
    hash: Option<String>,
    /// Put the digest that the registry has now beside each image
    #[arg(long)]
    resolve_image_digests: bool,
    /// Print a file to lay over this one: each image with the digest that the registry has now
    #[arg(long, conflicts_with = "list")]
    lock_image_digests: bool,
    /// Write to a file instead of stdout
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Only these services and what they depend on; default: all that are on
    #[arg(value_name = "SERVICE")]
    only: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Yaml,
    Json,
}

impl Config {
    /// Whether values are asked for.
    pub fn shows_values(&self) -> bool {
        self.reveal || self.environment
    }

    /// Whether it writes to a file instead of stdout.
    pub fn writes_a_file(&self) -> bool {
        self.output.is_some()
    }
}

pub async fn run(boot: &Boot, args: Config) -> Outcome {
    let find = match boot.global.stack.as_slice() {
        [] => chosen::find_here(boot, options(boot, &args)),
        [_] => chosen::find_named(boot, options(boot, &args))?,
        _ => return Err(Problem::usage("one-stack", "`config` is about one stack").hint("give `--stack` once")),
    };
    let mut loaded = load(boot, find, &args)?;
    if boot.environment.carried.is_some() {
        keep_values_here(boot, &loaded);
    }
    tell(boot, &args, &loaded)?;
    if args.resolve_image_digests || args.lock_image_digests {
        digests::resolve(boot, &mut loaded).await?;
    }
    if let Some(text) = text(boot, &args, &loaded)? {
        write(boot, &args, &text)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// What variables of this host stand for does not leave it.
fn keep_values_here(boot: &Boot, loaded: &Loaded) {
    let used = loaded.variables.iter().filter_map(|one| loaded.environment.get(&one.name));
    let values: Vec<Hidden> = used.map(|value| Hidden::new(value.as_str())).collect();
    boot.ui.redactions.learn(&values);
}

fn options(boot: &Boot, args: &Config) -> LoadOptions {
    LoadOptions {
        // A list of variables is for a person who has not set them yet.
        interpolate: !args.no_interpolate && !args.variables,
        resolve_paths: !args.no_path_resolution,
        // The reference hashes the names of the files, not what they say.
        resolve_env_files: !args.no_env_resolution && args.hash.is_none() && boot.environment.carried.is_none(),
        normalize: !args.no_normalize,
        consistency: !args.no_consistency,
    }
}

/// Loads the stack; named services are on whatever their profiles, and then alone with what they depend on.
fn load(boot: &Boot, mut find: Find, args: &Config) -> Result<Loaded, Problem> {
    let only = &args.only;
    // A digest of veiled values would be another one's.
    let reveal = args.reveal || args.hash.is_some();
    let mut loaded = generated::loaded(boot, &find, reveal)?;
    if only.is_empty() || !loaded.is_settled() {
        return Ok(loaded);
    }
    let off = only.iter().filter_map(|name| loaded.disabled_services.get(name)?.get("profiles")?.as_list());
    let profiles: Vec<String> = off.flatten().filter_map(Node::as_str).map(str::to_owned).collect();
    if !profiles.is_empty() {
        find.profiles.extend(profiles);
        loaded = generated::loaded(boot, &find, reveal)?;
    }
    loaded.select(only).map_err(|name| lists::no_such_service(&loaded, &name))?;
    Ok(loaded)
}

/// Whether the files are read as every other command reads them.
fn is_whole(args: &Config) -> bool {
    !(args.no_interpolate
        || args.no_normalize
        || args.no_path_resolution
        || args.no_consistency
        || args.no_env_resolution
        || args.variables
        || args.hash.is_some())
}

/// The warnings, and what `up` would refuse: with `--quiet`, which only checks, it is a refusal here too; else it is
/// said on stderr.
fn tell(boot: &Boot, args: &Config, loaded: &Loaded) -> Result<(), Problem> {
    let refused = if is_whole(args) { declare(loaded).err() } else { None };
    let is_refused = refused.is_some();
    let said = sources::with_warnings(loaded, refused.unwrap_or_default());
    if is_refused && boot.ui.quiet {
        return Err(sources::SourcesError::Refused(said).into());
    }
    if !said.list.is_empty() {
        boot.ui.talk(said.render().trim_end());
    }
    if is_refused {
        boot.ui.warn("`mainstay up` would refuse these files");
    }
    Ok(())
}

/// What was asked for as text; `None` when only a check was.
fn text(boot: &Boot, args: &Config, loaded: &Loaded) -> Result<Option<String>, Problem> {
    let list = if args.services {
        lists::services(loaded)
    } else if args.volumes {
        lists::used(loaded, "volumes")
    } else if args.networks {
        lists::used(loaded, "networks")
    } else if args.models {
        lists::models(loaded)
    } else if args.images {
        lists::images(loaded)
    } else if args.profiles {
        lists::profiles(loaded)
    } else if args.environment {
        lists::environment(loaded)
    } else if let Some(names) = &args.hash {
        lists::hashes(loaded, names)?
    } else if args.variables {
        let is_json = boot.ui.json || args.format == Some(Format::Json);
        return if is_json { json(&lists::variables(loaded)) } else { Ok(lists::variables_table(boot, loaded)) }
            .map(Some);
    } else if args.lock_image_digests {
        return Ok(Some(digests::lock_file(loaded)));
    } else if boot.ui.quiet {
        return Ok(None);
    } else {
        return project(boot, args, loaded).map(Some);
    };
    if boot.ui.json { json(&list).map(Some) } else { Ok(Some(list.join("\n"))) }
}

fn project(boot: &Boot, args: &Config, loaded: &Loaded) -> Result<String, Problem> {
    let format = args.format.unwrap_or(if boot.ui.json { Format::Json } else { Format::Yaml });
    match format {
        Format::Json => json(&print::to_json(loaded)).map(|text| print::escaped(&text)),
        Format::Yaml => Ok(print::to_yaml(loaded)),
    }
}

fn json(value: &impl serde::Serialize) -> Result<String, Problem> {
    serde_json::to_string_pretty(value).map_err(|error| {
        Problem::new(crate::problem::Kind::Bug, "json", "the project could not be written as JSON").caused_by(&error)
    })
}

fn write(boot: &Boot, args: &Config, text: &str) -> Result<(), Problem> {
    let text = text.trim_end();
    let text = if args.reveal { text.into() } else { boot.ui.redactions.clean(text) };
    let Some(output) = &args.output else {
        return if text.is_empty() { Ok(()) } else { boot.ui.raw_data(format!("{text}\n").as_bytes()) };
    };
    let path = boot.environment.working_directory.join(output);
    std::fs::write(&path, format!("{text}\n")).map_err(|error| {
        Problem::world("output", format!("`{}` could not be written", path.display())).caused_by(&error)
    })
}
