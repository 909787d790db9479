//! `hubbub tail`: a channel's messages as they come, over a socket.

use std::convert::Infallible;
use std::future::{pending, ready};

use anyhow::bail;
use hubbub_aws::system::System;
use hubbub_client::{
    Channel, Closure, Content, Delivery, Event, Events, FrameKind, Message, Position, Session, SessionOptions, Start,
    Status, Tokens,
};
use hubbub_core::id::UserId;
use hubbub_core::ports::{Ids, Log};
use serde_json::json;
use serde_json::value::RawValue;
use tokio::sync::watch;

use crate::console::{Console, WrongCall};
use crate::moment::utc;
use crate::stack::Stack;

/// The arguments of `hubbub tail`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "It connects as a user of its own, who counts as a member while it runs, and comes back when the socket ends.\n\n\
                  Example: hubbub tail room:lobby --since 120 --json"
)]
pub(crate) struct Arguments {
    /// The channel: `room:<id>`, `user:<id>` or `everyone`.
    #[arg(value_parser = read_channel)]
    channel: Channel,
    /// Begin behind this sequence, with what is kept; 0 is everything.
    #[arg(long, value_name = "SEQ")]
    since: Option<u64>,
    /// The epoch that the sequence belongs to; the log's own, without.
    #[arg(long, value_name = "EPOCH", requires = "since")]
    epoch: Option<String>,
    /// The user's token. Without it, one is signed with the stack's key.
    #[arg(long)]
    token: Option<String>,
    /// End when so many messages have come.
    #[arg(long, value_name = "N")]
    count: Option<u64>,
}

/// Checked by the core's rules, as the client leaves that to the server.
fn read_channel(text: &str) -> Result<Channel, String> {
    text.parse::<hubbub_core::channel::Channel>().map_err(|error| error.to_string())?;
    text.parse::<Channel>().map_err(|error| error.to_string())
}

/// How the channel is followed: as whom, and with which token for each socket.
async fn options(stack: &Stack, arguments: &Arguments) -> anyhow::Result<SessionOptions> {
    let (user, grant) = match &arguments.channel {
        Channel::User(id) => (UserId::parse(id)?, json!({})),
        Channel::Room(id) => (UserId::parse(&format!("tail-{}", System.fresh()))?, json!({"join": [id]})),
        Channel::Everyone => (UserId::parse(&format!("tail-{}", System.fresh()))?, json!({})),
    };
    let tokens = match &arguments.token {
        Some(token) => Tokens::fixed(token),
        None => {
            let (key, user) = (stack.signing_key().await?, user.clone());
            Tokens::fetch(move || ready(key.sign_briefly(&user, grant.clone()).map_err(Into::into)))
        }
    };
    let options = SessionOptions::new(stack.web_socket_url()?, user.as_str(), tokens);
    Ok(options.follow(arguments.channel.clone(), start(stack, arguments).await?))
}

pub(crate) async fn run(stack: &Stack, console: Console, arguments: Arguments) -> anyhow::Result<()> {
    let (session, mut events) = Session::open(options(stack, &arguments).await?);
    let mut status = session.status();
    status.wait_for(|status| *status != Status::Connecting).await?;
    if let Status::Offline(why) | Status::Closed(why) = &*status.borrow_and_update() {
        bail!("the channel can't be followed: {why}");
    }
    eprintln!("following `{}`; Ctrl-C ends it", arguments.channel);
    tokio::select! {
        end = follow(console, &mut events, arguments.count.unwrap_or(u64::MAX)) => end?,
        never = tell(status) => match never {},
    }
    session.close().await;
    Ok(())
}

/// Says when the connection is lost and when it is back.
async fn tell(mut status: watch::Receiver<Status>) -> Infallible {
    while status.changed().await.is_ok() {
        match &*status.borrow_and_update() {
            Status::Offline(why) => eprintln!("{why}: connecting again"),
            Status::Recovering => eprintln!("connected again: fetching what was missed"),
            Status::Connecting | Status::Live | Status::Closed(_) => {}
        }
    }
    pending().await
}

