//! Reports about a stack's files.

use crate::sealed::Sealed;

#[test]
fn a_folder_without_files_must_end_with_3() {
    let ran = Sealed::new().run(&["up"]);
    insta::assert_snapshot!(ran.whole(), @"");
}
