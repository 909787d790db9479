//! The room's broadcasts: what the state machine's executions report.

use std::collections::BTreeSet;

use anyhow::Context;
use aws_sdk_sfn::types::ExecutionStatus;
use hubbub_core::broadcast::round::{Next, Totals};
use hubbub_core::wire::channel::Channel;
use hubbub_tests::figures::counted;
use hubbub_tests::inspect::{self, Execution};
use hubbub_tests::stack::Stack;

/// The executions that were there before the demo, so that they aren't counted.
pub(crate) struct Executions {
    before: BTreeSet<String>,
}

impl Executions {
    /// Every later execution is the demo's.
    pub(crate) async fn from_now(stack: &Stack) -> anyhow::Result<Self> {
        Ok(Self { before: inspect::execution_arns(stack).await?.into_iter().collect() })
    }

    /// All executions of the demo, as they stand.
    pub(crate) async fn read(&self, stack: &Stack) -> anyhow::Result<Vec<Execution>> {
        let mut executions = Vec::new();
        for arn in inspect::execution_arns(stack).await? {
            if !self.before.contains(&arn) {
                executions.push(inspect::execution(stack, &arn).await.context("an execution can't be understood")?);
            }
        }
        Ok(executions)
    }
}

/// The sum of some executions.
#[derive(Clone, Debug, Default)]
pub(crate) struct Summary {
    /// How many there were.
    pub(crate) count: u64,
    /// What they did.
    pub(crate) totals: Totals,
    /// How many have not ended.
    running: usize,
    /// How many failed.
    failed: usize,
    /// How many lost their lease to another.
    lost_lease: usize,
}

impl Summary {
    /// Adds up a channel's executions.
    pub(crate) fn of(executions: &[Execution], channel: &Channel) -> Self {
        let mut summary = Self::default();
        for execution in executions.iter().filter(|execution| execution.input.channel == *channel) {
            summary.count += 1;
            match &execution.status {
                ExecutionStatus::Running => summary.running += 1,
                ExecutionStatus::Succeeded => {}
                _ => summary.failed += 1,
            }
            if let Some(plan) = &execution.plan {
                summary.lost_lease += usize::from(plan.next == Next::LostLease);
                summary.totals.rounds += plan.totals.rounds;
                summary.totals.pages += plan.totals.pages;
                summary.totals.failed_pages += plan.totals.failed_pages;
                summary.totals.tally += plan.totals.tally;
            }
        }
        summary
    }

    /// A sentence for each thing that a smooth run doesn't have.
    pub(crate) fn surprises(&self, channel: &Channel) -> Vec<String> {
        let Totals { failed_pages, tally, .. } = self.totals;
        let (running, failed, lost) = (self.running as u64, self.failed as u64, self.lost_lease as u64);
        let sentences = [
            (running, format!("{} had not ended when the demo stopped waiting", counted(running, "execution"))),
            (failed, format!("{} failed", counted(failed, "execution"))),
            (lost, format!("{} lost the lease to another one", counted(lost, "execution"))),
            (
                failed_pages,
                format!("{} failed, and the members there must recover by the gap", counted(failed_pages, "page")),
            ),
            (
                tally.throttled,
                format!("{} kept being throttled and must recover by the gap", counted(tally.throttled, "member")),
            ),
            (
                tally.failed,
                format!("posts to {} failed, which must recover by the gap", counted(tally.failed, "member")),
            ),
        ];
        let real = sentences.into_iter().filter(|(count, _)| *count > 0);
        real.map(|(_, what)| format!("Broadcasting to `{channel}`: {what}.")).collect()
    }
}
