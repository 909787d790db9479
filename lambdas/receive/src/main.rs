//! The `receive` function.

use hubbub_aws::clients::Clients;
use hubbub_aws::metrics::Metered;
use hubbub_aws::runtime::{read_config, serve_metered, start_tracing};
use hubbub_core::config::ReceiveConfig;
use hubbub_core::limit::PublishRate;
use hubbub_core::rate::Budget;
use hubbub_core::receive::Reception;
use receive::Handler;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    start_tracing();
    let config: ReceiveConfig = read_config()?;
    let world = Metered::new(env!("CARGO_PKG_NAME"), config.stack);
    let clients = Clients::from_environment();
    let budget = Budget::of(config.callback_rps);
    let handler = Handler(Reception {
        store: clients.announcing_table(config.table, config.presence_queue_url),
        queue: clients.publish_queue(config.publish_queue_url),
        poster: clients.poster(
            &config.callback_url,
            budget.small_rate(),
            config.post_concurrency,
            config.post_timeout_ms,
        )?,
        world: world.clone(),
        max_body_bytes: usize::try_from(config.max_body_bytes)?,
        shard_members: config.shard_members,
        user_rate: PublishRate { per_second: config.user_rate, burst: config.user_burst },
        max_rooms: config.max_rooms,
        budget,
    });
    serve_metered(&world, |event, _| handler.handle(event)).await
}
