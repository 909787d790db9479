//! `hubbub token`: a token by which a user can connect.

use authorize::token::{Claims, sign};
use hubbub_aws::system::System;
use hubbub_core::id::UserId;
use hubbub_core::ports::Clock;

use crate::stack::Stack;

/// The arguments of `hubbub token`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The user's id.
    #[arg(value_parser = UserId::parse)]
    user: UserId,
    /// For how many seconds the token is good.
    #[arg(long, value_name = "S", default_value_t = 3_600)]
    seconds: u64,
}

/// Prints the token, and nothing else.
pub(crate) async fn run(stack: &Stack, arguments: &Arguments) -> anyhow::Result<()> {
    let key = stack.clients().parameter(stack.token_key_parameter.clone()).value().await?;
    let exp = System.now().0 / 1_000 + arguments.seconds;
    println!("{}", sign(&Claims { sub: arguments.user.to_string(), exp, nbf: None }, &key)?);
    Ok(())
}
