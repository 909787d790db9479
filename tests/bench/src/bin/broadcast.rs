//! Measures broadcasts; each run prints one line of JSON.

use clap::{Parser, Subcommand};
use hubbub_bench::scenario;

/// Broadcasts through the functions' own planner and senders, to a gateway and with a DynamoDB on the loopback.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    scenario: Scenario,
    /// Accepted for the sake of those who ask for it everywhere: the output is always JSON.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Scenario {
    /// A message to each of some rooms at once, under the stack's `callbackRps`.
    Quota {
        /// Members of each room.
        #[arg(long)]
        members: u64,
        /// The stack's `callbackRps`. The account's quota is a quarter more, which requests that come in use up.
        #[arg(long, default_value_t = 10_000)]
        quota: u32,
        /// How many rooms.
        #[arg(long, default_value_t = 1)]
        rooms: usize,
    },
    /// A message to a room at a fixed rate, without a quota.
    Growth {
        /// Members of the room.
        #[arg(long)]
        members: u64,
    },
    /// A room that is talked in.
    Coalescing {
        /// Members of the room.
        #[arg(long, default_value_t = 10_000)]
        members: u64,
        /// The stack's `callbackRps`.
        #[arg(long, default_value_t = 10_000)]
        quota: u32,
        /// Messages a second.
        #[arg(long)]
        rate: u32,
        /// For how many seconds.
        #[arg(long, default_value_t = 10)]
        seconds: u32,
    },
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let Arguments { scenario, .. } = Arguments::parse();
    let measured = Box::pin(tokio::task::LocalSet::new().run_until(measure(scenario))).await?;
    println!("{measured}");
    Ok(())
}

async fn measure(scenario: Scenario) -> anyhow::Result<String> {
    Ok(match scenario {
        Scenario::Quota { members, quota, rooms } => {
            serde_json::to_string(&scenario::quota(members, quota, rooms).await?)?
        }
        Scenario::Growth { members } => serde_json::to_string(&scenario::growth(members).await?)?,
        Scenario::Coalescing { members, quota, rate, seconds } => {
            serde_json::to_string(&scenario::coalescing(members, quota, rate, seconds).await?)?
        }
    })
}
