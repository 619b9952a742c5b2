//! Which buckets a command is about, where they are now, and where their backups lie.

use mainstay_engine::WorldError;
use mainstay_engine::blobs::Store;
use mainstay_engine::bucket::{Cabinet, Place, Server, place};
use mainstay_engine::timetable::{Kind, Memory, Seen};
use mainstay_model::bucket::Cellar;
use mainstay_model::declared::{Backup, Bucket, BucketServer, Declared, Destination, StackBucket};

use crate::boot::Boot;
use crate::cli::db::shelf::with_keys;
use crate::cli::db::status::judge;
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
    pub async fn place(&self, boot: &Boot) -> Result<Place, Problem> {
        // A problem with the engine has hints of its own.
        if matches!(self.wish.server, BucketServer::Service { .. }) {
            boot.docker().await?;
        }
        let docker = async || boot.docker().await.map_err(|problem| WorldError::new(problem.message.clone()));
        Ok(place(docker, &self.declared, &self.wish).await?)
    }

    /// Its objects.
    ///
    /// # Errors
    /// As [`Chosen::place`].
    pub async fn objects(&self, boot: &Boot) -> Result<Store, Problem> {
        Ok(self.place(boot).await?.objects()?)
    }

    /// Itself.
    ///
    /// # Errors
    /// As [`Chosen::place`].
    pub async fn server(&self, boot: &Boot) -> Result<Server, Problem> {
        Ok(self.place(boot).await?.server()?)
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

    /// What a server and `mainstay ps` know of its backups.
    pub fn memory(&self, boot: &Boot) -> Memory {
        let stack = self.declared.stack.as_str();
        Memory::read(&boot.settings.state_dir, Kind::Bucket, stack, self.env.as_deref(), &self.name)
    }

    /// What a command has done, for those who do not ask the store.
    pub async fn remember(&self, boot: &Boot, cabinet: &Cabinet) {
        let Ok(listing) = cabinet.list().await else { return };
        let mut memory = self.memory(boot);
        memory.learn(Seen::from(&listing));
        judge(self.wish.backup.as_ref(), &mut memory);
        // It can be made of the store again.
        let _ = memory.write(&boot.settings.state_dir);
    }
}
