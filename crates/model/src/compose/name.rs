//! The project's name: who may give it, and which names there are.

use super::diagnostic::Diagnostic;
use super::filepath;
use super::tree::Span;

/// A name in the form that Compose uses for containers: small letters, digits, `-` and `_`, the first one a
/// letter or a digit. Everything else is left out.
pub fn normalize(text: &str) -> String {
    let kept: String = text
        .to_lowercase()
        .chars()
        .filter(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || matches!(letter, '-' | '_'))
        .collect();
    kept.trim_start_matches(['-', '_']).to_owned()
}

/// Who may name the project, the first wins.
pub struct NameSources<'a> {
    /// `--project-name`
    pub flag: Option<&'a str>,
    /// `COMPOSE_PROJECT_NAME`
    pub environment: Option<&'a str>,
    /// `name` of the last file that has one, interpolated, with its place.
    pub files: Option<(&'a str, Span)>,
    pub project_directory: &'a str,
}

/// The project's name.
///
/// # Errors
/// A name from a flag or the environment must be right as it is; one from a file or a folder is normalised,
/// but something must be left of it.
pub fn choose(sources: &NameSources<'_>) -> Result<String, Diagnostic> {
    let strict = [("the project name", sources.flag), ("`COMPOSE_PROJECT_NAME`", sources.environment)];
    for (who, name) in strict {
        let Some(name) = name.filter(|name| !name.is_empty()) else { continue };
        let normal = normalize(name);
        if normal == name {
            return Ok(normal);
        }
        let problem = Diagnostic::error("bad-project-name", Span::NOWHERE, format!("{who} `{name}` cannot be used"));
        return Err(problem.hint(hint(&normal)));
    }
    if let Some((name, span)) = sources.files {
        let normal = normalize(name);
        return if normal.is_empty() { Err(nameless(span, &left_over(name))) } else { Ok(normal) };
    }
    let normal = normalize(filepath::last(sources.project_directory));
    if normal.is_empty() { Err(nameless(Span::NOWHERE, "the project has no name")) } else { Ok(normal) }
}

fn left_over(name: &str) -> String {
    if name.is_empty() {
        "the name of the project is empty".to_owned()
    } else {
        format!("`{name}` leaves no name for the project")
    }
}

fn nameless(span: Span, message: &str) -> Diagnostic {
    Diagnostic::error("no-project-name", span, message)
        .hint("write `name: …` in the file, with a letter or a digit in it, or give `--project-name`")
}

fn hint(normal: &str) -> String {
    let rule = "small letters, digits, `-` and `_`, and first a letter or a digit";
    if normal.is_empty() { format!("use {rule}") } else { format!("use `{normal}`: {rule}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choose_from(flag: Option<&str>, environment: Option<&str>, file: Option<&str>, folder: &str) -> String {
        let files = file.map(|name| (name, Span::NOWHERE));
        match choose(&NameSources { flag, environment, files, project_directory: folder }) {
            Ok(name) => name,
            Err(problem) => format!("{}: {}", problem.code, problem.hint.unwrap_or_default()),
        }
    }

    #[test]
    fn the_flag_wins_over_the_environment_over_the_file_over_the_folder() {
        assert_eq!(choose_from(Some("a"), Some("b"), Some("c"), "/d"), "a");
        assert_eq!(choose_from(None, Some("b"), Some("c"), "/d"), "b");
        assert_eq!(choose_from(None, Some(""), Some("My App"), "/d"), "myapp");
        assert_eq!(choose_from(None, None, None, "/srv/My.Shop"), "myshop");
        assert!(choose_from(None, None, Some("---"), "/srv/x").starts_with("no-project-name"));
        assert!(choose_from(None, None, Some(""), "/srv/x").starts_with("no-project-name"));
    }

    #[test]
    fn a_name_that_somebody_gives_on_purpose_must_be_right() {
        assert!(choose_from(Some("My App"), None, None, "/d").starts_with("bad-project-name: use `myapp`"));
        assert!(choose_from(None, Some("_x"), None, "/d").starts_with("bad-project-name"));
        assert!(choose_from(None, None, None, "/").starts_with("no-project-name"));
    }
}
