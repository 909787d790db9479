//! The `deliver` function.

use std::time::Duration;

use deliver::Handler;
use hubbub_aws::clients::Clients;
use hubbub_aws::metrics::Metered;
use hubbub_aws::runtime::{read_config, serve_metered, start_tracing};
use hubbub_core::config::DeliverConfig;
use hubbub_core::deliver::Delivery;
use hubbub_core::fan_out::Share;
use hubbub_core::rate::Budget;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    start_tracing();
    let config: DeliverConfig = read_config()?;
    let world = Metered::new(env!("CARGO_PKG_NAME"), config.stack);
    let clients = Clients::from_environment();
    let budget = Budget::of(config.callback_rps);
    let rate = budget.small_rate();
    let poster = clients.poster(&config.callback_url, rate, config.post_concurrency, config.post_timeout_ms)?;
    let beside = poster.beside(budget.announce_rate());
    let delivery = Delivery {
        store: clients.announcing_table(config.table, config.presence_queue_url.clone()),
        broadcasts: clients.state_machine(config.state_machine_arn),
        dead_letters: clients.dead_letters(config.dead_letter_queue_url),
        poster,
        world: world.clone(),
        max_body_bytes: usize::try_from(config.max_body_bytes)?,
        retention: Duration::from_secs(config.retention_seconds),
        inline_limit: config.inline_limit,
        lease: Duration::from_secs(config.lease_seconds),
        share: Share::of_new_sender(budget, &world),
        large: Default::default(),
    };
    let announcer = delivery.announcer(beside);
    let handler = Handler { delivery, announcer, presence_queue_url: config.presence_queue_url };
    serve_metered(&world, |event, deadline| handler.handle(event, deadline)).await
}
