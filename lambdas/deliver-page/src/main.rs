//! The `deliver-page` function.

use std::time::Duration;

use deliver_page::Handler;
use hubbub_aws::clients::Clients;
use hubbub_aws::runtime::{read_config, serve_by, start_tracing};
use hubbub_aws::system::System;
use hubbub_core::broadcast::PageDelivery;
use hubbub_core::config::DeliverPageConfig;
use hubbub_core::fan_out::Share;
use hubbub_core::id::SenderId;
use hubbub_core::ports::Ids;
use hubbub_core::rate::Budget;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    start_tracing();
    let config: DeliverPageConfig = read_config()?;
    let clients = Clients::from_environment();
    let budget = Budget::of(config.callback_rps);
    let rate = budget.large_rate(budget.page_senders());
    let handler = Handler(PageDelivery {
        store: clients.table(config.table),
        poster: clients.poster(&config.callback_url, rate, config.post_concurrency, config.post_timeout_ms)?,
        world: System,
        share: Share { budget, sender: SenderId::new(System.fresh()) },
        lease: Duration::from_secs(config.lease_seconds),
    });
    serve_by(|event, deadline| handler.handle(event, deadline)).await
}
