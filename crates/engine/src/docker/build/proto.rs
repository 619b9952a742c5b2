//! The messages that a BuildKit session exchanges, by hand: the few fields that are read or said, with the numbers
//! that BuildKit's `.proto` files give them. What is not listed is skipped when it is read.

use std::collections::HashMap;

use prost::{Enumeration, Message};

/// `fsutil.types.Packet`: one word of the conversation in which a folder is synchronised.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Packet {
    #[prost(enumeration = "PacketKind", tag = "1")]
    pub(super) kind: i32,
    #[prost(message, optional, tag = "2")]
    pub(super) stat: Option<Stat>,
    /// The place of a file in the order of the stats.
    #[prost(uint32, tag = "3")]
    pub(super) id: u32,
    #[prost(bytes = "bytes", tag = "4")]
    pub(super) data: bytes::Bytes,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Enumeration)]
#[repr(i32)]
pub(super) enum PacketKind {
    Stat = 0,
    Request = 1,
    Data = 2,
    Finish = 3,
    Error = 4,
}

/// `fsutil.types.Stat`
#[derive(Clone, PartialEq, Message)]
pub(super) struct Stat {
    #[prost(string, tag = "1")]
    pub(super) path: String,
    /// The bits of Go's `os.FileMode`.
    #[prost(uint32, tag = "2")]
    pub(super) mode: u32,
    #[prost(uint32, tag = "3")]
    pub(super) uid: u32,
    #[prost(uint32, tag = "4")]
    pub(super) gid: u32,
    #[prost(int64, tag = "5")]
    pub(super) size: i64,
    /// Nanoseconds since 1970.
    #[prost(int64, tag = "6")]
    pub(super) modified: i64,
    #[prost(string, tag = "7")]
    pub(super) link: String,
    #[prost(int64, tag = "8")]
    pub(super) device_major: i64,
    #[prost(int64, tag = "9")]
    pub(super) device_minor: i64,
    #[prost(map = "string, bytes", tag = "10")]
    pub(super) attributes: HashMap<String, Vec<u8>>,
}

/// `moby.buildkit.secrets.v1.GetSecretRequest`
#[derive(Clone, PartialEq, Message)]
pub(super) struct SecretAsked {
    #[prost(string, tag = "1")]
    pub(super) id: String,
}

/// `moby.buildkit.secrets.v1.GetSecretResponse`. Its `Debug` would tell the secret, so it is never printed.
#[derive(Clone, PartialEq, Message)]
pub(super) struct SecretGiven {
    #[prost(bytes = "vec", tag = "1")]
    pub(super) data: Vec<u8>,
}

/// `moby.filesync.v1.CredentialsRequest`
#[derive(Clone, PartialEq, Message)]
pub(super) struct LoginAsked {
    #[prost(string, tag = "1")]
    pub(super) host: String,
}

/// `moby.filesync.v1.CredentialsResponse`. Never printed.
#[derive(Clone, PartialEq, Message)]
pub(super) struct LoginGiven {
    #[prost(string, tag = "1")]
    pub(super) username: String,
    #[prost(string, tag = "2")]
    pub(super) secret: String,
}

/// `moby.sshforward.v1.CheckAgentRequest`
#[derive(Clone, PartialEq, Message)]
pub(super) struct AgentAsked {
    #[prost(string, tag = "1")]
    pub(super) id: String,
}

/// An answer without a field.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Nothing {}

/// `moby.sshforward.v1.BytesMessage`
#[derive(Clone, PartialEq, Message)]
pub(super) struct Piece {
    #[prost(bytes = "bytes", tag = "1")]
    pub(super) data: bytes::Bytes,
}

/// `grpc.health.v1.HealthCheckResponse`
#[derive(Clone, PartialEq, Message)]
pub(super) struct Health {
    /// 1 is `SERVING`.
    #[prost(int32, tag = "1")]
    pub(super) status: i32,
}

/// `moby.buildkit.v1.StatusResponse`: what became known of a build since the last one.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Trace {
    #[prost(message, repeated, tag = "1")]
    pub(super) vertexes: Vec<Vertex>,
    #[prost(message, repeated, tag = "2")]
    pub(super) statuses: Vec<VertexStatus>,
    #[prost(message, repeated, tag = "3")]
    pub(super) logs: Vec<VertexLog>,
    #[prost(message, repeated, tag = "4")]
    pub(super) warnings: Vec<VertexWarning>,
}

/// A node of the build's graph: an instruction, or something that the builder does by itself.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Vertex {
    #[prost(string, tag = "1")]
    pub(super) digest: String,
    #[prost(string, tag = "3")]
    pub(super) name: String,
    #[prost(bool, tag = "4")]
    pub(super) cached: bool,
    #[prost(message, optional, tag = "5")]
    pub(super) started: Option<Moment>,
    #[prost(message, optional, tag = "6")]
    pub(super) completed: Option<Moment>,
    #[prost(string, tag = "7")]
    pub(super) error: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct VertexStatus {
    #[prost(string, tag = "1")]
    pub(super) id: String,
    #[prost(string, tag = "2")]
    pub(super) vertex: String,
    #[prost(int64, tag = "4")]
    pub(super) current: i64,
    #[prost(int64, tag = "5")]
    pub(super) total: i64,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct VertexLog {
    #[prost(string, tag = "1")]
    pub(super) vertex: String,
    /// 2 is standard error.
    #[prost(int64, tag = "3")]
    pub(super) stream: i64,
    #[prost(bytes = "vec", tag = "4")]
    pub(super) message: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct VertexWarning {
    #[prost(bytes = "vec", tag = "3")]
    pub(super) short: Vec<u8>,
}

/// `google.protobuf.Timestamp`
#[derive(Clone, Copy, PartialEq, Message)]
pub(super) struct Moment {
    #[prost(int64, tag = "1")]
    pub(super) seconds: i64,
    #[prost(int32, tag = "2")]
    pub(super) nanos: i32,
}

impl Moment {
    pub(super) fn millis(self) -> i64 {
        self.seconds.saturating_mul(1000).saturating_add(i64::from(self.nanos) / 1_000_000)
    }
}
