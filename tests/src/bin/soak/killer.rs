//! Kills functions' processes, as machines do that lose their power.

use std::collections::BTreeMap;
use std::time::Duration;

use fastrand::Rng;
use hubbub_tests::processes::{Function, kill, processes};
use hubbub_tests::stack::Stack;
use tokio::sync::watch;
use tokio::time::sleep;

use crate::conductor::Phase;
use crate::town::around;

/// How long it takes, on the average, from one kill to the next.
const PAUSE: Duration = Duration::from_secs(2);

/// Kills a random process of a random function at random moments while the load lasts; how many of each function.
pub(crate) async fn kill_at_random(
    stack: Stack,
    mut dice: Rng,
    phase: watch::Receiver<Phase>,
) -> anyhow::Result<BTreeMap<Function, u64>> {
    let mut killed = BTreeMap::new();
    loop {
        sleep(around(PAUSE, &mut dice)).await;
        if *phase.borrow() != Phase::Load {
            return Ok(killed);
        }
        let mut by_function = BTreeMap::<Function, Vec<_>>::new();
        for process in processes(&stack)? {
            by_function.entry(process.function).or_default().push(process);
        }
        // By function first: `receive` has many processes and `deliver` one.
        let Some((function, all)) = dice.choice(by_function) else { continue };
        let Some(process) = dice.choice(all) else { continue };
        if kill(process)? {
            *killed.entry(function).or_default() += 1;
        }
    }
}
