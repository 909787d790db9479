//! `hubbub restored`: what the logs need when the table was restored from a backup.

use hubbub_client::Channel;
use serde_json::json;

use crate::console::{Console, counted};
use crate::stack::Stack;

/// The arguments of `hubbub restored`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "After a restore the logs are back at older sequences, and clients have seen newer ones: they would take the next messages for \
                  old ones and drop them. This puts each log's next sequence so far ahead that none comes twice; whoever comes back is \
                  told that something is missing, and starts anew. What is in the logs stays. Call it while `deliver` is stopped \
                  (docs/deploy.md). Calling it twice does no harm.\n\n\
                  Example: hubbub restored --json"
)]
pub(crate) struct Arguments {
    /// How far ahead: more than the messages that a channel has had since the backup.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..=1_000_000_000_000))]
    by: u64,
    /// Only this channel: `room:<id>`, `user:<id>` or `everyone`.
    #[arg(long)]
    channel: Option<Channel>,
}

pub(crate) async fn run(stack: &Stack, console: Console, arguments: Arguments) -> anyhow::Result<()> {
    let table = stack.table()?;
    let wanted = arguments.channel.map(|channel| channel.to_string());
    let (mut after, mut lifted, mut rows) = (None, 0, 0);
    loop {
        let page = table.channel_page(after).await?;
        rows += page.rows;
        for (channel, state) in page.channels {
            if wanted.as_ref().is_some_and(|wanted| *wanted != channel.to_string()) {
                continue;
            }
            table.lift(&channel, arguments.by).await?;
            lifted += 1;
            let next = state.head.0 + arguments.by + 1;
            if console.json {
                console.value(&json!({"channel": channel, "was": state.head, "next": next}))?;
            } else {
                console.line(format_args!("{channel}: the next message is {next}"))?;
            }
        }
        eprintln!("{}; {} read", counted(lifted, "log"), counted(rows, "row"));
        after = page.next;
        if after.is_none() {
            return Ok(());
        }
    }
}
