//! The door of the dialect: what a request means, what a load keeps, what it refuses and how it is bounded.

// A test may unwrap: it fails with the place.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fmt::Write as _;

use mainstay_model::compose::{
    Diagnostics, FileProblem, Files, LoadOptions, LoadRequest, Loaded, Node, Severity, load, print,
};

struct Memory(BTreeMap<String, String>);

impl Files for Memory {
    fn read(&self, path: &str, limit: u64) -> Result<Vec<u8>, FileProblem> {
        let text = self.0.get(path).ok_or(FileProblem::Missing)?;
        if text.len() as u64 > limit { Err(FileProblem::TooLarge { limit }) } else { Ok(text.clone().into_bytes()) }
    }

    fn is_directory(&self, _path: &str) -> bool {
        false
    }
}

fn pairs(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

/// Loads `/srv/shop/compose.yaml` among other files.
fn load_with(files: &[(&str, &str)], change: impl FnOnce(&mut LoadRequest)) -> Result<Loaded, Diagnostics> {
    let mut request = LoadRequest {
        working_directory: "/srv".to_owned(),
        files: vec!["/srv/shop/compose.yaml".to_owned()],
        ..LoadRequest::default()
    };
    change(&mut request);
    load(&request, &Memory(pairs(files)))
}

fn load_text(text: &str) -> Result<Loaded, Diagnostics> {
    load_with(&[("/srv/shop/compose.yaml", text)], |_| {})
}

fn image(loaded: &Loaded, service: &str) -> String {
    let services = loaded.project.get("services").unwrap();
    services.get(service).and_then(|service| service.get("image")).and_then(Node::as_str).unwrap().to_owned()
}

fn codes(refused: Result<Loaded, Diagnostics>) -> Vec<&'static str> {
    let complaints = refused.expect_err("a refusal");
    complaints.list.iter().filter(|one| one.severity == Severity::Error).map(|one| one.code).collect()
}

#[test]
fn the_caller_wins_over_the_env_file_and_the_env_file_over_a_default() {
    let compose = "services: {a: {image: '${CALLER:-d}-${FILE:-d}-${NONE:-d}'}}";
    let files = [("/srv/shop/compose.yaml", compose), ("/srv/shop/.env", "CALLER=file\nFILE=file\n")];
    let loaded = load_with(&files, |request| request.environment = pairs(&[("CALLER", "caller")])).unwrap();
    assert_eq!(image(&loaded, "a"), "caller-file-d");

    let off = pairs(&[("COMPOSE_DISABLE_ENV_FILE", "true")]);
    assert_eq!(image(&load_with(&files, |request| request.environment = off).unwrap(), "a"), "d-d-d");
}

#[test]
fn an_env_file_may_turn_itself_off_and_its_words_to_compose_stay() {
    let compose = "services: {a: {image: '${FILE:-d}'}}";
    let said = "FILE=file\nCOMPOSE_PROJECT_NAME=store\nCOMPOSE_DISABLE_ENV_FILE=";
    let with = |word: &str| {
        let env = format!("{said}{word}\n");
        load_with(&[("/srv/shop/compose.yaml", compose), ("/srv/shop/.env", &env)], |_| {})
    };
    let loaded = with("1").unwrap();
    assert_eq!((image(&loaded, "a").as_str(), loaded.name.as_str()), ("d", "store"));
    assert_eq!(image(&with("0").unwrap(), "a"), "file");
    assert_eq!(codes(with("perhaps")), ["bad-variable"]);
}

struct Raw(Vec<u8>);

impl Files for Raw {
    fn read(&self, path: &str, _limit: u64) -> Result<Vec<u8>, FileProblem> {
        if path.ends_with("compose.yaml") { Ok(self.0.clone()) } else { Err(FileProblem::Missing) }
    }

    fn is_directory(&self, _path: &str) -> bool {
        false
    }
}

#[test]
fn a_file_of_sixteen_bits_that_says_so_is_read_and_its_lines_are_shown() {
    let load_units = |text: &str, bytes: fn(u16) -> [u8; 2]| {
        let units = "\u{FEFF}".encode_utf16().chain(text.encode_utf16());
        let request = LoadRequest {
            working_directory: "/srv".to_owned(),
            files: vec!["/srv/shop/compose.yaml".to_owned()],
            ..LoadRequest::default()
        };
        load(&request, &Raw(units.flat_map(bytes).collect()))
    };
    for bytes in [u16::to_le_bytes, u16::to_be_bytes] {
        let loaded = load_units("services:\r\n  a: {image: 'größe😀'}\r\n", bytes).unwrap();
        assert_eq!(image(&loaded, "a"), "größe😀");
    }
    let said = load_units("services:\n  a: {imagee: x}\n", u16::to_le_bytes).unwrap_err().render();
    assert!(said.contains(" 2 |   a: {imagee: x}"), "{said}");
}

