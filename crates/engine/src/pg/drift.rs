//! What a database is, beside what its files make of an empty one.

use mainstay_model::postgres::migration::{LedgerName, MigrationFile, MigrationSet, Mode};
use mainstay_model::postgres::schema::{Inventory, Replay};
use standing_pool::schema::{Expectation, Shortfall};
use tokio_util::sync::CancellationToken;

use super::error::PgError;
use super::inventory;
use super::ledger;
use super::scratch::{self, Scratch, ScratchError, Ways};
use super::session::Server;
use super::single::Single;

/// The ledger of a replay.
const LEDGER: &str = "mainstay_replay";

/// Both sides of a comparison.
#[derive(Debug)]
pub struct Sides {
    pub replay: Replay,
    pub live: Inventory,
    /// The role that looked, and that the files ran as.
    pub role: String,
}

/// What is said while files run.
#[derive(Clone, Debug)]
pub enum ReplayEvent {
    /// The scratch database is there.
    Ready,
    Ran {
        file: String,
        number: usize,
        of: usize,
    },
}

/// What is asked of a comparison.
pub struct Wanted<'w> {
    pub set: &'w MigrationSet,
    pub ledger: &'w LedgerName,
    /// What was there before the first file, as SQL.
    pub before: Option<&'w MigrationFile>,
    /// Whose privileges are compared; the role that connects, when none is named.
    pub role: Option<&'w str>,
}

/// Reads the schema as it is, as the role that connects.
///
/// # Errors
/// When the database cannot be asked.
pub async fn look(server: &Server, role: Option<&str>) -> Result<Inventory, PgError> {
    let session = server.open().await?;
    inventory::read(&session.client, role).await
}

/// The version of the server, as its images are named: `15`.
///
/// # Errors
/// When the database cannot be asked.
pub async fn major(server: &Server) -> Result<i32, PgError> {
    let session = server.open().await?;
    let row =
        session.one("SELECT current_setting('server_version_num')::int / 10000", "asking for the version").await?;
    Ok(row.get(0))
}

/// Asks the questions that a service asks of its schema.
///
/// # Errors
/// When the database cannot be asked.
pub async fn shortfalls(server: &Server, expectation: &Expectation) -> Result<Vec<Shortfall>, PgError> {
    let session = server.open().await?;
    expectation.ask(&session.client).await.map_err(PgError::lost("asking for the schema"))
}

/// Runs the files on a scratch database, looking after each, and reads the schema as it is. The scratch database is gone
/// when this returns, whatever it returns.
///
/// # Errors
/// When the database cannot be asked, no scratch database can be made, or a file does not run on it.
pub async fn sides(
    server: &Server,
    ways: &Ways,
    wanted: &Wanted<'_>,
    cancelled: &CancellationToken,
    mut told: impl FnMut(ReplayEvent),
) -> Result<Sides, ScratchError> {
    let session = server.open().await?;
    // A look that is refused needs no scratch database.
    let live = inventory::read(&session.client, wanted.role).await?;
    scratch::sweep(ways, &session).await?;
    let scratch = Scratch::make(ways, server, &session, wanted.set, cancelled).await?;
    told(ReplayEvent::Ready);
    let role = wanted.role.unwrap_or(&scratch.role).to_owned();
    let replayed = tokio::select! {
        replayed = replay(&scratch, wanted, &role, &mut told) => replayed,
        () = cancelled.cancelled() => Err(ScratchError::Interrupted),
    };
    let removed = scratch.remove().await;
    let replay = replayed?;
    removed?;
    Ok(Sides { replay, live, role })
}

async fn replay(
    scratch: &Scratch,
    wanted: &Wanted<'_>,
    role: &str,
    told: &mut impl FnMut(ReplayEvent),
) -> Result<Replay, ScratchError> {
    // Of its own name: what was there before may hold a ledger already.
    let ledger = LedgerName { schema: wanted.ledger.schema.clone(), table: LEDGER.into() };
    let by =
        |session, file| Single { session, ledger: &ledger, file, lock_timeout_ms: 0, by: "mainstay", onlooker: None };
    if let Some(before) = wanted.before {
        by(scratch.root(), before).without_a_row().await?;
        scratch.root().begin_anew().await?;
    }
    let session = &scratch.session;
    let looked = async || Ok::<_, PgError>(inventory::read(&session.client, Some(role)).await?.without(&ledger));
    ledger::make(&session.client, &ledger).await?;
    let mut replay = Replay::on(looked().await?);
    let of = wanted.set.files.len();
    for (index, file) in wanted.set.files.values().enumerate() {
        // As an apply would: in one transaction, or statement by statement.
        match file.mode {
            Mode::Transaction => by(session, file).in_a_transaction().await?,
            Mode::NoTransaction => by(session, file).by_statements(0, |_| {}).await?,
        };
        // What the file has set ends with it.
        session.begin_anew().await?;
        replay.ran(&file.name, looked().await?);
        told(ReplayEvent::Ran { file: file.name.clone(), number: index + 1, of });
    }
    Ok(replay)
}
