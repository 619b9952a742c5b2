//! The file that says what a service needs.

use serde::Deserialize;

/// The version of the format that is read.
const FORMAT: u32 = 1;
/// Postgres keeps so many bytes of a name.
const LONGEST_NAME: usize = 63;

/// What a service needs of its schema.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Expectation {
    expectation: u32,
    /// What applies a file that is missing.
    pub command: String,
    /// Every migration that the service knows.
    #[serde(default)]
    pub files: Vec<String>,
    /// The table that says what was applied, as `schema.table`.
    pub ledger: String,
    /// The relations, with their parts.
    pub relations: Vec<Relation>,
    /// The enums, with their labels.
    #[serde(default)]
    pub enums: Vec<Enum>,
}

/// One relation.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Relation {
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// The file that brings it; none when it was there before the first.
    pub file: Option<String>,
    /// What the role of the service has to be allowed.
    #[serde(default)]
    pub privileges: Vec<String>,
    /// That row security is on.
    pub row_security: Option<Brought>,
    /// Its columns.
    #[serde(default)]
    pub columns: Vec<Column>,
    /// Its indexes.
    #[serde(default)]
    pub indexes: Vec<Brought>,
}

/// One column.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub sort: String,
    /// Types that hold all that it holds.
    #[serde(default)]
    pub accepts: Vec<String>,
    /// The file that brings it.
    pub file: Option<String>,
    /// The file that gave it this type, where it is another one.
    pub type_file: Option<String>,
}

/// A thing by its name, and the file that brings it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Brought {
    /// Its name.
    #[serde(default)]
    pub name: String,
    /// The file.
    pub file: Option<String>,
}

/// One enum.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Enum {
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// Its labels.
    pub labels: Vec<Brought>,
}

/// Why a text is no expectation.
#[derive(Debug, thiserror::Error)]
pub enum ExpectationError {
    /// It is not the JSON of one.
    #[error("this is no expectation of a schema: {0}")]
    Json(#[from] serde_json::Error),
    /// A later version wrote it.
    #[error("the expectation has the format {0}, and this version reads {FORMAT}")]
    Format(u32),
}

impl Expectation {
    /// Reads the file's text.
    ///
    /// # Errors
    /// When it is no expectation, or one of another format.
    pub fn from_json(text: &str) -> Result<Expectation, ExpectationError> {
        let mut read: Expectation = serde_json::from_str(text)?;
        if read.expectation != FORMAT {
            return Err(ExpectationError::Format(read.expectation));
        }
        // Whoever writes one by hand may write names that the server keeps shorter.
        for relation in &mut read.relations {
            cut(&mut relation.name);
            relation.columns.iter_mut().for_each(|column| cut(&mut column.name));
            relation.indexes.iter_mut().for_each(|index| cut(&mut index.name));
        }
        Ok(read)
    }

    pub(super) fn names(&self) -> (Vec<&str>, Vec<&str>) {
        let relations = self.relations.iter().map(|relation| relation.name.as_str()).collect();
        (relations, self.enums.iter().map(|one| one.name.as_str()).collect())
    }

    /// Every privilege that some relation asks for.
    pub(super) fn privileges(&self) -> Vec<&str> {
        let mut all: Vec<&str> =
            self.relations.iter().flat_map(|relation| &relation.privileges).map(String::as_str).collect();
        all.sort_unstable();
        all.dedup();
        all
    }
}

fn cut(name: &mut String) {
    if name.len() > LONGEST_NAME {
        let end = (0..=LONGEST_NAME).rev().find(|end| name.is_char_boundary(*end)).unwrap_or(0);
        name.truncate(end);
    }
}
