//! From parser events to trees: anchors, aliases, merge keys, duplicate keys and the budgets.
//!
//! The walk keeps its own stack, so that the depth of a file never becomes depth of the program's stack.

use std::collections::{BTreeMap, BTreeSet};

use granit_parser::{Event, ScalarStyle, Span as Place, StructureStyle, Tag as RawTag};

use super::super::diagnostic::Diagnostic;
use super::super::tree::{Entry, FileId, Map, Node, Span, Tag, Value};
use super::scalar::{self, Reading};
use super::{DEPTH_MAX, NODES_MAX, TEXT_BYTES_MAX, complaint};

/// After this many complaints the rest would only be noise.
const COMPLAINTS_MAX: usize = 50;

/// How much a subtree weighs once its aliases are expanded.
#[derive(Clone, Copy, Default)]
struct Weight {
    nodes: usize,
    text: usize,
    height: usize,
}

/// A key of a mapping whose value has not come yet.
enum Key {
    Name(String, Span),
    Merge(Span),
    /// It was complained about; its value is read and thrown away.
    Refused,
}

enum Shape {
    List(Vec<Node>),
    Map {
        map: Map,
        key: Option<Key>,
        /// Keys that came by a merge: an explicit key may still replace them.
        merged: BTreeSet<String>,
        merge_seen: Option<Span>,
    },
}

struct Frame {
    shape: Shape,
    /// Whether it is written with brackets, where indentation means nothing.
    flow: bool,
    span: Span,
    tag: Tag,
    anchor: usize,
    weight: Weight,
}

pub(super) struct Composer {
    file: FileId,
    stack: Vec<Frame>,
    anchors: BTreeMap<usize, (Node, Weight)>,
    documents: Vec<Node>,
    complaints: Vec<Diagnostic>,
    /// Where a line starts with white space that has a tab in it: its line, and the column after it.
    tabbed: BTreeSet<(u32, u32)>,
    /// Where the text ends, when it ends without a line break.
    unended: Option<usize>,
    /// What the whole file weighs so far.
    nodes: usize,
    text: usize,
}

impl Composer {
    pub(super) fn new(file: FileId, text: &str) -> Self {
        Composer {
            file,
            stack: Vec::new(),
            anchors: BTreeMap::new(),
            documents: Vec::new(),
            complaints: Vec::new(),
            tabbed: tabbed_lines(text),
            unended: if text.ends_with('\n') { None } else { Some(text.chars().count()) },
            nodes: 0,
            text: 0,
        }
    }

    pub(super) fn complain(&mut self, diagnostic: Diagnostic) {
        self.complaints.push(diagnostic);
    }

    /// Whether nothing was complained about so far.
    pub(super) fn is_content(&self) -> bool {
        self.complaints.is_empty()
    }

    pub(super) fn finish(self) -> Result<Vec<Node>, Vec<Diagnostic>> {
        if self.complaints.is_empty() { Ok(self.documents) } else { Err(self.complaints) }
    }

