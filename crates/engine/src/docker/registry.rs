//! What a registry is told about who asks: the `auths` of Docker's own configuration, as `docker login` writes them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use bollard::auth::DockerCredentials;
use hyper::header::HeaderValue;
use mainstay_model::declared::Hidden;
use serde::Deserialize;
use serde_json::{Value, json};

/// Docker Hub's name in that file.
const HUB: &str = "index.docker.io";

#[derive(Clone, Default)]
pub(super) struct Logins {
    /// By host, without scheme and path.
    by_host: BTreeMap<String, Login>,
    /// Passwords are in a helper program, which is not asked.
    pub(super) has_helper: bool,
}

#[derive(Clone)]
struct Login {
    /// The key as it stands in the file; the engine wants the same one.
    key: String,
    username: String,
    password: Hidden,
    identity_token: Hidden,
}

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    auths: BTreeMap<String, Entry>,
    #[serde(rename = "credsStore", default)]
    store: Option<String>,
    #[serde(rename = "credHelpers", default)]
    helpers: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Entry {
    #[serde(default)]
    auth: String,
    #[serde(default)]
    identitytoken: String,
}

impl Logins {
    /// Reads the file; one that is not there, or is not understood, knows nobody.
    pub(super) async fn read(path: Option<PathBuf>) -> Logins {
        let Some(path) = path else { return Logins::default() };
        let Ok(text) = tokio::fs::read(path).await else { return Logins::default() };
        Logins::parse(&text)
    }

    fn parse(text: &[u8]) -> Logins {
        let Ok(file) = serde_json::from_slice::<File>(text) else { return Logins::default() };
        let mut logins = Logins { has_helper: file.store.is_some() || !file.helpers.is_empty(), ..Logins::default() };
        for (key, entry) in file.auths {
            let decoded = STANDARD.decode(entry.auth.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
            let (username, password) = decoded
                .as_deref()
                .and_then(|pair| pair.split_once(':'))
                .map_or((String::new(), ""), |(name, password)| (name.to_owned(), password.trim_end_matches('\0')));
            if username.is_empty() && entry.identitytoken.is_empty() {
                continue;
            }
            let (password, identity_token) = (Hidden::new(password), Hidden::new(entry.identitytoken));
            logins.by_host.insert(host_of(&key), Login { key, username, password, identity_token });
        }
        logins
    }

    /// What a typed call about one image is told.
    pub(super) fn credentials(&self, reference: &str) -> Option<DockerCredentials> {
        let login = self.by_host.get(&registry_of(reference))?;
        let said = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        Some(DockerCredentials {
            username: said(&login.username),
            password: said(login.password.reveal()),
            identitytoken: said(login.identity_token.reveal()),
            serveraddress: Some(login.key.clone()),
            ..DockerCredentials::default()
        })
    }

    /// The header for pulling one image.
    pub(super) fn for_image(&self, reference: &str) -> Option<HeaderValue> {
        header(&self.by_host.get(&registry_of(reference))?.told())
    }

    /// The login for a registry's host, as BuildKit asks for it: a token stands without a name.
    pub(super) fn pair(&self, host: &str) -> Option<(String, String)> {
        // BuildKit asks for Docker Hub by the host that serves it.
        let host = if host == "registry-1.docker.io" { HUB.into() } else { host_of(host) };
        let login = self.by_host.get(&host)?;
        Some(match login.identity_token.reveal() {
            "" => (login.username.clone(), login.password.reveal().to_owned()),
            token => (String::new(), token.to_owned()),
        })
    }

    /// The header for a build, which may pull from anywhere.
    pub(super) fn for_build(&self) -> Option<HeaderValue> {
        if self.by_host.is_empty() {
            return None;
        }
        let all: serde_json::Map<String, Value> =
            self.by_host.values().map(|login| (login.key.clone(), login.told())).collect();
        header(&Value::Object(all))
    }
}

impl Login {
    fn told(&self) -> Value {
        json!({
            "username": self.username,
            "password": self.password.reveal(),
            "identitytoken": self.identity_token.reveal(),
            "serveraddress": self.key,
        })
    }
}

fn header(value: &Value) -> Option<HeaderValue> {
    let mut header = HeaderValue::from_str(&URL_SAFE.encode(value.to_string())).ok()?;
    header.set_sensitive(true);
    Some(header)
}

fn host_of(key: &str) -> String {
    let key = key.split_once("://").map_or(key, |(_, rest)| rest);
    let host = key.split('/').next().unwrap_or(key);
    if host == "docker.io" { HUB.into() } else { host.to_owned() }
}

/// The registry of a reference, by Docker's rule: a first part with a dot, a colon or the name `localhost`.
fn registry_of(reference: &str) -> String {
    match reference.split_once('/') {
        Some((first, _)) if first.contains(['.', ':']) || first == "localhost" => host_of(first),
        _ => HUB.into(),
    }
}

/// A reference in the two parts that a pull takes: a name, and a tag or digest. Without a tag an engine would pull
/// every tag there is.
pub(super) fn name_and_tag(reference: &str) -> (&str, &str) {
    if let Some((name, digest)) = reference.split_once('@') {
        return (name, digest);
    }
    match reference.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, tag),
        _ => (reference, "latest"),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn references_are_split_as_docker_does() {
        assert_eq!(name_and_tag("nginx"), ("nginx", "latest"));
        assert_eq!(name_and_tag("localhost:5000/x"), ("localhost:5000/x", "latest"));
        assert_eq!(name_and_tag("localhost:5000/x:2"), ("localhost:5000/x", "2"));
        assert_eq!(name_and_tag("a/b@sha256:00"), ("a/b", "sha256:00"));
        assert_eq!(registry_of("library/nginx"), HUB);
        assert_eq!(registry_of("ghcr.io/acme/web:1"), "ghcr.io");
    }

    #[test]
    fn a_login_is_found_by_its_host_and_never_printed() {
        let file = format!(
            r#"{{"auths":{{"https://index.docker.io/v1/":{{"auth":"{}"}},"ghcr.io":{{}}}},"credsStore":"pass"}}"#,
            STANDARD.encode("me:s3cret:x")
        );
        let logins = Logins::parse(file.as_bytes());
        assert!(logins.has_helper);
        assert!(logins.for_image("ghcr.io/acme/web").is_none());
        let header = logins.for_image("nginx").unwrap();
        assert!(!format!("{header:?}").contains(&URL_SAFE.encode("x")));
        let told: Value = serde_json::from_slice(&URL_SAFE.decode(header.as_bytes()).unwrap()).unwrap();
        assert_eq!((told["username"].as_str(), told["password"].as_str()), (Some("me"), Some("s3cret:x")));
    }
}
