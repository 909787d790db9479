//! The compiler, as Pulumi runs it: it prints a program only of functions that are there.

#![expect(
    clippy::unwrap_used,
    reason = "clippy.toml allows it in tests, which leaves out the helpers that tests share"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use hubbub_infra::functions::{ZIP, ZIPS};

/// A repository with nothing in it but packaged functions.
struct Repository(PathBuf);

impl Repository {
    fn new(name: &str, packaged: &[&str]) -> Self {
        let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = fs::remove_dir_all(&root);
        fs::create_dir_all(root.join("pulumi")).unwrap();
        for folder in packaged {
            let folder = root.join(ZIPS).join(folder);
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join(ZIP), "").unwrap();
        }
        Self(root)
    }

    /// The program, or what the compiler says against it.
    fn compile(&self, config: Option<&str>) -> Result<String, String> {
        let mut compiler = Command::new(env!("CARGO_BIN_EXE_hubbub-infra"));
        compiler.current_dir(self.0.join("pulumi")).env_remove("PULUMI_CONFIG").env("PULUMI_STACK", "dev");
        if let Some(config) = config {
            compiler.env("PULUMI_CONFIG", config);
        }
        let output = compiler.output().unwrap();
        let [said, complained] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
        if output.status.success() { Ok(said) } else { Err(complained) }
    }
}

const X86_64: &str = r#"{"hubbub:architecture": "x86_64"}"#;

#[test]
fn packaged_functions_are_deployed() {
    let repository = Repository::new("packaged", &["x86_64"]);
    assert!(repository.compile(Some(X86_64)).unwrap().contains("../target/lambda/x86_64/functions.zip"));
}

#[test]
fn missing_zip_is_refused_with_the_command_to_run() {
    let nothing = Repository::new("nothing", &[]).compile(Some("{}")).unwrap_err();
    assert_eq!(
        nothing,
        "`../target/lambda/arm64/functions.zip` is missing: the functions aren't packaged for arm64. Run `scripts/package \
         --architecture arm64`\n"
    );
    let other = Repository::new("other", &["x86_64"]).compile(Some("{}")).unwrap_err();
    assert!(other.ends_with(
        "`scripts/package --architecture arm64`, or `pulumi config set hubbub:architecture x86_64`: those are packaged\n"
    ));
}

#[test]
fn zips_are_checked_only_for_a_deployment() {
    let repository = Repository::new("unasked", &[]);
    assert!(repository.compile(None).is_ok());
    assert!(repository.compile(Some(r#"{"hubbub:awsEndpoint": "http://127.0.0.1:4566"}"#)).is_ok());
}
