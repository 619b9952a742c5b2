//! The words in which the tables say what a value may be.
//!
//! Every choice in the Compose specification is one between *kinds* (a string or a list, a list or a
//! mapping), so a shape holds at most one answer for each kind, and a wrong value never needs a guess
//! about which branch was meant.

/// Kinds of scalars, as bits.
pub(super) const TEXT: u8 = 1;
pub(super) const INT: u8 = 2;
/// Any number; a whole one fits too.
pub(super) const NUMBER: u8 = 4;
pub(super) const BOOL: u8 = 8;
pub(super) const NULL: u8 = 16;
/// A text that is meant as one, and not only the form in which a variable brings a number or a flag.
pub(super) const FREE_TEXT: u8 = TEXT | 32;

/// What a value may be: any of the kinds that are filled in.
#[derive(Clone, Copy)]
pub(super) struct Shape {
    pub(super) scalars: u8,
    /// The only texts that are allowed; empty means any.
    pub(super) words: &'static [&'static str],
    pub(super) rule: Rule,
    pub(super) list: Option<&'static List>,
    pub(super) map: Option<&'static Fields>,
}

#[derive(Clone, Copy)]
pub(super) struct List {
    pub(super) item: Shape,
    /// Two equal items are refused. Only where the reference refuses them: in most lists it drops the first.
    pub(super) unique: bool,
}

/// A finer check of a scalar, where the specification has one.
#[derive(Clone, Copy)]
pub(super) enum Rule {
    None,
    /// A whole number between two bounds.
    Between(i64, i64),
    PullPolicy,
    ContainerName,
}

/// What the keys of a mapping may be.
#[derive(Clone, Copy)]
pub(super) enum Fields {
    Record(Record),
    /// Names that the user chooses.
    Named {
        names: Names,
        value: Shape,
    },
    Anything,
}

/// A mapping with known keys.
#[derive(Clone, Copy)]
pub(super) struct Record {
    /// What a person calls it, with its article: `a service`.
    pub(super) noun: &'static str,
    pub(super) fields: &'static [(&'static str, Shape)],
    pub(super) required: &'static [&'static str],
    /// Whether `x-…` may stand in it.
    pub(super) extensions: bool,
    /// The specification leaves it open; an unknown key is then only warned about.
    pub(super) open: bool,
}

#[derive(Clone, Copy, PartialEq)]
pub(super) enum Names {
    /// Letters, digits, `.`, `_` and `-`; others are refused.
    Resource,
    /// The same, but the specification does not look at others.
    ResourceOpen,
    /// Anything but an empty name; that one is refused.
    NotEmpty,
    /// Anything, but the specification does not look at an empty name.
    NotEmptyOpen,
    /// Lower-case letters, as limits have them; others are not looked at.
    Limit,
}

pub(super) const fn scalar(scalars: u8) -> Shape {
    Shape { scalars, words: &[], rule: Rule::None, list: None, map: None }
}

pub(super) const fn words(words: &'static [&'static str]) -> Shape {
    Shape { words, ..scalar(TEXT) }
}

pub(super) const fn list(list: &'static List) -> Shape {
    Shape { list: Some(list), ..scalar(0) }
}

pub(super) const fn map(fields: &'static Fields) -> Shape {
    Shape { map: Some(fields), ..scalar(0) }
}

pub(super) const fn each(item: Shape) -> List {
    List { item, unique: false }
}

pub(super) const fn unique(item: Shape) -> List {
    List { item, unique: true }
}

pub(super) const fn named(names: Names, value: Shape) -> Fields {
    Fields::Named { names, value }
}

/// A closed record in which `x-…` may stand.
pub(super) const fn record(noun: &'static str, fields: &'static [(&'static str, Shape)]) -> Record {
    Record { noun, fields, required: &[], extensions: true, open: false }
}

impl Record {
    pub(super) const fn needs(self, required: &'static [&'static str]) -> Record {
        Record { required, ..self }
    }

    pub(super) const fn without_extensions(self) -> Record {
        Record { extensions: false, ..self }
    }

    pub(super) const fn open(self) -> Record {
        Record { open: true, ..self }
    }
}

impl Shape {
    pub(super) const fn or_scalar(self, scalars: u8) -> Shape {
        Shape { scalars: self.scalars | scalars, ..self }
    }

    pub(super) const fn or_list(self, items: &'static List) -> Shape {
        Shape { list: Some(items), ..self }
    }

    pub(super) const fn or_map(self, fields: &'static Fields) -> Shape {
        Shape { map: Some(fields), ..self }
    }

    pub(super) const fn rule(self, rule: Rule) -> Shape {
        Shape { rule, ..self }
    }
}

// The shapes that many keys share.

pub(super) const STRING: Shape = scalar(TEXT);
/// A boolean, or a text that interpolation may still turn into one.
pub(super) const FLAG: Shape = scalar(BOOL | TEXT);
pub(super) const WHOLE: Shape = scalar(INT | TEXT);
pub(super) const AMOUNT: Shape = scalar(NUMBER | TEXT);
pub(super) const STRINGS: Shape = list(&each(STRING));
pub(super) const UNIQUE_STRINGS: Shape = list(&unique(STRING));
pub(super) const STRING_OR_LIST: Shape = STRING.or_list(&each(STRING));
pub(super) const STRING_OR_UNIQUE_LIST: Shape = STRING.or_list(&unique(STRING));
/// `KEY: value` lines or a list of `KEY=value`.
pub(super) const PAIRS: Shape =
    map(&named(Names::NotEmpty, scalar(FREE_TEXT | NUMBER | BOOL | NULL))).or_list(&each(STRING));
pub(super) const DRIVER_OPTIONS: Shape = map(&named(Names::NotEmptyOpen, scalar(FREE_TEXT | NUMBER)));
pub(super) const COMMAND: Shape = scalar(TEXT | NULL).or_list(&each(STRING));
pub(super) const EXTRA_HOSTS: Shape =
    map(&named(Names::NotEmpty, STRING.or_list(&each(STRING)))).or_list(&unique(STRING));
pub(super) const ULIMITS: Shape = map(&named(
    Names::Limit,
    WHOLE.or_map(&Fields::Record(record("a limit", &[("hard", WHOLE), ("soft", WHOLE)]).needs(&["soft", "hard"]))),
));
/// `configs` and `secrets` of a service or a build.
pub(super) const GRANTS: Shape = list(&each(STRING.or_map(&Fields::Record(record(
    "a grant of a config or a secret",
    &[("gid", STRING), ("mode", AMOUNT), ("source", STRING), ("target", STRING), ("uid", STRING)],
)))));
/// `external: true`, or the old form with a name below.
pub(super) const EXTERNAL: Shape = FLAG.or_map(&Fields::Record(record("`external`", &[("name", STRING)])));
pub(super) const EXTERNAL_OPEN: Shape = FLAG.or_map(&Fields::Record(record("`external`", &[("name", STRING)]).open()));
