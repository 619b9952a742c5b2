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

/// What the standard library's hash maps take their seed from. With chance in it, one input would reach other code each
/// time, and no two runs would walk the same inputs.
///
/// # Safety
/// As the C library has it: `length` bytes at `to` are the caller's to be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn getrandom(to: *mut u8, length: usize, _flags: u32) -> isize {
    // SAFETY: the caller's promise.
    unsafe { to.write_bytes(7, length) };
    length.cast_signed()
}

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
