//! Every input that was kept is replayed.

use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

use hubbub_fuzz::TARGETS;

fn folder(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target)
}

#[test]
fn every_kept_input_keeps_the_rules() {
    let mut broken = Vec::new();
    for (target, run) in TARGETS {
        let inputs: Vec<PathBuf> = fs::read_dir(folder(target)).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert!(!inputs.is_empty(), "the corpus of {target} is empty");
        for input in inputs {
            let data = fs::read(&input).unwrap();
            if catch_unwind(|| run(&data)).is_err() {
                broken.push(input);
            }
        }
    }
    assert!(broken.is_empty(), "these break a rule: {broken:#?}");
}

#[test]
fn every_corpus_has_a_target() {
    let corpora = fs::read_dir(folder("")).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    for corpus in corpora {
        assert!(TARGETS.iter().any(|(target, _)| *target == corpus), "nobody replays {corpus}");
    }
}
