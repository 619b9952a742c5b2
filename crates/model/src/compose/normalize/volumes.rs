//! The short form of a mount, `[source:]target[:modes]`, brought to the long one.

use crate::compose::filepath;
use crate::compose::tree::{Map, Node, Span, Value};

const PROPAGATIONS: [&str; 6] = ["rprivate", "private", "rshared", "shared", "rslave", "slave"];

/// The sections of a short mount.
#[derive(Debug, Default, PartialEq, Eq)]
struct Mount {
    source: String,
    target: String,
    modes: String,
}

/// Where a short mount stands in the container; `None` when it is malformed.
pub fn volume_target(text: &str) -> Option<String> {
    split(text).ok().map(|mount| mount.target)
}

/// The long form of a short mount.
///
/// # Errors
/// What is wrong, in words that fit after the text of the mount.
pub fn parse(text: &str, span: Span) -> Result<Node, String> {
    let mount = split(text)?;
    let mut map = Map::default();
    if text.len() <= 2 {
        map.set("type", Node::string("volume", span));
        map.set("target", Node::string(clean_target(text), span));
        return Ok(Node::new(Value::Map(map), span));
    }
    let is_bind = is_host_path(&mount.source);
    map.set("type", Node::string(if is_bind { "bind" } else { "volume" }, span));
    if !mount.source.is_empty() {
        map.set("source", Node::string(mount.source.as_str(), span));
    }
    map.set("target", Node::string(clean_target(&mount.target), span));
    let (mut bind, mut volume) = (None, None);
    let yes = || Node::new(Value::Bool(true), span);
    for mode in mount.modes.split(',') {
        match mode {
            "ro" => map.set("read_only", yes()),
            "rw" => drop(map.remove("read_only")),
            "nocopy" => volume.get_or_insert_with(Map::default).set("nocopy", yes()),
            "z" | "Z" => bind.get_or_insert_with(Map::default).set("selinux", Node::string(mode, span)),
            _ if PROPAGATIONS.contains(&mode) => {
                bind.get_or_insert_with(Map::default).set("propagation", Node::string(mode, span));
            }
            // `cached`, `delegated` and other words of old engines: the reference drops them too.
            _ => {}
        }
    }
    if is_bind {
        // What the short form always did: a missing folder of the host is made.
        bind.get_or_insert_with(Map::default).set("create_host_path", yes());
    } else {
        volume.get_or_insert_with(Map::default);
    }
    for (key, options) in [("bind", bind), ("volume", volume)] {
        if let Some(options) = options {
            map.set(key, Node::new(Value::Map(options), span));
        }
    }
    Ok(Node::new(Value::Map(map), span))
}

/// Cleaned, because two ways of writing one place are one place.
pub fn clean_target(target: &str) -> String {
    if target.is_empty() { String::new() } else { filepath::clean(target) }
}

/// Cuts at colons, but not inside `${…}` and not after the letter of a Windows drive.
fn split(text: &str) -> Result<Mount, String> {
    if text.is_empty() {
        return Err("is empty".to_owned());
    }
    if text.len() <= 2 {
        return Ok(Mount { target: text.to_owned(), ..Mount::default() });
    }
    let mut sections: Vec<String> = Vec::new();
    let mut section = String::new();
    let mut open_variables = 0usize;
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        let mut before = section.chars();
        let is_drive = before.next().is_some_and(char::is_alphabetic) && before.next().is_none();
        match letter {
            ':' if open_variables == 0 && !is_drive => {
                sections.push(std::mem::take(&mut section));
                continue;
            }
            '$' if letters.peek() == Some(&'{') => open_variables += 1,
            '}' => open_variables = open_variables.saturating_sub(1),
            _ => {}
        }
        section.push(letter);
    }
    sections.push(section);
    assemble(sections)
}

fn assemble(sections: Vec<String>) -> Result<Mount, String> {
    if sections.iter().any(String::is_empty) {
        return Err("has nothing between two colons or at an end".to_owned());
    }
    let mut sections = sections.into_iter();
    let mut next = || sections.next();
    match (next(), next(), next(), next()) {
        (Some(target), None, ..) => Ok(Mount { target, ..Mount::default() }),
        (Some(source), Some(target), modes, None) => Ok(Mount { source, target, modes: modes.unwrap_or_default() }),
        _ => Err("has too many colons".to_owned()),
    }
}

/// A source that starts as a path does is a place on the host; any other is the name of a volume.
fn is_host_path(source: &str) -> bool {
    let mut letters = source.chars();
    match (letters.next(), letters.next()) {
        (Some('.' | '/' | '~'), _) | (Some('\\'), Some('\\')) => true,
        (Some(letter), Some(':')) => letter.is_alphabetic(),
        _ => false,
    }
}
