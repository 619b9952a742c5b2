//! As much of gRPC as a server of a few calls needs: messages with a length before them, a status behind them.
//! HTTP/2 itself is hyper's.

use std::convert::Infallible;
use std::pin::Pin;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use futures_util::Stream;
use futures_util::stream;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use hyper::{Request, Response};
use prost::Message;
use tokio::sync::{mpsc, oneshot};

/// How many messages may wait to be sent.
const WAITING: usize = 32;
/// A message longer than this is not read: nobody has a reason to send one.
const LONGEST: usize = 16 << 20;

type Frames = Pin<Box<dyn Stream<Item = Result<Frame<Bytes>, Infallible>> + Send>>;
pub(super) type Answer = Response<StreamBody<Frames>>;

/// Why a call failed, in gRPC's codes.
#[derive(Debug)]
pub(super) struct Status {
    code: u8,
    message: String,
}

impl Status {
    pub(super) fn not_found(message: impl Into<String>) -> Status {
        Status { code: 5, message: message.into() }
    }

    pub(super) fn unimplemented() -> Status {
        Status { code: 12, message: "this call is not served".into() }
    }

    pub(super) fn internal(message: impl Into<String>) -> Status {
        Status { code: 13, message: message.into() }
    }

    /// The other side went away: there is nobody to be told.
    pub(super) fn gone() -> Status {
        Status { code: 1, message: "cancelled".into() }
    }

    fn trailers(&self) -> HeaderMap {
        let mut trailers = HeaderMap::new();
        trailers.insert(HeaderName::from_static("grpc-status"), HeaderValue::from(u16::from(self.code)));
        let encoded: String = self.message.bytes().map(percent).collect();
        if let Ok(message) = HeaderValue::from_str(&encoded) {
            trailers.insert(HeaderName::from_static("grpc-message"), message);
        }
        trailers
    }
}

fn percent(byte: u8) -> String {
    match byte {
        b'%' => "%25".into(),
        b' '..=b'~' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    }
}

/// What is asked: the call's name, its metadata, and the messages as they come.
pub(super) struct Call {
    /// `/package.Service/Method`
    pub(super) method: String,
    pub(super) metadata: HeaderMap,
    pub(super) messages: Messages,
}

impl Call {
    pub(super) fn of(request: Request<Incoming>) -> Call {
        let (head, body) = request.into_parts();
        Call {
            method: head.uri.path().to_owned(),
            metadata: head.headers,
            messages: Messages { body, rest: BytesMut::new() },
        }
    }
}

pub(super) struct Messages {
    body: Incoming,
    rest: BytesMut,
}

impl Messages {
    /// The next message; `None` at the end of them.
    pub(super) async fn next<T: Message + Default>(&mut self) -> Result<Option<T>, Status> {
        loop {
            if let Some(message) = take(&mut self.rest)? {
                return T::decode(message).map(Some).map_err(|error| Status::internal(error.to_string()));
            }
            match self.body.frame().await {
                None => return Ok(None),
                Some(Err(_)) => return Err(Status::gone()),
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        self.rest.extend_from_slice(&data);
                    }
                }
            }
        }
    }

    /// The one message of a call that has one.
    pub(super) async fn only<T: Message + Default>(&mut self) -> Result<T, Status> {
        self.next().await?.ok_or_else(|| Status::internal("the call has no message"))
    }
}

/// A whole message from the start of what was received.
fn take(rest: &mut BytesMut) -> Result<Option<Bytes>, Status> {
    if rest.len() < 5 {
        return Ok(None);
    }
    let length = u32::from_be_bytes([rest[1], rest[2], rest[3], rest[4]]) as usize;
    if rest[0] != 0 || length > LONGEST {
        return Err(Status::internal("the message is compressed or too long"));
    }
    if rest.len() < 5 + length {
        return Ok(None);
    }
    rest.advance(5);
    Ok(Some(rest.split_to(length).freeze()))
}

fn framed(message: &impl Message) -> Bytes {
    let length = message.encoded_len();
    let mut bytes = BytesMut::with_capacity(5 + length);
    bytes.put_u8(0);
    bytes.put_u32(u32::try_from(length).unwrap_or(u32::MAX));
    // A buffer that grows takes every message.
    let _ = message.encode(&mut bytes);
    bytes.freeze()
}

/// Where the answer's messages go. Sending waits while the other side does not read.
#[derive(Clone)]
pub(super) struct Reply(mpsc::Sender<Bytes>);

impl Reply {
    pub(super) async fn send(&self, message: &impl Message) -> Result<(), Status> {
        self.0.send(framed(message)).await.map_err(|_| Status::gone())
    }

    /// The same from a thread that may wait.
    pub(super) fn send_blocking(&self, message: &impl Message) -> Result<(), Status> {
        self.0.blocking_send(framed(message)).map_err(|_| Status::gone())
    }
}

/// An answer whose messages are sent through the reply, and whose status comes by the other end when all is said.
pub(super) fn answer() -> (Reply, oneshot::Sender<Result<(), Status>>, Answer) {
    let (sender, receiver) = mpsc::channel::<Bytes>(WAITING);
    let (end, ended) = oneshot::channel::<Result<(), Status>>();
    let frames = stream::unfold(Some((receiver, ended)), |state| async move {
        let (mut receiver, ended) = state?;
        match receiver.recv().await {
            Some(bytes) => Some((Ok(Frame::data(bytes)), Some((receiver, ended)))),
            None => {
                let status = match ended.await {
                    Ok(Ok(())) => Status { code: 0, message: String::new() },
                    Ok(Err(status)) => status,
                    Err(_) => Status::gone(),
                };
                Some((Ok(Frame::trailers(status.trailers())), None))
            }
        }
    });
    let mut response = Response::new(StreamBody::new(Box::pin(frames) as Frames));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    (Reply(sender), end, response)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::proto::{SecretAsked, SecretGiven};
    use super::*;

    #[test]
    fn a_message_is_taken_when_it_is_whole() {
        let whole = framed(&SecretAsked { id: "npm".into() });
        let mut rest = BytesMut::from(&whole[..4]);
        assert!(take(&mut rest).unwrap().is_none());
        rest.extend_from_slice(&whole[4..]);
        rest.extend_from_slice(&framed(&SecretGiven { data: b"x".to_vec() }));
        assert_eq!(SecretAsked::decode(take(&mut rest).unwrap().unwrap()).unwrap().id, "npm");
        assert_eq!(SecretGiven::decode(take(&mut rest).unwrap().unwrap()).unwrap().data, b"x");
        assert!(take(&mut rest).unwrap().is_none() && rest.is_empty());
        assert!(take(&mut BytesMut::from(&[1_u8, 0, 0, 0, 0][..])).is_err(), "compressed");
        assert!(take(&mut BytesMut::from(&[0_u8, 255, 0, 0, 0][..])).is_err(), "longer than anybody sends");
    }

    #[tokio::test]
    async fn the_status_stands_behind_the_messages() {
        let (reply, end, response) = answer();
        reply.send(&SecretGiven { data: b"x".to_vec() }).await.unwrap();
        end.send(Err(Status::not_found("ü is not there"))).unwrap();
        drop(reply);
        let body = response.into_body().collect().await.unwrap();
        let trailers = body.trailers().unwrap().clone();
        assert_eq!(trailers["grpc-status"], "5");
        assert_eq!(trailers["grpc-message"], "%C3%BC is not there");
        assert_eq!(body.to_bytes(), framed(&SecretGiven { data: b"x".to_vec() }));
    }
}
