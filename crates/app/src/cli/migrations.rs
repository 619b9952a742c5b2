//! The migrations that an order carries: what lies in the folders of a stack's databases when it is given.

use mainstay_engine::sources::{self, Read};

use crate::boot::Boot;
use crate::problem::Problem;

/// The stack with the files of its migrations.
///
/// # Errors
/// When a folder cannot be read that a release is to apply.
pub fn carried(boot: &Boot, mut read: Read) -> Result<Read, Problem> {
    let passwords = read.declared.databases.values().filter_map(|database| database.whereabouts.password());
    boot.ui.redactions.learn(&passwords.collect::<Vec<_>>());
    sources::carry_sql(&mut read.declared).map_err(|(database, error)| {
        Problem::files("migrations-folder", format!("the migrations of `{database}` cannot be read: {error}"))
            .hint(format!("name the folder: `migrations: {{ dir: … }}` under `x-mainstay.databases.{database}`"))
            .hint("with `--host`, a folder below the Compose files travels with them; one that is named by an absolute path is the host's")
    })?;
    Ok(read)
}
