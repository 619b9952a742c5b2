//! For each kind of app: what is written is read by our own reader without a complaint, and means what it should.
#![allow(clippy::unwrap_used, reason = "a test that unwraps fails with the place")]

use std::collections::BTreeMap;

use mainstay_model::compose::{FileProblem, Files, LoadRequest, load};
use mainstay_model::declared::route::Ask;
use mainstay_model::declared::{Declared, Service, declare};
use mainstay_model::smoke::Whence;
use mainstay_model::starter::{Found, Kind, NoStarter, Starter, decide};

struct Written(BTreeMap<String, String>);

impl Files for Written {
    fn read(&self, path: &str, _limit: u64) -> Result<Vec<u8>, FileProblem> {
        let text = path.strip_prefix("/srv/shop/").and_then(|path| self.0.get(path));
        text.map(|text| text.clone().into_bytes()).ok_or(FileProblem::Missing)
    }

    fn is_directory(&self, path: &str) -> bool {
        path == "/srv/shop"
    }
}

fn asked_path(service: &Service) -> &str {
    match &service.probe.as_ref().unwrap().ask {
        Ask::Http { path, .. } => path,
        Ask::Tcp => panic!("a connection only"),
    }
}

fn found(files: &[(&str, &str)]) -> Found {
    Found {
        folder: "shop".into(),
        paths: files.iter().map(|(path, _)| (*path).to_owned()).collect(),
        texts: files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect(),
    }
}

fn starter(files: &[(&str, &str)]) -> Starter {
    decide(&found(files), None).unwrap_or_else(|none| panic!("{none}"))
}

fn file<'a>(starter: &'a Starter, path: &str) -> &'a str {
    let file = starter.files.iter().find(|file| file.path == path);
    file.map(|file| file.content.as_str()).unwrap_or_else(|| panic!("no {path}"))
}

/// Reads what was written as a server would, with these variables set.
fn declared(starter: &Starter, variables: &[(&str, &str)]) -> Declared {
    let files = starter.files.iter().map(|file| (file.path.clone(), file.content.clone())).collect();
    let request = LoadRequest {
        working_directory: "/srv/shop".to_owned(),
        files: vec!["/srv/shop/compose.yaml".to_owned()],
        environment: variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        ..LoadRequest::default()
    };
    let loaded = load(&request, &Written(files)).unwrap_or_else(|refused| panic!("{}", refused.render()));
    let settled = declare(&loaded).unwrap_or_else(|complaints| panic!("{complaints:#?}"));
    assert!(settled.warnings.is_empty(), "{:?}", settled.warnings);
    settled.declared
}

/// What holds for every kind.
fn is_sound(starter: &Starter, variables: &[(&str, &str)]) {
    let declared = declared(starter, variables);
    let web = declared.services.values().next().unwrap();
    assert_eq!((declared.stack.as_str(), declared.services.len(), web.routes.len()), ("shop", 1, 1));
    assert_eq!(web.image, "shop:main-latest");
    assert_eq!(serde_json::to_value(&web.routes[0]).unwrap()["port"], starter.port);
    assert!(web.probe.is_some() && web.build.is_some());
    assert_eq!((declared.smoke.len(), declared.smoke[0].from), (1, Whence::Edge));
    assert!(file(starter, ".dockerignore").lines().any(|line| line == ".env"));
    for workflow in starter.files.iter().filter(|file| file.path.starts_with(".github/")) {
        is_workflow(&workflow.content);
    }
    if let Some(dockerfile) = starter.files.iter().find(|file| file.path == "Dockerfile") {
        let text = &dockerfile.content;
        assert!(text.lines().any(|line| line.starts_with("USER ")), "{text}");
        assert!(text.lines().any(|line| line == format!("EXPOSE {}", starter.port)), "{text}");
    }
    const MARKS: [&str; 9] =
        ["@PORT@", "@BIN@", "@BUILD@", "@STACK@", "@SERVER@", "@INSTALL@", "@COMMAND@", "@LOCK", "@VERSION@"];
    for file in &starter.files {
        let left = MARKS.iter().find(|mark| file.content.contains(**mark));
        assert!(file.content.ends_with('\n') && left.is_none(), "{}: {left:?}\n{}", file.path, file.content);
    }
}

