//! Names of relations, written so that they can stand in SQL and are one to one with what they name.

/// `"we ird"."tab""le"`: always in quotes, whatever the names are.
pub fn quoted(schema: &str, name: &str) -> String {
    format!("{}.{}", one(schema), one(name))
}

fn one(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
