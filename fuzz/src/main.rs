//! One program for all targets: `MAINSTAY_FUZZ_TARGET` names the one. libFuzzer brings its own `main`, its time bound and
//! its memory bound; `scripts/fuzz.sh` sets both.
#![no_main]

mod load;
mod places;
mod short_forms;
mod text;

use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;

type Target = fn(&[u8]);

const TARGETS: [(&str, Target); 6] = [
    ("yaml", text::yaml),
    ("interpolation", text::interpolation),
    ("env-file", text::env_file),
    ("values", text::values),
    ("short-forms", short_forms::run),
    ("load", load::run),
];

fuzz_target!(|bytes: &[u8]| {
    static CHOSEN: OnceLock<Target> = OnceLock::new();
    CHOSEN.get_or_init(|| {
        let name = std::env::var("MAINSTAY_FUZZ_TARGET").unwrap_or_default();
        let found = TARGETS.iter().find(|(known, _)| *known == name);
        found
            .unwrap_or_else(|| {
                panic!("MAINSTAY_FUZZ_TARGET is `{name}`, and must be one of {:?}", TARGETS.map(|(known, _)| known))
            })
            .1
    })(bytes);
});
