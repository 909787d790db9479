//! The `deliver-page` function.

use std::time::Duration;

use deliver_page::Handler;
use hubbub_aws::clients::Clients;
use hubbub_aws::metrics::Metered;
use hubbub_aws::runtime::{read_config, serve_metered, start_tracing};
use hubbub_core::broadcast::PageDelivery;
use hubbub_core::config::DeliverPageConfig;
use hubbub_core::fan_out::Share;
use hubbub_core::rate::Budget;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    start_tracing();
    let config: DeliverPageConfig = read_config()?;
    let world = Metered::new(env!("CARGO_PKG_NAME"), config.stack);
    let clients = Clients::from_environment();
    let budget = Budget::of(config.callback_rps);
    let rate = budget.large_rate(budget.page_senders());
    let handler = Handler(PageDelivery {
        store: clients.announcing_table(config.table, config.presence_queue_url),
        poster: clients.poster(&config.callback_url, rate, config.post_concurrency, config.post_timeout_ms)?,
        world: world.clone(),
        share: Share::of_new_sender(budget, &world),
        lease: Duration::from_secs(config.lease_seconds),
    });
    serve_metered(&world, |event, deadline| handler.handle(event, deadline)).await
}
