//! What both sides say to each other: a line with which the other side greets, then frames, each a length, a byte for its
//! kind, and what it carries.

use std::collections::BTreeMap;

use bytes::{BufMut as _, Bytes, BytesMut};
use mainstay_model::declared::SqlFile;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite};
use tokio_util::codec::{FramedRead, FramedWrite, LengthDelimitedCodec};

use crate::problem::{Kind, Problem};
use crate::wire::ErrorBody;

/// Counts up when the two sides could not talk.
pub const PROTOCOL: u32 = 2;
/// Starts the greeting.
const GREETING: &str = "mainstay-bridge";
/// A greeting is a short line.
const LONGEST_GREETING: usize = 200;
/// The texts of all files of a stack fit into one frame.
pub const LARGEST_FRAME: usize = 32 * 1024 * 1024;

/// One thing that is said.
#[derive(Clone, Debug, PartialEq)]
pub enum Frame {
    /// To the other side: the command.
    Begin(Box<Begin>),
    /// To the other side: its standard input, and that it has ended.
    In(Bytes),
    InEnd,
    /// To the other side: Ctrl-C.
    Interrupt,
    /// To the other side: columns and rows of the terminal.
    Resize(u16, u16),
    /// Back: what the command writes.
    Out(Bytes),
    Err(Bytes),
    /// Back: its exit code. The last frame.
    End(u8),
    /// Back: why it was not run. The last frame.
    Refused(Box<ErrorBody>),
    /// Whether anybody is there, and that somebody is.
    Ping,
    Pong,
}

/// A command, as it is carried.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Begin {
    /// As it was typed, without the program's own name.
    pub args: Vec<String>,
    /// The stacks that are meant, by name; `None` leaves what was typed.
    pub stacks: Option<Vec<String>>,
    /// The Compose files of this side.
    pub files: Option<SentFiles>,
    /// The SQL of this side that the command is about.
    pub sql: Vec<SentSql>,
    /// Variables that the command line names, for `exec -e NAME`, and those that give consent.
    pub variables: BTreeMap<String, String>,
    /// Who asks, as far as this side knows.
    pub by: String,
    pub terminal: Option<TerminalFacts>,
}

/// Compose files, as they are written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SentFiles {
    pub stack: String,
    /// The main ones, in merging order.
    pub main: Vec<String>,
    /// Relative path and text of each.
    pub texts: Vec<(String, String)>,
}

/// The SQL of a folder, or of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SentSql {
    pub of: SqlOf,
    pub files: Vec<SqlFile>,
}

/// What it stands for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SqlOf {
    /// The `migrations.dir` of a database that the Compose files declare.
    Dir(String),
    /// Its `drift.before`.
    Before(String),
    /// What the command line names: `--dir`, `--before`.
    GivenDir,
    GivenBefore,
}

/// The terminal at which the command was typed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TerminalFacts {
    /// `TERM`.
    pub kind: Option<String>,
    pub columns: u16,
    pub rows: u16,
    pub no_color: bool,
}

/// A frame that is none.
#[derive(Debug, thiserror::Error)]
#[error("what came is nothing that this version knows")]
pub struct Garbled;

impl Frame {
    fn encode(&self) -> Bytes {
        let json = |kind, text: Result<Vec<u8>, serde_json::Error>| (kind, Bytes::from(text.unwrap_or_default()));
        let (kind, body) = match self {
            Frame::Begin(begin) => json(b'b', serde_json::to_vec(begin)),
            Frame::In(bytes) => (b'i', bytes.clone()),
            Frame::InEnd => (b'I', Bytes::new()),
            Frame::Interrupt => (b'c', Bytes::new()),
            Frame::Resize(columns, rows) => json(b's', serde_json::to_vec(&(columns, rows))),
            Frame::Out(bytes) => (b'o', bytes.clone()),
            Frame::Err(bytes) => (b'e', bytes.clone()),
            Frame::End(code) => (b'x', Bytes::copy_from_slice(&[*code])),
            Frame::Refused(body) => json(b'r', serde_json::to_vec(body)),
            Frame::Ping => (b'p', Bytes::new()),
            Frame::Pong => (b'P', Bytes::new()),
        };
        let mut bytes = BytesMut::with_capacity(body.len() + 1);
        bytes.put_u8(kind);
        bytes.extend_from_slice(&body);
        bytes.freeze()
    }

