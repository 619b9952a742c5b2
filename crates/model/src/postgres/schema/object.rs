//! One object of a schema: what it is called, and the single facts about it.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// What kind of thing an object is. What shares one space of names is one kind: a table and a view cannot both be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ObjectKind {
    Extension,
    Schema,
    /// A table, view, materialized view, sequence, foreign or partitioned table: [`Facet::Sort`] says which.
    Relation,
    Column,
    Constraint,
    /// One that no constraint brings with it.
    Index,
    Trigger,
    Rule,
    Policy,
    /// An enum, a domain, a composite type, a range.
    Type,
    /// Named with the types of its arguments.
    Function,
    /// What a role may do with a relation; of a column when the name says one.
    Grant,
    /// What a role may do with a function.
    FunctionGrant,
    /// What a role may do with a schema.
    SchemaGrant,
}

/// The name of an object in its database.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ObjectKey {
    /// Empty for what stands in no schema.
    pub schema: String,
    /// The relation, or the function, that it is a part of.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub of: Option<String>,
    pub kind: ObjectKind,
    pub name: String,
}

/// One fact. A flag is there with `true`, or not at all; so is what has a default.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Facet {
    /// Which kind of relation, type or function.
    Sort,
    Type,
    NotNull,
    Default,
    Generated,
    Identity,
    Collation,
    /// As the server writes it, without the object's own name.
    Definition,
    /// `false` for a constraint that was never validated, an index that cannot be used.
    Valid,
    /// Of an enum, in order.
    Labels,
    /// The type under a domain, or of a range.
    Base,
    Checks,
    /// The columns of a composite type.
    Columns,
    Returns,
    Language,
    Volatility,
    Strict,
    SecurityDefiner,
    Settings,
    Parallel,
    /// A hash of a function's text.
    Body,
    /// Of a trigger: `disabled`, `replica`, `always`; nothing when it fires as usual.
    Enabled,
    RowSecurity,
    /// The owner is bound by it too.
    ForceRowSecurity,
    /// A view that looks with the rights of who asks.
    SecurityInvoker,
    /// `false` for a materialized view that was never filled.
    Populated,
    Unlogged,
    PartitionKey,
    PartitionOf,
    Bounds,
    Inherits,
    /// Type, increment and limits of a sequence.
    Sequence,
    OwnedBy,
    /// `false` for a policy that restricts.
    Permissive,
    Command,
    Roles,
    Using,
    Check,
    Version,
    Owner,
    /// What the role that is judged may do with it.
    May,
    Privileges,
    /// Somebody held a lock while it was looked at: it is there, and nothing more is known of it.
    Unread,
}

/// The facts about one object.
pub type Facets = BTreeMap<Facet, String>;

impl ObjectKey {
    pub fn new(kind: ObjectKind, schema: &str, name: &str) -> ObjectKey {
        ObjectKey { schema: schema.to_owned(), of: None, kind, name: name.to_owned() }
    }

    /// A part of a relation or a function.
    pub fn part(kind: ObjectKind, schema: &str, of: &str, name: &str) -> ObjectKey {
        ObjectKey { of: Some(of.to_owned()), ..ObjectKey::new(kind, schema, name) }
    }

    /// What it is a part of: without that, it cannot be there.
    pub fn parent(&self) -> Option<ObjectKey> {
        match (&self.of, self.kind) {
            (Some(of), ObjectKind::FunctionGrant) => Some(ObjectKey::new(ObjectKind::Function, &self.schema, of)),
            (Some(of), _) => Some(ObjectKey::new(ObjectKind::Relation, &self.schema, of)),
            (None, ObjectKind::Extension | ObjectKind::Schema) => None,
            (None, _) => Some(ObjectKey::new(ObjectKind::Schema, &self.schema, &self.schema)),
        }
    }

    /// `public.guests.total_bookings`: by this, ignore lists name it. Names stand in it as they are, unquoted.
    pub fn path(&self) -> String {
        match (&self.of, self.kind) {
            (Some(of), _) => format!("{}.{of}.{}", self.schema, self.name),
            (None, ObjectKind::Extension | ObjectKind::Schema) => self.name.clone(),
            (None, _) => format!("{}.{}", self.schema, self.name),
        }
    }