    /// Takes one event; `false` means that reading on makes no sense.
    pub(super) fn take(&mut self, event: Event<'_>, place: Place) -> bool {
        let span = self.span(&place);
        if event.is_node() && self.tabbed.contains(&(span.line, span.column)) && !self.in_flow() {
            self.complain(complaint::tab(span));
            return false;
        }
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let is_block = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
                let is_last = self.unended == Some(place.end.index());
                // A block at the end of a file that has no last line break has none either.
                let text = if is_block && is_last { text.strip_suffix('\n').unwrap_or(&text) } else { &text };
                self.scalar(text, style, tag.as_deref(), anchor, span);
            }
            Event::SequenceStart(style, anchor, tag) => {
                self.open(Shape::List(Vec::new()), style, tag.as_deref(), anchor, span);
            }
            Event::MappingStart(style, anchor, tag) => {
                let shape = Shape::Map { map: Map::default(), key: None, merged: BTreeSet::new(), merge_seen: None };
                self.open(shape, style, tag.as_deref(), anchor, span);
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(),
            Event::Alias(id) => self.alias(id, span),
            Event::UnresolvedAlias(name) => self.unknown_alias(&name, span),
            Event::DocumentEnd => self.anchors.clear(),
            _ => {}
        }
        self.complaints.len() < COMPLAINTS_MAX && !self.complaints.iter().any(complaint::is_fatal)
    }

    fn span(&self, place: &Place) -> Span {
        let line = u32::try_from(place.start.line()).unwrap_or(u32::MAX);
        let column = u32::try_from(place.start.col()).unwrap_or(u32::MAX).saturating_add(1);
        Span { file: self.file, line, column }
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, tag: Option<&RawTag>, anchor: usize, span: Span) {
        let merge_tag = tag.and_then(scalar::yaml_name).is_some_and(|name| name == "merge");
        if self.awaits_key() && text == "<<" && (merge_tag || tag.is_none() && style == ScalarStyle::Plain) {
            self.begin_merge(span);
            return;
        }
        let value = match scalar::read(text, style, tag) {
            Reading::Value(value) => value,
            // An extension may hold anything; a date in it stays the text that was written.
            Reading::Date if self.inside_extension() => Value::String(text.to_owned()),
            Reading::Date => {
                self.complain(complaint::bare_date(text, span));
                Value::Null
            }
            Reading::Mismatch(wanted) => {
                self.complain(complaint::tag_mismatch(text, wanted, span));
                Value::Null
            }
            Reading::UnknownTag => {
                self.complain(complaint::unknown_tag(tag, span));
                Value::Null
            }
        };
        let node = Node { value, span, tag: merge_tag_of(tag) };
        let weight = Weight { nodes: 1, text: text.len(), height: 1 };
        if self.spend(weight, span) {
            self.remember(anchor, &node, weight);
            self.place(node, weight);
        }
    }

    fn open(&mut self, shape: Shape, style: StructureStyle, tag: Option<&RawTag>, anchor: usize, span: Span) {
        if self.awaits_key() {
            self.complain(complaint::collection_key(span));
            return;
        }
        if let Some(raw) = tag
            && scalar::yaml_name(raw).is_none()
            && merge_tag_of(tag) == Tag::None
        {
            self.complain(complaint::unknown_tag(tag, span));
        }
        let weight = Weight { nodes: 1, text: 0, height: 1 };
        if self.stack.len() >= DEPTH_MAX {
            self.complain(complaint::too_deep(span));
        } else if self.spend(weight, span) {
            let flow = style == StructureStyle::Flow;
            self.stack.push(Frame { shape, flow, span, tag: merge_tag_of(tag), anchor, weight });
        }
    }

    fn close(&mut self) {
        let Some(frame) = self.stack.pop() else { return };
        let value = match frame.shape {
            Shape::List(items) => Value::List(items),
            Shape::Map { map, .. } => Value::Map(map),
        };
        let node = Node { value, span: frame.span, tag: frame.tag };
        self.remember(frame.anchor, &node, frame.weight);
        self.place(node, frame.weight);
    }

    fn alias(&mut self, id: usize, span: Span) {
        let Some((node, weight)) = self.anchors.get(&id) else {
            // The parser knows the anchor, so its node is still open: it would contain itself.
            self.complain(complaint::endless_alias(span));
            return;
        };
        let weight = *weight;
        if self.stack.len() + weight.height > DEPTH_MAX {
            self.complain(complaint::too_deep(span));
            return;
        }
        // The place stays the anchor's, where the text is that a person would have to mend.
        let node = node.clone();
        if self.spend(weight, span) {
            self.place(node, weight);
        }
    }

    fn unknown_alias(&mut self, name: &str, span: Span) {
        self.complain(complaint::unknown_alias(name, span));
        if let Some(Frame { shape: Shape::Map { key: key @ Some(Key::Merge(_)), .. }, .. }) = self.stack.last_mut() {
            // That nothing cannot be merged would only be said because of this.
            *key = None;
            return;
        }
        self.place(Node::new(Value::Null, span), Weight::default());
    }

    /// Counts what a node weighs; refuses when the file as a whole grows too large.
    fn spend(&mut self, weight: Weight, span: Span) -> bool {
        self.nodes += weight.nodes;
        self.text += weight.text;
        let fits = self.nodes <= NODES_MAX && self.text <= TEXT_BYTES_MAX;
        if !fits {
            self.complain(complaint::too_large(span));
        }
        fits
    }

    fn remember(&mut self, anchor: usize, node: &Node, weight: Weight) {
        // The copy is paid for as well: a file of nothing but anchors must not double unseen.
        if anchor != 0 && self.spend(Weight { height: 0, ..weight }, node.span) {
            self.anchors.insert(anchor, (node.clone(), weight));
        }
    }

    fn awaits_key(&self) -> bool {
        matches!(self.stack.last(), Some(Frame { shape: Shape::Map { key: None, .. }, .. }))
    }

    fn in_flow(&self) -> bool {
        self.stack.last().is_some_and(|frame| frame.flow)
    }

    fn inside_extension(&self) -> bool {
        self.stack.iter().any(
            |frame| matches!(&frame.shape, Shape::Map { key: Some(Key::Name(name, _)), .. } if name.starts_with("x-")),
        )
    }

    fn begin_merge(&mut self, span: Span) {
        let mut complaint = None;
        if let Some(Frame { shape: Shape::Map { key, merge_seen, .. }, .. }) = self.stack.last_mut() {
            if let Some(first) = *merge_seen {
                complaint = Some(complaint::second_merge(first, span));
            }
            *merge_seen = Some(span);
            *key = Some(Key::Merge(span));
        }
        self.complaints.extend(complaint);
    }

    /// Puts a finished node where it belongs: a document, a list item, a key or a value.
    fn place(&mut self, node: Node, weight: Weight) {
        let Some(frame) = self.stack.last_mut() else {
            self.documents.push(node);
            return;
        };
        frame.weight.nodes += weight.nodes;
        frame.weight.text += weight.text;
        frame.weight.height = frame.weight.height.max(weight.height + 1);
        let complaint = match &mut frame.shape {
            Shape::List(items) => {
                items.push(node);
                None
            }
            Shape::Map { map, key, merged, .. } => match key.take() {
                None => {
                    let (name, complaint) = read_key(node);
                    *key = Some(name);
                    complaint
                }
                Some(Key::Name(name, key_span)) => insert(map, merged, name, key_span, node),
                Some(Key::Merge(key_span)) => merge(map, merged, node, key_span),
                Some(Key::Refused) => None,
            },
        };
        self.complaints.extend(complaint);
    }
}

