//! Files that a declaration would make and that are there already.

use std::path::Path;

use mainstay_model::compose::{Diagnostic, FileProblem, Files, Span};
use mainstay_model::declared::Declared;

use super::disk::Disk;

/// Told, and left: a file that is there is its owner's.
pub(super) fn differing(declared: &Declared) -> Vec<Diagnostic> {
    let files = declared.services.values().flat_map(|service| &service.files);
    let told = files.filter_map(|file| {
        let path = Path::new(&file.path);
        if path.is_dir() {
            let message = format!("`{}` is a folder, and its `content` makes a file", file.path);
            let hint = "remove the folder if nothing in it is needed: an earlier mount may have made it";
            return Some(Diagnostic::warning("host-file-differs", Span::NOWHERE, message).hint(hint));
        }
        let wanted = file.content.reveal().as_bytes();
        let is_other = match Disk::default().read(&file.path, wanted.len() as u64) {
            Ok(content) => content != wanted,
            Err(problem) => !matches!(problem, FileProblem::Missing),
        };
        is_other.then(|| {
            let message = format!("`{}` is there and differs from its `content`: it is used as it is", file.path);
            let hint = "remove it to have it made anew, and the container with `--force-recreate`";
            Diagnostic::warning("host-file-differs", Span::NOWHERE, message).hint(hint)
        })
    });
    told.collect()
}
