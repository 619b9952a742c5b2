//! The rules of the services, with what each of them leaves out.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use mainstay_model::declared::Declared;
use mainstay_model::declared::watch::Watch;
use mainstay_model::identity::ServiceName;

use crate::docker::build::dockerignore::Ignore;

/// What editors and version control write for themselves.
const PASSING: &str = "**/.git\n**/.idea\n**/*___jb_old___\n**/*___jb_tmp___\n**/.#*\n**/#*#\n**/*~\n**/4913\n**/.*.sw?\n\
                       **/.*.kate-swp\n**/.goutputstream-*\n**/.DS_Store\n";

/// One rule of one service.
#[derive(Debug)]
pub struct Rule {
    pub service: ServiceName,
    pub watch: Watch,
    pub path: PathBuf,
    /// Whether it is a folder. A file is watched by way of its folder: editors put another one in its place.
    pub is_folder: bool,
    ignored: Ignore,
    passing: Ignore,
    /// The context of the service's build, and what stays out of it.
    context: Option<(PathBuf, Ignore)>,
    included: Option<Ignore>,
}

/// The rules as they are followed. Given back with it: paths at which there is nothing to watch.
pub fn rules_of(declared: &Declared, watched: BTreeMap<ServiceName, Vec<Watch>>) -> (Vec<Rule>, Vec<String>) {
    let mut rules = Vec::new();
    let mut missing = Vec::new();
    for (service, watches) in watched {
        for watch in watches {
            let Ok(path) = std::fs::canonicalize(&watch.path) else {
                missing.push(watch.path);
                continue;
            };
            let context = context_of(declared, &service);
            rules.push(Rule::of(service.clone(), watch, path, context));
        }
    }
    (rules, missing)
}

/// The folder of a service's build, with its `.dockerignore`.
fn context_of(declared: &Declared, service: &ServiceName) -> Option<(PathBuf, Ignore)> {
    let build = declared.services.get(service)?.build.as_ref()?;
    let folder = std::fs::canonicalize(&build.context).ok()?;
    // A Dockerfile may have an ignore file of its own.
    let of_dockerfile = format!("{}.dockerignore", build.dockerfile.as_deref().unwrap_or("Dockerfile"));
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).ok();
    let text = read(&of_dockerfile).or_else(|| read(".dockerignore")).unwrap_or_default();
    Some((folder, Ignore::parse(&text)))
}

impl Rule {
    fn of(service: ServiceName, watch: Watch, path: PathBuf, context: Option<(PathBuf, Ignore)>) -> Rule {
        let patterns = |list: &[String]| Ignore::parse(&list.join("\n"));
        Rule {
            service,
            is_folder: path.is_dir(),
            path,
            ignored: patterns(&watch.ignore),
            passing: Ignore::parse(PASSING),
            context,
            included: (!watch.include.is_empty()).then(|| patterns(&watch.include)),
            watch,
        }
    }

    /// The path below that of the rule, with `/` between its words and empty for the path itself; `None` for what the
    /// rule is not about.
    pub fn matches(&self, path: &Path) -> Option<String> {
        let relative = words(path.strip_prefix(&self.path).ok()?)?;
        let name = if relative.is_empty() { words(Path::new(self.path.file_name()?))? } else { relative.clone() };
        let stays_out = self.context.as_ref().is_some_and(|(folder, ignore)| {
            path.strip_prefix(folder).ok().and_then(words).is_some_and(|inside| ignore.ignores(&inside))
        });
        let is_left_out = self.ignored.ignores(&relative) || self.passing.ignores(&name) || stays_out;
        let is_meant = self.included.as_ref().is_none_or(|included| relative.is_empty() || included.ignores(&relative));
        (!is_left_out && is_meant).then_some(relative)
    }

    /// Where a path below the rule's own is in the container.
    pub fn target(&self, relative: &str) -> Option<String> {
        let target = self.watch.target.as_ref()?;
        match relative {
            "" => Some(target.clone()),
            relative => Some(format!("{}/{relative}", target.trim_end_matches('/'))),
        }
    }
}

/// A path that is no text is nothing that a pattern or a container could be told of.
fn words(path: &Path) -> Option<String> {
    path.to_str().map(str::to_owned)
}

#[cfg(test)]
impl Rule {
    pub(super) fn for_test(watch: Watch, is_folder: bool, context: Option<(PathBuf, &str)>) -> Rule {
        let context = context.map(|(folder, text)| (folder, Ignore::parse(text)));
        let path = PathBuf::from(&watch.path);
        Rule { is_folder, ..Rule::of(ServiceName::new("web").expect("a name"), watch, path, context) }
    }
}
