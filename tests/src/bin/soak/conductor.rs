//! The soak from beginning to end: everyone gathers, the load lasts its time, everyone comes back, and the books are balanced.

use std::collections::{BTreeMap, BTreeSet};
use std::future::pending;
use std::time::{Duration, Instant};

use anyhow::Context;
use fastrand::Rng;
use futures::stream::{self, StreamExt, TryStreamExt};
use hubbub_client::Channel;
use hubbub_tests::books::Entry;
use hubbub_tests::inspect;
use hubbub_tests::processes::Function;
use hubbub_tests::progress::Progress;
use hubbub_tests::service::Service;
use hubbub_tests::stack::Stack;
use hubbub_tests::token::Tokens;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::sleep;
use ulid::Ulid;

use crate::Arguments;
use crate::killer::kill_at_random;
use crate::ledger::{Balance, Shared, open};
use crate::person::{Lines, Person};
use crate::report::{Figures, Report};
use crate::sender::send;
use crate::town::{SERVICES, Town};

/// How long the soak waits while nothing at all happens. A message whose `deliver` was killed comes back after the queue's visibility
/// timeout, which must be shorter.
const PATIENCE: Duration = Duration::from_secs(90);
/// How often it looks.
const GLANCE: Duration = Duration::from_secs(1);
/// Logs that are read at once.
const AT_ONCE: usize = 16;

/// What the town is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// People arrive.
    Gathering,
    /// People and services talk, and functions are killed.
    Load,
    /// Everyone has come back and gets what was missed.
    Recovery,
    /// Everyone goes.
    Over,
}

/// Soaks, and reports.
///
/// # Errors
/// Fails if the stack can't be used at all. What is lost is not an error but a figure of the report.
pub(crate) async fn soak(stack: &Stack, arguments: &Arguments, seed: u64) -> anyhow::Result<Report> {
    let mut soak = Soak {
        stack,
        arguments,
        town: Town { people: arguments.clients, rate: arguments.rate },
        dice: Rng::with_seed(seed),
        ledger: Shared::default(),
        phase: watch::Sender::new(Phase::Gathering),
        tasks: JoinSet::new(),
        logs: BTreeMap::new(),
        progress: Progress::new(),
    };
    let report = soak.run(seed).await;
    soak.progress.finish();
    report
}

struct Soak<'a> {
    stack: &'a Stack,
    arguments: &'a Arguments,
    town: Town,
    dice: Rng,
    ledger: Shared,
    phase: watch::Sender<Phase>,
    /// People and services; each fails only if the stack can't be used.
    tasks: JoinSet<anyhow::Result<()>>,
    logs: BTreeMap<Channel, Vec<Entry>>,
    progress: Progress,
}

