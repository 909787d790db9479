//! Broadcasts are killed, stopped, outlive their lease and hand over.

use aws_sdk_sfn::types::ExecutionStatus;
use hubbub_aws::system::System;
use hubbub_core::broadcast::round::Next;
use hubbub_core::functions::Function;
use hubbub_core::log::lease;
use hubbub_core::log::lease::Lease;
use hubbub_core::ports::Clock;
use hubbub_tests::inspect::{self, Execution};
use hubbub_tests::processes::{Held, hold};

use crate::room::{ExclusiveStack, TRIES, TestRoom, watch_for};

/// Members of a room that goes to the state machine, with several shards.
fn large(stack: &ExclusiveStack) -> usize {
    usize::try_from(stack.stack().outputs.inline_limit).unwrap() * 2
}

async fn executions(stack: &ExclusiveStack, room: &TestRoom) -> Vec<Execution> {
    let mut found = Vec::new();
    for arn in inspect::execution_arns(stack.stack()).await.unwrap() {
        let execution = inspect::execution(stack.stack(), &arn).await.unwrap();
        if execution.input.channel == room.channel {
            found.push(execution);
        }
    }
    found
}

/// The execution that a lease names.
async fn execution_of(stack: &ExclusiveStack, room: &TestRoom, lease: &Lease) -> Option<Execution> {
    executions(stack, room).await.into_iter().find(|execution| execution.input.lease == lease.id)
}

/// Waits until all of the room's executions have ended.
async fn wait_for_the_end(stack: &ExclusiveStack, room: &TestRoom) -> Vec<Execution> {
    let mut all = Vec::new();
    watch_for("the executions have ended", async || {
        all = executions(stack, room).await;
        all.iter().all(|execution| execution.status != ExecutionStatus::Running)
    })
    .await;
    all
}

/// Whether a part of a shard's members has the message and a part hasn't. A page's shards are posted to one after the other.
async fn is_amid_a_shard(stack: &ExclusiveStack, room: &mut TestRoom, seq: u64) -> bool {
    let reached = room.received_up_to().await;
    let has_it =
        |user: &str| room.members.iter().zip(&reached).any(|(member, newest)| member.user == user && *newest >= seq);
    let shards = inspect::members_by_shard(stack.stack(), &room.channel).await.unwrap();
    shards.iter().any(|members| {
        let count = members.iter().filter(|member| has_it(member.user.as_str())).count();
        count > 0 && count < members.len()
    })
}

#[tokio::test]
async fn killed_page_is_retried_and_members_receive_once() {
    let stack = ExclusiveStack::take().await;
    let mut room = TestRoom::with_members(&stack, "page", large(&stack)).await;
    let mut sent = 0;
    let mut killed = 0;
    while killed == 0 {
        sent += 1;
        assert!(sent <= u64::from(TRIES), "`deliver-page` was never met amid a page, in {TRIES} tries");
        room.send(&stack, sent).await;
        watch_for("the first member has it", async || room.receive_pending() >= sent).await;
        let held = hold(stack.stack(), Function::DeliverPage).await.unwrap();
        if is_amid_a_shard(&stack, &mut room, sent).await {
            killed = held.kill().unwrap();
        }
        room.wait_for(sent).await;
    }
    let executions = wait_for_the_end(&stack, &room).await;
    assert!(executions.iter().all(|execution| execution.status == ExecutionStatus::Succeeded), "{executions:?}");
    // Who had it before the kill was posted it again.
    assert!(room.received_up_to().await.iter().all(|newest| *newest == sent));
    assert!(room.duplicates() > 0);
    room.check_complete(&stack, sent).await;
}

