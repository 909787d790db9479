//! The command tells what is wrong, and puts it right.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn run(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_hubbub-contract")).args(arguments).arg(folder).output().unwrap()
}

fn error(folder: &Path) -> String {
    let output = run(folder, &["--check"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty());
    String::from_utf8(output.stderr).unwrap()
}

/// An empty folder of the test's own.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

#[test]
fn a_file_that_differs_is_named_with_what_writes_it() {
    let folder = folder("differs");
    assert!(error(&folder).contains("asyncapi.json` is missing"));
    assert!(run(&folder, &[]).status.success());
    assert!(run(&folder, &["--check"]).status.success());
    let changed = folder.join("schemas/client-frame.json");
    fs::write(&changed, "{}").unwrap();
    fs::write(folder.join("schemas/old.json"), "{}").unwrap();
    let says = error(&folder);
    assert!(says.contains("schemas/client-frame.json` differs, `"), "{says}");
    assert!(
        says.contains("schemas/old.json` is left over; `cargo run --locked -p hubbub-contract` writes it"),
        "{says}"
    );
    assert!(!says.contains("server-frame"), "{says}");
    assert!(run(&folder, &[]).status.success());
    assert!(run(&folder, &["--check"]).status.success());
}

#[test]
fn a_folder_that_is_not_there_is_not_made() {
    let missing = folder("missing").join("contract");
    assert!(error(&missing).contains("run it at the repository's root"));
    assert!(!missing.exists());
}
