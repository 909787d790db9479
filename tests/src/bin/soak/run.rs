//! The soak from beginning to end: clients connect, the load lasts its time, every client comes back, and the ledger is balanced.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use fastrand::Rng;
use hubbub_core::functions::Function;
use hubbub_ledger::{Balance, Missing};
use hubbub_tests::inspect;
use hubbub_tests::progress::Progress;
use hubbub_tests::record::wait_for_balance;
use hubbub_tests::service::Service;
use hubbub_tests::stack::Stack;
use hubbub_tests::tasks::{Tasks, first_failure, wait_until_ready};
use hubbub_tests::token::Tokens;
use tokio::sync::{mpsc, watch};
use tokio::time::sleep;
use ulid::Ulid;

use crate::Arguments;
use crate::client::{Limits, SoakClient};
use crate::killer::kill_at_random;
use crate::load::{Load, SERVICES};
use crate::record::Shared;
use crate::report::{Figures, Report};
use crate::sending_service::send;

/// How long the soak waits while nothing happens. A message whose `deliver` was killed comes back after the queue's visibility timeout, which
/// must be shorter.
const PATIENCE: Duration = Duration::from_secs(90);
/// How often the progress is shown.
const LOOK: Duration = Duration::from_secs(1);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Clients connect.
    Start,
    /// Clients and services send, and functions are killed.
    Load,
    /// Every client has come back and gets what it missed.
    Recovery,
    /// Clients close.
    End,
}

/// Soaks, and reports.
///
/// # Errors
/// Fails if the stack can't be used at all. A lost message is not an error but a figure of the report.
pub(crate) async fn soak(stack: &Stack, arguments: &Arguments, seed: u64) -> anyhow::Result<Report> {
    let mut soak = Soak {
        stack,
        arguments,
        load: Load { clients: arguments.clients, rate: arguments.rate },
        rng: Rng::with_seed(seed),
        record: Shared::default(),
        phase: watch::Sender::new(Phase::Start),
        tasks: Tasks::new(),
        progress: Progress::new(),
    };
    let report = soak.run(seed).await;
    soak.progress.finish();
    report
}

struct Soak<'a> {
    stack: &'a Stack,
    arguments: &'a Arguments,
    load: Load,
    rng: Rng,
    record: Shared,
    phase: watch::Sender<Phase>,
    /// Clients and services; each fails only if the stack can't be used.
    tasks: Tasks,
    progress: Progress,
}

impl Soak<'_> {
    async fn run(&mut self, seed: u64) -> anyhow::Result<Report> {
        let run = Ulid::new().to_string();
        let (ready, mut arrivals) = mpsc::channel(1);
        self.start_clients(&run, &ready).await?;
        self.wait_for_clients("clients connect", &mut arrivals).await?;

        self.phase.send_replace(Phase::Load);
        let killed = self.apply_load(&run).await?;

        self.wait_for_clients("clients reconnect", &mut arrivals).await?;
        let balance = self.wait_for_balance().await?;

        self.phase.send_replace(Phase::End);
        self.progress.begin("clients close", 1);
        while let Some(ended) = self.tasks.join_next().await {
            ended??;
        }
        self.report(seed, &balance, killed).await
    }

    async fn start_clients(&mut self, run: &str, ready: &mpsc::Sender<()>) -> anyhow::Result<()> {
        let tokens = Tokens::of(self.stack).await?;
        let limits = Limits::default();
        for number in 0..self.load.clients {
            let (record, rng) = (self.record.clone(), self.rng.fork());
            let client = SoakClient::new(number, self.load, rng, record, limits.clone(), (self.stack, &tokens), run)?;
            self.tasks.spawn(client.run(self.phase.subscribe(), ready.clone()));
        }
        Ok(())
    }

    async fn wait_for_clients(&mut self, what: &str, arrivals: &mut mpsc::Receiver<()>) -> anyhow::Result<()> {
        let clients = self.load.clients.into();
        wait_until_ready(what, clients, &mut self.progress, &mut self.tasks, arrivals).await
    }

    /// Lets the load last its time; gives the number of killed processes.
    async fn apply_load(&mut self, run: &str) -> anyhow::Result<BTreeMap<Function, u64>> {
        for number in 0..SERVICES {
            let service = Service::new(self.stack, format!("service-{number}"));
            let (rng, record) = (self.rng.fork(), self.record.clone());
            self.tasks.spawn(send(service, self.load, rng, record, self.phase.subscribe(), run.to_owned()));
        }
        let killer = self
            .arguments
            .kill
            .then(|| tokio::spawn(kill_at_random(self.stack.clone(), self.rng.fork(), self.phase.subscribe())));

        self.progress.begin("load, in seconds", self.arguments.seconds);
        let start = Instant::now();
        while start.elapsed() < self.arguments.duration() {
            let rest = self.arguments.duration().saturating_sub(start.elapsed());
            tokio::select! {
                () = sleep(rest.min(LOOK)) => {}
                error = first_failure(&mut self.tasks) => return Err(error),
            }
            self.progress.reach(start.elapsed().as_secs());
        }
        self.phase.send_replace(Phase::Recovery);
        match killer {
            Some(killer) => killer.await?,
            None => Ok(BTreeMap::new()),
        }
    }

    async fn wait_for_balance(&mut self) -> anyhow::Result<Balance> {
        self.progress.begin("waiting for the last messages", 1);
        let channels: BTreeSet<_> = self.load.channels().into_iter().collect();
        let is_done = async |_: &Balance, is_complete| Ok(is_complete);
        tokio::select! {
            balance = wait_for_balance(self.stack, &self.record, PATIENCE, |_| channels.clone(), is_done) => balance,
            error = first_failure(&mut self.tasks) => Err(error),
        }
    }

    async fn report(&self, seed: u64, balance: &Balance, killed: BTreeMap<Function, u64>) -> anyhow::Result<Report> {
        let (figures, surprises) = {
            let record = &mut *self.record.open();
            for Missing { client, channel, after, last, seqs } in record.ledger.missing() {
                let example =
                    format!("`{client}` in `{channel}` lacks {seqs:?}; joined at {after:?}, came to {last:?}");
                record.surprises.note("member without a message", example);
            }
            (Figures::new(self.arguments, seed, balance, &record.notes, &killed), record.surprises.sentences())
        };
        let (dead_letters, executions) =
            (inspect::dead_letters(self.stack).await?, inspect::execution_arns(self.stack).await?);
        let executions: BTreeSet<String> = executions.into_iter().collect();
        Ok(Report {
            figures: Figures { dead_letters, executions: executions.len() as u64, ..figures },
            killed,
            surprises,
        })
    }
}