#[test]
fn without_normalizing_a_resource_that_says_nothing_is_still_one() {
    let text = "services: {a: {image: x, networks: [n], volumes: ['data:/d']}}\nnetworks: {n: }\nvolumes: {data: }\n";
    let loaded = load_with(&[("/srv/shop/compose.yaml", text)], |request| {
        request.options = LoadOptions { normalize: false, ..LoadOptions::default() };
    });
    let json = print::to_json(&loaded.unwrap());
    assert_eq!(json["networks"], serde_json::json!({"n": {"ipam": {}}}));
    assert_eq!(json["volumes"], serde_json::json!({"data": {}}));
}

#[test]
fn a_secret_of_an_included_model_is_not_shown_as_it_is_written() {
    let files = [
        ("/srv/shop/compose.yaml", "include: [{path: more.yaml, env_file: more.env}]\nservices: {a: {image: x}}"),
        ("/srv/shop/more.yaml", "services: {b: {image: x, secrets: [s]}}\nsecrets: {s: {environment: WORD}}"),
        ("/srv/shop/more.env", "WORD=open sesame\n"),
    ];
    let load = |interpolate: bool| {
        let options = LoadOptions { interpolate, ..LoadOptions::default() };
        load_with(&files, |request| request.options = options).unwrap()
    };
    for loaded in [load(false), load(true)] {
        let shown = format!("{}{}", print::to_json(&loaded), print::to_yaml(&loaded));
        assert!(shown.contains("WORD") && !shown.contains("sesame"), "{shown}");
    }
}

#[test]
fn a_mapping_as_the_value_of_a_variable_is_refused_also_when_it_is_merged() {
    let files = [
        ("/srv/shop/compose.yaml", "services: {a: {image: x, environment: [A=1], labels: {l: 1}}}"),
        ("/srv/shop/over.yaml", "services: {a: {environment: {A: {b: 1}}, labels: {l: {m: 1}}}}"),
    ];
    let refused = load_with(&files, |request| request.files.push("/srv/shop/over.yaml".into()));
    let told = refused.expect_err("a refusal").render();
    assert!(told.contains("`services.a.environment[1]` must be a string, not a mapping"), "{told}");
    assert!(told.contains("over.yaml:1:") && told.contains("labels"), "{told}");
}

#[test]
fn what_is_no_name_in_a_list_of_names_is_refused_also_when_it_is_merged() {
    let files = [
        ("/srv/shop/compose.yaml", "services: {a: {image: x, networks: {n: }, depends_on: [b]}, b: {image: x}}"),
        ("/srv/shop/over.yaml", "services: {a: {networks: [{n: {}}], depends_on: [1]}}\nnetworks: {n: }"),
    ];
    let refused = load_with(&files, |request| request.files.push("/srv/shop/over.yaml".into()));
    let told = refused.expect_err("a refusal").render();
    for line in [
        "`services.a.networks` is a list of names here, and this is a mapping",
        "`services.a.depends_on` is a list of names here, and this is a number",
    ] {
        assert!(told.contains(line), "{told}");
    }
}

#[test]
fn env_files_of_the_request_stand_instead_of_the_default_one() {
    let files = [
        ("/srv/shop/compose.yaml", "services: {a: {image: '${A}-${B}'}}"),
        ("/srv/shop/.env", "A=default\nB=default\n"),
        ("/srv/one.env", "A=one\nB=one\n"),
        ("/srv/two.env", "B=${A}-two\n"),
    ];
    let by_flag = load_with(&files, |request| request.env_files = vec!["/srv/one.env".into(), "/srv/two.env".into()]);
    assert_eq!(image(&by_flag.unwrap(), "a"), "one-one-two");
    let by_name = pairs(&[("COMPOSE_ENV_FILES", "one.env")]);
    assert_eq!(image(&load_with(&files, |request| request.environment = by_name).unwrap(), "a"), "one-one");
    assert_eq!(codes(load_with(&files, |request| request.env_files = vec!["/srv/no.env".into()])), ["file"]);
}

