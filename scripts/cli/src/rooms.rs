//! `hubbub rooms`: which channels there are.

use hubbub_aws::system::System;
use hubbub_aws::table::Table;
use hubbub_core::log::state::ChannelState;
use hubbub_core::ports::{Clock, Members};
use hubbub_core::wire::channel::Channel;
use hubbub_core::wire::time::Timestamp;
use serde_json::json;

use crate::console::{Console, counted};
use crate::moment::span;
use crate::stack::Stack;

/// The arguments of `hubbub rooms`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "It reads the table from its beginning until it has found enough channels, messages and members included: DynamoDB asks \
                  a read unit for every 8 KB. That is the price of a look now and then; a gigabyte costs about $0.03 in us-east-1.\n\n\
                  Example: hubbub rooms --limit 20 --json"
)]
pub(crate) struct Arguments {
    /// How many channels at most.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..))]
    limit: u64,
    /// Users' own channels as well.
    #[arg(long)]
    users: bool,
}

pub(crate) async fn run(stack: &Stack, console: Console, arguments: Arguments) -> anyhow::Result<()> {
    let table = stack.table()?;
    if !console.json {
        let (channel, members, head, sent, lag) = ("CHANNEL", "MEMBERS", "HEAD", "SENT", "LAG");
        console.line(format_args!("{channel:<40} {members:>8} {head:>10} {sent:>10} {lag:>6}  BROADCAST"))?;
    }
    let (mut after, mut found, mut rows) = (None, 0, 0);
    loop {
        let page = table.channel_page(after).await?;
        rows += page.rows;
        for (channel, state) in page.channels {
            if matches!(channel, Channel::User(_)) && !arguments.users {
                continue;
            }
            if found == arguments.limit {
                eprintln!("there are more: --limit; {} read", counted(rows, "row"));
                return Ok(());
            }
            found += 1;
            show(&table, console, &channel, &state).await?;
        }
        after = page.next;
        if after.is_none() {
            eprintln!("{}; {} read", counted(found, "channel"), counted(rows, "row"));
            return Ok(());
        }
    }
}

async fn show(table: &Table, console: Console, channel: &Channel, state: &ChannelState) -> anyhow::Result<()> {
    let members: u64 = table.counts(channel, state.shards).await?.iter().sum();
    let lag = state.head.0.saturating_sub(state.sent.0);
    let now = System.now();
    if console.json {
        let lease = state.live_lease(now).map(|lease| json!({"id": lease.id, "until": lease.until}));
        return console.value(&json!({
            "channel": channel,
            "members": members,
            "head": state.head,
            "sent": state.sent,
            "lag": lag,
            "shards": state.shards,
            "closed": state.closed,
            "lease": lease,
        }));
    }
    let (head, sent, about) = (state.head, state.sent, about(state, now));
    Ok(console
        .line(format_args!("{:<40} {members:>8} {head:>10} {sent:>10} {lag:>6}  {about}", channel.to_string()))?)
}

/// Who broadcasts the channel, and whether it is closed.
fn about(state: &ChannelState, now: Timestamp) -> String {
    let lease = state.live_lease(now).map(|lease| format!("{} for {}", lease.id, span(lease.until.since(now))));
    let closed = state.closed.then(|| "closed".to_owned());
    let about: Vec<String> = lease.into_iter().chain(closed).collect();
    if about.is_empty() { "-".to_owned() } else { about.join(", ") }
}
