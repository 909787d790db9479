//! `hubbub history`: a page of a channel's log, from the table.

use anyhow::Context;
use hubbub_aws::system::System;
use hubbub_core::ports::{Clock, Log, ReadLimit};
use hubbub_core::wire::channel::Channel;
use hubbub_core::wire::message::{Closure, Content, Message, Seq};
use serde_json::{Value, json};

use crate::console::Console;
use crate::moment::utc;
use crate::stack::Stack;

/// The arguments of `hubbub history`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: hubbub history room:lobby --before 120 --limit 20")]
pub(crate) struct Arguments {
    /// The channel: `room:<id>`, `user:<id>` or `everyone`.
    channel: Channel,
    /// Only messages before this sequence; the newest, without.
    #[arg(long, value_name = "SEQ")]
    before: Option<u64>,
    /// How many messages at most.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    limit: u32,
}

pub(crate) async fn run(stack: &Stack, console: Console, arguments: Arguments) -> anyhow::Result<()> {
    let Arguments { channel, before, limit } = arguments;
    let table = stack.table()?;
    let state = table.state(&channel).await?.with_context(|| format!("the channel `{channel}` was never used"))?;
    let limit = ReadLimit { messages: usize::try_from(limit)?, bytes: usize::MAX };
    let before = Seq(before.unwrap_or(state.head.0.saturating_add(1)));
    let mut messages = table.read_back(&channel, &state.epoch, before, limit, System.now()).await?;
    messages.sort_unstable_by_key(|message| message.seq);
    for message in &messages {
        if console.json {
            console.value(&to_json(&channel, state.epoch.as_str(), message))?;
        } else {
            console.line(to_line(message))?;
        }
    }
    let first = messages.first().map(|message| message.seq.0).unwrap_or_default();
    if first > 1 && messages.len() >= limit.messages {
        eprintln!("there may be more: --before {first}");
    }
    Ok(())
}

fn to_line(message: &Message) -> String {
    let said = match &message.content {
        Content::Body(body) => body.as_str().to_owned(),
        Content::Deleted(seq) if *seq == message.seq => "(its body was deleted)".to_owned(),
        Content::Deleted(seq) => format!("(the body of {seq} was deleted)"),
        Content::Closed(Closure::Kept) => "(the room was closed)".to_owned(),
        Content::Closed(Closure::Erased) => "(the room was closed and erased)".to_owned(),
    };
    format!("{:>7}  {}  {}  {said}", message.seq, utc(message.at.0), message.from)
}

/// As on the wire.
fn to_json(channel: &Channel, epoch: &str, message: &Message) -> Value {
    let mut line = json!({
        "channel": channel,
        "epoch": epoch,
        "seq": message.seq,
        "id": message.id,
        "from": message.from,
        "at": message.at,
    });
    if let (Some(line), Ok(Value::Object(content))) = (line.as_object_mut(), serde_json::to_value(&message.content)) {
        line.extend(content);
    }
    line
}
