//! Reports about a stack's files.

use crate::sealed::Sealed;

#[test]
fn a_folder_without_files_must_end_with_3() {
    let ran = Sealed::new().run(&["up"]);
    insta::assert_snapshot!(ran.whole(), @r"
    exit code: 3
    --- stdout
    --- stderr
    error: no Compose file in `[PLACE]` or above it
      hint: go to the stack's folder, or name it: `--stack DIR`, `--file FILE`
    ");
}
