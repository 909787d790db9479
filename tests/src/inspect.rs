//! Reads a stack's executions, members, logs and dead letters.

use anyhow::Context;
use aws_sdk_sfn::types::ExecutionStatus;
use aws_sdk_sqs::types::QueueAttributeName;
use hubbub_aws::system::System;
use hubbub_core::broadcast::round::{BroadcastInput, Plan};
use hubbub_core::log::lease::Lease;
use hubbub_core::log::state::ChannelState;
use hubbub_core::members::connection::Connection;
use hubbub_core::ports::{Clock, Log, Members, ReadLimit};
use hubbub_core::wire::channel::Channel;
use hubbub_core::wire::message::{Message, Seq};

use crate::stack::Stack;

/// Rows of a query.
const PAGE: usize = 1_000;

/// An execution of the broadcast state machine.
#[derive(Clone, Debug)]
pub struct Execution {
    /// Its ARN.
    pub arn: String,
    /// Which channel it broadcasts, under which lease.
    pub input: BroadcastInput,
    /// Its status.
    pub status: ExecutionStatus,
    /// Its last plan; nothing while it runs, and if it failed.
    pub plan: Option<Plan>,
}

/// The ARNs of all executions that a stack has started, in no order.
///
/// # Errors
/// Fails if they can't be listed.
pub async fn execution_arns(stack: &Stack) -> anyhow::Result<Vec<String>> {
    let mut pages = stack
        .step_functions()
        .list_executions()
        .state_machine_arn(&stack.outputs.state_machine_arn)
        .into_paginator()
        .items()
        .send();
    let mut arns = Vec::new();
    while let Some(execution) = pages.next().await {
        arns.push(execution.context("the executions can't be listed")?.execution_arn);
    }
    Ok(arns)
}

/// An execution by its ARN.
///
/// # Errors
/// Fails if it can't be read, or if its input or output isn't a broadcast's.
pub async fn execution(stack: &Stack, arn: &str) -> anyhow::Result<Execution> {
    let found = stack
        .step_functions()
        .describe_execution()
        .execution_arn(arn)
        .send()
        .await
        .with_context(|| format!("the execution `{arn}` can't be read"))?;
    let input = found.input.unwrap_or_default();
    let plan = |output: &str| serde_json::from_str(output).with_context(|| format!("`{output}` is not a plan"));
    Ok(Execution {
        arn: arn.to_owned(),
        input: serde_json::from_str(&input).with_context(|| format!("`{input}` is not a broadcast's input"))?,
        status: found.status,
        plan: found.output.as_deref().map(plan).transpose()?,
    })
}

/// The members of a channel.
///
/// # Errors
/// Fails if the table can't be read.
pub async fn members(stack: &Stack, channel: &Channel) -> anyhow::Result<Vec<Connection>> {
    Ok(members_by_shard(stack, channel).await?.into_iter().flatten().collect())
}

/// The members of each of a channel's shards.
///
/// # Errors
/// Fails if the table can't be read.
pub async fn members_by_shard(stack: &Stack, channel: &Channel) -> anyhow::Result<Vec<Vec<Connection>>> {
    let table = stack.table();
    let count = table.state(channel).await?.map_or(0, |state| state.shards);
    let mut shards = Vec::new();
    for shard in 0..count {
        let (mut members, mut after) = (Vec::new(), None);
        loop {
            let page = table.member_page(channel, shard, after.as_ref(), PAGE, System.now()).await?;
            members.extend(page.members);
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        shards.push(members);
    }
    Ok(shards)
}

/// The newest sequence of a channel's log; 0 if the channel is unused.
///
/// # Errors
/// Fails if the table can't be read.
pub async fn head(stack: &Stack, channel: &Channel) -> anyhow::Result<u64> {
    Ok(stack.table().state(channel).await?.map_or(0, |state| state.head.0))
}

/// A channel's item; nothing if the channel is unused.
///
/// # Errors
/// Fails if the table can't be read.
pub async fn state(stack: &Stack, channel: &Channel) -> anyhow::Result<Option<ChannelState>> {
    Ok(stack.table().state(channel).await?)
}

/// All that a channel's log keeps, in its order.
///
/// # Errors
/// Fails if the table can't be read.
pub async fn log(stack: &Stack, channel: &Channel) -> anyhow::Result<Vec<Message>> {
    let table = stack.table();
    let Some(state) = table.state(channel).await? else { return Ok(Vec::new()) };
    let limit = ReadLimit { messages: PAGE, bytes: usize::MAX };
    let mut messages: Vec<Message> = Vec::new();
    loop {
        let after = messages.last().map_or(Seq::ZERO, |message| message.seq);
        let read = table.read(channel, &state.epoch, after, limit, System.now()).await?;
        if read.is_empty() {
            return Ok(messages);
        }
        messages.extend(read);
    }
}

/// Whether the execution that a lease names was ever started.
///
/// # Errors
/// Fails if the executions can't be listed.
pub async fn was_started(stack: &Stack, lease: &Lease) -> anyhow::Result<bool> {
    let name = format!(":{}", lease.id);
    Ok(execution_arns(stack).await?.iter().any(|arn| arn.ends_with(&name)))
}

/// About how many messages are on the publish queue, including those that are being delivered.
///
/// # Errors
/// Fails if the queue can't be asked.
pub async fn waiting(stack: &Stack) -> anyhow::Result<u64> {
    let names =
        [QueueAttributeName::ApproximateNumberOfMessages, QueueAttributeName::ApproximateNumberOfMessagesNotVisible];
    count(stack, &stack.outputs.publish_queue_url, &names).await
}

/// About how many messages wait in the dead-letter queue.
///
/// # Errors
/// Fails if the queue can't be asked.
pub async fn dead_letters(stack: &Stack) -> anyhow::Result<u64> {
    let names = [QueueAttributeName::ApproximateNumberOfMessages];
    count(stack, &stack.outputs.dead_letter_queue_url, &names).await
}

/// The sum of some of a queue's counts.
async fn count(stack: &Stack, url: &str, names: &[QueueAttributeName]) -> anyhow::Result<u64> {
    let asking = stack.sqs().get_queue_attributes().queue_url(url).set_attribute_names(Some(names.to_vec()));
    let answer = asking.send().await.with_context(|| format!("the queue `{url}` can't be asked"))?;
    let counts = answer.attributes.unwrap_or_default();
    let mut sum = 0;
    for name in names {
        let count = counts.get(name).with_context(|| format!("the queue `{url}` has no `{name}`"))?;
        sum += count.parse::<u64>().with_context(|| format!("`{name}` of the queue `{url}` is `{count}`"))?;
    }
    Ok(sum)
}
