//! What magic names stand for in one load, and which of them were asked for.

use std::cell::RefCell;
use std::collections::BTreeMap;

use super::super::environment::Environment;
use super::super::load::LoadRequest;
use super::super::model::ModelFile;
use super::super::tree::{Map, Node};
use super::Generated;
use super::magic::{Kind, Magic, PREFIX, TOKEN_KEY, meaning, same};
use crate::declared::Hidden;

/// Two characters that no file has: they mark a value that nobody has made up yet.
pub(super) const MARKS: [char; 2] = ['\u{f8f0}', '\u{f8f1}'];

/// What stands in a load for a value that is not known.
pub fn placeholder(name: &str) -> String {
    format!("{}{name}{}", MARKS[0], MARKS[1])
}

/// The answers to magic names.
pub struct Values {
    stack: String,
    domain: String,
    /// Values of the request, by name.
    given: BTreeMap<String, String>,
    /// Magic names that the caller's environment sets: it always wins.
    set: Environment,
    /// The services of the files, by what their names have in common with an id.
    services: BTreeMap<String, String>,
    is_interpolating: bool,
    /// Paths of the addresses that services declare, by id; an address without a path has an empty one.
    paths: RefCell<BTreeMap<String, Vec<String>>>,
    /// How an id was written first: the host has that spelling wherever the address is used.
    spellings: RefCell<BTreeMap<String, String>>,
    /// Generated values that were asked for.
    asked: RefCell<BTreeMap<String, Kind>>,
    /// Addresses that were asked for, by id, as they were written, with the port.
    addressed: RefCell<BTreeMap<String, (String, Option<u16>)>>,
}

impl Values {
    pub(super) fn new(
        request: &LoadRequest,
        files: &[ModelFile],
        stack: &str,
        domain: String,
        environment: &Environment,
    ) -> Self {
        let sections = files.iter().flat_map(|file| &file.documents).filter_map(|document| document.get("services"));
        let names = sections.filter_map(Node::as_map).flat_map(Map::iter).map(|(name, _)| name);
        let is_set = |(name, value): &(&String, &String)| name.starts_with(PREFIX) && !value.is_empty();
        Values {
            stack: stack.to_owned(),
            domain,
            given: request.generated.clone(),
            set: environment.iter().filter(is_set).map(|(name, value)| (name.clone(), value.clone())).collect(),
            services: names.map(|name| (same(name), name.to_owned())).collect(),
            is_interpolating: request.options.interpolate,
            paths: RefCell::default(),
            spellings: RefCell::default(),
            asked: RefCell::default(),
            addressed: RefCell::default(),
        }
    }

    /// Whether the caller's environment says it.
    pub(super) fn is_set(&self, name: &str) -> bool {
        self.set.contains_key(name)
    }

    pub(super) fn is_interpolating(&self) -> bool {
        self.is_interpolating
    }

    /// The value of a magic name; `None` for any other name, which is the environment's business alone.
    pub fn of(&self, name: &str) -> Option<String> {
        let magic = meaning(name)?;
        if let Some(set) = self.set.get(name) {
            self.note_address(magic);
            return Some(set.clone());
        }
        match magic {
            Magic::Url { id, .. } => {
                self.note_address(magic);
                Some(self.address(id).with_scheme(&self.path_of(id)))
            }
            Magic::Fqdn { id, .. } => {
                self.note_address(magic);
                Some(format!("{}{}", self.address(id).host, self.path_of(id)))
            }
            Magic::Name { id } => self.services.get(&same(id)).cloned(),
            Magic::Generated(kind) => Some(self.made_up(name, kind)),
        }
    }

    fn made_up(&self, name: &str, kind: Kind) -> String {
        self.asked.borrow_mut().insert(name.to_owned(), kind);
        if matches!(kind, Kind::Token { .. }) && !self.set.contains_key(TOKEN_KEY) {
            self.asked
                .borrow_mut()
                .entry(TOKEN_KEY.to_owned())
                .or_insert(Kind::Password { length: 32, symbols: false });
        }
        self.given.get(name).cloned().unwrap_or_else(|| placeholder(name))
    }

