//! Pages that only have to be served.

use super::{App, Found, filled};

const DOCKERFILE: &str = r#"FROM caddy:2
# Caddy keeps nothing here: the pages are in the image.
ENV XDG_CONFIG_HOME=/tmp XDG_DATA_HOME=/tmp
COPY @FOLDER@ /srv
USER 10001
EXPOSE 8080
CMD ["caddy", "file-server", "--root", "/srv", "--listen", ":8080"]
"#;

pub(super) fn app(found: &Found) -> App {
    let folder = if found.has("index.html") { "." } else { "public" };
    App {
        what: "a static site (index.html)".to_owned(),
        port: 8080,
        health: "/".to_owned(),
        takes_port: false,
        dockerfile: Some(filled(DOCKERFILE, &[("FOLDER", folder)])),
        ignored: vec!["README*", "*.md"],
        notes: Vec::new(),
    }
}
