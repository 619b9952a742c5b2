//! `.dockerignore`, by the rules of Docker's own matcher: the last pattern that matches a path or one of its parents
//! decides, and `!` takes back.

#[derive(Debug, Default)]
pub(crate) struct Ignore {
    rules: Vec<Rule>,
}

#[derive(Debug)]
struct Rule {
    keeps: bool,
    pattern: Vec<Token>,
    /// The words before the first wildcard, to know which ignored folders may hold something kept.
    plain_start: Vec<String>,
    /// Its line in the file, from 1, and what stands there.
    line: usize,
    text: String,
}

/// One word of a path with wildcards in it.
#[derive(Clone, Debug)]
pub(super) struct Glob(Vec<Token>);

impl Glob {
    pub(super) fn of(word: &str) -> Glob {
        Glob(tokens(word))
    }

    pub(super) fn matches(&self, word: &str) -> bool {
        matches(&self.0, &word.chars().collect::<Vec<_>>())
    }

    pub(super) fn is_any_depth(&self) -> bool {
        self.0.contains(&Token::All)
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Char(char),
    /// `?`
    One,
    /// `*`
    Some,
    /// `**` at the end or inside a word
    All,
    /// `**/`
    Folders,
    /// `[a-z]`, `[^a]`
    Class {
        negated: bool,
        ranges: Vec<(char, char)>,
    },
}

impl Ignore {
    pub(crate) fn parse(text: &str) -> Ignore {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let lines = text.lines().zip(1..).filter(|(line, _)| !line.starts_with('#'));
        Ignore { rules: lines.filter_map(|(line, number)| rule_of(line, number)).collect() }
    }

    /// By the patterns alone.
    pub(super) fn of(patterns: &[String]) -> Ignore {
        Ignore { rules: patterns.iter().zip(1..).filter_map(|(pattern, number)| rule_of(pattern, number)).collect() }
    }

    /// Whether a path, relative to the context and with `/` between its words, stays out.
    pub(crate) fn ignores(&self, path: &str) -> bool {
        self.verdict(path).is_some()
    }

    /// The line that keeps a path out, and its number.
    pub(super) fn ignoring_line(&self, path: &str) -> Option<(usize, &str)> {
        self.verdict(path).map(|rule| (rule.line, rule.text.as_str()))
    }

    /// The rule by which a path stays out.
    fn verdict(&self, path: &str) -> Option<&Rule> {
        let path: Vec<char> = path.chars().collect();
        let ends: Vec<usize> = (0..path.len()).filter(|at| path[*at] == '/').chain([path.len()]).collect();
        let mut ignored = None;
        for rule in &self.rules {
            // A rule that would not change the verdict is not tried.
            if rule.keeps == ignored.is_some() && ends.iter().any(|end| matches(&rule.pattern, &path[..*end])) {
                ignored = (!rule.keeps).then_some(rule);
            }
        }
        ignored
    }

