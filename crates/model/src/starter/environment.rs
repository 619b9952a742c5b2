//! The variables that an app asks for in `.env.example`.

use super::Found;

/// One variable, and how it gets its value.
pub(super) struct Variable<'a> {
    pub(super) name: &'a str,
    pub(super) value: From<'a>,
}

#[derive(PartialEq, Eq)]
pub(super) enum From<'a> {
    /// Made up once; nobody has to know it.
    Made,
    /// Nobody but a person can say it.
    Required,
    Default(&'a str),
}

/// What the example asks for. The port is Mainstay's to say, and what is switched on for development is not wanted.
pub(super) fn variables(found: &Found) -> Vec<Variable<'_>> {
    let lines = found.text(".env.example").unwrap_or_default().lines();
    let pairs = lines.filter_map(|line| line.trim().trim_start_matches("export ").split_once('='));
    let mut variables: Vec<Variable<'_>> = Vec::new();
    for (name, value) in pairs {
        let name = name.trim();
        let is_name = !name.is_empty()
            && name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
            && !name.starts_with(|letter: char| letter.is_ascii_digit());
        if !is_name
            || matches!(name, "PORT" | "NODE_ENV" | "TAG" | "DOMAIN")
            || variables.iter().any(|one| one.name == name)
        {
            continue;
        }
        let value = value.split(" #").next().unwrap_or_default().trim().trim_matches(['"', '\'']);
        variables.push(Variable { name, value: how(name, value) });
    }
    variables
}

fn how<'a>(name: &str, value: &'a str) -> From<'a> {
    let ends = |ends: &[&str]| ends.iter().any(|end| name.ends_with(end));
    let is_of_others = ["CLIENT", "API", "STRIPE", "AWS", "S3", "GOOGLE", "GITHUB", "SMTP", "WEBHOOK"]
        .iter()
        .any(|other| name.contains(other));
    if ends(&["SECRET", "SECRET_KEY", "SECRET_KEY_BASE"]) && !is_of_others {
        return From::Made;
    }
    let is_secret = ends(&["SECRET", "KEY", "TOKEN", "PASSWORD", "PASS", "URI", "DSN", "DATABASE_URL"]);
    let is_plain = !value.is_empty() && value.len() < 200 && !value.contains(['$', '"', '\\', '}']);
    if is_secret || !is_plain { From::Required } else { From::Default(value) }
}
