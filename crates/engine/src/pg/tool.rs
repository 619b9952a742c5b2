//! One run of a program in a container, with a stream for its input: `pg_restore`, `initdb`. Its exit code is what counts, and its
//! own words are kept for the report.

use futures_util::StreamExt;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};

use crate::docker::{Exec, LogStream};
use crate::world::WorldError;

/// Of each of the two streams, no more is kept: the first bytes of the output, the first and the last lines of the errors.
const KEPT_OUTPUT: usize = 64 << 20;
const KEPT_ERRORS: usize = 64 << 10;
const PIECE: usize = 128 << 10;

/// What a program did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ran {
    pub code: i64,
    pub output: Vec<u8>,
    pub errors: String,
    /// How many bytes of its input it was given.
    pub taken: u64,
}

/// Why it is not known what a program did, or why that is worth nothing.
#[derive(Debug, thiserror::Error)]
pub enum ToolError {
    #[error(transparent)]
    World(#[from] WorldError),
    /// What it was to read could not be had: the program may have ended well on a part of it.
    #[error("{source}")]
    Input { source: std::io::Error, errors: String },
}

impl Ran {
    /// Its own words, the last lines of them, on one line each.
    pub fn words(&self) -> Vec<String> {
        let lines: Vec<&str> = self.errors.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
        lines[lines.len().saturating_sub(20)..].iter().map(|line| (*line).to_owned()).collect()
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.output).into_owned()
    }
}

/// Nothing to read.
pub fn no_input() -> tokio::io::Empty {
    tokio::io::empty()
}

/// Gives it its input and hears it to its end. A program that ends before it has read everything is not waited for.
///
/// # Errors
/// When the engine, or the input, breaks off.
pub async fn run(mut exec: Exec, mut input: impl AsyncRead + Send + Unpin) -> Result<Ran, ToolError> {
    let mut writer = exec.input.take();
    let mut taken = 0;
    let mut broken = None;
    let mut ran = Ran { code: 0, output: Vec::new(), errors: String::new(), taken: 0 };
    {
        let feed = async {
            let Some(writer) = writer.as_mut() else { return Ok(()) };
            let mut piece = vec![0; PIECE];
            loop {
                let length = input.read(&mut piece).await?;
                // A program that does not read any more says with its code what that means.
                if length == 0 || writer.write_all(&piece[..length]).await.is_err() {
                    break;
                }
                taken += length as u64;
            }
            let _ = writer.shutdown().await;
            Ok::<(), std::io::Error>(())
        };
        let mut feed = std::pin::pin!(feed);
        let mut fed = false;
        loop {
            tokio::select! {
                done = &mut feed, if !fed => {
                    fed = true;
                    if let Err(error) = done {
                        broken = Some(error);
                        break;
                    }
                }
                piece = exec.output.next() => match piece {
                    None => break,
                    Some(piece) => keep(&mut ran, &piece?),
                },
            }
        }
    }
    ran.taken = taken;
    if let Some(source) = broken {
        return Err(ToolError::Input { source, errors: ran.errors });
    }
    drop(writer);
    ran.code = exec.exit_code().await?;
    Ok(ran)
}

fn keep(ran: &mut Ran, piece: &crate::docker::ExecOutput) {
    match piece.stream {
        LogStream::Out => {
            let room = KEPT_OUTPUT.saturating_sub(ran.output.len()).min(piece.bytes.len());
            ran.output.extend_from_slice(&piece.bytes[..room]);
        }
        LogStream::Err => {
            ran.errors += &String::from_utf8_lossy(&piece.bytes);
            if ran.errors.len() > KEPT_ERRORS {
                let mut cut = ran.errors.len() - KEPT_ERRORS / 2;
                while !ran.errors.is_char_boundary(cut) {
                    cut += 1;
                }
                let mut first = KEPT_ERRORS / 4;
                while !ran.errors.is_char_boundary(first) {
                    first -= 1;
                }
                ran.errors = format!("{}\n…\n{}", &ran.errors[..first], &ran.errors[cut..]);
            }
        }
    }
}
