//! A YAML tree in which every node knows where it was written.
//!
//! It hides the parsing library: the rest of the model never sees a parser's type.

use indexmap::IndexMap;

/// A file that was read for one load; an index into [`Sources`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(pub u32);

/// The place of a node: file, line and column, both counted from 1.
/// Line 0 means that the node was made by a rule (a default, a flag) and has no place of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    pub file: FileId,
    pub line: u32,
    pub column: u32,
}

impl Span {
    /// The place of what nobody wrote.
    pub const NOWHERE: Span = Span { file: FileId(0), line: 0, column: 0 };

    /// Whether a person wrote the node.
    pub fn is_written(self) -> bool {
        self.line > 0
    }
}

/// Compose's two merge tags. Any other tag is refused by the loader.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tag {
    #[default]
    None,
    /// `!reset`: takes away what the files merged before it said.
    Reset,
    /// `!override`: replaces instead of merging.
    Override,
}

/// A value with its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    pub value: Value,
    pub span: Span,
    pub tag: Tag,
}

/// What a YAML value can be, after Compose's reading of scalars (YAML 1.2 core, octal `0440` as Go reads it).
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Null,
    Bool(bool),
    Int(i128),
    Float(f64),
    String(String),
    List(Vec<Node>),
    Map(Map),
}

/// A mapping in the order in which it was written.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Map(pub IndexMap<String, Entry>);

/// One key of a mapping: where the key stands, and its value.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    pub key_span: Span,
    pub node: Node,
}

impl Node {
    pub fn new(value: Value, span: Span) -> Self {
        Node { value, span, tag: Tag::None }
    }

    pub fn string(text: impl Into<String>, span: Span) -> Self {
        Node::new(Value::String(text.into()), span)
    }

    pub fn as_map(&self) -> Option<&Map> {
        match &self.value {
            Value::Map(map) => Some(map),
            _ => None,
        }
    }

    pub fn as_map_mut(&mut self) -> Option<&mut Map> {
        match &mut self.value {
            Value::Map(map) => Some(map),
            _ => None,
        }
    }

    pub fn as_list(&self) -> Option<&[Node]> {
        match &self.value {
            Value::List(items) => Some(items),
            _ => None,
        }
    }

    pub fn as_str(&self) -> Option<&str> {
        match &self.value {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    pub fn as_bool(&self) -> Option<bool> {
        match self.value {
            Value::Bool(value) => Some(value),
            _ => None,
        }
    }

    pub fn as_int(&self) -> Option<i128> {
        match self.value {
            Value::Int(value) => Some(value),
            _ => None,
        }
    }

    pub fn is_null(&self) -> bool {
        matches!(self.value, Value::Null)
    }

    /// How many nodes this is, with all below it.
    pub fn count(&self) -> usize {
        1 + match &self.value {
            Value::List(items) => items.iter().map(Node::count).sum(),
            Value::Map(map) => map.0.values().map(|entry| entry.node.count()).sum(),
            _ => 0,
        }
    }

    /// Whether both say the same, wherever they stand and in whatever order their keys are.
    pub fn same_as(&self, other: &Node) -> bool {
        match (&self.value, &other.value) {
            (Value::List(a), Value::List(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.same_as(b)),
            (Value::Map(a), Value::Map(b)) => {
                a.len() == b.len()
                    && a.iter().all(|(key, entry)| b.get(key).is_some_and(|other| entry.node.same_as(other)))
            }
            (a, b) => a == b,
        }
    }

    /// The child under a key, when this is a mapping that has it.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.as_map().and_then(|map| map.get(key))
    }

    /// What a person calls this kind of value: `a list`, `a mapping`, `a string`…
    pub fn kind(&self) -> &'static str {
        match self.value {
            Value::Null => "nothing",
            Value::Bool(_) => "true or false",
            Value::Int(_) | Value::Float(_) => "a number",
            Value::String(_) => "a string",
            Value::List(_) => "a list",
            Value::Map(_) => "a mapping",
        }
    }
}

impl Map {
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.0.get(key).map(|entry| &entry.node)
    }

    pub fn get_mut(&mut self, key: &str) -> Option<&mut Node> {
        self.0.get_mut(key).map(|entry| &mut entry.node)
    }

    /// Sets a key; a key that was there keeps its position and takes the new value.
    pub fn set(&mut self, key: impl Into<String>, node: Node) {
        let key_span = node.span;
        self.0.insert(key.into(), Entry { key_span, node });
    }

    pub fn remove(&mut self, key: &str) -> Option<Node> {
        self.0.shift_remove(key).map(|entry| entry.node)
    }

    pub fn contains(&self, key: &str) -> bool {
        self.0.contains_key(key)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &Entry)> {
        self.0.iter().map(|(key, entry)| (key.as_str(), entry))
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Bytes that the name of a variable may have to be shown as one.
const LONGEST_NAME: usize = 60;

/// The files of one load: their paths as a person would name them, and their text for showing the line.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    files: Vec<Source>,
}

#[derive(Clone, Debug)]
struct Source {
    path: String,
    text: String,
    /// Whether its values are not for showing: an env file.
    is_secret: bool,
}

impl Sources {
    /// Adds a file and gives its id.
    pub fn add(&mut self, path: impl Into<String>, text: impl Into<String>) -> FileId {
        self.files.push(Source { path: path.into(), text: text.into(), is_secret: false });
        FileId(self.files.len() as u32 - 1)
    }

    /// The text of a file was written in another encoding: its lines are these.
    pub fn decode(&mut self, file: FileId, text: &str) {
        if let Some(source) = self.files.get_mut(file.0 as usize) {
            text.clone_into(&mut source.text);
        }
    }

    pub fn path(&self, file: FileId) -> &str {
        self.files.get(file.0 as usize).map_or("<none>", |source| source.path.as_str())
    }

    /// The text of a line, counted from 1, without its line end.
    pub fn line(&self, file: FileId, line: u32) -> Option<&str> {
        let index = (line as usize).checked_sub(1)?;
        self.files.get(file.0 as usize)?.text.lines().nth(index)
    }

    /// Keeps the values of a file from being shown.
    pub fn hide_values(&mut self, file: FileId) {
        if let Some(source) = self.files.get_mut(file.0 as usize) {
            source.is_secret = true;
        }
    }

    /// Path and text of every file but env files, in the order in which they were read.
    pub fn without_values(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files.iter().filter(|one| !one.is_secret).map(|one| (one.path.as_str(), one.text.as_str()))
    }

    /// A line as it may be shown: printable, and of an env file only the name and the `=`.
    pub fn shown_line(&self, file: FileId, line: u32) -> Option<String> {
        let text = self.line(file, line)?;
        if text.contains('\0') {
            // No text at all, such as UTF-16 read as something else.
            return None;
        }
        let printable = |text: &str| text.chars().map(|c| if c.is_control() && c != '\t' { '·' } else { c }).collect();
        if !self.files[file.0 as usize].is_secret {
            return Some(printable(text));
        }
        let (name, _) = text.split_once('=')?;
        // A line of a secret that runs over lines may hold an `=` as well.
        let bare = name.trim().strip_prefix("export ").unwrap_or(name).trim();
        let is_name = bare.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'));
        (is_name && bare.len() <= LONGEST_NAME).then(|| format!("{name}=…"))
    }

    /// The whole text of a file.
    pub fn text(&self, file: FileId) -> &str {
        self.files.get(file.0 as usize).map_or("", |source| source.text.as_str())
    }

    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.files.iter().map(|source| source.path.as_str())
    }
}
