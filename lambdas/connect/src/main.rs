//! The `connect` function.

use connect::Handler;
use hubbub_aws::clients::Clients;
use hubbub_aws::runtime::{read_config, serve, start_tracing};
use hubbub_aws::system::System;
use hubbub_core::config::ConnectConfig;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    start_tracing();
    let config: ConnectConfig = read_config()?;
    let clients = Clients::from_environment();
    let handler = Handler { store: clients.table(config.table), world: System, shard_members: config.shard_members };
    serve(|event| handler.handle(event)).await
}