#[test]
fn a_project_is_named_by_flag_environment_file_or_folder() {
    let named = [("/srv/shop/compose.yaml", "name: 'My ${KIND}'\nservices: {a: {image: x}}")];
    let kind = pairs(&[("KIND", "Shop")]);
    let loaded = load_with(&named, |request| request.environment = kind.clone()).unwrap();
    assert_eq!(loaded.name, "myshop");
    let loaded = load_with(&named, |request| request.project_name = Some("flag".into())).unwrap();
    assert_eq!(loaded.name, "flag");
    let loaded = load_with(&named, |request| request.environment = pairs(&[("COMPOSE_PROJECT_NAME", "env")])).unwrap();
    assert_eq!(loaded.name, "env");
    assert_eq!(load_text("services: {a: {image: '${COMPOSE_PROJECT_NAME}'}}").unwrap().name, "shop");
    assert_eq!(codes(load_with(&named, |request| request.project_name = Some("No!".into()))), ["bad-project-name"]);
}

#[test]
fn the_project_directory_is_where_relative_paths_start() {
    let files = [("/srv/shop/compose.yaml", "services: {a: {build: ./app}}")];
    let context = |loaded: &Loaded| {
        let service = loaded.project.get("services").and_then(|services| services.get("a")).cloned().unwrap();
        service.get("build").and_then(|build| build.get("context")).and_then(Node::as_str).unwrap().to_owned()
    };
    assert_eq!(context(&load_with(&files, |_| {}).unwrap()), "/srv/shop/app");
    let elsewhere = load_with(&files, |request| request.project_directory = Some("other".into())).unwrap();
    assert_eq!(context(&elsewhere), "/srv/other/app");
    assert_eq!(elsewhere.name, "other");
    let options = LoadOptions { resolve_paths: false, ..LoadOptions::default() };
    assert_eq!(context(&load_with(&files, |request| request.options = options).unwrap()), "./app");
}

#[test]
fn files_may_come_from_the_environment() {
    let files = [
        ("/srv/a.yaml", "services: {a: {image: x}}"),
        ("/srv/b.yaml", "services: {a: {image: y}}"),
        ("/srv/.env", "COMPOSE_FILE=a.yaml:b.yaml\n"),
    ];
    let loaded = load_with(&files, |request| request.files.clear()).unwrap();
    assert_eq!(image(&loaded, "a"), "y");
    assert_eq!(codes(load_with(&[], |request| request.files.clear())), ["no-file"]);
}

#[test]
fn services_of_inactive_profiles_stand_apart_in_the_same_form() {
    let text = "services:\n  a: {image: x}\n  b: {image: y, profiles: [p], ports: ['80:80']}\n";
    let loaded = load_text(text).unwrap();
    assert!(loaded.project.get("services").unwrap().get("b").is_none());
    let off = loaded.disabled_services.get("b").unwrap();
    assert_eq!(
        off.get("ports").and_then(Node::as_list).unwrap()[0].get("mode").and_then(Node::as_str),
        Some("ingress")
    );
    let files = [("/srv/shop/compose.yaml", text)];
    let on = load_with(&files, |request| request.environment = pairs(&[("COMPOSE_PROFILES", "q,p")])).unwrap();
    assert!(on.disabled_services.as_map().unwrap().is_empty());
}

#[test]
fn what_mainstay_adds_is_kept_in_the_tree_at_every_level() {
    let text = "services:\n  a: {image: x, x-mainstay: {probe: {path: /h}}}\nx-mainstay: {requires: [n]}\n";
    let loaded = load_text(text).unwrap();
    let service = loaded.project.get("services").and_then(|services| services.get("a")).unwrap();
    assert!(service.get("x-mainstay").and_then(|own| own.get("probe")).is_some());
    assert!(loaded.project.get("x-mainstay").and_then(|own| own.get("requires")).is_some());
    assert!(print::to_yaml(&loaded).contains("x-mainstay"));
}

#[test]
fn what_no_service_uses_is_in_the_tree_but_not_printed() {
    let loaded = load_text("services: {a: {image: x, volumes: ['vv:/v']}}\nvolumes: {vv: , w: }\n").unwrap();
    assert!(loaded.project.get("volumes").unwrap().get("w").is_some());
    assert_eq!(loaded.used("volumes").into_iter().collect::<Vec<_>>(), ["vv"]);
    assert!(print::to_json(&loaded)["volumes"].get("w").is_none());
}