impl Soak<'_> {
    async fn run(&mut self, seed: u64) -> anyhow::Result<Report> {
        let run = Ulid::new().to_string();
        let (ready, mut arrivals) = mpsc::channel(1);
        self.gather(&run, &ready).await?;
        self.wait_for_people("gathering", &mut arrivals).await?;

        self.phase.send_replace(Phase::Load);
        let killed = self.bear_load(&run).await?;

        self.wait_for_people("everyone comes back", &mut arrivals).await?;
        let balance = self.wait_for_balance().await?;

        self.phase.send_replace(Phase::Over);
        self.progress.begin("closing the sockets", 1);
        while let Some(ended) = self.tasks.join_next().await {
            ended??;
        }
        self.report(seed, balance, killed).await
    }

    async fn gather(&mut self, run: &str, ready: &mpsc::Sender<()>) -> anyhow::Result<()> {
        let tokens = Tokens::of(self.stack).await?;
        let lines = Lines::default();
        for number in 0..self.town.people {
            let (ledger, dice) = (self.ledger.clone(), self.dice.fork());
            let person = Person::new(number, self.town, dice, ledger, lines.clone(), (self.stack, &tokens), run)?;
            self.tasks.spawn(person.live(self.phase.subscribe(), ready.clone()));
        }
        Ok(())
    }

    /// Waits until each person has said that it is there, or one of them can't be.
    async fn wait_for_people(&mut self, what: &str, arrivals: &mut mpsc::Receiver<()>) -> anyhow::Result<()> {
        self.progress.begin(what, self.town.people.into());
        for count in 1..=self.town.people {
            tokio::select! {
                arrival = arrivals.recv() => arrival.context("nobody is there any more")?,
                error = first_failure(&mut self.tasks) => return Err(error),
            }
            self.progress.reach(count.into());
        }
        Ok(())
    }

    /// Lets the load last its time; what was killed meanwhile.
    async fn bear_load(&mut self, run: &str) -> anyhow::Result<BTreeMap<Function, u64>> {
        for number in 0..SERVICES {
            let service = Service::new(self.stack, format!("service-{number}"));
            let (dice, ledger) = (self.dice.fork(), self.ledger.clone());
            self.tasks.spawn(send(service, self.town, dice, ledger, self.phase.subscribe(), run.to_owned()));
        }
        let killer = self
            .arguments
            .kill
            .then(|| tokio::spawn(kill_at_random(self.stack.clone(), self.dice.fork(), self.phase.subscribe())));

        self.progress.begin("soaking", self.arguments.seconds);
        let start = Instant::now();
        while start.elapsed() < self.arguments.duration() {
            let rest = self.arguments.duration().saturating_sub(start.elapsed());
            tokio::select! {
                () = sleep(rest.min(GLANCE)) => {}
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

    /// Waits until the queue is empty and the books balance, or until nothing has happened for long.
    async fn wait_for_balance(&mut self) -> anyhow::Result<Balance> {
        let mut last_change = (Instant::now(), (0, 0, 0));
        self.progress.begin("balancing the books", 1);
        loop {
            // In this order: what left the queue before it was looked at is in the log by then.
            let waiting = inspect::waiting(self.stack).await?;
            self.read_logs().await?;
            let (balance, written) = {
                let ledger = open(&self.ledger);
                (ledger.balance(&self.logs), ledger.written)
            };
            if waiting == 0 && balance.is_complete() {
                return Ok(balance);
            }
            let stand = (waiting, balance.logged, written);
            if stand != last_change.1 {
                last_change = (Instant::now(), stand);
            }
            if last_change.0.elapsed() > PATIENCE {
                open(&self.ledger)
                    .oddities
                    .note("wait in vain", format!("{waiting} messages on the queue, {balance:?}"));
                return Ok(balance);
            }
            tokio::select! {
                () = sleep(GLANCE) => {}
                error = first_failure(&mut self.tasks) => return Err(error),
            }
        }
    }

    /// Reads the logs that have grown.
    async fn read_logs(&mut self) -> anyhow::Result<()> {
        let known: BTreeMap<Channel, u64> =
            self.logs.iter().map(|(channel, log)| (channel.clone(), log.len() as u64)).collect();
        let stack = self.stack;
        let reading = self.town.channels().into_iter().map(|channel| {
            let known = known.get(&channel).copied();
            async move {
                let of_core = channel.to_string().parse()?;
                if known == Some(inspect::head(stack, &of_core).await?) {
                    return Ok(None);
                }
                let log = inspect::log(stack, &of_core).await?.iter().map(Entry::from).collect();
                anyhow::Ok(Some((channel, log)))
            }
        });
        let read: Vec<_> = stream::iter(reading.collect::<Vec<_>>()).buffer_unordered(AT_ONCE).try_collect().await?;
        self.logs.extend(read.into_iter().flatten());
        Ok(())
    }

    async fn report(&self, seed: u64, balance: Balance, killed: BTreeMap<Function, u64>) -> anyhow::Result<Report> {
        let (figures, surprises) = {
            let mut ledger = open(&self.ledger);
            ledger.note_missing(&self.logs);
            (Figures::new(self.arguments, seed, &balance, &ledger, &killed), ledger.oddities.sentences())
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

/// The error of the first task that fails; waits for ever if none does.
async fn first_failure(tasks: &mut JoinSet<anyhow::Result<()>>) -> anyhow::Error {
    loop {
        match tasks.join_next().await {
            Some(Ok(Ok(()))) => {}
            Some(Ok(Err(error))) => return error,
            Some(Err(error)) => return error.into(),
            None => pending().await,
        }
    }
}