    fn note_address(&self, magic: Magic<'_>) {
        let (Magic::Url { id, port } | Magic::Fqdn { id, port }) = magic else { return };
        let mut addressed = self.addressed.borrow_mut();
        let known = addressed.entry(same(id)).or_insert_with(|| (id.to_owned(), port));
        known.1 = known.1.or(port);
    }

    /// Remembers an address that a service declares.
    pub(super) fn declare(&self, id: &str, path: &str) {
        self.paths.borrow_mut().entry(same(id)).or_default().push(path.to_owned());
        self.spellings.borrow_mut().entry(same(id)).or_insert_with(|| id.to_owned());
    }

    /// The path that belongs to an address wherever it is used: only when no service has the bare address.
    fn path_of(&self, id: &str) -> String {
        let paths = self.paths.borrow();
        let declared = paths.get(&same(id)).map(Vec::as_slice).unwrap_or_default();
        if declared.iter().any(String::is_empty) {
            String::new()
        } else {
            declared.first().cloned().unwrap_or_default()
        }
    }

    /// Where a service is found: as the environment says, or by its id and the stack's name below the domain.
    pub(super) fn address(&self, id: &str) -> Address {
        let wanted = same(id);
        let set = self.set.iter().find_map(|(name, value)| match meaning(name)? {
            Magic::Url { id, .. } | Magic::Fqdn { id, .. } => {
                (same(id) == wanted).then(|| Address::of(value)).flatten()
            }
            _ => None,
        });
        set.unwrap_or_else(|| {
            let mut spellings = self.spellings.borrow_mut();
            let id = spellings.entry(wanted).or_insert_with(|| id.to_owned());
            let label = format!("{id}-{}", self.stack).to_ascii_lowercase().replace(['_', '.'], "-");
            Address { scheme: "https".into(), host: format!("{label}.{}", self.domain), rest: String::new() }
        })
    }

    /// The addresses that are used and that no service declares: the id as written, and the port.
    pub(super) fn undeclared(&self) -> Vec<(String, Option<u16>)> {
        let paths = self.paths.borrow();
        let addressed = self.addressed.borrow();
        addressed.iter().filter(|(id, _)| !paths.contains_key(*id)).map(|(_, used)| used.clone()).collect()
    }

    /// The service that an id means by its name.
    pub(super) fn service_of(&self, id: &str) -> Option<&str> {
        self.services.get(&same(id)).map(String::as_str)
    }

    /// Every value that somebody has to make up, in the order of names.
    pub(super) fn generated(&self) -> Vec<Generated> {
        let asked = self.asked.borrow();
        let one = |(name, kind): (&String, &Kind)| Generated {
            name: name.clone(),
            kind: *kind,
            span: super::Span::NOWHERE,
            is_given: self.given.contains_key(name),
            key: matches!(kind, Kind::Token { .. }).then(|| self.set.get(TOKEN_KEY).map(Hidden::new)).flatten(),
        };
        asked.iter().map(one).collect()
    }
}

/// An address in its parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address {
    scheme: String,
    pub(super) host: String,
    /// What stands behind the host: a port of the outside.
    rest: String,
}

impl Address {
    /// From a URL or a bare host.
    fn of(text: &str) -> Option<Address> {
        let (scheme, rest) = text.split_once("://").unwrap_or(("https", text));
        let authority = rest.split('/').next().unwrap_or_default();
        let (host, port) = match authority.split_once(':') {
            Some((host, port)) => (host, format!(":{port}")),
            None => (authority, String::new()),
        };
        let host = host.to_ascii_lowercase();
        (!host.is_empty()).then(|| Address { scheme: scheme.to_owned(), host, rest: port })
    }

    pub(super) fn with_scheme(&self, path: &str) -> String {
        format!("{}://{}{}{path}", self.scheme, self.host, self.rest)
    }
}