#[test]
fn every_complaint_of_a_load_comes_at_once_with_its_place() {
    let text = "services:\n  web:\n    imagee: x\n    networks: [fornt]\n    ports: ['80:80:80']\n  \
                db: {image: y, stop_grace_period: soon}\nnetworks: {front: }\n";
    let refused = load_text(text).unwrap_err();
    let told: Vec<_> = refused.list.iter().map(|one| (one.code, one.span.line, one.hint.is_some())).collect();
    assert_eq!(
        told,
        [("unknown-key", 3, true), ("undefined-network", 4, true), ("bad-short-form", 5, true), ("bad-value", 6, true)]
    );
    assert!(refused.render().contains("did you mean `front`?"), "{}", refused.render());
}

#[test]
fn a_shell_operator_in_a_command_line_is_warned_about() {
    let loaded = load_text("services: {a: {image: x, command: echo a && echo b}}").unwrap();
    assert_eq!(loaded.warnings.iter().map(|one| one.code).collect::<Vec<_>>(), ["command-cut-off"]);
}

#[test]
fn a_volume_of_one_letter_is_warned_about() {
    let loaded = load_text("services: {a: {image: x, volumes: ['v:/data']}}").unwrap();
    assert_eq!(loaded.warnings.iter().map(|one| one.code).collect::<Vec<_>>(), ["one-letter-volume"]);
}

#[test]
fn secrets_of_the_environment_are_not_printed() {
    let files =
        [("/srv/shop/compose.yaml", "services: {a: {image: x, secrets: [s]}}\nsecrets: {s: {environment: S}}\n")];
    for interpolate in [true, false] {
        let loaded = load_with(&files, |request| {
            request.environment = pairs(&[("S", "do-not-tell")]);
            request.options.interpolate = interpolate;
        });
        let loaded = loaded.unwrap();
        assert!(!print::to_yaml(&loaded).contains("do-not-tell"));
        assert!(!print::to_json(&loaded).to_string().contains("do-not-tell"));
    }
}

#[test]
fn an_include_that_multiplies_itself_ends() {
    let mut files: Vec<(String, String)> = Vec::new();
    for level in 0..40 {
        let next = level + 1;
        let text = format!("include: [l{next}.yaml, l{next}.yaml]\nservices: {{s{level}: {{image: x}}}}\n");
        files.push((format!("/srv/shop/l{level}.yaml"), text));
    }
    files.push(("/srv/shop/l40.yaml".into(), "services: {}\n".into()));
    let request = LoadRequest {
        working_directory: "/srv".to_owned(),
        files: vec!["/srv/shop/l0.yaml".to_owned()],
        ..LoadRequest::default()
    };
    let refused = load(&request, &Memory(files.into_iter().collect()));
    assert!(codes(refused).contains(&"file"));
}

#[test]
fn services_that_take_over_too_much_are_refused() {
    let mut text = String::from("services:\n  base:\n    image: x\n    environment:\n");
    for number in 0..5_000 {
        let _ = writeln!(text, "      V{number}: x");
    }
    for number in 0..1_000 {
        let _ = writeln!(text, "  s{number}: {{extends: base}}");
    }
    assert!(codes(load_text(&text)).contains(&"extends-too-much"));
}

#[test]
fn a_page_of_port_ranges_is_refused() {
    let mut text = String::from("services:\n  a:\n    image: x\n    ports:\n");
    for port in 0..3 {
        let _ = writeln!(text, "      - '127.0.0.{port}:1-36000:1-36000'");
    }
    assert!(codes(load_text(&text)).contains(&"bad-short-form"));
}

#[test]
fn a_chain_of_dependencies_may_be_as_long_as_a_file() {
    let mut text = String::from("services:\n  s0: {image: x}\n");
    for number in 1..20_000 {
        let _ = writeln!(text, "  s{number}: {{image: x, depends_on: [s{}]}}", number - 1);
    }
    assert!(load_text(&text).is_ok());
}

#[test]
fn files_that_are_no_project_are_refused_with_a_reason() {
    assert_eq!(codes(load_text("")), ["empty-project"]);
    assert_eq!(codes(load_text("- a\n")), ["not-a-mapping"]);
    assert_eq!(codes(load_with(&[], |_| {})), ["file"]);
    assert_eq!(codes(load_text("include: ['https://example.org/compose.yaml']\n")), ["remote-file"]);
}

#[test]
fn a_whole_number_beyond_64_bits_is_refused() {
    for key in ["pids_limit: 99999999999999999999", "ports: [{target: 99999999999999999999}]"] {
        let refused = load_text(&format!("services: {{a: {{image: x, {key}}}}}"));
        assert_eq!(codes(refused), ["wrong-type"], "{key}");
    }
}
