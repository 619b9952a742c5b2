//! A whole database, restored on the server that it came from, or another.

use futures_util::TryStreamExt;
use mainstay_model::postgres::backup::{Difference, Manifest, Place, SchemaText, TableKind, compare};
use mainstay_model::postgres::restore;
use tokio_util::io::StreamReader;
use tokio_util::sync::CancellationToken;

use super::error::RestoreError;
use crate::pg::backup::{Alone, Snapshot, Source, Vault};
use crate::pg::drill::{of_reading, rest_of, words};
use crate::pg::session::{Server, Session};
use crate::pg::tool::{ToolError, run};

pub(super) const APPLICATION: &str = "mainstay db restore";
/// The comment on a database that is not whole yet.
const HALF: &str = "mainstay: a restore that is under way; what is left of one that was killed, the next restore drops";

/// One restore.
#[derive(Clone, Copy)]
pub struct Whole<'w> {
    pub source: &'w Source,
    pub vault: &'w Vault,
    pub manifest: &'w Manifest,
}

/// A database that was restored beside another. While this is held, no other restore sweeps it away.
pub struct Beside {
    /// What differs and is the server's, not the database's.
    pub roles: Vec<Difference>,
    _held: Session,
}

/// A table that is not as it was backed up.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Changed {
    pub table: String,
    /// None: it is not in the backup.
    pub backed_up: Option<u64>,
    /// None: it is not there any more.
    pub now: Option<u64>,
    /// Of the rows that are there now: consent is to these.
    pub digest_now: Option<String>,
}

/// The tables whose rows are others than those that were backed up: what a restore would take away.
///
/// # Errors
/// When the database cannot be read, or a backup, a migration, another restore or a cleanup of it is under way and does not end in time.
pub async fn changed_since(
    source: &Source,
    manifest: &Manifest,
    alone: Alone,
    cancelled: &CancellationToken,
    told: &mut (dyn FnMut(String) + Send),
) -> Result<Vec<Changed>, RestoreError> {
    let waiting = |holder: &str| told(holder.to_owned());
    let snapshot = Snapshot::take(&source.server.called(APPLICATION), alone, cancelled, waiting).await?;
    // The schema is not asked for here.
    let nothing = SchemaText { sha256: String::new(), bytes: 0 };
    let now = snapshot.contents(nothing, manifest.contents.rows_as, |_, _| {}).await?.tables;
    let before = &manifest.contents.tables;
    let names = before.keys().chain(now.keys().filter(|name| !before.contains_key(*name)));
    let changed = names.filter_map(|name| {
        let (was, is) = (before.get(name), now.get(name));
        let kind = was.or(is)?.kind;
        let digest = |side: Option<&mainstay_model::postgres::backup::Table>| {
            side.map(|table| table.digest.clone().unwrap_or_default())
        };
        let (was, is) = (digest(was), digest(is));
        let differs = was != is && !matches!(kind, TableKind::MaterializedView | TableKind::Foreign);
        differs.then(|| Changed {
            table: name.clone(),
            backed_up: was.map(|digest| digest.rows),
            now: is.as_ref().map(|digest| digest.rows),
            digest_now: is.map(|digest| digest.sums),
        })
    });
    Ok(changed.collect())
}

