//! What stays out of an image.

use super::App;

const ALWAYS: &str =
    "# An image is read by whoever can pull it: no secrets, no history, nothing that is made again inside.
.git
.github
.env
.env.*
**/.env
**/.env.*
*.pem
*.key
.dockerignore
Dockerfile*
compose*.y*ml
docker-compose*.y*ml
.DS_Store
.vscode
.idea
";

pub(super) fn file(app: &App) -> String {
    app.ignored.iter().fold(ALWAYS.to_owned(), |text, line| format!("{text}{line}\n"))
}
