//! `mainstay config`

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use mainstay_engine::sources;
use mainstay_model::compose::{LoadOptions, Loaded, Map, Node, print};
use mainstay_model::declared::declare;

use super::{chosen, generated};
use crate::boot::Boot;
use crate::problem::{Outcome, Problem};
use crate::ui::{Cell, Table};

/// Show the stack's files as one, merged, interpolated and settled.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  mainstay config                       as YAML\n  mainstay config --format json\n  mainstay config --quiet               only check: would `up` take these files?\n  mainstay config --images              one image a line\n  mainstay config --variables           which variables the files use"
)]
pub struct Config {
    /// `yaml` or `json`
    #[arg(long, value_enum, value_name = "FORMAT", hide_possible_values = true)]
    format: Option<Format>,
    /// Show the values that Mainstay made up; else `…` stands for each
    #[arg(long)]
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
    /// Write to a file instead of stdout
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Yaml,
    Json,
}

pub fn run(boot: &Boot, args: Config) -> Outcome {
    let options = LoadOptions {
        interpolate: !args.no_interpolate,
        resolve_paths: !args.no_path_resolution,
        resolve_env_files: !args.no_env_resolution,
        normalize: !args.no_normalize,
        consistency: !args.no_consistency,
    };
    let find = match boot.global.stack.as_slice() {
        [] => chosen::find_here(boot, options),
        [_] => chosen::find_named(boot, options)?,
        _ => return Err(Problem::usage("one-stack", "`config` is about one stack").hint("give `--stack` once")),
    };
    let loaded = generated::loaded(boot, &find, args.reveal)?;
    tell(boot, &args, &loaded)?;
    if let Some(text) = text(boot, &args, &loaded)? {
        write(boot, &args, &text)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Whether the files are read as every other command reads them.
fn is_whole(args: &Config) -> bool {
    !(args.no_interpolate
        || args.no_normalize
        || args.no_path_resolution
        || args.no_consistency
        || args.no_env_resolution)
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
        keys(&loaded.project, "services")
    } else if args.volumes {
        keys(&loaded.project, "volumes")
    } else if args.networks {
        keys(&loaded.project, "networks")
    } else if args.images {
        images(loaded)
    } else if args.profiles {
        profiles(loaded)
    } else if args.variables {
        return variables(boot, loaded).map(Some);
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
        Format::Json => json(&print::to_json(loaded)),
        Format::Yaml => Ok(print::to_yaml(loaded)),
    }
}

fn json(value: &impl serde::Serialize) -> Result<String, Problem> {
    serde_json::to_string_pretty(value).map_err(|error| {
        Problem::new(crate::problem::Kind::Bug, "json", "the project could not be written as JSON").caused_by(&error)
    })
}

fn write(boot: &Boot, args: &Config, text: &str) -> Result<(), Problem> {
    let Some(output) = &args.output else {
        return if text.is_empty() { Ok(()) } else { boot.ui.data(text.trim_end()) };
    };
    let path = boot.environment.working_directory.join(output);
    std::fs::write(&path, format!("{}\n", text.trim_end())).map_err(|error| {
        Problem::world("output", format!("`{}` could not be written", path.display())).caused_by(&error)
    })
}

fn keys(project: &Node, section: &str) -> Vec<String> {
    let section = project.get(section).and_then(Node::as_map);
    section.into_iter().flat_map(Map::iter).map(|(key, _)| key.to_owned()).collect()
}

fn images(loaded: &Loaded) -> Vec<String> {
    let services = loaded.project.get("services").and_then(Node::as_map);
    let image =
        |(name, entry): (&str, &mainstay_model::compose::Entry)| match entry.node.get("image").and_then(Node::as_str) {
            Some(image) => image.to_owned(),
            None => format!("{}-{name}", loaded.name),
        };
    services.into_iter().flat_map(Map::iter).map(image).collect::<BTreeSet<_>>().into_iter().collect()
}

fn profiles(loaded: &Loaded) -> Vec<String> {
    let active = loaded.project.get("services").and_then(Node::as_map);
    let disabled = loaded.disabled_services.as_map();
    let services = active.into_iter().chain(disabled).flat_map(Map::iter);
    let lists = services.filter_map(|(_, entry)| entry.node.get("profiles").and_then(Node::as_list));
    let names: BTreeSet<String> = lists.flatten().filter_map(Node::as_str).map(str::to_owned).collect();
    names.into_iter().collect()
}

fn variables(boot: &Boot, loaded: &Loaded) -> Result<String, Problem> {
    let mut seen = BTreeSet::new();
    let uses: Vec<_> = loaded.variables.iter().filter(|one| seen.insert(one.name.as_str())).collect();
    if boot.ui.json {
        let all: Vec<_> = uses
            .iter()
            .map(|one| serde_json::json!({ "name": one.name, "default": one.default, "required": one.required }))
            .collect();
        return json(&all);
    }
    let mut table = Table::new(&["NAME", "REQUIRED", "DEFAULT", "WRITTEN AT"]);
    for one in uses {
        let place = if one.span.is_written() {
            format!("{}:{}", loaded.sources.path(one.span.file), one.span.line)
        } else {
            String::new()
        };
        let required: Cell = if one.required { "yes" } else { "no" }.into();
        table.row(vec![
            one.name.clone().into(),
            required,
            one.default.clone().unwrap_or_default().into(),
            place.into(),
        ]);
    }
    Ok(if table.is_empty() { String::new() } else { table.render(boot.ui.out, boot.ui.width) })
}
