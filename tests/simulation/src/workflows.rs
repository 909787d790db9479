//! Step Functions: executions by unique names, which do what `statemachines/broadcast.asl.json` says.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use futures::future::join_all;
use hubbub_core::broadcast::page::Page;
use hubbub_core::broadcast::round::{Next, PageInput, PageReport, PlanInput, Round, Totals};
use hubbub_core::delivery::outcome::Tally;
use hubbub_core::ports::PortResult;
use hubbub_core::wire::channel::Channel;
use hubbub_core::wire::id::LeaseId;

use crate::environment::Environment;
use crate::functions::{deliver_page, plan_broadcast};
use crate::scheduler::{Outcome, TaskId};

/// How often a task is tried: once, and three times again.
const TRIES: u32 = 4;

/// All executions that there ever were.
#[derive(Default)]
pub(crate) struct Workflows(RefCell<BTreeMap<LeaseId, Execution>>);

struct Execution {
    channel: Channel,
    task: TaskId,
    is_running: bool,
}

impl Workflows {
    /// The executions that are running.
    pub(crate) fn running(&self) -> Vec<LeaseId> {
        let executions = self.0.borrow();
        executions.iter().filter(|(_, execution)| execution.is_running).map(|(lease, _)| lease.clone()).collect()
    }

    fn end(&self, lease: &LeaseId) {
        if let Some(execution) = self.0.borrow_mut().get_mut(lease) {
            execution.is_running = false;
        }
    }
}

/// Starts an execution, unless one of this name was started before.
pub(crate) fn start(environment: &Rc<Environment>, channel: &Channel, lease: &LeaseId) {
    let mut executions = environment.workflows.0.borrow_mut();
    if executions.contains_key(lease) {
        environment.record.count("repeated starts");
        return;
    }
    if !lease.as_str().ends_with("-1") {
        environment.record.count("handovers");
    }
    let task = environment.scheduler.spawn(format!("execution {lease}"), {
        let (environment, channel, lease) = (Rc::clone(environment), channel.clone(), lease.clone());
        async move {
            if execute(&environment, &channel, &lease).await.is_none() {
                environment.scheduler.note(|| "BroadcastFailed".to_owned());
                environment.record.interrupt(&channel);
            }
            environment.workflows.end(&lease);
        }
    });
    executions.insert(lease.clone(), Execution { channel: channel.clone(), task, is_running: true });
}

/// An operator stops an execution. Its functions that are running go on.
pub(crate) fn stop(environment: &Rc<Environment>, lease: &LeaseId) {
    let mut executions = environment.workflows.0.borrow_mut();
    let Some(execution) = executions.get_mut(lease).filter(|execution| execution.is_running) else { return };
    environment.scheduler.note(|| format!("stop {lease}"));
    execution.is_running = false;
    environment.scheduler.stop(execution.task);
    environment.record.interrupt(&execution.channel);
}

/// Runs the state machine to its end; nothing where it fails.
async fn execute(environment: &Rc<Environment>, channel: &Channel, lease: &LeaseId) -> Option<()> {
    let mut input = PlanInput {
        channel: channel.clone(),
        lease: lease.clone(),
        round: None,
        reports: Vec::new(),
        totals: Totals::default(),
    };
    loop {
        let plan = retry(environment, || plan_broadcast(environment, input.clone())).await?;
        let Next::Round { round, pages, .. } = plan.next else { return Some(()) };
        environment.record.count("rounds");
        if pages.len() > 1 {
            environment.record.count("several pages");
        }
        let reports = join_all(pages.into_iter().map(|page| fan_out(environment, channel, lease, &round, page))).await;
        input = PlanInput { round: Some(round), reports, totals: plan.totals, ..input };
    }
}

/// One item of the Map.
async fn fan_out(
    environment: &Rc<Environment>,
    channel: &Channel,
    lease: &LeaseId,
    round: &Round,
    page: Page,
) -> PageReport {
    let input = PageInput { channel: channel.clone(), lease: lease.clone(), round: round.clone(), page };
    match retry(environment, || deliver_page(environment, input.clone())).await {
        Some(report) => report,
        None => {
            environment.scheduler.note(|| format!("PageFailed {}", input.page.index));
            environment.record.fail_page(channel, round);
            PageReport { index: input.page.index, tally: Tally::default(), error: Some("Lambda.Unknown".to_owned()) }
        }
    }
}

/// A task with its retries; nothing where the last one fails, too.
async fn retry<T>(environment: &Rc<Environment>, invoke: impl Fn() -> Outcome<PortResult<T>>) -> Option<T> {
    for attempt in 0..TRIES {
        environment.scheduler.pause().await;
        let result = invoke().end().await;
        let is_lost = environment.scheduler.happens(environment.scheduler.faults().lose);
        match result {
            Some(Ok(value)) if !is_lost => return Some(value),
            Some(Err(error)) if !error.is_retryable() => return None,
            _ => environment.scheduler.sleep(environment.scheduler.below(1_000 << attempt)).await,
        }
    }
    None
}
