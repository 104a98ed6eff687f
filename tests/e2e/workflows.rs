//! The project's own workflows.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::harness::setting;

/// The workflows of the project are what GitHub understands; their actions are pinned, their permissions few.
#[test]
fn the_workflows_are_sound() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join(".github/workflows");
    let buildctl = setting("EDGENODE_BUILDCTL");
    let tools = Path::new(&buildctl).ancestors().nth(2).expect("tools");
    let actionlint =
        fs::read_dir(tools).expect("read").flatten().map(|entry| entry.path().join("actionlint"));
    let actionlint = actionlint.filter(|path| path.is_file()).max().expect("actionlint is built");
    let mut count = 0;
    for workflow in fs::read_dir(directory).expect("read").flatten() {
        let text = fs::read_to_string(workflow.path()).expect("read");
        let output = Command::new(&actionlint).arg(workflow.path()).output().expect("actionlint starts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        assert!(
            text.contains("\npermissions:\n  contents: read\n\n"),
            "{} has permissions",
            workflow.path().display()
        );
        for line in text.lines().filter_map(|line| line.split("uses: ").nth(1)) {
            let commit = line.split(['@', ' ']).nth(1).unwrap_or_default();
            assert!(commit.len() == 40 && line.contains(" # v"), "{line} is not pinned");
        }
        count += 1;
    }
    assert_eq!(count, 3);
}
