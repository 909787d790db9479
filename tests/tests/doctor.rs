//! `hubbub doctor` on a stack in order, and on broken ones. It needs a stack of its own that enforces policies: scripts/test starts one.
//!
//! Each test breaks one thing by the local AWS's own API, and mends it; what is mended is in order again.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, in its helpers too")]

use aws_sdk_sfn::types::StateMachineType;
use hubbub_core::functions::Function;
use hubbub_core::names::env;
use hubbub_tests::command_line::run;
use hubbub_tests::faults;
use hubbub_tests::fixture::eventually;
use hubbub_tests::service::Service;
use hubbub_tests::stack::{Outputs, Stack};
use serde_json::Value;
use tokio::sync::{Mutex, MutexGuard};

/// One at a time: what one test breaks, another would find.
static STACK: Mutex<()> = Mutex::const_new(());

async fn take_stack() -> (Stack, MutexGuard<'static, ()>) {
    let turn = STACK.lock().await;
    (Stack::from_environment().unwrap(), turn)
}

/// The status, and what each check has found.
type Findings = (Option<i32>, Vec<Value>);

/// Runs `hubbub doctor`, which waits for so many seconds at most for what doesn't come.
fn examine(stack: &Stack, patience: &str) -> Findings {
    let ran = run(stack, &["doctor", "--json", "--patience", patience]).unwrap();
    let report = ran.json().unwrap().pop();
    let checks = report.and_then(|mut report| report.get_mut("checks").map(Value::take));
    let Some(Value::Array(checks)) = checks else { panic!("{ran:?}") };
    (ran.status, checks)
}

/// The stack is found to be in order.
#[track_caller]
fn check_green(stack: &Stack) {
    let (status, checks) = examine(stack, "60");
    let faults: Vec<&Value> = checks.iter().filter(|check| check["outcome"] == "fault").collect();
    assert!(faults.is_empty(), "{faults:#?}");
    assert_eq!(status, Some(0));
    for name in [
        "outputs",
        "table",
        "presence queue",
        "state machine",
        "event source mapping",
        "presence mapping",
        "socket",
        "message",
        "execution",
    ] {
        assert!(checks.iter().any(|check| check["check"] == name && check["outcome"] == "ok"), "{name}: {checks:#?}");
    }
}

/// A check has found a fault, and says all of this. The stack is mended by now, so that a test that fails leaves it in order.
#[track_caller]
fn check_fault((status, checks): &Findings, name: &str, says: &[&str]) {
    let found = checks.iter().find(|check| check["check"] == name).unwrap_or_else(|| panic!("{checks:#?}"));
    assert_eq!((*status, found["outcome"].as_str()), (Some(1), Some("fault")), "{checks:#?}");
    for text in says {
        assert!(found.to_string().contains(text), "`{text}` is not in {found:#}");
    }
}

#[tokio::test]
async fn a_stack_in_order_is_green() {
    let (stack, _turn) = take_stack().await;
    check_green(&stack);
    let ran = run(&stack, &["doctor"]).unwrap();
    assert!(ran.out.ends_with("all is well\n") && !ran.out.contains('\x1b'), "{ran:?}");
}

#[tokio::test]
async fn a_permission_that_is_missing_is_named_with_its_function() {
    let (stack, _turn) = take_stack().await;
    let policy = faults::policy(&stack, Function::Deliver).await.unwrap();
    let without = policy.replace("states:StartExecution", "states:ListExecutions");
    assert_ne!(policy, without);
    faults::put_policy(&stack, Function::Deliver, &without).await.unwrap();
    let findings = examine(&stack, "10");
    faults::put_policy(&stack, Function::Deliver, &policy).await.unwrap();
    check_fault(&findings, "permissions of deliver", &["`states:StartExecution`", "-deliver`"]);
    check_green(&stack);
}

#[tokio::test]
async fn missing_permission_is_traced_by_the_function_log() {
    let (stack, _turn) = take_stack().await;
    let policy = faults::policy(&stack, Function::Deliver).await.unwrap();
    let elsewhere = policy.replace(":table/", ":table/another-");
    assert_ne!(policy, elsewhere);
    faults::put_policy(&stack, Function::Deliver, &elsewhere).await.unwrap();
    let findings = examine(&stack, "10");
    faults::put_policy(&stack, Function::Deliver, &policy).await.unwrap();
    check_fault(&findings, "message", &["`dynamodb:GetItem`", "-deliver`", "AccessDenied"]);
    check_green(&stack);
}

#[tokio::test]
async fn a_wrong_callback_url_is_named_with_the_right_one() {
    let (stack, _turn) = take_stack().await;
    let wrong = stack.outputs.callback_url.replace("/v1", "/v2");
    let before = faults::set_variable(&stack, Function::Deliver, env::CALLBACK_URL, &wrong).await.unwrap();
    let findings = examine(&stack, "10");
    faults::set_variable(&stack, Function::Deliver, env::CALLBACK_URL, &before).await.unwrap();
    check_fault(&findings, "function deliver", &[env::CALLBACK_URL, &wrong, &stack.outputs.callback_url]);
    check_green(&stack);
}

#[tokio::test]
async fn a_queue_that_nobody_reads_is_found() {
    let (stack, _turn) = take_stack().await;
    let Outputs { publish_queue_url, presence_queue_url, .. } = &stack.outputs;
    for (function, url, check) in [
        (Function::Deliver, publish_queue_url, "event source mapping"),
        (Function::Announce, presence_queue_url, "presence mapping"),
    ] {
        let mapping = faults::unmap(&stack, function, url).await.unwrap();
        let findings = examine(&stack, "10");
        faults::map(&stack, function, &mapping).await.unwrap();
        check_fault(&findings, check, &["there is none", &format!("-{function}`"), "pulumi up"]);
    }
    check_green(&stack);
}

#[tokio::test]
async fn a_state_machine_that_is_missing_is_named() {
    let (stack, _turn) = take_stack().await;
    let (machines, arn) = (stack.step_functions(), &stack.outputs.state_machine_arn);
    let machine = machines.describe_state_machine().state_machine_arn(arn).send().await.unwrap();
    machines.delete_state_machine().state_machine_arn(arn).send().await.unwrap();
    let findings = examine(&stack, "10");
    machines
        .create_state_machine()
        .name(machine.name)
        .definition(machine.definition)
        .role_arn(machine.role_arn)
        .r#type(StateMachineType::Standard)
        .send()
        .await
        .unwrap();
    check_fault(&findings, "state machine", &["it is not there", arn]);
    check_green(&stack);
}

#[tokio::test]
async fn dead_letters_are_counted_and_their_reason_is_named() {
    let (stack, _turn) = take_stack().await;
    Service::new(&stack, "orders").send_raw("room:garbage", "garbage", "garbage").await.unwrap();
    eventually("the dead letter is there", async || hubbub_tests::inspect::dead_letters(&stack).await.unwrap() == 1)
        .await;
    let findings = examine(&stack, "10");
    let dropped = run(&stack, &["dead-letters", "drop", "--all", "--yes"]).unwrap();
    assert_eq!(dropped.status, Some(0), "{dropped:?}");
    check_fault(
        &findings,
        "dead letters",
        &["1 dead letter waits", "`not_json` in `room:garbage`", "hubbub dead-letters list"],
    );
    check_green(&stack);
}
