//! The `plan-broadcast` function.

use std::time::Duration;

use hubbub_aws::clients::Clients;
use hubbub_aws::metrics::Metered;
use hubbub_aws::runtime::{read_config, serve_metered, start_tracing};
use hubbub_core::broadcast::Planner;
use hubbub_core::config::PlanBroadcastConfig;
use hubbub_core::rate::Budget;
use plan_broadcast::Handler;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    start_tracing();
    let config: PlanBroadcastConfig = read_config()?;
    let world = Metered::new(env!("CARGO_PKG_NAME"), config.stack);
    let clients = Clients::from_environment();
    let budget = Budget::of(config.callback_rps);
    let rate = budget.small_rate();
    let handler = Handler(Planner {
        store: clients.table(config.table),
        broadcasts: clients.state_machine(config.state_machine_arn),
        poster: clients.poster(&config.callback_url, rate, config.post_concurrency, config.post_timeout_ms)?,
        world: world.clone(),
        lease: Duration::from_secs(config.lease_seconds),
        page_members: config.page_members,
        round_frames: config.round_frames,
        history_events: config.history_events,
        budget,
        retention: Duration::from_secs(config.retention_seconds),
    });
    serve_metered(&world, |event, _| handler.handle(event)).await
}
