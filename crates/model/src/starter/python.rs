//! An app in Python.

use regex_lite::Regex;

use super::app::{health_in, only_local};
use super::{App, Found, NoStarter, filled};

const PORT: u16 = 8000;

const DOCKERFILE: &str = r#"FROM python:3.13-slim-bookworm AS build
RUN python -m venv /venv
ENV PATH=/venv/bin:$PATH PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /app
@INSTALL@
FROM python:3.13-slim-bookworm
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PORT=@PORT@
WORKDIR /app
COPY --from=build /venv /venv
COPY . .
USER 10001
EXPOSE @PORT@
CMD [@COMMAND@]
"#;

pub(super) fn app(found: &Found) -> Result<App, NoStarter> {
    let wanted = [found.text("requirements.txt"), found.text("pyproject.toml")];
    let wanted = wanted.into_iter().flatten().collect::<Vec<_>>().join("\n").to_ascii_lowercase();
    let (what, command, server) = start(found, &wanted)?;
    let more = server.filter(|server| !wanted.contains(server)).map(|server| format!(" {server}")).unwrap_or_default();
    // Requirements are a layer of their own; a project can only be installed whole.
    let install = if found.has("requirements.txt") {
        format!("COPY requirements.txt ./\nRUN pip install -r requirements.txt{more}\n")
    } else {
        format!("COPY . .\nRUN pip install .{more}\n")
    };
    let quoted: Vec<String> = command.iter().map(|word| serde_json::json!(word).to_string()).collect();
    let (port, command) = (PORT.to_string(), quoted.join(", "));
    let words = [("INSTALL", install.as_str()), ("PORT", port.as_str()), ("COMMAND", command.as_str())];
    let sources = found.sources(&[".py"]);
    let mut notes: Vec<String> = Vec::new();
    if server.is_none() {
        notes.extend(sources.clone().filter_map(|(path, text)| only_local(path, text)).take(1));
        notes.push(format!("it is taken to listen on {PORT}, or on what the variable `PORT` says"));
    }
    Ok(App {
        what,
        port: PORT,
        health: health_in(sources.map(|(_, text)| text)).unwrap_or_else(|| "/".to_owned()),
        takes_port: server.is_none(),
        dockerfile: Some(filled(DOCKERFILE, &words)),
        ignored: vec!["__pycache__", "*.pyc", ".venv", "venv", ".pytest_cache"],
        notes,
    })
}

/// What it is, the command that starts it, and the server that the command needs.
fn start(found: &Found, wanted: &str) -> Result<(String, Vec<String>, Option<&'static str>), NoStarter> {
    let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
    if found.has("manage.py") {
        let settings = found.paths.iter().find_map(|path| path.strip_suffix("/wsgi.py")).unwrap_or("app");
        let module = settings.replace('/', ".");
        let command = words(&format!("gunicorn --bind 0.0.0.0:{PORT} {module}.wsgi:application"));
        return Ok(("a Django app (manage.py)".to_owned(), command, Some("gunicorn")));
    }
    if let Some((module, name, framework)) = object(found) {
        let file = if found.has("requirements.txt") { "requirements.txt" } else { "pyproject.toml" };
        return Ok(match framework.as_str() {
            "Flask" => {
                let command = words(&format!("gunicorn --bind 0.0.0.0:{PORT} {module}:{name}"));
                (format!("a Flask app ({file})"), command, Some("gunicorn"))
            }
            _ => {
                let command = words(&format!("uvicorn --host 0.0.0.0 --port {PORT} --proxy-headers {module}:{name}"));
                (format!("a {framework} app ({file})"), command, Some("uvicorn"))
            }
        });
    }
    let main = ["main.py", "app.py", "server.py", "src/main.py"].into_iter().find(|path| found.has(path));
    match main {
        Some(main) => Ok(("a Python app".to_owned(), vec!["python".to_owned(), main.to_owned()], None)),
        None => Err(NoStarter::Unclear {
            message: format!("nothing says how this Python app is started{}", if wanted.is_empty() { ", or what it needs" } else { "" }),
            hint: "known: `manage.py`, `main.py`, `app.py`, `server.py`; or write a Dockerfile, then `mainstay init` writes the rest".to_owned(),
        }),
    }
}

/// The module and the name of a web framework's object.
fn object(found: &Found) -> Option<(String, String, String)> {
    let made = Regex::new(r"(?m)^(\w+)\s*(?::\s*\w+\s*)?=\s*(FastAPI|Flask|Starlette)\(").ok()?;
    found.sources(&[".py"]).find_map(|(path, text)| {
        let made = made.captures(text)?;
        let module = path.trim_end_matches(".py").trim_end_matches("/__init__").replace('/', ".");
        Some((module, made.get(1)?.as_str().to_owned(), made.get(2)?.as_str().to_owned()))
    })
}
