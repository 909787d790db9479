//! `hubbub token`: a token by which a user can connect.

use hubbub_core::wire::capabilities::{Capabilities, Verb};
use hubbub_core::wire::id::UserId;
use serde_json::{Value, json};

use crate::console::Console;
use crate::stack::Stack;

/// The arguments of `hubbub token`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: hubbub token alice --seconds 60 --grant '{\"join\": [\"lobby\"]}'")]
pub(crate) struct Arguments {
    /// The user's id.
    #[arg(value_parser = UserId::parse)]
    user: UserId,
    /// For how many seconds the token is good.
    #[arg(long, value_name = "S", default_value_t = 3_600)]
    seconds: u64,
    /// What the token grants, as JSON such as `{"join": ["lobby", "team-*"]}`; what the stack grants by default, without it.
    #[arg(long, value_name = "JSON", value_parser = read_grant)]
    grant: Option<Value>,
}

/// Checked here, because a stack that refuses a token doesn't say why.
fn read_grant(text: &str) -> Result<Value, String> {
    Capabilities::parse(text).map_err(|error| error.to_string())?;
    let grant: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let verbs = Verb::ALL.map(|verb| verb.to_string());
    let unknown = grant.as_object().into_iter().flatten().find(|(verb, _)| !verbs.contains(verb));
    match unknown {
        Some((verb, _)) => Err(format!("`{verb}` is none of {}", verbs.join(", "))),
        None => Ok(grant),
    }
}

/// Prints the token, and nothing else.
pub(crate) async fn run(stack: &Stack, console: Console, arguments: &Arguments) -> anyhow::Result<()> {
    let Arguments { user, seconds, grant } = arguments;
    let token = stack.signing_key().await?.sign(user, *seconds, grant.clone())?;
    if console.json { console.value(&json!({"user": user, "token": token})) } else { Ok(console.line(token)?) }
}
