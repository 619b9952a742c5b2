//! Postgres' own programs: in the database's own container, or, for a server elsewhere, in one that is there for a moment.

use futures_util::StreamExt;
use mainstay_model::declared::Hidden;
use mainstay_model::postgres::backup::Image;
use standing_pool::Settings;

use super::error::BackupError;
use crate::docker::{Docker, Exec, ExecOptions, LogStream};
use crate::pg::reach::Inside;
use crate::world::Progress;

/// Of what a program says of its troubles, no more is kept.
const WORDS_BYTES: usize = 16 << 10;
/// The label of a container for a server elsewhere.
const PURPOSE: &str = "backup";
/// Where the system's authorities are on most systems.
const SYSTEM_AUTHORITIES: &str = "/etc/ssl/certs/ca-certificates.crt";
const AUTHORITIES_INSIDE: &str = "/run/mainstay/authorities.pem";

/// Where programs are run, and how they reach the server.
#[derive(Clone)]
pub struct Tools {
    docker: Docker,
    container: String,
    /// For sentences.
    name: String,
    variables: Vec<(String, Hidden)>,
    image: Image,
    is_lent: bool,
}

impl Tools {
    /// Those of the server's own container.
    ///
    /// # Errors
    /// When it is not there any more.
    pub async fn inside(docker: &Docker, inside: Inside) -> Result<Tools, BackupError> {
        let image = docker.image_of(&inside.container).await?;
        let Inside { container, name, variables } = inside;
        Ok(Tools { docker: docker.clone(), container, name, variables, image, is_lent: false })
    }

    /// Those of an image, for a server elsewhere. To be given back with [`Tools::give_back`].
    ///
    /// # Errors
    /// When the image is not to be had.
    pub async fn lent(docker: &Docker, image: &str, settings: &Settings, of: &str) -> Result<Tools, BackupError> {
        let purpose = format!("{PURPOSE} {of}");
        docker.sweep_tools(&purpose).await?;
        let mut variables: Vec<(String, Hidden)> = settings
            .target
            .libpq_variables()
            .into_iter()
            .map(|(name, value)| (name.to_owned(), Hidden::new(value)))
            .collect();
        let mut binds = Vec::new();
        if let Some(file) = settings.target.authorities() {
            let file = if file == "system" { SYSTEM_AUTHORITIES } else { file };
            binds.push(format!("{file}:{AUTHORITIES_INSIDE}:ro"));
            variables.push(("PGSSLROOTCERT".into(), Hidden::new(AUTHORITIES_INSIDE)));
        }
        let container = docker.lend_tools(image, binds, &purpose, &Progress::silent()).await?;
        let image = docker.image_of(&container).await?;
        let name = image.reference.clone();
        Ok(Tools { docker: docker.clone(), container, name, variables, image, is_lent: true })
    }

    /// Takes away what was there for a moment.
    pub async fn give_back(&self) {
        if self.is_lent {
            // It ends by itself, and the next one sweeps.
            let _ = self.docker.drop_tools(&self.container).await;
        }
    }

    pub fn image(&self) -> &Image {
        &self.image
    }

    /// The same, for another database of the server.
    #[must_use]
    pub fn of_database(&self, database: &str) -> Tools {
        let mut other = self.clone();
        other.variables.retain(|(name, _)| name != "PGDATABASE");
        other.variables.push(("PGDATABASE".to_owned(), Hidden::new(database)));
        // Who lent it gives it back.
        other.is_lent = false;
        other
    }

    /// Starts a program, which calls itself `application` where it connects. No terminal: that would change bytes.
    ///
    /// # Errors
    /// When it cannot be started.
    pub async fn start(&self, command: Vec<String>, application: &str, stdin: bool) -> Result<Running, BackupError> {
        let mut env = self.variables.clone();
        env.push(("PGAPPNAME".into(), Hidden::new(application)));
        // What it says is told to people, and one of them reads it for a sentence.
        env.push(("LC_MESSAGES".into(), Hidden::new("C")));
        let program = command.first().cloned().unwrap_or_default();
        let options = ExecOptions { command, env, stdin, ..ExecOptions::default() };
        let exec = self.docker.exec(&self.container, options).await?;
        Ok(Running { exec, program, container: self.name.clone(), words: Vec::new() })
    }

    /// What a program writes, whole and short.
    ///
    /// # Errors
    /// When it fails.
    pub async fn output(&self, command: Vec<String>, application: &str) -> Result<String, BackupError> {
        let mut running = self.start(command, application, false).await?;
        let mut out = Vec::new();
        while let Some(piece) = running.next().await? {
            out.extend_from_slice(&piece);
        }
        running.end().await?;
        Ok(String::from_utf8_lossy(&out).trim().to_owned())
    }
}

/// A program that runs.
pub struct Running {
    pub exec: Exec,
    program: String,
    container: String,
    words: Vec<u8>,
}

impl Running {
    /// The next piece of what it writes; what it says of its troubles is kept for [`Running::end`].
    ///
    /// # Errors
    /// When the connection to it is lost: then nobody knows how it ended.
    pub async fn next(&mut self) -> Result<Option<bytes::Bytes>, BackupError> {
        while let Some(piece) = self.exec.output.next().await {
            let piece = piece?;
            if piece.stream == LogStream::Out {
                return Ok(Some(piece.bytes));
            }
            let room = WORDS_BYTES.saturating_sub(self.words.len()).min(piece.bytes.len());
            self.words.extend_from_slice(&piece.bytes[..room]);
        }
        Ok(None)
    }

    /// Asks how it ended, once [`Running::next`] gives nothing more.
    ///
    /// # Errors
    /// When it failed, with its own words.
    pub async fn end(self) -> Result<(), BackupError> {
        let (code, never_began) = (self.exec.exit_code(), self.exec.never_began());
        let code = code.await?;
        if code == 0 {
            return Ok(());
        }
        let words = String::from_utf8_lossy(&self.words).trim().to_owned();
        if matches!(code, 126 | 127) && never_began.await? {
            return Err(BackupError::NoProgram { program: self.program, container: self.container });
        }
        Err(BackupError::Dump { program: self.program, code, words })
    }
}
