//! Looking at what a stack has done: executions, members, the heads of logs, dead letters.

use anyhow::Context;
use aws_sdk_sfn::types::ExecutionStatus;
use aws_sdk_sqs::types::QueueAttributeName;
use hubbub_aws::system::System;
use hubbub_core::broadcast::{BroadcastInput, Plan};
use hubbub_core::channel::Channel;
use hubbub_core::member::Connection;
use hubbub_core::ports::{Clock, Log, Members};

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
    /// How it stands.
    pub status: ExecutionStatus,
    /// What it has done; nothing while it runs, and if it failed.
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

/// The members of a channel, as they stand in the table.
///
/// # Errors
/// Fails if the table can't be read.
pub async fn members(stack: &Stack, channel: &Channel) -> anyhow::Result<Vec<Connection>> {
    let table = stack.table();
    let shards = table.state(channel).await?.map_or(0, |state| state.shards);
    let mut members = Vec::new();
    for shard in 0..shards {
        let mut after = None;
        loop {
            let page = table
                .member_page(channel, shard, after.as_ref(), PAGE, System.now())
                .await?;
            members.extend(page.members);
            after = page.next;
            if after.is_none() {
                break;
            }
        }
    }
    Ok(members)
}

/// The newest sequence of a channel's log; 0 if nobody has used the channel yet.
///
/// # Errors
/// Fails if the table can't be read.
pub async fn head(stack: &Stack, channel: &Channel) -> anyhow::Result<u64> {
    Ok(stack.table().state(channel).await?.map_or(0, |state| state.head.0))
}

/// About how many messages wait in the dead-letter queue.
///
/// # Errors
/// Fails if the queue can't be asked.
pub async fn dead_letters(stack: &Stack) -> anyhow::Result<u64> {
    let name = QueueAttributeName::ApproximateNumberOfMessages;
    let answer = stack
        .sqs()
        .get_queue_attributes()
        .queue_url(&stack.outputs.dead_letter_queue_url)
        .attribute_names(name.clone())
        .send()
        .await
        .context("the dead-letter queue can't be asked")?;
    let count = answer.attributes.as_ref().and_then(|attributes| attributes.get(&name));
    count
        .context("the dead-letter queue has no count")?
        .parse()
        .context("the dead-letter queue's count is not a number")
}
