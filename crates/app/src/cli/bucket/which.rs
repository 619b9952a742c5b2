//! Which buckets a command is about, where they are now, and where their backups lie.

use mainstay_engine::blobs::Store;
use mainstay_engine::bucket::{Cabinet, Server};
use mainstay_model::bucket::Cellar;
use mainstay_model::declared::{Backup, Bucket, BucketServer, Declared, Destination, StackBucket};
use mainstay_model::identity::ServiceName;
use mainstay_model::observed::{Scope, State};

use crate::boot::{Boot, engine};
use crate::cli::db::shelf::with_keys;
use crate::cli::{generated, smoke};
use crate::problem::Problem;

/// One declared bucket.
pub struct Chosen {
    pub name: String,
    pub wish: StackBucket,
    pub declared: Declared,
    pub env: Option<String>,
}

/// The declared buckets with these names, or all.
///
/// # Errors
/// When it is not clear which stack is meant, or it does not declare one of them.
pub async fn choose(boot: &Boot, names: &[String]) -> Result<Vec<Chosen>, Problem> {
    let [read] = <[_; 1]>::try_from(smoke::reads(boot).await?).map_err(|reads| {
        Problem::usage("one-stack", format!("a bucket is one of one stack, and {} are named", reads.len()))
            .hint("name one: `--stack NAME`")
    })?;
    let declared = generated::shown(boot, read).await?.declared;
    boot.ui.redactions.learn(declared.secrets.values.values());
    boot.ui.redactions.learn(declared.buckets.values().map(|bucket| &bucket.secret_key));
    if declared.buckets.is_empty() {
        return Err(Problem::usage("no-bucket", format!("`{}` declares no bucket", declared.stack)).hint(
            "declare it: `x-mainstay: { buckets: { artifacts: { service: s3, port: 9000, access_key: …, secret_key: … } } }`",
        ));
    }
    if let Some(unknown) = names.iter().find(|name| !declared.buckets.contains_key(*name)) {
        let known: Vec<&str> = declared.buckets.keys().map(String::as_str).collect();
        let message = format!("`{}` declares no bucket `{unknown}`", declared.stack);
        return Err(Problem::usage("no-such-bucket", message).hint(format!("there is `{}`", known.join("`, `"))));
    }
    let is_meant = |name: &String| names.is_empty() || names.contains(name);
    let chosen = declared.buckets.iter().filter(|(name, _)| is_meant(name)).map(|(name, wish)| Chosen {
        name: name.clone(),
        wish: wish.clone(),
        declared: declared.clone(),
        env: boot.global.env.clone(),
    });
    Ok(chosen.collect())
}

/// The one declared bucket of that name, or the only one.
///
/// # Errors
/// As [`choose`], and when there are several.
pub async fn one(boot: &Boot, name: Option<&String>) -> Result<Chosen, Problem> {
    let chosen = choose(boot, name.cloned().as_slice()).await?;
    <[Chosen; 1]>::try_from(chosen).map(|[one]| one).map_err(|chosen| {
        let names: Vec<&str> = chosen.iter().map(|one| one.name.as_str()).collect();
        Problem::usage("which-bucket", format!("`{}` has several buckets", chosen[0].declared.stack))
            .hint(format!("name one of `{}`", names.join("`, `")))
    })
}

impl Chosen {
    /// `artifacts of botmox`.
    pub fn of(&self) -> String {
        match &self.env {
            Some(env) => format!("{} of {} ({env})", self.name, self.declared.stack),
            None => format!("{} of {}", self.name, self.declared.stack),
        }
    }

    /// Where it is now.
    ///
    /// # Errors
    /// When no container of its service runs.
    pub async fn place(&self, boot: &Boot) -> Result<Bucket, Problem> {
        let endpoint = match &self.wish.server {
            BucketServer::Endpoint(endpoint) => endpoint.clone(),
            BucketServer::Service { service, port } => {
                format!("http://{}:{port}", address(boot, &self.declared, service).await?)
            }
        };
        Ok(Bucket {
            bucket: self.wish.bucket.clone(),
            prefix: String::new(),
            endpoint: Some(endpoint),
            region: self.wish.region.clone(),
            path_style: self.wish.path_style,
            access_key: Some(self.wish.access_key.clone()),
            secret_key: Some(self.wish.secret_key.clone()),
        })
    }

    /// Its objects.
    ///
    /// # Errors
    /// As [`Chosen::place`].
    pub async fn objects(&self, boot: &Boot) -> Result<Store, Problem> {
        let place = Destination::S3(self.place(boot).await?);
        Ok(Store::open(&place).map_err(mainstay_engine::bucket::BucketError::from)?)
    }

    /// Itself.
    ///
    /// # Errors
    /// As [`Chosen::place`].
    pub async fn server(&self, boot: &Boot) -> Result<Server, Problem> {
        Ok(Server::new(&self.place(boot).await?)?)
    }

    pub fn backup(&self) -> Result<&Backup, Problem> {
        self.wish.backup.as_ref().ok_or_else(|| {
            Problem::usage(
                "no-backup-declared",
                format!("`{}` declares no place for backups of `{}`", self.declared.stack, self.name),
            )
            .hint("declare it: `backup: { to: s3://BUCKET/PREFIX }`, or a folder: `backup: { to: ./backups }`")
        })
    }

    /// Where its backups lie.
    ///
    /// # Errors
    /// When none is declared, or it cannot be used.
    pub fn cabinet(&self, boot: &Boot) -> Result<Cabinet, Problem> {
        let backup = self.backup()?;
        let to = with_keys(backup.to.clone(), &boot.environment);
        if let Destination::S3(Bucket { secret_key: Some(secret), .. }) = &to {
            boot.ui.redactions.learn([secret]);
        }
        let store = Store::open(&to).map_err(mainstay_engine::bucket::BucketError::from)?;
        let seals = boot.secrets().seals(&backup.recipients)?;
        let cellar = Cellar::new(self.declared.stack.as_str(), self.env.as_deref(), &self.name);
        Ok(Cabinet::new(store, cellar, seals, self.of()))
    }
}

/// The address of the service's container on one of its networks, which this host reaches.
async fn address(boot: &Boot, declared: &Declared, service: &ServiceName) -> Result<String, Problem> {
    let docker = boot.docker().await?;
    let observed = engine::look(&docker, &Scope::of(declared)).await?;
    let running = observed.containers.iter().find(|container| {
        container.stack.as_ref() == Some(&declared.stack)
            && container.service.as_ref() == Some(service)
            && container.state == State::Running
    });
    let Some(container) = running else {
        return Err(Problem::world("bucket-not-running", format!("no container of `{service}` runs"))
            .hint(format!("`mainstay up {service}` starts it, `mainstay logs {service}` says why it ended")));
    };
    let address =
        container.endpoints.iter().find_map(|endpoint| endpoint.ipv4_address.clone().filter(|one| !one.is_empty()));
    address.ok_or_else(|| {
        Problem::world("bucket-without-address", format!("`{}` has no address on a network", container.name))
            .hint("name it by `endpoint`")
    })
}