/// YAML, with the keys that GitHub wants, and nothing of a person's in a script.
fn is_workflow(text: &str) {
    use granit_parser::{Event, Parser};
    let mut words = Vec::new();
    for event in Parser::new_from_str(text) {
        if let (Event::Scalar(value, ..), _) = event.unwrap_or_else(|error| panic!("{error}\n{text}")) {
            words.push(value.into_owned());
        }
    }
    for key in ["name", "on", "permissions", "concurrency", "jobs", "runs-on", "steps"] {
        assert!(words.iter().any(|word| word == key), "no `{key}`:\n{text}");
    }
    let scripts = words.windows(2).filter(|pair| pair[0] == "run").map(|pair| &pair[1]);
    for script in scripts {
        assert!(!script.contains("${{"), "an expression inside a script:\n{script}");
    }
}

#[test]
fn node_apps() {
    let express = [
        ("package.json", r#"{"scripts": {"start": "node server.js"}, "dependencies": {"express": "5"}}"#),
        ("package-lock.json", "{}"),
        ("server.js", "app.get('/api/health', ok)\napp.listen(process.env.PORT || 4000)"),
    ];
    let starter_of_express = starter(&express);
    is_sound(&starter_of_express, &[]);
    assert_eq!((starter_of_express.what.as_str(), starter_of_express.port), ("an Express app (package.json)", 4000));
    let declared = declared(&starter_of_express, &[("TAG", "sha-1"), ("DOMAIN", "shop.example")]);
    let web = declared.services.values().next().unwrap();
    assert_eq!((web.image.as_str(), asked_path(web)), ("shop:sha-1", "/api/health"));
    assert_eq!(declared.smoke[0].url.to_string(), "https://shop.example/api/health");
    insta::assert_snapshot!("node-express-dockerfile", file(&starter_of_express, "Dockerfile"));
    insta::assert_snapshot!("node-express-compose", file(&starter_of_express, "compose.yaml"));

    let next = starter(&[
        (
            "package.json",
            r#"{"scripts": {"build": "next build", "start": "next start -p 3100"}, "dependencies": {"next": "16"}, "engines": {"node": "24.x"}}"#,
        ),
        ("pnpm-lock.yaml", ""),
    ]);
    is_sound(&next, &[]);
    assert_eq!(next.port, 3100);
    insta::assert_snapshot!("node-next-dockerfile", file(&next, "Dockerfile"));

    let vite =
        starter(&[("package.json", r#"{"scripts": {"build": "vite build"}, "devDependencies": {"vite": "7"}}"#)]);
    is_sound(&vite, &[]);
    assert!(file(&vite, "Dockerfile").contains("COPY --from=build /app/dist /srv"));
    assert!(vite.notes.concat().contains("there is no lock file"));

    let plain =
        starter(&[("package.json", r#"{"main": "a.js"}"#), ("a.js", "http.createServer(f).listen(80, '127.0.0.1')")]);
    is_sound(&plain, &[]);
    assert!(
        file(&plain, "Dockerfile").ends_with("CMD [\"node\", \"a.js\"]\n") && plain.notes.concat().contains("0.0.0.0")
    );

    let odd = starter(&[(
        "package.json",
        r#"{"scripts": {"start": "A=1 node x && echo"}, "workspaces": ["a"], "dependencies": {"koa": "1"}}"#,
    )]);
    is_sound(&odd, &[]);
    assert!(
        file(&odd, "Dockerfile").contains("COPY . ./") && file(&odd, "Dockerfile").contains(r#"CMD ["npm", "start"]"#)
    );
}

#[test]
fn rust_apps() {
    let api = starter(&[
        ("Cargo.toml", "[package]\nname = \"shop-api\"\nversion = \"0.1.0\"\n"),
        ("Cargo.lock", ""),
        ("src/main.rs", "fn main() { serve(\"0.0.0.0:3001\"); route(\"/healthz\") }"),
    ]);
    is_sound(&api, &[]);
    assert_eq!(api.port, 3001);
    insta::assert_snapshot!("rust-dockerfile", file(&api, "Dockerfile"));
    let workspace = starter(&[
        ("Cargo.toml", "[workspace]\nmembers = [\"crates/*\"]\n"),
        ("crates/api/Cargo.toml", "[package]\nname = \"api\"\n"),
        ("crates/api/src/main.rs", "fn main() {}"),
        ("crates/core/Cargo.toml", "[package]\nname = \"core\"\n"),
    ]);
    is_sound(&workspace, &[]);
    assert!(file(&workspace, "Dockerfile").contains("RUN cargo build --release --bin api"));
    let two = [("Cargo.toml", "[package]\nname = \"a\"\n[[bin]]\nname = \"x\"\n[[bin]]\nname = \"y\"\n")];
    assert!(
        matches!(decide(&found(&two), None), Err(NoStarter::Unclear { message, .. }) if message.contains("`x`, `y`"))
    );
    let broken = decide(&found(&[("Cargo.toml", "[package")]), None);
    assert!(matches!(broken, Err(NoStarter::Unreadable { .. })), "{broken:?}");
}

#[test]
fn python_apps() {
    let fast = starter(&[
        ("requirements.txt", "fastapi\n"),
        ("app/main.py", "from fastapi import FastAPI\napi = FastAPI()\n@api.get(\"/health\")\n"),
    ]);
    is_sound(&fast, &[]);
    assert_eq!(fast.what, "a FastAPI app (requirements.txt)");
    insta::assert_snapshot!("python-fastapi-dockerfile", file(&fast, "Dockerfile"));
    let django = starter(&[("requirements.txt", "django\ngunicorn\n"), ("manage.py", ""), ("shop/wsgi.py", "")]);
    is_sound(&django, &[]);
    let text = file(&django, "Dockerfile");
    assert!(text.contains("\"shop.wsgi:application\"") && !text.contains("requirements.txt gunicorn"), "{text}");
    let flask = starter(&[("pyproject.toml", "[project]\nname = \"f\"\n"), ("wsgi.py", "app = Flask(__name__)")]);
    is_sound(&flask, &[]);
    assert!(file(&flask, "Dockerfile").contains("RUN pip install . gunicorn"));
    assert!(matches!(decide(&found(&[("requirements.txt", "")]), None), Err(NoStarter::Unclear { .. })));
}

#[test]
fn static_sites_and_apps_with_a_dockerfile() {
    let site = starter(&[("public/index.html", "<h1>")]);
    is_sound(&site, &[]);
    assert!(file(&site, "Dockerfile").contains("COPY public /srv"));
    let own = starter(&[("Dockerfile", "FROM x\nexpose 9000/tcp 9001\nUSER app\n"), ("package.json", "not even JSON")]);
    is_sound(&own, &[]);
    assert_eq!((own.kind, own.port, own.notes.len()), (Kind::Dockerfile, 9000, 0));
    assert!(own.files.iter().all(|file| file.path != "Dockerfile"));
    let silent = starter(&[("Dockerfile", "FROM x\n")]);
    assert_eq!(silent.notes.len(), 2, "{:?}", silent.notes);
}

#[test]
fn what_an_app_asks_for_is_asked_of_the_right_one() {
    let example = "# shop\nexport DATABASE_URL=\nSESSION_SECRET=changeme\nLOG_LEVEL=\"info\" # or debug\nGOOGLE_CLIENT_SECRET=x\n\
        PORT=1\nNODE_ENV=development\n1BAD=x\nODD=${X}\nSESSION_SECRET=again\n";
    let app = starter(&[("index.html", ""), (".env.example", example)]);
    let set = [("DATABASE_URL", "d"), ("SESSION_SECRET", "s"), ("GOOGLE_CLIENT_SECRET", "g"), ("ODD", "o")];
    is_sound(&app, &set);
    let declared = declared(&app, &set);
    let environment = &declared.services.values().next().unwrap().container.environment;
    let names: Vec<&str> = environment.keys().map(String::as_str).collect();
    assert_eq!(names, ["DATABASE_URL", "GOOGLE_CLIENT_SECRET", "LOG_LEVEL", "ODD", "SESSION_SECRET"]);
    assert_eq!((environment["LOG_LEVEL"].reveal(), environment["SESSION_SECRET"].reveal()), ("info", "s"));
    let wanted: Vec<&str> = declared.secrets.wishes.keys().map(String::as_str).collect();
    assert_eq!(wanted, ["DATABASE_URL", "GOOGLE_CLIENT_SECRET", "ODD", "SESSION_SECRET"]);
    let text = file(&app, "compose.yaml");
    assert!(!text.contains("changeme"), "{text}");
    for line in ["SESSION_SECRET: { generate: 48, min_length: 32 }", "GOOGLE_CLIENT_SECRET: { required: true }"] {
        assert!(text.contains(line), "{text}");
    }
}

#[test]
fn the_kind_can_be_said_and_must_be_there() {
    let both = [("package.json", r#"{"main": "a.js"}"#), ("a.js", ""), ("index.html", "")];
    assert!(starter(&both).notes.concat().contains("`index.html` is here too"));
    assert_eq!(decide(&found(&both), Some(Kind::Static)).unwrap().kind, Kind::Static);
    let none = decide(&found(&both), Some(Kind::Rust)).unwrap_err();
    assert_eq!(none.to_string(), "there is no Rust app here: no Cargo.toml");
    assert_eq!(decide(&found(&[]), None), Err(NoStarter::NothingKnown));
}
