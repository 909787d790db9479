//! The part of the benchmark that is written in Rust. Each command measures one thing, or serves, and prints JSON; `driver/` runs the
//! commands beside `rivals/` in other languages and writes the report.
//!
//! It is one program, because the release profile's link takes minutes for each.

mod broadcast;
mod post;
mod sdk_poster;
mod servers;
mod signing;
mod usage;

use clap::Parser;

#[derive(Debug, Parser)]
#[command(about = "Measures a part of Hubbub, and prints JSON")]
enum Command {
    /// Post batches of messages, and print the CPU time of each batch
    Post(post::Arguments),
    /// Sign pages of requests on one thread and on all
    Signing(signing::Arguments),
    /// Broadcast to rooms through the functions' own planner and senders
    #[command(subcommand)]
    Broadcast(broadcast::Scenario),
    /// Serve as API Gateway's @connections: print the URL, then what was counted for each line of input
    Gateway(servers::GatewayArguments),
    /// Serve as DynamoDB: print the URL
    Dynamodb,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    match Command::parse() {
        Command::Post(arguments) => print(&Box::pin(post::measure(&arguments)).await?),
        Command::Signing(arguments) => print(&signing::measure(&arguments)?),
        Command::Broadcast(scenario) => {
            print(&Box::pin(tokio::task::LocalSet::new().run_until(broadcast::measure(scenario))).await?)
        }
        Command::Gateway(arguments) => servers::serve_gateway(&arguments),
        Command::Dynamodb => servers::serve_dynamodb().await,
    }
}

fn print(measured: &impl serde::Serialize) -> anyhow::Result<()> {
    println!("{}", serde_json::to_string(measured)?);
    Ok(())
}
