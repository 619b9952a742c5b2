//! A Dockerfile as far as it explains what a builder says: which line a part stands in, and what is copied from the
//! context. The builder itself reads the text; what is not understood here is simply not explained.

use std::path::PathBuf;

use parse_dockerfile::{Flag, Instruction as Parsed, Source};

/// The instructions, in order.
#[derive(Debug, Default)]
pub(super) struct Recipe {
    instructions: Vec<Instruction>,
}

#[derive(Debug)]
pub(super) struct Instruction {
    /// From 1.
    pub(super) line: usize,
    /// The instruction in one line.
    pub(super) text: String,
    /// Which stage, from 0, and its name.
    stage: usize,
    stage_name: Option<String>,
    /// Its number among the stage's parts, as BuildKit counts them; 0 for what is no part.
    part: usize,
    /// What it takes from the context, as it is written.
    pub(super) sources: Vec<String>,
}

impl Recipe {
    pub(super) fn read(text: &str) -> Recipe {
        let Ok(parsed) = parse_dockerfile::parse_iter(text) else { return Recipe::default() };
        let mut recipe = Recipe::default();
        let (mut stages, mut parts, mut name) = (0_usize, 0, None);
        for instruction in parsed.map_while(Result::ok) {
            let Some(start) = start_of(&instruction) else { continue };
            if let Parsed::From(from) = &instruction {
                (stages, parts) = (stages + 1, 0);
                name = from.as_.as_ref().map(|(_, name)| name.value.to_lowercase());
            }
            let is_part = matches!(
                instruction,
                Parsed::From(_) | Parsed::Run(_) | Parsed::Copy(_) | Parsed::Add(_) | Parsed::Workdir(_)
            );
            parts += usize::from(is_part);
            recipe.instructions.push(Instruction {
                line: text[..start].matches('\n').count() + 1,
                text: one_line(&text[start..]),
                stage: stages.saturating_sub(1),
                stage_name: name.clone(),
                part: if is_part { parts } else { 0 },
                sources: sources_of(&instruction),
            });
        }
        recipe
    }

    /// The instruction of `[build 2/5] RUN npm ci`.
    pub(super) fn by_part(&self, name: &str) -> Option<&Instruction> {
        let (label, text) = name.strip_prefix('[')?.split_once("] ")?;
        let mut words = label.split_whitespace().rev();
        let number: usize = words.next()?.split_once('/')?.0.parse().ok()?;
        let stage = words.next();
        let keyword = text.split_whitespace().next()?;
        let fits = |instruction: &&Instruction| {
            let is_stage = stage.is_none_or(|stage| {
                instruction.stage_name.as_deref() == Some(stage) || stage == format!("stage-{}", instruction.stage)
            });
            let same_word = instruction.text.split_whitespace().next();
            let same_word = same_word.is_some_and(|word| word.eq_ignore_ascii_case(keyword));
            is_stage && same_word && instruction.part == number
        };
        self.instructions.iter().find(fits)
    }

    /// The instruction of the classic builder's `Step 3/5`, which counts all of them.
    pub(super) fn by_number(&self, number: usize) -> Option<&Instruction> {
        self.instructions.get(number.checked_sub(1)?)
    }

    /// Every instruction that takes something from the context.
    pub(super) fn copies(&self) -> impl Iterator<Item = &Instruction> {
        self.instructions.iter().filter(|instruction| !instruction.sources.is_empty())
    }
}

/// The instruction that begins here, without its continuations' line breaks.
fn one_line(text: &str) -> String {
    let mut words = Vec::new();
    for line in text.lines() {
        let line = line.trim();
        if line.starts_with('#') {
            continue;
        }
        match line.strip_suffix('\\') {
            Some(part) => words.extend(part.split_whitespace()),
            None => {
                words.extend(line.split_whitespace());
                break;
            }
        }
    }
    words.join(" ")
}

