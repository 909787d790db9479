//! A service that sends to the queue while the load lasts.

use std::time::{Duration, Instant};

use anyhow::Context;
use fastrand::Rng;
use hubbub_tests::service::Service;
use serde_json::json;
use tokio::sync::watch;
use tokio::time::sleep;

use crate::conductor::Phase;
use crate::ledger::{Shared, open};
use crate::town::{Town, around};

/// How long a message is tried before the soak gives up on the stack.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long the service waits before trying again.
const PAUSE: Duration = Duration::from_millis(300);

/// Sends messages one after the other, each until the queue has taken it.
pub(crate) async fn send(
    service: Service,
    town: Town,
    mut dice: Rng,
    ledger: Shared,
    phase: watch::Receiver<Phase>,
    run: String,
) -> anyhow::Result<()> {
    let mut number = 0;
    while *phase.borrow() == Phase::Load {
        number += 1;
        let (id, channel) = (format!("{run}.{number}"), town.any_channel(&mut dice));
        let body = json!({"by": service.name(), "number": number});
        let deadline = Instant::now() + PATIENCE;
        while let Err(error) = service.send(&channel.to_string(), &id, &body).await {
            if Instant::now() > deadline {
                return Err(error).context("a service can't send");
            }
            open(&ledger).oddities.note("failed send", format!("{error:#}"));
            sleep(PAUSE).await;
        }
        open(&ledger).accept(&channel, service.name(), &id);
        sleep(around(town.service_pause(), &mut dice)).await;
    }
    Ok(())
}