    fn decode(mut bytes: Bytes) -> Result<Frame, Garbled> {
        if bytes.is_empty() {
            return Err(Garbled);
        }
        let kind = bytes.split_to(1)[0];
        let frame = match kind {
            b'b' => Frame::Begin(serde_json::from_slice(&bytes).map_err(|_| Garbled)?),
            b'i' => Frame::In(bytes),
            b'I' => Frame::InEnd,
            b'c' => Frame::Interrupt,
            b's' => {
                let (columns, rows) = serde_json::from_slice(&bytes).map_err(|_| Garbled)?;
                Frame::Resize(columns, rows)
            }
            b'o' => Frame::Out(bytes),
            b'e' => Frame::Err(bytes),
            b'x' => Frame::End(*bytes.first().ok_or(Garbled)?),
            b'r' => Frame::Refused(serde_json::from_slice(&bytes).map_err(|_| Garbled)?),
            b'p' => Frame::Ping,
            b'P' => Frame::Pong,
            _ => return Err(Garbled),
        };
        Ok(frame)
    }
}

impl Begin {
    /// Whether it can be told at all.
    pub fn fits(&self) -> bool {
        let mut size = Size(0);
        // The kind of the frame stands before it.
        serde_json::to_writer(&mut size, self).is_ok() && size.0 < LARGEST_FRAME
    }
}

/// Counts what is written.
struct Size(usize);

impl std::io::Write for Size {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn codec() -> LengthDelimitedCodec {
    LengthDelimitedCodec::builder().max_frame_length(LARGEST_FRAME).new_codec()
}

/// Frames as they come.
pub struct Hearing<R>(FramedRead<R, LengthDelimitedCodec>);

impl<R: AsyncRead + Unpin> Hearing<R> {
    pub fn on(reader: R) -> Self {
        Hearing(FramedRead::new(reader, codec()))
    }

    /// The next frame; `None` when the other side is gone, in whatever manner. May be dropped and called again.
    pub async fn next(&mut self) -> Option<Result<Frame, Garbled>> {
        use futures_util::StreamExt as _;
        self.0.next().await?.ok().map(|bytes| Frame::decode(bytes.freeze()))
    }
}

/// Frames on their way.
pub struct Telling<W>(FramedWrite<W, LengthDelimitedCodec>);

impl<W: AsyncWrite + Unpin> Telling<W> {
    pub fn on(writer: W) -> Self {
        Telling(FramedWrite::new(writer, codec()))
    }

