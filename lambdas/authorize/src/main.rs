//! The `authorize` function.

use authorize::Handler;
use authorize::keys::StackKeys;
use authorize::token::Rules;
use hubbub_aws::clients::Clients;
use hubbub_aws::runtime::{read_config, serve, start_tracing};
use hubbub_aws::system::System;
use hubbub_core::config::AuthorizeConfig;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    start_tracing();
    let config: AuthorizeConfig = read_config()?;
    let keys = StackKeys::new(&Clients::from_environment(), &config)?;
    let rules = Rules {
        algorithm: config.token_algorithm,
        issuer: config.token_issuer,
        audience: config.token_audience,
        default_capabilities: config.default_capabilities,
    };
    let handler = Handler { keys, rules, world: System };
    serve(|event| handler.handle(event)).await
}
