//! What a build is given without a trace in it: secrets, and the agents that hold SSH keys.

use std::collections::BTreeMap;
use std::os::unix::fs::FileTypeExt;
use std::path::PathBuf;

use mainstay_model::declared::{Build, Hidden};

use crate::secrets::Redactions;
use crate::world::WorldError;

/// BuildKit takes none that is longer.
const LONGEST: usize = 500 * 1024;

#[derive(Default)]
pub(super) struct Secrets {
    pub(super) values: BTreeMap<String, Hidden>,
    pub(super) agents: BTreeMap<String, PathBuf>,
}

/// Reads the files of secrets, byte for byte, and makes their values known as what is never told.
pub(super) async fn read(build: &Build, redactions: &Redactions) -> Result<Secrets, WorldError> {
    let mut values = BTreeMap::new();
    for (id, secret) in &build.secrets {
        let value = match secret.target.as_str() {
            "" => secret.content.clone(),
            path => {
                let doing = || WorldError::new(format!("the build secret `{id}` could not be read from `{path}`"));
                let bytes = tokio::fs::read(path).await.map_err(|error| doing().caused_by(error))?;
                let text = String::from_utf8(bytes).map_err(|_| doing().caused_by("it is no text in UTF-8"))?;
                Hidden::new(text)
            }
        };
        if value.reveal().len() > LONGEST {
            return Err(WorldError::new(format!(
                "the build secret `{id}` is longer than the 500 KB that BuildKit takes"
            )));
        }
        // A file ends with a line break that no output has.
        redactions.learn([&value, &Hidden::new(value.reveal().trim_end())]);
        values.insert(id.clone(), value);
    }
    let mut agents = BTreeMap::new();
    for (id, path) in &build.ssh {
        let there = tokio::fs::metadata(path).await;
        if !there.as_ref().is_ok_and(|there| there.file_type().is_socket()) {
            let what = if there.is_ok() { "is not the socket of an SSH agent" } else { "is not there" };
            return Err(WorldError::new(format!("the SSH agent `{id}` of the build: `{path}` {what}"))
                .hint("a key goes by an agent: `ssh-agent -a <socket>`, then `SSH_AUTH_SOCK=<socket> ssh-add <key>`"));
        }
        agents.insert(id.clone(), PathBuf::from(path));
    }
    Ok(Secrets { values, agents })
}