    /// # Errors
    /// When the other side is gone.
    pub async fn tell(&mut self, frame: &Frame) -> std::io::Result<()> {
        use futures_util::SinkExt as _;
        self.0.send(frame.encode()).await
    }
}

/// With what the other side begins.
pub fn greeting() -> String {
    format!("{GREETING} {PROTOCOL} {}\n", env!("CARGO_PKG_VERSION"))
}

/// Hears the greeting, and whether both versions go together.
///
/// # Errors
/// [`Unheard`] when there is none, and the mismatch of versions as a problem.
pub async fn hear_greeting(reader: &mut (impl AsyncRead + Unpin), host: &str) -> Result<(), Unheard> {
    let mut line = Vec::new();
    loop {
        match reader.read_u8().await {
            Ok(b'\n') => break,
            Ok(byte) if line.len() < LONGEST_GREETING => line.push(byte),
            Ok(_) => return Err(Unheard::Other(shown(&line))),
            Err(_) if line.is_empty() => return Err(Unheard::Nothing),
            Err(_) => return Err(Unheard::Other(shown(&line))),
        }
    }
    let text = String::from_utf8_lossy(&line);
    let mut words = text.split_whitespace();
    let (Some(GREETING), Some(protocol), Some(version)) = (words.next(), words.next(), words.next()) else {
        return Err(Unheard::Other(shown(&line)));
    };
    let mine = env!("CARGO_PKG_VERSION");
    if protocol == PROTOCOL.to_string() && goes_with(mine, version) {
        return Ok(());
    }
    let message = format!("this is mainstay {mine}, and on `{host}` it is {version}: the two do not go together");
    let is_older = parts(version) < parts(mine);
    let hint = match is_older {
        true => format!("install {mine} there, and restart `mainstay serve` when one runs"),
        false => format!("install {version} here"),
    };
    Err(Unheard::Mismatch(Problem::new(Kind::World, "version-mismatch", message).hint(hint)))
}

/// Why no greeting was heard.
#[derive(Debug)]
pub enum Unheard {
    Nothing,
    /// What was said instead.
    Other(String),
    Mismatch(Problem),
}

fn shown(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(line);
    let printable: String = text.chars().filter(|c| !c.is_control()).take(120).collect();
    printable.trim().to_owned()
}

/// Versions whose first two numbers are the same read each other's command lines.
fn goes_with(one: &str, other: &str) -> bool {
    let (one, other) = (parts(one), parts(other));
    one.len() >= 2 && other.len() >= 2 && one[..2] == other[..2]
}

fn parts(version: &str) -> Vec<u64> {
    version.split(['.', '-', '+']).map_while(|part| part.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_frame_must_arrive_as_it_was_told() {
        let begin = Begin {
            args: vec!["ps".to_owned(), "--json".to_owned()],
            stacks: Some(vec!["shop".to_owned()]),
            sql: vec![SentSql {
                of: SqlOf::Dir("crm".to_owned()),
                files: vec![SqlFile::new("1.sql", b"\xef\xbb\xbfselect '\0\r\n'; -- caf\xe9".to_vec())],
            }],
            terminal: Some(TerminalFacts { kind: None, columns: 80, rows: 24, no_color: true }),
            ..Begin::default()
        };
        let frames = [
            Frame::Begin(Box::new(begin)),
            Frame::In(Bytes::from_static(b"\0\xff")),
            Frame::InEnd,
            Frame::Interrupt,
            Frame::Resize(80, 24),
            Frame::Out(Bytes::new()),
            Frame::Err(Bytes::from_static(b"x")),
            Frame::End(130),
            Frame::Refused(Box::new(ErrorBody::from(Problem::usage("x", "y")))),
            Frame::Ping,
            Frame::Pong,
        ];
        let (one, other) = tokio::io::duplex(64);
        let told = frames.clone();
        tokio::spawn(async move {
            let mut telling = Telling::on(one);
            for frame in &told {
                telling.tell(frame).await.expect("it is told");
            }
        });
        let mut hearing = Hearing::on(other);
        for frame in frames {
            assert_eq!(hearing.next().await.expect("a frame").expect("a frame that is known"), frame);
        }
        assert!(hearing.next().await.is_none());
    }

    #[tokio::test]
    async fn what_is_too_large_for_a_frame_must_be_known_before_it_is_told() {
        let of = |size: usize| Begin { args: vec!["x".repeat(size)], ..Begin::default() };
        let around = serde_json::to_vec(&of(0)).expect("JSON").len();
        let largest = of(LARGEST_FRAME - 1 - around);
        assert!(largest.fits() && !of(LARGEST_FRAME - around).fits());
        let (one, other) = tokio::io::duplex(1 << 20);
        let told = largest.clone();
        tokio::spawn(async move { Telling::on(one).tell(&Frame::Begin(Box::new(told))).await });
        let heard = Hearing::on(other).next().await.expect("a frame").expect("a frame that is known");
        assert!(heard == Frame::Begin(Box::new(largest)));
    }

    #[tokio::test]
    async fn greetings_must_be_judged() {
        let heard = |text: &'static str| async move { hear_greeting(&mut text.as_bytes(), "ssh://vps").await };
        assert!(heard(Box::leak(greeting().into_boxed_str())).await.is_ok());
        assert!(matches!(heard("").await, Err(Unheard::Nothing)));
        assert!(matches!(heard("Welcome to vps!\n").await, Err(Unheard::Other(text)) if text == "Welcome to vps!"));
        for other in ["mainstay-bridge 2 99.0.0\n", "mainstay-bridge 3 0.1.0\n", "mainstay-bridge 2 0.0.9\n"] {
            match heard(other).await {
                Err(Unheard::Mismatch(problem)) => {
                    assert!(problem.message.contains(other.trim().rsplit(' ').next().expect("a version")));
                    assert!(problem.message.contains(env!("CARGO_PKG_VERSION")));
                }
                heard => panic!("{heard:?}"),
            }
        }
    }
}
