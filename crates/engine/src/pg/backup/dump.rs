//! `pg_dump`, as it is called.

use mainstay_model::postgres::backup::{Compression, SchemaText};
use sha2::{Digest, Sha256};

use super::error::BackupError;
use super::flow::{Inlet, hex};
use super::tools::Tools;

/// How its sessions call themselves, with the backup's id behind.
pub(super) const APPLICATION: &str = "mainstay pg_dump ";
/// For so long it waits for a lock on a table: somebody who changes its shape.
const LOCK_WAIT: &str = "--lock-wait-timeout=60000";
/// The first version that knows zstd.
const ZSTD_SINCE: u32 = 16;
/// Where nobody listens.
const NOWHERE: &str = "--host=/nowhere";

/// What every call has. `--enable-row-security` is never among it: it would leave rows out and say nothing.
fn command(flags: &[&str]) -> Vec<String> {
    let fixed = ["pg_dump", "--no-password", LOCK_WAIT];
    fixed.iter().chain(flags).map(|flag| (*flag).to_owned()).collect()
}

/// What it says of its version.
pub(super) async fn version(tools: &Tools) -> Result<String, BackupError> {
    tools.output(vec!["pg_dump".into(), "--version".into()], APPLICATION).await
}

/// The `17` of `pg_dump (PostgreSQL) 17.11 (Debian …)`.
pub(super) fn major(version: &str) -> u32 {
    let digits = |word: &str| word.chars().take_while(char::is_ascii_digit).collect::<String>().parse().ok();
    version.split_whitespace().find_map(digits).unwrap_or_default()
}

/// The best that the program was made with. It refuses what it lacks before it connects, so it is asked without a server.
pub(super) async fn compression(tools: &Tools, major: u32) -> Result<Compression, BackupError> {
    let zstd = Compression::Zstd(3);
    if major < ZSTD_SINCE {
        return Ok(Compression::Gzip(1));
    }
    match tools.output(command(&["--format=custom", &zstd.flag(), NOWHERE]), APPLICATION).await {
        Err(BackupError::Dump { words, .. }) if !words.contains("compression") => Ok(zstd),
        Err(BackupError::Dump { .. }) | Ok(_) => Ok(Compression::Gzip(1)),
        Err(error) => Err(error),
    }
}

/// Everything of the snapshot, into the inlet. Ends it only when the program has ended well.
pub(super) async fn data(
    tools: &Tools,
    snapshot: &str,
    application: &str,
    compression: Compression,
    inlet: Inlet,
    told: impl Fn(u64),
) -> Result<(), BackupError> {
    let snapshot = format!("--snapshot={snapshot}");
    let mut running =
        tools.start(command(&["--format=custom", &compression.flag(), &snapshot]), application, false).await?;
    let mut bytes = 0;
    while let Some(piece) = running.next().await? {
        bytes += piece.len() as u64;
        if !inlet.give(piece).await {
            // Whoever takes it has failed, and says why.
            return Ok(());
        }
        told(bytes);
    }
    running.end().await?;
    inlet.end().await;
    Ok(())
}

impl Tools {
    /// The text of a database's schema without the two lines that differ each time; of a snapshot, or as it is now.
    ///
    /// # Errors
    /// When `pg_dump` fails.
    pub async fn schema_text(&self, snapshot: Option<&str>, application: &str) -> Result<SchemaText, BackupError> {
        let snapshot = snapshot.map(|name| format!("--snapshot={name}"));
        let mut flags = vec!["--schema-only"];
        flags.extend(snapshot.as_deref());
        let mut running = self.start(command(&flags), application, false).await?;
        let mut lines = Lines::default();
        while let Some(piece) = running.next().await? {
            lines.add(&piece);
        }
        running.end().await?;
        Ok(lines.text())
    }
}

/// Hashes lines as they become whole.
#[derive(Default)]
struct Lines {
    rest: Vec<u8>,
    hash: Sha256,
    bytes: u64,
}

impl Lines {
    fn add(&mut self, piece: &[u8]) {
        self.rest.extend_from_slice(piece);
        let Some(end) = self.rest.iter().rposition(|byte| *byte == b'\n') else { return };
        let whole: Vec<u8> = self.rest.drain(..=end).collect();
        for line in whole.split_inclusive(|byte| *byte == b'\n') {
            self.line(line);
        }
    }

    fn line(&mut self, line: &[u8]) {
        // With a word of chance behind it, against those who would smuggle commands into a dump.
        if line.starts_with(b"\\restrict ") || line.starts_with(b"\\unrestrict ") {
            return;
        }
        self.hash.update(line);
        self.bytes += line.len() as u64;
    }

    fn text(mut self) -> SchemaText {
        let rest = std::mem::take(&mut self.rest);
        self.line(&rest);
        SchemaText { sha256: hex(&self.hash.finalize()), bytes: self.bytes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(pieces: &[&str]) -> SchemaText {
        let mut lines = Lines::default();
        pieces.iter().for_each(|piece| lines.add(piece.as_bytes()));
        lines.text()
    }

    #[test]
    fn the_words_of_chance_do_not_count_wherever_the_pieces_are_cut() {
        let plain = text(&["--\nCREATE TABLE a ();\n"]);
        assert_eq!(plain.bytes, 22);
        assert_eq!(text(&["--\n\\restr", "ict x1\nCREATE ", "TABLE a ();\n", "\\unrestrict x1\n"]), plain);
        assert_ne!(text(&["--\nCREATE TABLE b ();\n"]), plain);
        assert_ne!(text(&["--\nCREATE TABLE a ();"]), plain);
    }

    #[test]
    fn the_version_is_the_first_number() {
        assert_eq!(major("pg_dump (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)"), 15);
        assert_eq!(major("pg_dump (PostgreSQL) 17beta1"), 17);
        assert_eq!(major(""), 0);
    }
}
