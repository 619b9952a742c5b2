//! The labels on what Mainstay makes: Compose's own, so that `docker compose ps` and `logs` work on the same
//! project, and ours, so that a stack can be taken up again from labels alone.

/// Compose: the project. The scope of every listing.
pub const PROJECT: &str = "com.docker.compose.project";
/// Compose: the service of a container.
pub const SERVICE: &str = "com.docker.compose.service";
/// Compose: the number of a container among its service's, from 1.
pub const NUMBER: &str = "com.docker.compose.container-number";
/// Compose: `True` on a `run` container, `False` on a service's.
pub const ONE_OFF: &str = "com.docker.compose.oneoff";
/// Compose looks for this label before it calls a container its own.
pub const CONFIG_HASH: &str = "com.docker.compose.config-hash";
/// Compose: the image's id at creation.
pub const IMAGE: &str = "com.docker.compose.image";
/// Compose: `service:condition:restart`, comma separated; serves `start`, `stop` and `restart` without files.
pub const DEPENDS_ON: &str = "com.docker.compose.depends_on";
pub const WORKING_DIR: &str = "com.docker.compose.project.working_dir";
pub const CONFIG_FILES: &str = "com.docker.compose.project.config_files";
/// Compose: the key of a network in the file.
pub const NETWORK: &str = "com.docker.compose.network";
/// Compose: the key of a volume in the file.
pub const VOLUME: &str = "com.docker.compose.volume";

/// Ours: present on everything that Mainstay made; the value is the version that made it.
pub const MADE_BY: &str = "dev.mainstay.made-by";
/// Ours: field name to short digest, as JSON: what the container was made from, without any value.
pub const FIELDS: &str = "dev.mainstay.fields";
/// Ours: the declared attachments as JSON; the held ones, even when the journal is gone.
pub const ATTACHMENTS: &str = "dev.mainstay.attachments";
/// Ours: which state folder keeps the container, as a digest of its path. A server holds what its own folder keeps, so
/// that two of them on one engine leave each other's stacks alone.
pub const KEEPER: &str = "dev.mainstay.keeper";
/// Ours: the stacks that this one requires, comma separated.
pub const REQUIRES: &str = "dev.mainstay.requires";
/// Ours, on networks and volumes: the digest of the declaration that they were made from.
pub const DIGEST: &str = "dev.mainstay.digest";
/// Ours, on a container that holds tools for a moment and belongs to no stack: what they are for.
pub const TOOLS: &str = "dev.mainstay.tools";
/// Ours, on a container that is thrown away after its use: what it is for.
pub const THROWAWAY: &str = "dev.mainstay.throwaway";
/// Ours, on such a container: the process that made it. When that one is gone, the container is left over.
pub const OWNER: &str = "dev.mainstay.owner";
/// Ours, on such a container: what it is about, for a person who looks.
pub const ABOUT: &str = "dev.mainstay.about";
