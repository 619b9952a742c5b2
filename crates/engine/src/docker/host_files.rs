//! Files of the host that a container's mounts bind: made when they are missing, before the engine would make a
//! folder of that name.

use std::io::ErrorKind;
use std::path::Path;

use mainstay_model::declared::HostFile;
use tokio::fs::{self, OpenOptions};
use tokio::io::AsyncWriteExt;

use crate::world::{Progress, WorldError};

/// Makes those that are missing. What is there stays, whatever it is.
pub(super) async fn make(files: &[HostFile], progress: &Progress) -> Result<(), WorldError> {
    for file in files {
        let path = Path::new(&file.path);
        if fs::symlink_metadata(path).await.is_ok() {
            continue;
        }
        match write(path, file.content.reveal().as_bytes()).await {
            Ok(()) => progress.tell(format!("made `{}`", file.path)),
            // Somebody was quicker, and it is theirs.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => {
                let failed = WorldError::new(format!("the file `{}` could not be made", file.path)).caused_by(error);
                return Err(failed.hint("let this user write there, or make the file yourself"));
            }
        }
    }
    Ok(())
}

/// A file under its own name is whole: another process that finds it may read it at once.
async fn write(path: &Path, content: &[u8]) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).await?;
    }
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".mainstay-{}", std::process::id()));
    let half = path.with_file_name(name);
    let written = async {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(&half).await?;
        file.write_all(content).await?;
        file.sync_all().await?;
        // A link, unlike a rename, never takes the place of what came meanwhile.
        fs::hard_link(&half, path).await
    };
    let done = written.await;
    let _ = fs::remove_file(&half).await;
    done
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use mainstay_model::declared::Hidden;

    #[tokio::test]
    async fn a_missing_file_is_made_and_one_that_is_there_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        std::fs::write(path("own"), "mine").unwrap();
        let files = ["own", "deep/er/new"].map(|name| HostFile { path: path(name), content: Hidden::new("theirs\n") });
        make(&files, &Progress::silent()).await.unwrap();
        assert_eq!(std::fs::read_to_string(path("own")).unwrap(), "mine");
        assert_eq!(std::fs::read_to_string(path("deep/er/new")).unwrap(), "theirs\n");
        assert_eq!(std::fs::read_dir(folder.path().join("deep/er")).unwrap().count(), 1);
    }
}