fn start_of(instruction: &Parsed<'_>) -> Option<usize> {
    let span = match instruction {
        Parsed::Add(it) => &it.add.span,
        Parsed::Arg(it) => &it.arg.span,
        Parsed::Cmd(it) => &it.cmd.span,
        Parsed::Copy(it) => &it.copy.span,
        Parsed::Entrypoint(it) => &it.entrypoint.span,
        Parsed::Env(it) => &it.env.span,
        Parsed::Expose(it) => &it.expose.span,
        Parsed::From(it) => &it.from.span,
        Parsed::Healthcheck(it) => &it.healthcheck.span,
        Parsed::Label(it) => &it.label.span,
        Parsed::Maintainer(it) => &it.maintainer.span,
        Parsed::Onbuild(it) => &it.onbuild.span,
        Parsed::Run(it) => &it.run.span,
        Parsed::Shell(it) => &it.shell.span,
        Parsed::Stopsignal(it) => &it.stopsignal.span,
        Parsed::User(it) => &it.user.span,
        Parsed::Volume(it) => &it.volume.span,
        Parsed::Workdir(it) => &it.workdir.span,
        _ => return None,
    };
    Some(span.start)
}

fn sources_of(instruction: &Parsed<'_>) -> Vec<String> {
    let (options, sources) = match instruction {
        Parsed::Copy(copy) => (&copy.options, &copy.src),
        Parsed::Add(add) => (&add.options, &add.src),
        _ => return Vec::new(),
    };
    if options.iter().any(|flag: &Flag<'_>| flag.name.value == "from") {
        return Vec::new();
    }
    let path = |source: &Source<'_>| match source {
        Source::Path(path) => Some(path.value.clone().into_owned()),
        _ => None,
    };
    let is_local = |path: &String| !path.contains("://") && !path.starts_with("git@") && !path.contains('$');
    sources.iter().filter_map(path).filter(is_local).collect()
}

/// A source as the builder looks for it inside the context: from its root, and never above it.
pub(super) fn inside(source: &str) -> PathBuf {
    let mut words: Vec<&str> = Vec::new();
    for word in source.split('/') {
        match word {
            "" | "." => {}
            ".." => drop(words.pop()),
            word => words.push(word),
        }
    }
    words.into_iter().collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const TEXT: &str = "# syntax=docker/dockerfile:1\nARG NODE=20\nFROM node:$NODE AS build\nWORKDIR /app\nENV A=1\nCOPY package.json \\\n  # the lock as well\n  ../packages ./\nRUN npm ci && \\\n    npm run build\nFROM node:$NODE\nCOPY --from=build /app /app\nADD https://example.com/a.tgz $WHAT app.conf /\n";

    #[test]
    fn a_part_is_found_by_its_stage_and_number() {
        let recipe = Recipe::read(TEXT);
        let line = |part: &str| recipe.by_part(part).map(|it| (it.line, it.text.as_str()));
        assert_eq!(line("[build 4/4] RUN npm ci &&     npm run build"), Some((9, "RUN npm ci && npm run build")));
        assert_eq!(line("[linux/amd64 build 3/4] COPY package.json ../packages ./").map(|it| it.0), Some(6));
        assert_eq!(line("[stage-1 2/3] COPY --from=build /app /app").map(|it| it.0), Some(12));
        assert_eq!(line("[build 4/4] COPY something else"), None);
        assert_eq!(line("[internal] load build context"), None);
        assert_eq!(recipe.by_number(5).map(|it| it.line), Some(6));
    }

    #[test]
    fn only_what_comes_from_the_context_is_a_source() {
        let recipe = Recipe::read(TEXT);
        let sources: Vec<_> = recipe.copies().flat_map(|it| &it.sources).map(String::as_str).collect();
        assert_eq!(sources, ["package.json", "../packages", "app.conf"]);
    }

    #[test]
    fn a_text_that_is_no_dockerfile_explains_nothing() {
        assert!(Recipe::read("hello there\n").by_number(1).is_none());
    }
}
