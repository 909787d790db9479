//! The `disconnect` function.

use disconnect::Handler;
use hubbub_aws::clients::Clients;
use hubbub_aws::metrics::Metered;
use hubbub_aws::runtime::{read_config, serve_metered, start_tracing};
use hubbub_core::config::DisconnectConfig;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    start_tracing();
    let config: DisconnectConfig = read_config()?;
    let world = Metered::new(env!("CARGO_PKG_NAME"), config.stack);
    let store = Clients::from_environment().announcing_table(config.table, config.presence_queue_url);
    let handler = Handler { store, world: world.clone() };
    serve_metered(&world, |event, _| handler.handle(event)).await
}
