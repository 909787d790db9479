//! The `deliver-page` function.

use deliver_page::Handler;
use hubbub_aws::clients::Clients;
use hubbub_aws::runtime::{read_config, serve, start_tracing};
use hubbub_aws::system::System;
use hubbub_core::broadcast::PageDelivery;
use hubbub_core::config::DeliverPageConfig;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    start_tracing();
    let config: DeliverPageConfig = read_config()?;
    let clients = Clients::from_environment();
    let handler = Handler(PageDelivery {
        store: clients.table(config.table),
        poster: clients.poster(&config.callback_url, config.post_concurrency, config.post_timeout_ms),
        world: System,
    });
    serve(|event| handler.handle(event)).await
}