/// The parser lets some of these pass; the reference does not, and nobody sees how deep a tab is.
fn tabbed_lines(text: &str) -> BTreeSet<(u32, u32)> {
    let mut found = BTreeSet::new();
    if !text.contains('\t') {
        return found;
    }
    for (number, line) in (1..).zip(text.lines()) {
        let indent = line.bytes().take_while(|b| matches!(b, b' ' | b'\t')).count();
        if line[..indent].contains('\t') {
            found.insert((number, u32::try_from(indent).unwrap_or(u32::MAX).saturating_add(1)));
        }
    }
    found
}

fn merge_tag_of(tag: Option<&RawTag>) -> Tag {
    match tag.map(|tag| (tag.handle(), tag.suffix())) {
        Some(("!", "reset")) => Tag::Reset,
        Some(("!", "override")) => Tag::Override,
        _ => Tag::None,
    }
}

fn read_key(node: Node) -> (Key, Option<Diagnostic>) {
    let span = node.span;
    match node.value {
        Value::String(name) => (Key::Name(name, span), None),
        other => (Key::Refused, Some(complaint::key_not_text(&Node::new(other, span)))),
    }
}

/// Sets an explicit key: it wins over a merged one, and a second explicit one is refused.
fn insert(
    map: &mut Map,
    merged: &mut BTreeSet<String>,
    name: String,
    key_span: Span,
    node: Node,
) -> Option<Diagnostic> {
    let came_by_merge = !merged.is_empty() && merged.remove(&name);
    if !came_by_merge && let Some(first) = map.0.get(&name) {
        return Some(complaint::duplicate_key(&name, first.key_span, key_span));
    }
    map.0.insert(name, Entry { key_span, node });
    None
}

/// Adds the entries of `<<: *base` or `<<: [*a, *b]`; what is there already stays, so the first one wins.
fn merge(map: &mut Map, merged: &mut BTreeSet<String>, node: Node, key_span: Span) -> Option<Diagnostic> {
    let bases = match node.value {
        Value::Map(base) => vec![base],
        Value::List(items) => {
            let mut bases = Vec::with_capacity(items.len());
            for item in items {
                match item.value {
                    Value::Map(base) => bases.push(base),
                    other => {
                        let kind = Node::new(other, item.span).kind();
                        return Some(complaint::merge_not_map(&format!("a list with {kind} in it"), key_span));
                    }
                }
            }
            bases
        }
        other => return Some(complaint::merge_not_map(Node::new(other, node.span).kind(), key_span)),
    };
    for base in bases {
        for (name, entry) in base.0 {
            if !map.contains(&name) {
                merged.insert(name.clone());
                map.0.insert(name, entry);
            }
        }
    }
    None
}
