//! An app for Node.js.

use regex_lite::Regex;
use serde_json::Value;

use super::app::{health_in, only_local};
use super::{App, Found, NoStarter, filled};

const PORT: u16 = 3000;
const VERSION: u32 = 22;

/// Frameworks: the dependency, the name, the port.
const FRAMEWORKS: [(&str, &str, u16); 12] = [
    ("next", "Next.js", 3000),
    ("nuxt", "Nuxt", 3000),
    ("@remix-run/serve", "Remix", 3000),
    ("@sveltejs/adapter-node", "SvelteKit", 3000),
    ("@astrojs/node", "Astro", 4321),
    ("@nestjs/core", "NestJS", 3000),
    ("fastify", "Fastify", 3000),
    ("express", "Express", 3000),
    ("koa", "Koa", 3000),
    ("@hapi/hapi", "hapi", 3000),
    ("hono", "Hono", 3000),
    ("vite", "Vite", 8080),
];

/// Without dependencies and without a build there is nothing to install.
const PLAIN: &str = r#"FROM node:@VERSION@-bookworm-slim
WORKDIR /app
ENV NODE_ENV=production PORT=@PORT@
COPY . .
USER node
EXPOSE @PORT@
CMD [@COMMAND@]
"#;

const SERVER: &str = r#"FROM node:@VERSION@-bookworm-slim AS build
WORKDIR /app
@SETUP@# The dependencies first: they are installed again only when these files change.
COPY @MANIFESTS@ ./
RUN @INSTALL@
@BUILD@
FROM node:@VERSION@-bookworm-slim
WORKDIR /app
ENV NODE_ENV=production PORT=@PORT@@MORE@
COPY --from=build --chown=node:node /app ./
USER node
EXPOSE @PORT@
CMD [@COMMAND@]
"#;

/// Built to files that only have to be served.
const PAGES: &str = r#"FROM node:@VERSION@-bookworm-slim AS build
WORKDIR /app
@SETUP@# The dependencies first: they are installed again only when these files change.
COPY @MANIFESTS@ ./
RUN @INSTALL@
COPY . .
RUN @RUN@ build

FROM caddy:2
ENV XDG_CONFIG_HOME=/tmp XDG_DATA_HOME=/tmp
COPY --from=build /app/dist /srv
USER 10001
EXPOSE 8080
CMD ["caddy", "file-server", "--root", "/srv", "--listen", ":8080"]
"#;

/// How packages are installed.
struct Packages {
    run: &'static str,
    install: &'static str,
    prune: &'static str,
    lock: Option<&'static str>,
    setup: &'static str,
}

const COREPACK: &str = "RUN corepack enable\n";

pub(super) fn app(found: &Found) -> Result<App, NoStarter> {
    let text = found.text("package.json").unwrap_or_default();
    let package: Value = serde_json::from_str(text)
        .map_err(|error| NoStarter::Unreadable { file: "package.json".to_owned(), why: error.to_string() })?;
    let framework = FRAMEWORKS.iter().find(|(dependency, _, _)| depends_on(&package, dependency));
    let is_pages = framework.is_some_and(|(name, _, _)| *name == "vite") && script(&package, "start").is_none();
    let packages = packages(found);
    let mut notes = Vec::new();
    if packages.lock.is_none() && has_dependencies(&package) {
        notes.push("there is no lock file: commit one, so that the image is built from what was tested".to_owned());
    }
    let sources = found.sources(&[".js", ".mjs", ".ts"]);
    let start = if is_pages { None } else { Some(command(found, &package)?) };
    let port = match (is_pages, framework) {
        (true, _) => 8080,
        (false, framework) => script(&package, "start")
            .and_then(port_in_script)
            .or_else(|| sources.clone().find_map(|(_, text)| port_in(text)))
            .unwrap_or(framework.map_or(PORT, |(_, _, port)| *port)),
    };
    if !is_pages {
        notes.extend(sources.clone().filter_map(|(path, text)| only_local(path, text)).take(1));
    }
    let what = framework.map_or("a Node.js app".to_owned(), |(_, name, _)| format!("{} {name} app", article(name)));
    Ok(App {
        what: format!("{what} (package.json)"),
        port,
        health: health_in(sources.map(|(_, text)| text)).unwrap_or_else(|| "/".to_owned()),
        takes_port: !is_pages,
        dockerfile: Some(dockerfile(found, &package, &packages, port, start.as_deref())),
        ignored: ignored(&package),
        notes,
    })
}

/// What a build makes is made again in the image; without one it may be the app itself.
fn ignored(package: &Value) -> Vec<&'static str> {
    let mut lines = vec!["node_modules", "coverage", "npm-debug.log*"];
    if script(package, "build").is_some() {
        lines.extend([".next", ".nuxt", ".output", "dist"]);
    }
    lines
}

fn article(name: &str) -> &'static str {
    if name.starts_with(['A', 'E']) { "an" } else { "a" }
}

