//! The documents and the dependencies say what is so.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// All files below a folder with this ending, but for what is built or installed.
fn files(folder: &Path, ending: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && !name.starts_with('.') && name != "target" && name != "node_modules" {
            files(&path, ending, found);
        } else if name.ends_with(ending) {
            found.push(path);
        }
    }
}

fn texts(ending: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    files(&root(), ending, &mut found);
    found.into_iter().map(|path| (path.clone(), fs::read_to_string(path).unwrap())).collect()
}

#[test]
fn every_test_that_the_architecture_names_is_there() {
    let architecture = fs::read_to_string(root().join("docs/invariants.md")).unwrap();
    let sources: String = texts(".rs").into_iter().map(|(_, text)| text).collect();
    let rows: Vec<&str> = architecture.lines().filter(|line| line.starts_with("| I")).collect();
    assert!(rows.len() >= 18, "{rows:?}");
    for row in rows {
        let names: Vec<&str> = row.rsplit('|').nth(1).unwrap().split('`').skip(1).step_by(2).collect();
        assert!(!names.is_empty(), "{row}");
        for name in names {
            assert!(sources.contains(&format!("fn {name}")), "there is no test `{name}`: {row}");
        }
    }
}

#[test]
fn only_the_adapters_and_the_tests_use_the_aws_sdk() {
    for (path, manifest) in texts("Cargo.toml") {
        let package = path.parent().unwrap().strip_prefix(root()).unwrap().to_owned();
        let is_allowed = package == Path::new("lambdas/aws") || package.starts_with("tests");
        // The workspace's own manifest holds the versions.
        if !is_allowed && package != Path::new("") {
            assert!(!manifest.contains("aws-sdk-"), "{}", path.display());
        }
    }
}

#[test]
fn the_core_does_no_io() {
    let manifest = fs::read_to_string(root().join("lambdas/core/Cargo.toml")).unwrap();
    for io in ["tokio", "hyper", "aws-", "aws_"] {
        assert!(!manifest.contains(io), "{io}");
    }
}

#[test]
fn main_of_the_functions_is_short_and_has_no_branch() {
    let mains = texts("main.rs").into_iter().filter(|(path, _)| path.starts_with(root().join("lambdas")));
    let mut count = 0;
    for (path, text) in mains {
        assert!(text.lines().count() <= 40, "{}", path.display());
        assert!(!text.contains("if ") && !text.contains("match "), "{}", path.display());
        count += 1;
    }
    assert_eq!(count, 1);
}
