//! `hubbub publish`, `direct` and `broadcast`: messages by the queue, as a service sends them.

use std::time::Duration;

use anyhow::bail;
use hubbub_aws::system::System;
use hubbub_core::ports::{Clock, Ids, PublishQueue, Receipts};
use hubbub_core::wire::channel::Channel;
use hubbub_core::wire::id::{MessageId, RoomId, UserId};
use hubbub_core::wire::message::ReceiptTo;
use hubbub_core::wire::queue_message::Envelope;
use hubbub_core::wire::server_frame::Receipt;
use serde_json::json;

use crate::body;
use crate::console::Console;
use crate::stack::Stack;

/// How often a receipt is looked for.
const PAUSE: Duration = Duration::from_millis(200);

/// The arguments of `hubbub publish`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: hubbub publish lobby '{\"text\": \"hello\"}' --from orders --receipt")]
pub(crate) struct Publish {
    /// The room's id.
    #[arg(value_parser = RoomId::parse)]
    room: RoomId,
    #[command(flatten)]
    message: Message,
}

/// The arguments of `hubbub direct`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: hubbub direct alice 'your parcel is there'")]
pub(crate) struct Direct {
    /// The user's id.
    #[arg(value_parser = UserId::parse)]
    user: UserId,
    #[command(flatten)]
    message: Message,
}

/// The arguments of `hubbub broadcast`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: echo '{\"maintenance\": \"at noon\"}' | hubbub broadcast -")]
pub(crate) struct Broadcast {
    #[command(flatten)]
    message: Message,
}

/// A message.
#[derive(Debug, clap::Args)]
struct Message {
    /// What it says: JSON where it is JSON, else a text; `-` for what comes by standard input.
    body: String,
    /// Who it is from.
    #[arg(long, value_name = "SENDER", default_value = "operator", value_parser = UserId::parse)]
    from: UserId,
    /// Its id; sending the same id again within five minutes is the same message. A fresh one, without.
    #[arg(long, value_parser = MessageId::parse)]
    id: Option<MessageId>,
    /// Wait until it was posted to all members, and print the receipt.
    #[arg(long)]
    receipt: bool,
    /// How many seconds to wait for the receipt.
    #[arg(long, value_name = "S", default_value_t = 60)]
    patience: u64,
}

pub(crate) async fn publish(stack: &Stack, console: Console, Publish { room, message }: Publish) -> anyhow::Result<()> {
    send(stack, console, Channel::Room(room), message).await
}

pub(crate) async fn direct(stack: &Stack, console: Console, Direct { user, message }: Direct) -> anyhow::Result<()> {
    send(stack, console, Channel::User(user), message).await
}

pub(crate) async fn broadcast(stack: &Stack, console: Console, arguments: Broadcast) -> anyhow::Result<()> {
    send(stack, console, Channel::Everyone, arguments.message).await
}

async fn send(stack: &Stack, console: Console, channel: Channel, message: Message) -> anyhow::Result<()> {
    let id = match message.id {
        Some(id) => id,
        None => MessageId::parse(&System.fresh())?,
    };
    let receipt = message.receipt.then_some(ReceiptTo::Service);
    let envelope = Envelope { channel, id, from: message.from, body: body::read(&message.body)?, receipt };
    body::check(&envelope.to_json()?, &envelope.channel)?;
    stack.clients()?.publish_queue(stack.publish_queue_url()?.to_owned()).enqueue(&envelope).await?;
    let Envelope { channel, id, from, .. } = &envelope;
    let said = json!({"channel": channel, "id": id, "from": from});
    if !message.receipt {
        return if console.json {
            console.value(&said)
        } else {
            Ok(console.line(format_args!("on the queue for `{channel}`, with the id `{id}`"))?)
        };
    }
    let receipt = wait_for_receipt(stack, &envelope, Duration::from_secs(message.patience)).await?;
    if console.json {
        return console.value(&json!({"channel": channel, "id": id, "from": from, "receipt": receipt}));
    }
    let Receipt { seq, members, delivered, gone, failed, ms, .. } = receipt;
    Ok(console.line(format_args!(
        "in the log of `{channel}` at {seq}: of {members} members, {delivered} got it, {gone} were gone, {failed} failed; {ms} ms"
    ))?)
}

async fn wait_for_receipt(stack: &Stack, envelope: &Envelope, patience: Duration) -> anyhow::Result<Receipt> {
    let Envelope { channel, id, from, .. } = envelope;
    let table = stack.table()?;
    let deadline = System.now().plus(patience);
    while System.now() < deadline {
        if let Some(receipt) = table.receipt(channel, from, id, System.now()).await? {
            return Ok(receipt);
        }
        tokio::time::sleep(PAUSE).await;
    }
    bail!(
        "the message `{id}` is on the queue, but there is no receipt after {} s: `hubbub doctor` may say why",
        patience.as_secs()
    )
}
