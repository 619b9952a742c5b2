//! What a folder with an app in it needs to become a stack: a Compose file, a Dockerfile, and workflows that build and
//! promote images.
//!
//! A pure function of what was found in the folder. The files are a beginning for a person to go on from, so they are
//! short, say why in comments, and hold no value that is secret.

mod app;
mod compose;
mod environment;
pub mod found;
mod ignore;
mod kind;
mod node;
mod prepared;
mod python;
mod rust;
mod site;
mod workflows;

use std::collections::BTreeMap;

use serde::Serialize;

pub use app::App;
pub use found::Found;
pub use kind::Kind;

/// Names under which a Compose file is found; one that is there is the stack's.
pub const COMPOSE_FILES: [&str; 4] = ["compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml"];
pub(in crate::starter) const DOCKERFILE: &str = "Dockerfile";

/// What `mainstay init` would write.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Starter {
    pub kind: Kind,
    /// As in "this is …".
    pub what: String,
    /// The stack's name.
    pub name: String,
    pub port: u16,
    /// In the order in which they are told.
    pub files: Vec<StarterFile>,
    /// What a person has to look at.
    pub notes: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StarterFile {
    /// Relative to the folder.
    pub path: String,
    /// What it is for, in some words.
    pub what: String,
    pub content: String,
}

/// Why there is no beginning.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoStarter {
    #[error("nothing here is known: no {}", Kind::signs())]
    NothingKnown,
    #[error("there is no {kind} app here: no {}", .kind.sign())]
    NotOfKind { kind: Kind },
    #[error("`{file}` cannot be read: {why}")]
    Unreadable { file: String, why: String },
    #[error("{message}")]
    Unclear { message: String, hint: String },
}

/// Says what to write for what was found. `kind` is what a person said it is.
///
/// # Errors
/// When nothing is known here, or a file of the app cannot be understood.
pub fn decide(found: &Found, kind: Option<Kind>) -> Result<Starter, NoStarter> {
    let all = Kind::all_in(found);
    let kind = match kind {
        Some(kind) if all.contains(&kind) => kind,
        Some(kind) => return Err(NoStarter::NotOfKind { kind }),
        None => *all.first().ok_or(NoStarter::NothingKnown)?,
    };
    let app = match kind {
        Kind::Dockerfile => prepared::app(found),
        Kind::Node => node::app(found)?,
        Kind::Rust => rust::app(found)?,
        Kind::Python => python::app(found)?,
        Kind::Static => site::app(found),
    };
    let mut notes = app.notes.clone();
    let others: Vec<String> =
        all.iter().filter(|other| **other != kind).map(|other| format!("`{}`", other.sign())).collect();
    if kind != Kind::Dockerfile && !others.is_empty() {
        notes.push(format!("{} is here too; `--kind` says what the app is", others.join(" and ")));
    }
    Ok(Starter {
        kind,
        what: app.what.clone(),
        name: found.stack_name(),
        port: app.port,
        files: files(found, &app),
        notes,
    })
}

fn files(found: &Found, app: &App) -> Vec<StarterFile> {
    let file =
        |path: &str, what: &str, content: String| StarterFile { path: path.to_owned(), what: what.to_owned(), content };
    let mut files =
        vec![file(COMPOSE_FILES[0], "the stack: the service, its route, what healthy is", compose::file(found, app))];
    if let Some(text) = &app.dockerfile {
        files.push(file(DOCKERFILE, "how the image is built", text.clone()));
    }
    files.push(file(
        ".dockerignore",
        "what never goes into an image: secrets, git, what is built again",
        ignore::file(app),
    ));
    for (path, what, content) in [
        ("images.yaml", "on every push to main: build the image and push it", workflows::images()),
        ("promote.yaml", "by hand: a tag goes live", workflows::promote()),
        ("rollback.yaml", "by hand: back to an earlier release", workflows::rollback()),
    ] {
        files.push(file(&format!(".github/workflows/{path}"), what, content));
    }
    files
}

/// The pairs of a template: `@NAME@` is replaced.
fn filled(template: &str, words: &[(&str, &str)]) -> String {
    let words: BTreeMap<&str, &str> = words.iter().copied().collect();
    words.iter().fold(template.to_owned(), |text, (name, value)| text.replace(&format!("@{name}@"), value))
}
