//! What must not be read in a build's output, nor in the names of its parts.

use mainstay_model::declared::Build;

use crate::secrets::Redactions;

/// Values shorter than this are not hidden in lines: that would hide half of the text.
const HIDE_FROM: usize = 6;
/// Words in the name of an argument that say that its value is nobody's business.
const SECRET_WORDS: [&str; 9] = ["TOKEN", "SECRET", "PASSW", "PWD", "KEY", "CREDENTIAL", "AUTH", "PRIVATE", "DSN"];

/// Hides the values of arguments that are secret by their name, and all that the process knows to be secret.
#[derive(Clone, Default)]
pub(super) struct Veil {
    values: Vec<String>,
    redactions: Redactions,
}

impl Veil {
    pub(super) fn new(build: &Build, redactions: &Redactions) -> Veil {
        let secret = build.args.iter().filter(|(name, _)| is_secret(name));
        let values = secret.filter_map(|(_, value)| value.as_ref()).map(|value| value.reveal().to_owned());
        let mut values: Vec<String> = values.filter(|value| value.len() >= HIDE_FROM).collect();
        // A value that is part of another one must not cut it.
        values.sort_by_key(|value| std::cmp::Reverse(value.len()));
        Veil { values, redactions: redactions.clone() }
    }

    #[cfg(test)]
    pub(super) fn of<const N: usize>(values: [&str; N]) -> Veil {
        Veil { values: values.map(str::to_owned).into(), redactions: Redactions::default() }
    }

    pub(super) fn clean(&self, text: &str) -> String {
        let text = self.values.iter().fold(text.to_owned(), |text, value| text.replace(value.as_str(), "…"));
        self.redactions.clean(&text).into_owned()
    }
}

fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    SECRET_WORDS.iter().any(|word| name.contains(word))
}

#[cfg(test)]
mod tests {
    use mainstay_model::declared::Hidden;

    use super::*;

    #[test]
    fn only_what_is_secret_is_hidden() {
        let args = [("NPM_TOKEN", "s3cr3t-value"), ("NODE_ENV", "production"), ("API_KEY", "abc")];
        let args = args.map(|(name, value)| (name.to_owned(), Some(Hidden::new(value))));
        let redactions = Redactions::default();
        redactions.learn([&Hidden::new("known-to-all")]);
        let veil = Veil::new(&Build { args: args.into(), ..Build::default() }, &redactions);
        assert_eq!(veil.clean("s3cr3t-value in production, abc"), "… in production, abc");
        assert!(!veil.clean("and known-to-all").contains("known"));
    }
}