fn dockerfile(found: &Found, package: &Value, packages: &Packages, port: u16, start: Option<&[String]>) -> String {
    let builds = script(package, "build").is_some();
    let command: Vec<String> =
        start.unwrap_or_default().iter().map(|word| Value::from(word.as_str()).to_string()).collect();
    // A script that runs at the installation, or a workspace, needs more than the manifests.
    let needs_all = ["postinstall", "prepare", "install"].iter().any(|name| script(package, name).is_some())
        || package.get("workspaces").is_some()
        || found.has("pnpm-workspace.yaml");
    let settings = [".npmrc", ".yarnrc.yml"].into_iter().filter(|name| found.has(name));
    let manifests = match needs_all {
        true => ".".to_owned(),
        false => std::iter::once("package.json").chain(packages.lock).chain(settings).collect::<Vec<_>>().join(" "),
    };
    let prune = packages.prune;
    let build = match builds {
        true => format!("COPY . .\nRUN {} build && {prune}\n", packages.run),
        false => format!("COPY . .\nRUN {prune}\n"),
    };
    let template = match start {
        None => PAGES,
        Some(_) if !builds && !has_dependencies(package) => PLAIN,
        Some(_) => SERVER,
    };
    let more = match () {
        () if depends_on(package, "next") => " HOSTNAME=0.0.0.0 NEXT_TELEMETRY_DISABLED=1",
        () if depends_on(package, "@astrojs/node") || depends_on(package, "nuxt") => " HOST=0.0.0.0",
        () => "",
    };
    filled(
        template,
        &[
            ("VERSION", &version(found, package).to_string()),
            ("PORT", &port.to_string()),
            ("COMMAND", &command.join(", ")),
            ("SETUP", packages.setup),
            ("MANIFESTS", &manifests),
            ("INSTALL", packages.install),
            ("BUILD", &build),
            ("RUN", packages.run),
            ("MORE", more),
        ],
    )
}

fn packages(found: &Found) -> Packages {
    if found.has("pnpm-lock.yaml") {
        let install = "pnpm install --frozen-lockfile";
        return Packages {
            run: "pnpm run",
            install,
            prune: "CI=true pnpm prune --prod",
            lock: Some("pnpm-lock.yaml"),
            setup: COREPACK,
        };
    }
    if found.has("yarn.lock") && found.has(".yarnrc.yml") {
        let prune = "yarn workspaces focus --all --production";
        let install = "yarn install --immutable";
        return Packages { run: "yarn run", install, prune, lock: Some("yarn.lock"), setup: COREPACK };
    }
    if found.has("yarn.lock") {
        let install = "yarn install --frozen-lockfile";
        let prune = "yarn install --frozen-lockfile --production --ignore-scripts --prefer-offline";
        return Packages { run: "yarn run", install, prune, lock: Some("yarn.lock"), setup: COREPACK };
    }
    let lock = ["package-lock.json", "npm-shrinkwrap.json"].into_iter().find(|lock| found.has(lock));
    let install = if lock.is_some() { "npm ci" } else { "npm install" };
    Packages { run: "npm run", install, prune: "npm prune --omit=dev", lock, setup: "" }
}

fn script<'a>(package: &'a Value, name: &str) -> Option<&'a str> {
    package.get("scripts")?.get(name)?.as_str()
}

fn depends_on(package: &Value, dependency: &str) -> bool {
    let has = |list: &str| package.get(list).is_some_and(|list| list.get(dependency).is_some());
    has("dependencies") || has("devDependencies")
}

fn has_dependencies(package: &Value) -> bool {
    let has = |list: &str| package.get(list).and_then(Value::as_object).is_some_and(|list| !list.is_empty());
    has("dependencies") || has("devDependencies")
}

/// The program itself and not npm around it: npm would keep the signal to stop for itself.
fn command(found: &Found, package: &Value) -> Result<Vec<String>, NoStarter> {
    if depends_on(package, "nuxt") {
        return Ok(vec!["node".to_owned(), ".output/server/index.mjs".to_owned()]);
    }
    if let Some(start) = script(package, "start") {
        let is_plain = !start.contains(|letter| "&|;$<>\"'`=(".contains(letter));
        let words: Vec<String> = start.split_whitespace().map(str::to_owned).collect();
        return Ok(match words.split_first() {
            Some((first, rest)) if is_plain => {
                let program = if first == "node" { first.clone() } else { format!("node_modules/.bin/{first}") };
                std::iter::once(program).chain(rest.iter().cloned()).collect()
            }
            _ => vec!["npm".to_owned(), "start".to_owned()],
        });
    }
    let named = package.get("main").and_then(Value::as_str).filter(|main| found.has(main));
    let main = named.or_else(|| {
        ["server.js", "index.js", "app.js", "src/index.js", "server.mjs", "index.mjs"]
            .into_iter()
            .find(|path| found.has(path))
    });
    match main {
        Some(main) => Ok(vec!["node".to_owned(), main.to_owned()]),
        None => Err(NoStarter::Unclear {
            message: "`package.json` does not say how the app is started".to_owned(),
            hint: "add a script: `\"start\": \"node server.js\"`".to_owned(),
        }),
    }
}

fn port_in_script(start: &str) -> Option<u16> {
    let port = Regex::new(r"(?:PORT=|--port[= ]|-p )(\d{2,5})\b").ok()?;
    port.captures(start)?.get(1)?.as_str().parse().ok()
}

/// `app.listen(4000)`, `PORT || 4000`, `PORT ?? 4000`, `port: 4000`.
fn port_in(text: &str) -> Option<u16> {
    let port = Regex::new(r#"(?:\.listen\(\s*|PORT\s*(?:\|\||\?\?)\s*["']?|\bport:\s*)(\d{2,5})\b"#).ok()?;
    port.captures(text)?.get(1)?.as_str().parse().ok()
}

fn version(found: &Found, package: &Value) -> u32 {
    let engines = package.get("engines").and_then(|engines| engines.get("node")).and_then(Value::as_str);
    let said = found.text(".nvmrc").or(found.text(".node-version")).or(engines.filter(|range| !range.contains('>')));
    let number = said.map(|said| said.trim_start_matches(|letter: char| !letter.is_ascii_digit()));
    let number = number.and_then(|said| said.split(|letter: char| !letter.is_ascii_digit()).next()?.parse().ok());
    number.filter(|major| (18..100).contains(major)).unwrap_or(VERSION)
}
