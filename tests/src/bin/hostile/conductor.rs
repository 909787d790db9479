//! The run from beginning to end: honest people gather, everybody attacks for a time, honest people come back, and it is looked at what
//! the attacks have done.

use std::future::pending;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::Context;
use fastrand::Rng;
use hubbub_core::limit::PublishRate;
use hubbub_tests::progress::Progress;
use hubbub_tests::service::Service;
use hubbub_tests::stack::Stack;
use hubbub_tests::token::Tokens;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::Arguments;
use crate::aftermath::Aftermath;
use crate::attacks;
use crate::book::{Book, open};
use crate::field::Field;
use crate::forge::Forge;
use crate::honest::{CLERK, HONEST, Person, serve};
use crate::report::Report;

/// How often it is looked how far things are.
const GLANCE: Duration = Duration::from_millis(500);

/// What is going on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Honest people arrive.
    Gathering,
    /// They talk, and everybody attacks.
    Attack,
    /// They have come back and get what was missed.
    Recovery,
    /// They go.
    Over,
}

/// Attacks, and reports.
///
/// # Errors
/// Fails if the stack can't be used at all. What an attack brings about is not an error but a figure of the report.
pub(crate) async fn attack(stack: &Stack, arguments: &Arguments, seed: u64) -> anyhow::Result<Report> {
    let mut progress = Progress::new();
    let report = conduct(stack, arguments, seed, &mut progress).await;
    progress.finish();
    report
}

async fn conduct(stack: &Stack, arguments: &Arguments, seed: u64, progress: &mut Progress) -> anyhow::Result<Report> {
    let tokens = Tokens::of(stack).await?;
    let book = Arc::new(Mutex::new(Book::default()));
    let mut field = Field {
        stack: stack.clone(),
        forge: Forge::new(tokens.key(), &arguments.issuer, &arguments.audience),
        book: Arc::clone(&book),
        dice: Rng::with_seed(seed),
        until: Instant::now(),
        max_rooms: arguments.max_rooms,
        user_rate: PublishRate { per_second: arguments.user_rate, burst: arguments.user_burst },
    };
    let phase = watch::Sender::new(Phase::Gathering);
    let (ready, mut arrivals) = mpsc::channel(1);
    // Honest people; each fails only if the stack can't be used.
    let mut people: JoinSet<anyhow::Result<()>> = JoinSet::new();
    for number in 0..HONEST {
        people.spawn(Person::new(&mut field, number).live(phase.subscribe(), ready.clone()));
    }
    wait_for_people("honest people gather", progress, &mut people, &mut arrivals).await?;

    phase.send_replace(Phase::Attack);
    field.until = Instant::now() + Duration::from_secs(arguments.seconds);
    people.spawn(serve(Service::new(stack, CLERK), field.dice.fork(), Arc::clone(&book), phase.subscribe()));
    let mut attacks: JoinSet<anyhow::Result<()>> = JoinSet::new();
    for attack in attacks::all(&mut field) {
        attacks.spawn(attack);
    }
    progress.begin("attacking, in seconds", arguments.seconds);
    let begin = Instant::now();
    // Each attack ends with its round, which may take a little longer.
    while !attacks.is_empty() {
        tokio::select! {
            ended = attacks.join_next() => ended.transpose()?.transpose()?.unwrap_or_default(),
            () = sleep(GLANCE) => {}
            error = first_failure(&mut people) => return Err(error),
        }
        progress.reach(begin.elapsed().as_secs());
    }

    phase.send_replace(Phase::Recovery);
    wait_for_people("honest people come back", progress, &mut people, &mut arrivals).await?;
    progress.begin("looking at what it has done", 1);
    let mut aftermath = Aftermath::new(stack, &book);
    tokio::select! {
        looked = aftermath.look() => looked?,
        error = first_failure(&mut people) => return Err(error),
    }

    phase.send_replace(Phase::Over);
    while let Some(ended) = people.join_next().await {
        ended??;
    }
    let balance = aftermath.balance();
    Ok(Report::new(&open(&book), balance, seed, arguments.seconds))
}

/// Waits until each person has said that it is there, or one of them can't be.
async fn wait_for_people(
    what: &str,
    progress: &mut Progress,
    people: &mut JoinSet<anyhow::Result<()>>,
    arrivals: &mut mpsc::Receiver<()>,
) -> anyhow::Result<()> {
    progress.begin(what, HONEST as u64);
    for count in 1..=HONEST {
        tokio::select! {
            arrival = arrivals.recv() => arrival.context("nobody is there any more")?,
            error = first_failure(people) => return Err(error),
        }
        progress.reach(count as u64);
    }
    Ok(())
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