/// From where the channel is followed. A sequence without an epoch is one of the log as it is now.
async fn start(stack: &Stack, arguments: &Arguments) -> anyhow::Result<Start> {
    match (arguments.since, &arguments.epoch) {
        (None, _) => Ok(Start::Now),
        (Some(0), _) => Ok(Start::Beginning),
        (Some(seq), Some(epoch)) => Ok(Start::After(Position { epoch: epoch.clone(), seq })),
        (Some(seq), None) => {
            let channel: hubbub_core::channel::Channel = arguments.channel.to_string().parse()?;
            match stack.table()?.state(&channel).await? {
                Some(state) => Ok(Start::After(Position { epoch: state.epoch.as_str().to_owned(), seq })),
                None => Err(WrongCall(format!("the channel `{channel}` was never used: leave out --since")).into()),
            }
        }
    }
}

/// Shows so many messages, or those until the channel can't be followed any more, which is an error.
async fn follow(console: Console, events: &mut Events, count: u64) -> anyhow::Result<()> {
    let mut left = count;
    while left > 0 {
        match events.next().await {
            Some(Event::Message(delivery)) => {
                show(console, &delivery)?;
                left -= 1;
                // One that a join has brought is of a room that was opened again.
                if matches!(delivery.message.content, Content::Closed(_)) && delivery.frame != FrameKind::Joined {
                    bail!("`{}` was closed", delivery.channel);
                }
            }
            Some(Event::Reset { channel, head, .. }) => {
                eprintln!("what came in `{channel}` before {head} is not kept any more");
            }
            Some(Event::Dropped { channel, error }) => bail!("`{channel}` can't be followed any more: {error}"),
            Some(Event::Left(left)) => {
                let reason = left.reason.unwrap_or_else(|| "left".to_owned());
                bail!("not a member of `{}` any more: {reason}", left.channel);
            }
            Some(Event::Receipt(_) | Event::Presence(_) | Event::Signal(_) | Event::Unexpected(_)) => {}
            Some(Event::Closed(reason)) => bail!("the channel can't be followed any more: {reason}"),
            None => bail!("the channel can't be followed any more"),
        }
    }
    Ok(())
}

fn show(console: Console, delivery: &Delivery) -> anyhow::Result<()> {
    let Delivery { channel, epoch, message, frame, .. } = delivery;
    let recovered = *frame == FrameKind::Joined;
    let Message { seq, id, from, at, content } = message;
    if console.json {
        let (name, said) = to_json(content)?;
        return console.value(&json!({
            "channel": channel, "epoch": epoch, "seq": seq, "id": id, "from": from, "at": at, (name): said, "recovered": recovered,
        }));
    }
    let said = match content {
        Content::Body(body) => body.get().to_owned(),
        Content::Deleted(other) => format!("(the body of {other} was deleted)"),
        Content::Closed(Closure::Kept) => "(the room was closed)".to_owned(),
        Content::Closed(Closure::Erased) => "(the room was closed and erased)".to_owned(),
        Content::Other => "(something that this tool doesn't know)".to_owned(),
    };
    let mark = if recovered { " (recovered)" } else { "" };
    let at = utc(u64::try_from(*at).unwrap_or_default());
    Ok(console.line(format_args!("{seq:>7}  {at}  {from}  {said}{mark}"))?)
}

fn to_json(content: &Content) -> anyhow::Result<(&'static str, Box<RawValue>)> {
    Ok(match content {
        Content::Body(body) => ("body", body.clone()),
        Content::Deleted(seq) => ("deleted", serde_json::value::to_raw_value(seq)?),
        Content::Closed(Closure::Kept) => ("closed", serde_json::value::to_raw_value("kept")?),
        Content::Closed(Closure::Erased) => ("closed", serde_json::value::to_raw_value("erased")?),
        Content::Other => ("unknown", serde_json::value::to_raw_value(&true)?),
    })
}
