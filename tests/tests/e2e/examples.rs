//! The examples of publishing, each run as its reader would run it.
//!
//! scripts/test has installed what they need below `target/examples`. A language that this machine doesn't have is left out, which it says.

use std::path::{Path, PathBuf};
use std::process::Command;

use hubbub_client::Start;
use hubbub_tests::command_line::Ran;
use hubbub_tests::fixture::Fixture;
use serde_json::{Value, json};

/// What must survive every language's ways of writing JSON.
const TEXT: &str = r#"say "grüß dich", \ and 👋"#;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// What scripts/test has made for an example.
fn made(path: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.ancestors().nth(3).unwrap().join("examples").join(path)
}

/// Whether a program is on the path.
fn is_installed(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success())
}

/// Runs an example against the stack's AWS, or another.
fn run(fixture: &Fixture, command: &[PathBuf], endpoint: Option<&str>, arguments: &[&str]) -> Ran {
    let (program, first) = command.split_first().unwrap();
    let outputs = &fixture.stack.outputs;
    let output = Command::new(program)
        .args(first)
        .args(arguments)
        .env("AWS_ENDPOINT_URL", endpoint.unwrap_or(&outputs.aws_endpoint))
        .envs([("AWS_REGION", &outputs.region), ("AWS_DEFAULT_REGION", &outputs.region)])
        .envs([("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test")])
        // A mistake is to be told at once.
        .envs([("AWS_MAX_ATTEMPTS", "1"), ("AWS_EC2_METADATA_DISABLED", "true")])
        .output()
        .unwrap_or_else(|error| panic!("`{}` can't be run: scripts/test installs it: {error}", program.display()));
    Ran::of(&output)
}

async fn check(language: &str, command: &[PathBuf]) {
    let fixture = Fixture::new().await;
    let queue = fixture.stack.outputs.publish_queue_url.clone();
    let (room, user) = (fixture.unique("room"), fixture.unique("user"));
    let mut member = fixture.connect_with(fixture.options(&user).inbox(Start::Now)).await;
    member.client.join_room(&room).await.unwrap();

    let ran = run(&fixture, command, None, &[&queue, &room, &user, TEXT]);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    let mut arrived = Vec::new();
    for _ in 0..2 {
        let delivery = member.next().await;
        assert_eq!(delivery.message.read::<Value>().unwrap(), json!({ "text": TEXT }));
        assert_eq!(delivery.message.from, format!("example-{language}"));
        arrived.push(format!("{}: {}", delivery.channel, delivery.message.id));
    }
    arrived.sort_unstable();
    assert_eq!(ran.out.lines().collect::<Vec<_>>(), arrived, "{ran:?}");

    let ran = run(&fixture, command, None, &[&queue, &room]);
    assert!(ran.status == Some(2) && ran.err.contains("usage: "), "{ran:?}");
    let missing = queue.replace(".fifo", "-missing.fifo");
    let nowhere = "http://127.0.0.1:9";
    for (endpoint, queue) in [(None, missing), (Some(nowhere), format!("{nowhere}/000000000000/publish.fifo"))] {
        let ran = run(&fixture, command, endpoint, &[&queue, &room, &user, TEXT]);
        let says_why = ran.err.lines().any(|line| line.starts_with("error: the "));
        assert!(ran.status == Some(1) && ran.out.is_empty() && says_why, "{ran:?}");
    }
}

#[tokio::test]
async fn what_the_example_in_python_publishes_arrives() {
    check("python", &[made("python/bin/python"), root().join("examples/publish/python/publish.py")]).await;
}

#[tokio::test]
async fn what_the_example_in_node_publishes_arrives() {
    check("node", &["node".into(), root().join("examples/publish/node/publish.mjs")]).await;
}

#[tokio::test]
async fn what_the_example_in_go_publishes_arrives() {
    let program = made("go/publish");
    if !program.exists() {
        return eprintln!("Go isn't installed: its example is left out");
    }
    check("go", &[program]).await;
}

#[tokio::test]
async fn what_the_example_in_bash_publishes_arrives() {
    if !is_installed("aws") {
        return eprintln!("the AWS CLI isn't installed: the example in bash is left out");
    }
    check("bash", &[root().join("examples/publish/bash/publish.sh")]).await;
}
