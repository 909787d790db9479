//! Kills functions' processes, as a power failure of their host would.

use std::collections::BTreeMap;
use std::time::Duration;

use fastrand::Rng;
use hubbub_core::functions::Function;
use hubbub_tests::processes::{kill, processes};
use hubbub_tests::stack::Stack;
use tokio::sync::watch;
use tokio::time::sleep;

use crate::load::random_pause;
use crate::run::Phase;

/// The average time between two kills.
const PAUSE: Duration = Duration::from_secs(2);

/// Kills random processes of random functions at random moments while the load lasts; gives the number for each function.
pub(crate) async fn kill_at_random(
    stack: Stack,
    mut rng: Rng,
    phase: watch::Receiver<Phase>,
) -> anyhow::Result<BTreeMap<Function, u64>> {
    let mut killed = BTreeMap::new();
    loop {
        sleep(random_pause(PAUSE, &mut rng)).await;
        if *phase.borrow() != Phase::Load {
            return Ok(killed);
        }
        let mut by_function = BTreeMap::<Function, Vec<_>>::new();
        for process in processes(&stack)? {
            by_function.entry(process.function).or_default().push(process);
        }
        // By function first: `receive` has many processes and `deliver` one.
        let Some((function, all)) = rng.choice(by_function) else { continue };
        let Some(process) = rng.choice(all) else { continue };
        if kill(process)? {
            *killed.entry(function).or_default() += 1;
        }
    }
}
