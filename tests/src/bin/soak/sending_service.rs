//! A service that sends to the queue while the load lasts.

use std::time::{Duration, Instant};

use anyhow::Context;
use fastrand::Rng;
use hubbub_tests::service::Service;
use serde_json::json;
use tokio::sync::watch;
use tokio::time::sleep;

use crate::load::{Load, random_pause};
use crate::record::Shared;
use crate::run::Phase;

/// How long a message is tried before the soak gives up on the stack.
const PATIENCE: Duration = Duration::from_secs(60);
const RETRY_PAUSE: Duration = Duration::from_millis(300);

/// Sends messages one after the other, each until the queue has taken it.
pub(crate) async fn send(
    service: Service,
    load: Load,
    mut rng: Rng,
    record: Shared,
    phase: watch::Receiver<Phase>,
    run: String,
) -> anyhow::Result<()> {
    let mut number = 0;
    while *phase.borrow() == Phase::Load {
        number += 1;
        let (id, channel) = (format!("{run}.{number}"), load.random_channel(&mut rng));
        let body = json!({"by": service.name(), "number": number});
        let deadline = Instant::now() + PATIENCE;
        while let Err(error) = service.send(&channel.to_string(), &id, &body).await {
            if Instant::now() > deadline {
                return Err(error).context("a service can't send");
            }
            record.open().surprises.note("failed send", format!("{error:#}"));
            sleep(RETRY_PAUSE).await;
        }
        record.open().ledger.accept(&channel, service.name(), service.name(), &id);
        sleep(random_pause(load.service_pause(), &mut rng)).await;
    }
    Ok(())
}
