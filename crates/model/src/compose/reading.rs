//! One load at work: the files it may still read, and everything it has to say.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::diagnostic::{Diagnostic, Severity};
use super::load::{FileProblem, Files, VariableUse};
use super::tree::{FileId, Node, Sources, Span};
use super::yaml;

/// More files than any stack has; an include that multiplies itself ends here.
const MOST_FILES: usize = 500;
/// A Compose file or an env file is text that a person wrote.
const LARGEST_FILE: u64 = 8 * 1024 * 1024;
/// All that one load reads, a file that is used again counted again.
const MOST_BYTES: u64 = 256 * 1024 * 1024;
/// All nodes that services take over from those they extend.
const MOST_INHERITED: usize = 1_000_000;

/// A file that was read, for reading it again without asking for it.
type Content = (FileId, Rc<[u8]>);

/// The state of one load.
pub struct Reading<'a> {
    files: &'a dyn Files,
    pub sources: Sources,
    pub diagnostics: Vec<Diagnostic>,
    pub variables: Vec<VariableUse>,
    /// Something could not be read at all: what refers to it cannot be judged.
    pub is_incomplete: bool,
    /// An env file could not be read: what it would have said is missing everywhere.
    pub lacks_variables: bool,
    known: BTreeMap<String, Content>,
    opened: usize,
    bytes: u64,
    inherited: usize,
}

impl<'a> Reading<'a> {
    pub fn new(files: &'a dyn Files) -> Self {
        Reading {
            files,
            sources: Sources::default(),
            diagnostics: Vec::new(),
            variables: Vec::new(),
            is_incomplete: false,
            lacks_variables: false,
            known: BTreeMap::new(),
            opened: 0,
            bytes: 0,
            inherited: 0,
        }
    }

    /// The content of a file.
    ///
    /// # Errors
    /// Why there is none; nothing is said about it yet.
    pub fn content(&mut self, path: &str) -> Result<Content, FileProblem> {
        let too_much = || FileProblem::Other(format!("together with the others is larger than {MOST_BYTES} bytes"));
        if self.opened > MOST_FILES {
            return Err(FileProblem::Other(format!("is one of more than {MOST_FILES} files")));
        }
        let limit = LARGEST_FILE.min(MOST_BYTES.saturating_sub(self.bytes));
        if let Some((file, content)) = self.known.get(path) {
            self.bytes += content.len() as u64;
            return if self.bytes > MOST_BYTES { Err(too_much()) } else { Ok((*file, Rc::clone(content))) };
        }
        self.opened += 1;
        let bytes = self.files.read(path, limit)?;
        self.bytes += bytes.len() as u64;
        let file = self.sources.add(path, String::from_utf8_lossy(&bytes));
        let content: Content = (file, bytes.into());
        self.known.insert(path.to_owned(), content.clone());
        Ok(content)
    }

    /// Counts what a service takes over from another; `false` when it is more than any stack has.
    pub fn inherit(&mut self, base: &Node) -> bool {
        self.inherited += base.count();
        self.inherited <= MOST_INHERITED
    }

    /// The content of a file that must be there; its absence is complained about at `at`.
    pub fn required(&mut self, path: &str, what: &str, at: Span) -> Option<Content> {
        match self.content(path) {
            Ok(content) => Some(content),
            Err(problem) => {
                let hint = match problem {
                    FileProblem::Missing if !at.is_written() => {
                        "check `--file`, `--env-file` and the variables of those names"
                    }
                    FileProblem::Missing if what == "env file" => {
                        "create it, check the path, or let it be missing: `env_file: [{ path: …, required: false }]`"
                    }
                    FileProblem::Missing => "check the path: it is relative to the file that names it",
                    FileProblem::Denied => "let this user read the file",
                    _ => "use a readable file",
                };
                self.say(Diagnostic::error("file", at, format!("the {what} `{path}` {problem}")).hint(hint));
                None
            }
        }
    }

    /// The documents of a Compose file. Whether one can go on without them is for the caller to know.
    pub fn documents(&mut self, path: &str, at: Span) -> Option<Vec<Node>> {
        // A file that is read again is a file more: an include may multiply itself without a circle.
        self.opened += 1;
        let (file, bytes) = self.required(path, "file", at)?;
        let decoded = yaml::from_utf16(&bytes);
        if let Some(text) = &decoded {
            self.sources.decode(file, text);
        }
        match yaml::parse(decoded.as_ref().map_or(&*bytes, String::as_bytes), file) {
            Ok(documents) => Some(documents),
            Err(problems) => {
                self.diagnostics.extend(problems);
                None
            }
        }
    }

    pub fn say(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
    }
}
