//! The `disconnect` function.

use disconnect::Handler;
use hubbub_aws::clients::Clients;
use hubbub_aws::runtime::{read_config, serve, start_tracing};
use hubbub_core::config::DisconnectConfig;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    start_tracing();
    let config: DisconnectConfig = read_config()?;
    let handler = Handler { store: Clients::from_environment().table(config.table) };
    serve(|event| handler.handle(event)).await
}