impl Whole<'_> {
    /// Restores it as a new database of this name, and holds that against the manifest. What was made is taken away again when
    /// it fails; until it is [kept](Self::keep), or takes another's name, the next restore takes it away, too, once it is not held.
    ///
    /// # Errors
    /// When a database of the name is there, the restore fails, or its outcome is not what was backed up.
    pub async fn beside(&self, name: &str, told: &mut (dyn FnMut(String) + Send)) -> Result<Beside, RestoreError> {
        self.must_be_free(name).await?;
        let admin = administration(&self.source.server, name).open().await?;
        let facts = &self.manifest.contents.database;
        told(format!("making the database `{name}`"));
        let sql = restore::create_database(facts, name, self.manifest.contents.server.major());
        admin.client.batch_execute(&sql).await.map_err(RestoreError::of(format!("making the database `{name}`")))?;
        let filled = async {
            // No other restore takes it for one that was killed.
            let held = self.source.server.of_database(name).called(APPLICATION).open().await?;
            // What is left over by one that is killed is known by this.
            let sql = format!("COMMENT ON DATABASE {} IS {}", restore::ident(name), restore::literal(HALF));
            admin.client.batch_execute(&sql).await.map_err(RestoreError::of("marking the new database"))?;
            Ok(Beside { roles: self.filled(name, told).await?, _held: held })
        };
        let filled = filled.await;
        if filled.is_err() {
            self.forget(name).await;
        }
        filled
    }

    /// # Errors
    /// When a database of the name is there.
    pub async fn must_be_free(&self, name: &str) -> Result<(), RestoreError> {
        let admin = administration(&self.source.server, name).open().await?;
        let taken = admin.client.query_opt("SELECT 1 FROM pg_database WHERE datname = $1", &[&name]).await;
        if taken.map_err(RestoreError::of("looking at the databases"))?.is_none() {
            return Ok(());
        }
        Err(RestoreError::refused(format!("a database `{name}` is there already; nothing was changed"))
            .hint("name another one: `--into NAME`"))
    }

    /// Says that a database which was made beside the one that lives is to stay. One that takes its name says so with the
    /// [swap](super::Swap).
    ///
    /// # Errors
    /// When the server cannot be asked.
    pub async fn keep(&self, name: &str) -> Result<(), RestoreError> {
        let admin = administration(&self.source.server, name).open().await?;
        admin.client.batch_execute(&unmark(name)).await.map_err(RestoreError::of("marking the new database"))
    }

    /// Takes a database away that was being restored into.
    pub async fn forget(&self, name: &str) {
        let Ok(admin) = administration(&self.source.server, name).open().await else { return };
        // The next restore takes away what stays.
        let _ =
            admin.client.batch_execute(&format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", restore::ident(name))).await;
    }

    /// Takes away what restores that were killed have left half done. One that somebody is connected to is left alone.
    ///
    /// # Errors
    /// When the server cannot be asked.
    pub async fn sweep(&self) -> Result<Vec<String>, RestoreError> {
        let admin = administration(&self.source.server, &self.source.server.name().database).open().await?;
        let sql = "SELECT datname::text FROM pg_database d WHERE shobj_description(oid, 'pg_database') = $1 \
                   AND NOT EXISTS (SELECT 1 FROM pg_stat_activity a WHERE a.datid = d.oid) ORDER BY 1";
        let rows = admin.client.query(sql, &[&HALF]).await.map_err(RestoreError::of("looking at the databases"))?;
        let mut swept = Vec::new();
        for row in rows {
            let name: String = row.get(0);
            if admin.client.batch_execute(&format!("DROP DATABASE {}", restore::ident(&name))).await.is_ok() {
                swept.push(name);
            }
        }
        Ok(swept)
    }

    async fn filled(&self, name: &str, told: &mut (dyn FnMut(String) + Send)) -> Result<Vec<Difference>, RestoreError> {
        told(format!("restoring into `{name}`"));
        self.fill(&["--exit-on-error", "--dbname", name]).await?;
        self.finish(name, told).await
    }

    /// Restores it over the database itself: everything that the backup has is dropped and made anew, in one transaction. What
    /// it does not have stays.
    ///
    /// # Errors
    /// When anything fails: then nothing was changed, unless it is [`RestoreError::Overwritten`].
    pub async fn in_place(&self, told: &mut (dyn FnMut(String) + Send)) -> Result<Vec<Difference>, RestoreError> {
        let name = self.source.server.name().database;
        told(format!("restoring over `{name}`, in one transaction"));
        self.fill(&["--clean", "--if-exists", "--single-transaction", "--exit-on-error", "--dbname", &name]).await?;
        told("comparing".into());
        self.held_against(&name).await.map_err(|error| RestoreError::Overwritten(Box::new(error)))
    }

    async fn fill(&self, flags: &[&str]) -> Result<(), RestoreError> {
        let command: Vec<String> =
            ["pg_restore", "--no-password"].iter().chain(flags).map(|flag| (*flag).to_owned()).collect();
        let running = self.source.tools.start(command, APPLICATION, true).await?;
        let mut input = StreamReader::new(self.vault.data(self.manifest).await?.map_err(std::io::Error::other));
        let ran = match run(running.exec, &mut input).await {
            Ok(ran) => ran,
            Err(ToolError::World(error)) => return Err(error.into()),
            Err(ToolError::Input { source, .. }) => return Err(of_reading(source).into()),
        };
        // Where the bytes are damaged, that says more than what the tool made of them.
        rest_of(&mut input).await?;
        if ran.code != 0 {
            return Err(RestoreError::Tool { doing: format!("`pg_restore` ({})", ran.code), words: words(&ran) });
        }
        Ok(())
    }

    async fn finish(&self, name: &str, told: &mut (dyn FnMut(String) + Send)) -> Result<Vec<Difference>, RestoreError> {
        let admin = administration(&self.source.server, name).open().await?;
        let contents = &self.manifest.contents;
        for sql in restore::settings(contents, name, false).into_iter().chain(restore::grants(&contents.database, name))
        {
            // Holds values, so it is not told.
            let doing = "setting what the database had set, and its privileges";
            admin.client.batch_execute(&sql).await.map_err(RestoreError::of(doing))?;
        }
        let session = self.source.server.of_database(name).called(APPLICATION).open().await?;
        told("analyzing".into());
        session.client.batch_execute("ANALYZE").await.map_err(RestoreError::of("analyzing"))?;
        told("comparing".into());
        self.held_against(name).await
    }

    async fn held_against(&self, name: &str) -> Result<Vec<Difference>, RestoreError> {
        let schema = self.source.tools.of_database(name).schema_text(None, APPLICATION).await?;
        let server = self.source.server.of_database(name).called(APPLICATION);
        let snapshot = Snapshot::take(&server, Alone::No, &CancellationToken::new(), |_| {}).await?;
        let found = snapshot.contents(schema, self.manifest.contents.rows_as, |_, _| {}).await?;
        let all = compare(&self.manifest.contents, &found);
        let (servers, own): (Vec<_>, Vec<_>) = all.into_iter().partition(|one| is_the_servers(&one.place));
        if own.is_empty() { Ok(servers) } else { Err(RestoreError::Different(own)) }
    }
}

/// The statement after which it is no half-done restore any more.
pub(super) fn unmark(name: &str) -> String {
    format!("COMMENT ON DATABASE {} IS NULL", restore::ident(name))
}

/// Roles go on living beside the database: those of today are not those of the backup, and need not be.
fn is_the_servers(place: &Place) -> bool {
    matches!(place, Place::Role(_) | Place::Settings(Some(_)) | Place::Server)
}

/// Another database of the server, to work on one from outside.
pub(super) fn administration(server: &Server, not: &str) -> Server {
    server.of_database(if not == "postgres" { "template1" } else { "postgres" }).called(APPLICATION)
}
