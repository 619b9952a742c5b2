//! A session with a server that has no network: a program that runs beside it carries the bytes.
//!
//! That program is the shell's own `/dev/tcp` with two `cat`s. It asks nothing of the image but `bash`, which every usual
//! Postgres image has for its entry point, and works wherever the engine is: a socket in a shared folder would need the engine on
//! this machine, and a short path.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use standing_pool::tokio_postgres::{Client, Config, NoTls};
use standing_pool::{Failure, Kind, TargetName};
use tokio_util::io::StreamReader;

use crate::docker::{LogStream, Throwaway};

const CARRY: &str = "exec 3<>/dev/tcp/127.0.0.1/5432 || exit 1; cat <&3 & exec cat >&3";
const CONNECT_WITHIN: Duration = Duration::from_secs(30);

/// A way to one database of a throw-away server.
#[derive(Clone, Debug)]
pub(super) struct Tunnel {
    pub container: Arc<Throwaway>,
    pub database: String,
    pub user: String,
}

impl Tunnel {
    pub fn name(&self) -> TargetName {
        TargetName {
            host: self.container.name().to_owned(),
            port: "5432".into(),
            database: self.database.clone(),
            user: self.user.clone(),
        }
    }

    pub async fn connect(&self) -> Result<Client, Failure> {
        tokio::time::timeout(CONNECT_WITHIN, self.dial())
            .await
            .unwrap_or_else(|_| Err(failure(Kind::Timeout, format!("no answer within {} s", CONNECT_WITHIN.as_secs()))))
    }

    async fn dial(&self) -> Result<Client, Failure> {
        let mut exec = self
            .container
            .exec(&["bash", "-c", CARRY], true)
            .await
            .map_err(|error| failure(Kind::Refused, error.to_string()))?;
        let Some(input) = exec.input.take() else {
            return Err(failure(Kind::Internal, "the engine opened no input"));
        };
        let output = exec.output.filter_map(|piece| async {
            match piece {
                Ok(piece) if piece.stream == LogStream::Out => Some(Ok(piece.bytes)),
                Ok(_) => None,
                Err(error) => Some(Err(std::io::Error::other(error))),
            }
        });
        let stream = tokio::io::join(StreamReader::new(Box::pin(output)), input);
        let mut config = Config::new();
        config.user(&self.user).dbname(&self.database).application_name("mainstay");
        let (client, connection) = config.connect_raw(stream, NoTls).await.map_err(|error| Failure::of(&error))?;
        tokio::spawn(connection);
        Ok(client)
    }
}

fn failure(kind: Kind, message: impl Into<String>) -> Failure {
    Failure { kind, sqlstate: None, message: message.into() }
}