    fn relation(&self) -> String {
        let of = self.of.as_deref().unwrap_or(&self.name);
        if self.kind == ObjectKind::FunctionGrant {
            return format!("{}.{of}", quoted(&self.schema));
        }
        format!("{}.{}", quoted(&self.schema), quoted(of))
    }
}

impl ObjectKind {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            ObjectKind::Extension => "extension",
            ObjectKind::Schema => "schema",
            ObjectKind::Relation => "relation",
            ObjectKind::Column => "column",
            ObjectKind::Constraint => "constraint",
            ObjectKind::Index => "index",
            ObjectKind::Trigger => "trigger",
            ObjectKind::Rule => "rule",
            ObjectKind::Policy => "policy",
            ObjectKind::Type => "type",
            ObjectKind::Function => "function",
            ObjectKind::Grant | ObjectKind::FunctionGrant | ObjectKind::SchemaGrant => "privileges",
        }
    }
}

/// `column total_bookings of relation public.guests`: as Postgres says it.
impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (word, name) = (self.kind.word(), quoted(&self.name));
        match self.kind {
            ObjectKind::Extension | ObjectKind::Schema => write!(f, "{word} {name}"),
            ObjectKind::Relation | ObjectKind::Type => write!(f, "{word} {}.{name}", quoted(&self.schema)),
            // With its arguments it is no name to quote.
            ObjectKind::Function => write!(f, "{word} {}.{}", quoted(&self.schema), self.name),
            ObjectKind::Grant | ObjectKind::FunctionGrant => {
                write!(f, "{word} of {} on {}", self.name, self.relation())
            }
            ObjectKind::SchemaGrant => write!(f, "{word} of {} on schema {}", self.name, quoted(&self.schema)),
            _ => write!(f, "{word} {name} of relation {}", self.relation()),
        }
    }
}

/// A name as SQL writes it: in quotes only where it needs them.
pub(super) fn quoted(name: &str) -> String {
    let is_plain = name.starts_with(|first: char| first.is_ascii_lowercase() || first == '_')
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_' || byte == b'$');
    if is_plain { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}

impl Facet {
    /// The words for it.
    pub fn words(self) -> &'static str {
        match self {
            Facet::Sort => "kind",
            Facet::Type => "type",
            Facet::NotNull => "NOT NULL",
            Facet::Default => "default",
            Facet::Generated => "generated as",
            Facet::Identity => "identity",
            Facet::Collation => "collation",
            Facet::Definition => "definition",
            Facet::Valid => "valid",
            Facet::Labels => "labels",
            Facet::Base => "base type",
            Facet::Checks => "checks",
            Facet::Columns => "columns",
            Facet::Returns => "returns",
            Facet::Language => "language",
            Facet::Volatility => "volatility",
            Facet::Strict => "strict",
            Facet::SecurityDefiner => "security definer",
            Facet::Settings => "settings",
            Facet::Parallel => "parallel",
            Facet::Body => "body",
            Facet::Enabled => "fires",
            Facet::RowSecurity => "row security",
            Facet::ForceRowSecurity => "forced row security",
            Facet::SecurityInvoker => "security invoker",
            Facet::Populated => "populated",
            Facet::Unlogged => "unlogged",
            Facet::PartitionKey => "partition key",
            Facet::PartitionOf => "partition of",
            Facet::Bounds => "bounds",
            Facet::Inherits => "inherits",
            Facet::Sequence => "sequence",
            Facet::OwnedBy => "owned by",
            Facet::Permissive => "permissive",
            Facet::Command => "command",
            Facet::Roles => "roles",
            Facet::Using => "USING",
            Facet::Check => "WITH CHECK",
            Facet::Version => "version",
            Facet::Owner => "owner",
            Facet::May => "privileges of the role",
            Facet::Privileges => "privileges",
            Facet::Unread => "unread",
        }
    }

    /// Whether it tells of roles and versions instead of the schema's shape.
    pub(super) fn is_about_people(self) -> bool {
        matches!(self, Facet::Owner | Facet::May | Facet::Unread)
    }
}
