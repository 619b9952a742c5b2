//! Files of other platforms, small ones of our own in their style: what they settle to, and what is said when
//! something is missing that the platform would have supplied.

// A test reads what it is given, may unwrap, and says what it saw.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, clippy::disallowed_macros)]

mod addresses;
mod corpus;
mod keys;
mod made_up;
mod platforms;
mod seen;

use std::collections::BTreeMap;

use mainstay_model::compose::{Diagnostics, Dialect, FileProblem, Files, LoadRequest, Loaded, load};
use mainstay_model::declared::{Declared, Service, declare};
use mainstay_model::identity::ServiceName;

const FILE: &str = "/srv/shop/compose.yaml";

struct Memory(BTreeMap<String, String>);

impl Files for Memory {
    fn read(&self, path: &str, _limit: u64) -> Result<Vec<u8>, FileProblem> {
        self.0.get(path).map(|text| text.clone().into_bytes()).ok_or(FileProblem::Missing)
    }

    fn is_directory(&self, _path: &str) -> bool {
        false
    }
}

fn load_with(text: &str, change: impl FnOnce(&mut LoadRequest)) -> Result<Loaded, Diagnostics> {
    let mut request = LoadRequest {
        working_directory: "/srv/shop".into(),
        files: vec![FILE.into()],
        dialect: Some(Dialect::Coolify),
        ..LoadRequest::default()
    };
    change(&mut request);
    load(&request, &Memory(BTreeMap::from([(FILE.to_owned(), text.to_owned())])))
}

#[track_caller]
fn loaded(text: &str) -> Loaded {
    load_with(text, |_| {}).unwrap_or_else(|complaints| panic!("{}", complaints.render()))
}

#[track_caller]
fn declared_with(text: &str, change: impl FnOnce(&mut LoadRequest)) -> Declared {
    let loaded = load_with(text, change).unwrap_or_else(|complaints| panic!("{}", complaints.render()));
    declare(&loaded).unwrap_or_else(|complaints| panic!("{complaints:#?}")).declared
}

#[track_caller]
fn declared(text: &str) -> Declared {
    declared_with(text, |_| {})
}

fn service<'a>(declared: &'a Declared, name: &str) -> &'a Service {
    &declared.services[&ServiceName::new(name).unwrap()]
}

/// A variable of a service's containers.
fn variable<'a>(declared: &'a Declared, name: &str, key: &str) -> &'a str {
    service(declared, name).container.environment.get(key).map_or("<none>", |value| value.reveal())
}

/// `host/path -> port` of a service's routes.
fn routes(declared: &Declared, name: &str) -> Vec<String> {
    let port = |route: &mainstay_model::declared::Route| serde_json::to_value(route).unwrap()["port"].clone();
    service(declared, name).routes.iter().map(|route| format!("{} -> {}", route.address(), port(route))).collect()
}

fn set(request: &mut LoadRequest, pairs: &[(&str, &str)]) {
    request.environment = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
}

/// Warnings with this code.
fn warnings(loaded: &Loaded, code: &str) -> Vec<String> {
    let told = loaded.warnings.iter().filter(|one| one.code == code);
    told.map(|one| format!("{} | {}", one.message, one.hint.clone().unwrap_or_default())).collect()
}