/// Sends the room's first message while planning stands still: its execution is running under this lease and has done nothing.
async fn begin_and_stand_still(stack: &ExclusiveStack, room: &TestRoom, number: u64) -> (Lease, Held) {
    // Of several processes that stand still, each call would take one. There is none at all after this, and one after a call.
    hold(stack.stack(), Function::PlanBroadcast).await.unwrap().kill().unwrap();
    let mut warm = TestRoom::with_members(stack, &format!("warm-{number}"), large(stack)).await;
    warm.send(stack, 1).await;
    warm.wait_for(1).await;
    wait_for_the_end(stack, &warm).await;

    let held = hold(stack.stack(), Function::PlanBroadcast).await.unwrap();
    assert_eq!(held.count(), 1);
    room.send(stack, number).await;
    let mut begun = None;
    watch_for("the execution is running", async || {
        let lease = room.state(stack).await.lease;
        let Some(lease) = lease else { return false };
        let execution = execution_of(stack, room, &lease).await;
        begun = execution.filter(|execution| execution.status == ExecutionStatus::Running).map(|_| lease);
        begun.is_some()
    })
    .await;
    (begun.unwrap(), held)
}

#[tokio::test]
async fn members_pings_resume_a_stopped_broadcast() {
    let stack = ExclusiveStack::take().await;
    let mut room = TestRoom::with_members(&stack, "stopped", large(&stack)).await;
    let (lease, held) = begin_and_stand_still(&stack, &room, 1).await;
    let execution = execution_of(&stack, &room, &lease).await.unwrap();
    stack.stack().step_functions().stop_execution().execution_arn(&execution.arn).send().await.unwrap();
    drop(held);
    assert_eq!(execution_of(&stack, &room, &lease).await.unwrap().status, ExecutionStatus::Aborted);
    // No message is published any more: the members' pings find the stalled log and wake a fresh broadcast.
    room.wait_for(1).await;
    room.wait_until_sent(&stack).await;
    room.check_complete(&stack, 1).await;
}

#[tokio::test]
async fn broadcast_past_its_lease_gives_way_to_the_next() {
    let stack = ExclusiveStack::take().await;
    let mut room = TestRoom::with_members(&stack, "outlived", large(&stack)).await;
    let (lease, held) = begin_and_stand_still(&stack, &room, 1).await;
    watch_for("the lease has run out", async || !lease.is_live(System.now())).await;
    room.send(&stack, 2).await;
    room.wait_for(2).await;
    let old = execution_of(&stack, &room, &lease).await.unwrap();
    assert_eq!(old.status, ExecutionStatus::Running, "the old one is still there when the new one has delivered");
    drop(held);
    wait_for_the_end(&stack, &room).await;
    let old = execution_of(&stack, &room, &lease).await.unwrap();
    assert_eq!(old.plan.unwrap().next, Next::LostLease);
    room.check_complete(&stack, 2).await;
}

#[tokio::test]
async fn long_broadcast_hands_over_without_loss() {
    let stack = ExclusiveStack::take().await;
    let mut room = TestRoom::with_members(&stack, "handover", large(&stack)).await;
    let is_handed_over =
        |execution: &&Execution| execution.plan.as_ref().is_some_and(|plan| plan.next == Next::HandedOver);
    let (mut sent, mut handed_over) = (0, None);
    while handed_over.is_none() {
        assert!(sent < 1_000, "no execution has handed over, after {sent} messages");
        // Fast enough that a round ends with new messages waiting.
        for _ in 0..20 {
            sent += 1;
            room.send(&stack, sent).await;
        }
        handed_over = executions(&stack, &room).await.iter().find(is_handed_over).map(|old| old.input.lease.clone());
    }
    room.wait_for(sent).await;
    let all = wait_for_the_end(&stack, &room).await;
    let successor = lease::successor(&handed_over.unwrap());
    let successor = all.iter().find(|execution| execution.input.lease == successor).unwrap();
    assert_eq!(successor.status, ExecutionStatus::Succeeded);
    assert!(all.iter().any(|execution| execution.plan.as_ref().is_some_and(|plan| plan.next == Next::Settled)));
    room.check_complete(&stack, sent).await;
}
