//! Differences that are right, each with its reason.

use std::fs;
use std::path::Path;

use super::cases::Reading;
use super::report::Verdict;

/// Covers a file that the reference refuses.
const TAKEN: &str = "taken";
/// Covers a file that Mainstay alone refuses.
const REFUSED: &str = "refused";

/// One line of a list.
#[derive(Debug)]
struct Line {
    case: String,
    reading: String,
    what: String,
    reason: String,
}

/// A list of known differences.
#[derive(Debug, Default)]
pub struct Known(Vec<Line>);

impl Known {
    pub fn open(path: &Path) -> Result<Self, String> {
        let text = fs::read_to_string(path).map_err(|error| format!("`{}`: {error}", path.display()))?;
        Known::read(&text).map_err(|problem| format!("`{}`, {problem}", path.display()))
    }

    fn read(text: &str) -> Result<Self, String> {
        let lines = (1..).zip(text.lines()).map(|(number, line)| (number, line.trim()));
        let lines = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
        let read = |(number, line): (usize, &str)| {
            let parts: Vec<&str> = line.splitn(4, '|').map(str::trim).collect();
            let [case, reading, what, reason] = parts[..] else {
                return Err(format!("line {number}: write `case | reading | what | reason`"));
            };
            if [case, what, reason].contains(&"") {
                return Err(format!("line {number}: a part is empty; a difference is known with its reason only"));
            }
            if reading != "*" && !Reading::ALL.iter().any(|one| one.name() == reading) {
                return Err(format!("line {number}: there is no reading `{reading}`"));
            }
            let own = str::to_owned;
            Ok(Line { case: own(case), reading: own(reading), what: own(what), reason: own(reason) })
        };
        lines.map(read).collect::<Result<_, _>>().map(Known)
    }

    /// The verdict without what is known; [`Verdict::Known`] when nothing else is left.
    pub fn judge(&self, case: &str, reading: Reading, verdict: Verdict) -> Verdict {
        let reason = |what: &str| self.reason(case, reading, what).map(str::to_owned);
        match verdict {
            Verdict::Differs { fields } => {
                let place = |field: &str| field.split(": ").next().unwrap_or_default().to_owned();
                let reasons: Vec<Option<String>> = fields.iter().map(|field| reason(&place(field))).collect();
                match reasons.iter().cloned().collect::<Option<Vec<String>>>() {
                    Some(mut reasons) => {
                        reasons.dedup();
                        Verdict::Known { reasons }
                    }
                    None => {
                        let left = fields.into_iter().zip(reasons).filter(|(_, reason)| reason.is_none());
                        Verdict::Differs { fields: left.map(|(field, _)| field).collect() }
                    }
                }
            }
            Verdict::TakenByUs { theirs } => match reason(TAKEN) {
                Some(reason) => Verdict::Known { reasons: vec![reason] },
                None => Verdict::TakenByUs { theirs },
            },
            Verdict::RefusedByUs { ours } => match reason(REFUSED) {
                Some(reason) => Verdict::Known { reasons: vec![reason] },
                None => Verdict::RefusedByUs { ours },
            },
            verdict => verdict,
        }
    }

    fn reason(&self, case: &str, reading: Reading, what: &str) -> Option<&str> {
        let line = self.0.iter().find(|line| {
            (line.reading == "*" || line.reading == reading.name()) && fits(&line.case, case) && fits(&line.what, what)
        });
        line.map(|line| line.reason.as_str())
    }
}

/// Whether a text is what a pattern says; `*` stands for any text.
fn fits(pattern: &str, text: &str) -> bool {
    let Some((before, after)) = pattern.split_once('*') else { return pattern == text };
    let Some(rest) = text.strip_prefix(before) else { return false };
    let mut starts = rest.char_indices().map(|(at, _)| at).chain([rest.len()]);
    starts.any(|at| fits(after, &rest[at..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = "
# a remark
shop/*.yaml | noint | .secrets.*.x | never printed
shop/a.yaml | * | taken | read as written
";

    fn judge(case: &str, reading: Reading, verdict: Verdict) -> Verdict {
        Known::read(LIST).expect("a list").judge(case, reading, verdict)
    }

    fn differs(fields: &[&str]) -> Verdict {
        Verdict::Differs { fields: fields.iter().map(|field| (*field).to_owned()).collect() }
    }

    #[test]
    fn a_case_whose_every_field_is_known_is_known() {
        let verdict = judge("shop/b.yaml", Reading::NoInterpolate, differs(&[".secrets.a.x: ours 1, theirs 2"]));
        assert!(matches!(verdict, Verdict::Known { reasons } if reasons == ["never printed"]));
    }

    #[test]
    fn what_is_not_known_stays_and_is_told_alone() {
        let both = [".secrets.a.x: ours 1, theirs 2", ".name: ours a, theirs b"];
        let verdict = judge("shop/b.yaml", Reading::NoInterpolate, differs(&both));
        assert!(matches!(verdict, Verdict::Differs { fields } if fields == [both[1]]));
        assert!(matches!(judge("shop/b.yaml", Reading::Full, differs(&both[..1])), Verdict::Differs { .. }));
        assert!(matches!(judge("b.yaml", Reading::NoInterpolate, differs(&both[..1])), Verdict::Differs { .. }));
    }

    #[test]
    fn a_refusal_is_known_by_its_side() {
        let taken = || Verdict::TakenByUs { theirs: "no".to_owned() };
        assert!(matches!(judge("shop/a.yaml", Reading::Full, taken()), Verdict::Known { .. }));
        assert!(matches!(judge("shop/b.yaml", Reading::Full, taken()), Verdict::TakenByUs { .. }));
        let refused = Verdict::RefusedByUs { ours: "no".to_owned() };
        assert!(matches!(judge("shop/a.yaml", Reading::Full, refused), Verdict::RefusedByUs { .. }));
    }

    #[test]
    fn a_line_without_a_reason_is_refused_with_its_number() {
        assert_eq!(
            Known::read("\na | * | taken\n").expect_err("a refusal"),
            "line 2: write `case | reading | what | reason`"
        );
        assert!(Known::read("a | * | taken | ").expect_err("a refusal").contains("reason"));
        assert!(Known::read("a | half | taken | b").expect_err("a refusal").contains("`half`"));
    }
}