    /// Whether an ignored folder has to be walked all the same, because a `!` may keep something in it.
    pub(crate) fn may_keep_inside(&self, folder: &str) -> bool {
        let words: Vec<&str> = folder.split('/').collect();
        let reaches = |rule: &Rule| rule.plain_start.iter().zip(&words).all(|(plain, word)| plain == word);
        self.rules.iter().any(|rule| rule.keeps && reaches(rule))
    }
}

fn rule_of(line: &str, number: usize) -> Option<Rule> {
    let line = line.trim();
    let (keeps, pattern) = match line.strip_prefix('!') {
        Some(rest) => (true, rest.trim()),
        None => (false, line),
    };
    let mut words: Vec<&str> = Vec::new();
    for word in pattern.split('/') {
        match word {
            "" | "." => {}
            ".." => {
                words.pop();
            }
            word => words.push(word),
        }
    }
    if words.is_empty() {
        return None;
    }
    let is_plain = |word: &&&str| !word.contains(['*', '?', '[', '\\']);
    let plain_start = words.iter().take_while(is_plain).map(|word| (*word).to_owned()).collect();
    let (pattern, text) = (tokens(&words.join("/")), line.to_owned());
    Some(Rule { keeps, pattern, plain_start, line: number, text })
}

fn tokens(pattern: &str) -> Vec<Token> {
    let chars: Vec<char> = pattern.chars().collect();
    let mut found = Vec::new();
    let mut at = 0;
    while at < chars.len() {
        match chars[at] {
            '*' if chars.get(at + 1) == Some(&'*') => {
                while chars.get(at + 1) == Some(&'*') {
                    at += 1;
                }
                if chars.get(at + 1) == Some(&'/') {
                    at += 1;
                    found.push(Token::Folders);
                } else {
                    found.push(Token::All);
                }
            }
            '*' => found.push(Token::Some),
            '?' => found.push(Token::One),
            '\\' if at + 1 < chars.len() => {
                at += 1;
                found.push(Token::Char(chars[at]));
            }
            '[' => match class(&chars[at..]) {
                Some((token, length)) => {
                    found.push(token);
                    at += length - 1;
                }
                None => found.push(Token::Char('[')),
            },
            other => found.push(Token::Char(other)),
        }
        at += 1;
    }
    found
}

/// A class and its length, from its `[` to its `]`.
fn class(chars: &[char]) -> Option<(Token, usize)> {
    let mut at = 1;
    let negated = matches!(chars.get(at), Some('^'));
    at += usize::from(negated);
    let mut ranges = Vec::new();
    loop {
        let from = match *chars.get(at)? {
            ']' if !ranges.is_empty() => return Some((Token::Class { negated, ranges }, at + 1)),
            '\\' => {
                at += 1;
                *chars.get(at)?
            }
            other => other,
        };
        let to = match (chars.get(at + 1), chars.get(at + 2)) {
            (Some('-'), Some(to)) if *to != ']' => {
                at += 2;
                *to
            }
            _ => from,
        };
        ranges.push((from, to));
        at += 1;
    }
}

fn matches(pattern: &[Token], path: &[char]) -> bool {
    let Some((token, rest)) = pattern.split_first() else { return path.is_empty() };
    let first = path.first().copied();
    match token {
        Token::Char(wanted) => first == Some(*wanted) && matches(rest, &path[1..]),
        Token::One => first.is_some_and(|c| c != '/') && matches(rest, &path[1..]),
        Token::Class { negated, ranges } => {
            let inside = |c: char| ranges.iter().any(|(from, to)| (*from..=*to).contains(&c)) != *negated;
            first.is_some_and(|c| c != '/' && inside(c)) && matches(rest, &path[1..])
        }
        Token::Some => {
            let reach = path.iter().position(|c| *c == '/').unwrap_or(path.len());
            (0..=reach).any(|taken| matches(rest, &path[taken..]))
        }
        Token::All => (0..=path.len()).any(|taken| matches(rest, &path[taken..])),
        Token::Folders => {
            let after_folders = (0..path.len()).filter(|at| path[*at] == '/').map(|at| at + 1);
            [0].into_iter().chain(after_folders).any(|taken| matches(rest, &path[taken..]))
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_dockers_do() {
        for (file, path, ignored) in [
            ("node_modules", "node_modules/a/b.js", true),
            ("node_modules", "web/node_modules/a.js", false),
            ("**/node_modules", "web/node_modules/a.js", true),
            ("**/node_modules", "node_modules", true),
            ("*.md", "README.md", true),
            ("*.md", "docs/README.md", false),
            ("**/*.md", "docs/deep/README.md", true),
            ("/target/", "target/debug", true),
            ("./target", "target", true),
            ("*.md\n!README.md", "README.md", false),
            ("*.md\n!README*.md\nREADME-secret.md", "README-secret.md", true),
            ("# a comment\n\n  .git  ", ".git/HEAD", true),
            ("a?c", "abc", true),
            ("a?c", "a/c", false),
            ("[a-c]x", "bx", true),
            ("[^a-c]x", "bx", false),
            ("*", "anything/at/all", true),
            ("*\n!src", "src/main.rs", false),
            ("*\n!src\nsrc/secret", "src/secret/key", true),
            ("temp*", "temporary/x", true),
            ("**", "a/b", true),
            ("a/**/z", "a/b/c/z", true),
            ("a/**/z", "a/z", true),
            (r"\!important", "!important", true),
        ] {
            assert_eq!(Ignore::parse(file).ignores(path), ignored, "{file:?} on {path}");
        }
    }

    #[test]
    fn the_line_that_ignores_is_known() {
        let ignore = Ignore::parse("# made anew\nnode_modules\n\npackages\n!packages/ui\n");
        assert_eq!(ignore.ignoring_line("packages/api/x"), Some((4, "packages")));
        assert_eq!(ignore.ignoring_line("packages/ui/x"), None);
    }

    #[test]
    fn ignored_folders_are_walked_only_for_what_may_be_kept() {
        let ignore = Ignore::parse("*\n!src/keep");
        assert!(ignore.may_keep_inside("src"));
        assert!(!ignore.may_keep_inside("node_modules"));
        assert!(Ignore::parse("a\n!**/b").may_keep_inside("a"));
    }
}
