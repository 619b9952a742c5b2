//! A question put from the engine's host itself, for a container that nothing leads to from the edge.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Empty;
use hyper::Request;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use mainstay_model::plan::Question;
use tokio::net::TcpStream;

use super::{CONNECTS, judged};

/// Gives what was good about the answer, or what is wrong with it. `address` is `IP:PORT`.
pub(super) async fn ask(address: &str, question: &Question, within: Duration) -> Result<String, String> {
    let asked = async {
        let stream = TcpStream::connect(address).await?;
        if question.tcp { Ok(None) } else { get(stream, address, question).await.map(Some) }
    };
    match tokio::time::timeout(within, asked).await {
        Ok(Ok(None)) => Ok(CONNECTS.to_owned()),
        Ok(Ok(Some(status))) => judged(question, status, None),
        Ok(Err(error)) => Err(format!("not reached ({error})")),
        Err(_) => Err(format!("no answer within {} s", within.as_secs())),
    }
}

/// The status; the body is not waited for.
async fn get(stream: TcpStream, address: &str, question: &Question) -> io::Result<u16> {
    let request = Request::get(&question.path).header("Host", question.host.as_deref().unwrap_or(address));
    let request = request.body(Empty::<Bytes>::new()).map_err(io::Error::other)?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
    let exchange = sender.send_request(request);
    tokio::pin!(connection, exchange);
    let response = tokio::select! {
        answer = &mut exchange => answer,
        // The connection may end in the same moment as the answer is there.
        _ = &mut connection => exchange.await,
    };
    Ok(response.map_err(io::Error::other)?.status().as_u16())
}
