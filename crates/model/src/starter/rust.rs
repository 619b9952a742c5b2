//! An app in Rust.

use regex_lite::Regex;
use toml::Table;

use super::app::{health_in, only_local};
use super::{App, Found, NoStarter, filled};

const PORT: u16 = 8080;

/// One package: its dependencies are a layer of their own.
const ONE: &str = r#"# The dependencies first: they are built again only when Cargo's files change.
COPY Cargo.toml @LOCK@./
RUN mkdir src && echo 'fn main() {}' > src/main.rs && touch src/lib.rs \
 && cargo build --release@LOCKED@ ; rm -r src
COPY . .
RUN find src -name '*.rs' -exec touch {} + && cargo build --release@LOCKED@ --bin @BIN@
"#;

/// A workspace, or a build script: nothing can be built without everything.
const MANY: &str = r#"COPY . .
RUN cargo build --release@LOCKED@ --bin @BIN@
"#;

const DOCKERFILE: &str = r#"FROM rust:1-bookworm AS build
WORKDIR /app
@BUILD@
FROM debian:bookworm-slim
# Whoever calls others over HTTPS has to know whom to trust.
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates && rm -rf /var/lib/apt/lists/*
COPY --from=build /app/target/release/@BIN@ /usr/local/bin/@BIN@
ENV PORT=@PORT@
USER 10001
EXPOSE @PORT@
CMD ["@BIN@"]
"#;

pub(super) fn app(found: &Found) -> Result<App, NoStarter> {
    let root = manifest(found, "Cargo.toml")?;
    let bin = binary(found, &root)?;
    let has_lock = found.has("Cargo.lock");
    let is_many = root.contains_key("workspace") || found.has("build.rs") || root.contains_key("bin");
    let template = if is_many { MANY } else { ONE };
    let build = filled(
        template,
        &[
            ("LOCK", if has_lock { "Cargo.lock " } else { "" }),
            ("LOCKED", if has_lock { " --locked" } else { "" }),
            ("BIN", &bin),
        ],
    );
    let sources = found.sources(&[".rs"]);
    let port = sources.clone().find_map(|(_, text)| port_in(text)).unwrap_or(PORT);
    let mut notes: Vec<String> = sources.clone().filter_map(|(path, text)| only_local(path, text)).take(1).collect();
    if !has_lock {
        notes.push("there is no Cargo.lock: commit one, so that the image is built from what was tested".to_owned());
    }
    let number = port.to_string();
    Ok(App {
        what: "a Rust app (Cargo.toml)".to_owned(),
        port,
        health: health_in(sources.map(|(_, text)| text)).unwrap_or_else(|| "/".to_owned()),
        takes_port: true,
        dockerfile: Some(filled(DOCKERFILE, &[("BUILD", &build)]))
            .map(|text| filled(&text, &[("BIN", &bin), ("PORT", &number)])),
        ignored: vec!["target"],
        notes,
    })
}

fn manifest(found: &Found, path: &str) -> Result<Table, NoStarter> {
    let text = found.text(path).unwrap_or_default();
    text.parse().map_err(|error: toml::de::Error| NoStarter::Unreadable {
        file: path.to_owned(),
        why: error.message().to_owned(),
    })
}

/// The one program that is built here.
fn binary(found: &Found, root: &Table) -> Result<String, NoStarter> {
    let members = found.texts.keys().filter(|path| path.ends_with("/Cargo.toml"));
    let mut all = of_package(found, root, "");
    for path in members {
        let folder = path.trim_end_matches("Cargo.toml");
        all.extend(of_package(found, &manifest(found, path)?, folder));
    }
    match all.as_slice() {
        [one] => Ok(one.clone()),
        [] => Err(NoStarter::Unclear {
            message: "no program is built here: there is no `src/main.rs` and no `[[bin]]`".to_owned(),
            hint: "run it in the folder of an app; a library has nothing to run".to_owned(),
        }),
        many => Err(NoStarter::Unclear {
            message: format!("several programs are built here: `{}`", many.join("`, `")),
            hint: "write a Dockerfile for the one that is to run, then `mainstay init` writes the rest".to_owned(),
        }),
    }
}

fn of_package(found: &Found, manifest: &Table, folder: &str) -> Vec<String> {
    let bins = manifest.get("bin").and_then(|bins| bins.as_array()).into_iter().flatten();
    let named: Vec<String> = bins.filter_map(|bin| bin.get("name")?.as_str().map(str::to_owned)).collect();
    let package = manifest.get("package");
    let word = |name: &str| package?.get(name)?.as_str().map(str::to_owned);
    if let Some(one) = word("default-run") {
        return vec![one];
    }
    if !named.is_empty() {
        return named;
    }
    if found.has(&format!("{folder}src/main.rs")) { word("name").into_iter().collect() } else { Vec::new() }
}

fn port_in(text: &str) -> Option<u16> {
    let address = Regex::new(r#"(?:0\.0\.0\.0|127\.0\.0\.1|\[::\]):(\d{2,5})"#).ok()?;
    address.captures(text)?.get(1)?.as_str().parse().ok()
}
