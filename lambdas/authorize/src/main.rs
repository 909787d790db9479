//! The `authorize` function.

use authorize::Handler;
use hubbub_aws::clients::Clients;
use hubbub_aws::runtime::{read_config, serve, start_tracing};
use hubbub_aws::system::System;
use hubbub_core::config::AuthorizeConfig;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    start_tracing();
    let config: AuthorizeConfig = read_config()?;
    let key = Clients::from_environment().parameter(config.token_key_parameter);
    let handler = Handler { keys: key, world: System };
    serve(|event| handler.handle(event)).await
}
