//! `hubbub doctor`: walks through a deployment, from its outputs to a message that comes back, and says what is wrong.
//!
//! [`setup`] compares what is deployed with what the Pulumi program deploys, [`live`] tries what can only be tried. A check that finds
//! a fault doesn't end the walk: the next ones may say more.

mod finding;
mod live;
mod setup;

use std::time::Duration;

use hubbub_aws::operations::Inspector;
use hubbub_aws::system::System;
use hubbub_core::ports::Clock;
use hubbub_core::wire::id::RoomId;
use serde_json::json;

use self::finding::{Finding, Outcome};
use crate::console::{Console, Mark};
use crate::stack::Stack;

/// How many rooms there are in which things are tried. Each visit takes another one: a message that could not be delivered holds up its
/// room until the queue gives it out again, which must not spoil the visit after the fault was mended.
const ROOMS: u64 = 1_000;

/// The user who tries them, and the name of the service.
const USER: &str = "hubbub-doctor";

/// The arguments of `hubbub doctor`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "It changes nothing, and leaves a message in the log of one of the rooms `hubbub-doctor-0` to `-999`, which ends with \
                  the retention. It needs to read the table's, the queues', the functions', the roles' and the state machine's configuration and the \
                  functions' logs, to send to the publish queue, to start an execution, and to read the token key. It ends with status \
                  1 if anything is wrong.\n\n\
                  Example: hubbub doctor --json | jq '.checks[] | select(.outcome == \"fault\")'"
)]
pub(crate) struct Arguments {
    /// How many seconds a message or an execution may take.
    #[arg(long, value_name = "S", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=600))]
    patience: u64,
}

/// Whom the checks ask, and about what.
struct Visit<'a> {
    stack: &'a Stack,
    inspector: Inspector,
    patience: Duration,
}

/// Writes down what the checks find, each as soon as it is found.
struct Record {
    console: Console,
    findings: Vec<Finding>,
}

impl Record {
    fn add(&mut self, finding: Finding) -> anyhow::Result<()> {
        if !self.console.json {
            show(self.console, &finding)?;
        }
        self.findings.push(finding);
        Ok(())
    }

    fn add_all(&mut self, findings: impl IntoIterator<Item = Finding>) -> anyhow::Result<()> {
        findings.into_iter().try_for_each(|finding| self.add(finding))
    }

    fn faults(&self) -> usize {
        self.findings.iter().filter(|finding| finding.is_fault()).count()
    }
}

/// Whether all is well.
pub(crate) async fn run(stack: &Stack, console: Console, arguments: Arguments) -> anyhow::Result<bool> {
    let mut record = Record { console, findings: Vec::new() };
    let complete = setup::outputs(stack);
    let is_complete = !complete.is_fault();
    record.add(complete)?;
    if is_complete {
        let patience = Duration::from_secs(arguments.patience);
        let visit = Visit { stack, inspector: stack.clients()?.inspector()?, patience };
        setup::look(&visit, &mut record).await?;
        let room = format!("{USER}-{}", System.now().0 / 1_000 % ROOMS);
        live::try_out(&visit, &mut record, &RoomId::parse(&room)?).await?;
    }
    let faults = record.faults();
    if console.json {
        console.value(&json!({"healthy": faults == 0, "stack": stack.source, "checks": record.findings}))?;
    } else {
        let verdict = match faults {
            0 => "all is well".to_owned(),
            1 => "1 check found a fault".to_owned(),
            _ => format!("{faults} checks found faults"),
        };
        console.line(verdict)?;
    }
    Ok(faults == 0)
}

fn show(console: Console, finding: &Finding) -> anyhow::Result<()> {
    let Finding { check, outcome } = finding;
    match outcome {
        Outcome::Ok { found } => console.marked(Mark::Good, format_args!("{check}: {found}"))?,
        Outcome::Skipped { found } => console.marked(Mark::Open, format_args!("{check}: {found}"))?,
        Outcome::Fault { found, place, remedy } => {
            console.marked(Mark::Bad, format_args!("{check}: {found}"))?;
            console.line(format_args!("      where: {place}"))?;
            console.line(format_args!("      do:    {remedy}"))?;
        }
    }
    Ok(())
}
