//! The run from beginning to end: well-behaved clients connect, the attacks last their time, well-behaved clients reconnect, and the stack is
//! verified.

use std::time::{Duration, Instant};

use fastrand::Rng;
use hubbub_core::limits::turns::PublishRate;
use hubbub_tests::progress::Progress;
use hubbub_tests::service::Service;
use hubbub_tests::stack::Stack;
use hubbub_tests::tasks::{Tasks, first_failure, wait_until_ready};
use hubbub_tests::token::Tokens;
use tokio::sync::{mpsc, watch};
use tokio::time::sleep;

use crate::Arguments;
use crate::attacker::Attacker;
use crate::attacks;
use crate::forge::Forge;
use crate::record::Shared;
use crate::report::Report;
use crate::verification::verify;
use crate::well_behaved::{CLERK, CLIENTS, WellBehaved, serve};

/// How often the progress is shown.
const LOOK: Duration = Duration::from_millis(500);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Well-behaved clients connect.
    Start,
    /// They send, and all attacks go on.
    Attack,
    /// They have reconnected and get what they missed.
    Recovery,
    /// They close.
    End,
}

/// Attacks, and reports.
///
/// # Errors
/// Fails if the stack can't be used at all. An attack's success is not an error but a figure of the report.
pub(crate) async fn attack(stack: &Stack, arguments: &Arguments, seed: u64) -> anyhow::Result<Report> {
    let mut progress = Progress::new();
    let report = run(stack, arguments, seed, &mut progress).await;
    progress.finish();
    report
}

async fn run(stack: &Stack, arguments: &Arguments, seed: u64, progress: &mut Progress) -> anyhow::Result<Report> {
    let tokens = Tokens::of(stack).await?;
    let record = Shared::default();
    let mut attacker = Attacker {
        stack: stack.clone(),
        forge: Forge::new(tokens.key(), &arguments.issuer, &arguments.audience),
        record: record.clone(),
        rng: Rng::with_seed(seed),
        until: Instant::now(),
        max_rooms: arguments.max_rooms,
        user_rate: PublishRate { per_second: arguments.user_rate, burst: arguments.user_burst },
    };
    let phase = watch::Sender::new(Phase::Start);
    let (ready, mut arrivals) = mpsc::channel(1);
    let mut clients = Tasks::new();
    for number in 0..CLIENTS {
        clients.spawn(WellBehaved::new(&mut attacker, number).run(phase.subscribe(), ready.clone()));
    }
    let count = CLIENTS as u64;
    wait_until_ready("well-behaved clients connect", count, progress, &mut clients, &mut arrivals).await?;

    phase.send_replace(Phase::Attack);
    attacker.until = Instant::now() + Duration::from_secs(arguments.seconds);
    clients.spawn(serve(Service::new(stack, CLERK), attacker.rng.fork(), record.clone(), phase.subscribe()));
    let mut attacks = Tasks::new();
    for attack in attacks::all(&mut attacker) {
        attacks.spawn(attack);
    }
    progress.begin("attacks, in seconds", arguments.seconds);
    let begin = Instant::now();
    // Each attack ends with its round, which may take a little longer.
    while !attacks.is_empty() {
        tokio::select! {
            ended = attacks.join_next() => ended.transpose()?.transpose()?.unwrap_or_default(),
            () = sleep(LOOK) => {}
            error = first_failure(&mut clients) => return Err(error),
        }
        progress.reach(begin.elapsed().as_secs());
    }

    phase.send_replace(Phase::Recovery);
    wait_until_ready("well-behaved clients reconnect", count, progress, &mut clients, &mut arrivals).await?;
    progress.begin("verification", 1);
    let balance = tokio::select! {
        balance = verify(stack, &record) => balance?,
        error = first_failure(&mut clients) => return Err(error),
    };

    phase.send_replace(Phase::End);
    while let Some(ended) = clients.join_next().await {
        ended??;
    }
    let report = Report::new(&record.open(), &balance, seed, arguments.seconds);
    Ok(report)
}
