//! A folder of stacks of one's own, each in a folder with its `compose.yaml`:
//!
//!     MAINSTAY_RUNS_FOLDER=… cargo nextest run -p mainstay-e2e --run-ignored all -E 'test(every_stack_of_a_folder)'

use std::path::Path;

use mainstay_e2e::Scene;

use crate::side_by_side::{How, both};

#[test]
#[ignore = "compares the stacks of the folder that MAINSTAY_RUNS_FOLDER names"]
fn every_stack_of_a_folder_is_made_alike() {
    let folder = std::env::var("MAINSTAY_RUNS_FOLDER").expect("MAINSTAY_RUNS_FOLDER names a folder of stacks");
    let scene = Scene::new("folder");
    let entries = std::fs::read_dir(folder).expect("the folder is there");
    let mut stacks: Vec<_> = entries.filter_map(Result::ok).map(|entry| entry.path()).collect();
    stacks.sort();
    let mut differ = 0;
    for stack in stacks.iter().filter(|path| path.is_dir()) {
        differ += usize::from(!tell(&scene, stack));
    }
    assert_eq!(differ, 0, "stacks that differ; the table above says where");
}

/// Prints one row of the table; whether the stack is made alike.
fn tell(scene: &Scene, stack: &Path) -> bool {
    let name = stack.file_name().unwrap_or_default().to_string_lossy().into_owned();
    match both(scene, stack, &scene.name("one"), &[], How::Made) {
        Ok(left) if left.is_empty() => println!("same     {name}"),
        Ok(left) => {
            println!("differs  {name}");
            left.iter().for_each(|difference| println!("  {difference}"));
            return false;
        }
        Err(problem) => {
            println!("not run  {name}: {}", problem.trim().replace('\n', "\n         "));
            return problem.starts_with("both");
        }
    }
    true
}
