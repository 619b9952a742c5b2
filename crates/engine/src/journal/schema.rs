//! The tables, and how an older file becomes a newer one.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use super::JournalError;

/// One text a version: what has to be run on a file of the version before. Never changed once released.
const MIGRATIONS: &[&str] = &[
    "
    CREATE TABLE operations (
        id      TEXT PRIMARY KEY,
        stack   TEXT NOT NULL,
        verb    TEXT NOT NULL,
        plan    TEXT NOT NULL,
        digest  TEXT NOT NULL,
        started TEXT NOT NULL,
        ended   TEXT,
        verdict TEXT,
        actor   TEXT NOT NULL
    );
    CREATE INDEX operations_open ON operations (id) WHERE ended IS NULL;
    CREATE TABLE steps (
        operation TEXT NOT NULL REFERENCES operations (id) ON DELETE CASCADE,
        step      INTEGER NOT NULL,
        action    TEXT NOT NULL,
        started   TEXT NOT NULL,
        ended     TEXT,
        outcome   TEXT,
        detail    TEXT,
        failure   TEXT,
        PRIMARY KEY (operation, step)
    ) WITHOUT ROWID;
    CREATE TABLE history (
        id        INTEGER PRIMARY KEY AUTOINCREMENT,
        at        TEXT NOT NULL,
        stack     TEXT,
        service   TEXT,
        subject   TEXT NOT NULL,
        kind      TEXT NOT NULL,
        summary   TEXT NOT NULL,
        cause     TEXT,
        operation TEXT,
        evidence  TEXT NOT NULL
    );
    CREATE INDEX history_stack ON history (stack, id);
    CREATE INDEX history_operation ON history (operation, id) WHERE operation IS NOT NULL;
    CREATE TABLE stacks (
        stack     TEXT PRIMARY KEY,
        directory TEXT NOT NULL,
        files     TEXT NOT NULL,
        env       TEXT,
        profiles  TEXT NOT NULL,
        requires  TEXT NOT NULL,
        held      TEXT NOT NULL,
        up_at     TEXT
    );
",
    "
    CREATE TABLE heard (
        only  INTEGER PRIMARY KEY CHECK (only = 1),
        nanos INTEGER NOT NULL
    );
",
    "
    CREATE TABLE releases (
        operation   TEXT PRIMARY KEY,
        stack       TEXT NOT NULL,
        number      INTEGER NOT NULL,
        actor       TEXT NOT NULL,
        env         TEXT,
        began       TEXT NOT NULL,
        ended       TEXT,
        state       TEXT NOT NULL,
        images      TEXT NOT NULL,
        image_ids   TEXT NOT NULL,
        changes     TEXT NOT NULL,
        fingerprint TEXT NOT NULL,
        before      TEXT NOT NULL,
        UNIQUE (stack, number)
    );
    CREATE INDEX releases_open ON releases (began) WHERE state = 'begun';
",
    "
    ALTER TABLE releases ADD COLUMN back_to INTEGER;
    ALTER TABLE releases ADD COLUMN promoted TEXT NOT NULL DEFAULT '{}';
",
    "
    ALTER TABLE releases ADD COLUMN down_at TEXT;
",
    "
    ALTER TABLE releases ADD COLUMN schemas TEXT NOT NULL DEFAULT '{}';
",
];

pub(super) fn open_for_writing(path: &Path) -> Result<Connection, JournalError> {
    // SQLite gives its `-wal` and `-shm` files the mode of the file that it finds, so it has to find one.
    OpenOptions::new().create(true).append(true).mode(0o600).open(path).map_err(|source| {
        JournalError::of_file(format!("the journal `{}` could not be opened for writing", path.display()), source)
    })?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(|source| JournalError::of(path, source))?;
    prepare(&connection)
        .and_then(|()| {
            // WAL: what was committed survives a kill of this process at once, since it stands in the page cache of
            // the system; whether it survives a power cut is chosen for each transaction (see `writer`).
            connection.pragma_update(None, "journal_mode", "wal")?;
            connection.pragma_update(None, "synchronous", "normal")?;
            connection.pragma_update(None, "foreign_keys", true)?;
            // The writer moves the WAL into the file when nobody waits; this is only the bound for a busy hour.
            connection.pragma_update(None, "wal_autocheckpoint", 8000)
        })
        .map_err(|source| JournalError::of(path, source))?;
    Ok(connection)
}

pub(super) fn open_for_reading(path: &Path) -> Result<Connection, JournalError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let open = || {
        let connection = Connection::open_with_flags(path, flags)?;
        prepare(&connection)?;
        connection.pragma_update(None, "query_only", true)?;
        Ok(connection)
    };
    open().map_err(|source| JournalError::of(path, source))
}

fn prepare(connection: &Connection) -> rusqlite::Result<()> {
    // Somebody may look into the file with `sqlite3` for a moment.
    connection.busy_timeout(std::time::Duration::from_secs(5))?;
    // In KiB: a journal is written at its end and read from its end, a large cache would only be memory.
    connection.pragma_update(None, "cache_size", -512)
}

/// Whether a file has all of today's tables. Who only reads cannot make them, and nothing can be in those that lack.
pub(super) fn is_up_to_date(connection: &Connection) -> rusqlite::Result<bool> {
    let version = connection.pragma_query_value(None, "user_version", |row| row.get::<_, u32>(0))?;
    Ok(version as usize >= MIGRATIONS.len())
}

pub(super) fn bring_up_to_date(connection: &mut Connection, path: &Path) -> Result<(), JournalError> {
    let trouble = |source| JournalError::of(path, source);
    let version: usize =
        connection.pragma_query_value(None, "user_version", |row| row.get::<_, u32>(0)).map_err(trouble)? as usize;
    if version > MIGRATIONS.len() {
        let mut error = JournalError::new(format!(
            "the journal `{}` was written by a newer mainstay (format {version}, this one knows {})",
            path.display(),
            MIGRATIONS.len()
        ));
        error.hints.push("use the newer mainstay again, or name another state folder".into());
        return Err(error);
    }
    for (number, migration) in MIGRATIONS.iter().enumerate().skip(version) {
        // A version and its tables arrive together or not at all.
        let transaction = connection.transaction().map_err(trouble)?;
        transaction.execute_batch(migration).map_err(trouble)?;
        transaction.pragma_update(None, "user_version", number as u32 + 1).map_err(trouble)?;
        transaction.commit().map_err(trouble)?;
    }
    Ok(())
}
