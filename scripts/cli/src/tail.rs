//! `hubbub tail`: a channel's messages as they come, over a socket.

use std::time::Duration;

use anyhow::{Context, bail};
use hubbub_aws::system::System;
use hubbub_client::{
    Channel, Client, Closure, Content, Delivery, Event, FrameKind, Message, Options, Position, ServerFrame, Start,
    State,
};
use hubbub_core::id::UserId;
use hubbub_core::ports::{Ids, Log};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::console::{Console, WrongCall};
use crate::moment::utc;
use crate::stack::{SigningKey, Stack};

/// How long to wait before connecting again, at first and at most.
const PAUSES: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));

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

/// How the socket is opened, each time anew.
struct Door {
    url: String,
    user: UserId,
    key: Result<SigningKey, String>,
    grant: Value,
}

impl Door {
    async fn of(stack: &Stack, arguments: &Arguments) -> anyhow::Result<Self> {
        let (user, grant) = match &arguments.channel {
            Channel::User(id) => (UserId::parse(id)?, json!({})),
            Channel::Room(id) => (UserId::parse(&format!("tail-{}", System.fresh()))?, json!({"join": [id]})),
            Channel::Everyone => (UserId::parse(&format!("tail-{}", System.fresh()))?, json!({})),
        };
        let key = match &arguments.token {
            Some(token) => Err(token.clone()),
            None => Ok(stack.signing_key().await?),
        };
        Ok(Self { url: stack.web_socket_url()?.to_owned(), user, key, grant })
    }

    fn options(&self) -> anyhow::Result<Options> {
        let token = match &self.key {
            Ok(key) => key.sign_briefly(&self.user, self.grant.clone())?,
            Err(token) => token.clone(),
        };
        Ok(Options::new(&self.url, self.user.as_str(), token))
    }
}

/// How a socket ended.
enum End {
    Enough,
    Lost(String),
    Refused(String),
}

pub(crate) async fn run(stack: &Stack, console: Console, arguments: Arguments) -> anyhow::Result<()> {
    let door = Door::of(stack, &arguments).await?;
    let start = start(stack, &arguments).await?;
    let options = door.options()?.follow(arguments.channel.clone(), start);
    let mut left = arguments.count.unwrap_or(u64::MAX);
    let mut connected = Client::connect(options).await.context("the channel can't be followed")?;
    eprintln!("following `{}`; Ctrl-C ends it", arguments.channel);
    let mut pause = PAUSES.0;
    loop {
        let (client, mut events) = connected;
        let end = follow(console, &mut events, &mut left).await?;
        let state: State = client.state();
        match end {
            End::Enough => {
                client.close().await;
                return Ok(());
            }
            End::Refused(why) => bail!("{why}"),
            End::Lost(why) => eprintln!("{why}: connecting again"),
        }
        connected = loop {
            match Client::resume(door.options()?, state.clone()).await {
                Ok(connected) => break connected,
                Err(error) if error.is_retryable() => {
                    eprintln!("{error}: trying again in {pause:?}");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(PAUSES.1);
                }
                Err(error) => return Err(error).context("the channel can't be followed any more"),
            }
        };
        pause = PAUSES.0;
    }
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

async fn follow(console: Console, events: &mut hubbub_client::Events, left: &mut u64) -> anyhow::Result<End> {
    let mut farewell = None;
    while *left > 0 {
        match events.next().await {
            Some(Event::Message(delivery)) => {
                show(console, &delivery)?;
                *left -= 1;
            }
            Some(Event::Reset { channel, head, .. }) => {
                eprintln!("what came in `{channel}` before {head} is not kept any more");
            }
            Some(Event::Dropped { channel, error }) => {
                return Ok(End::Refused(format!("`{channel}` can't be followed any more: {error}")));
            }
            Some(Event::Unexpected(ServerFrame::Left(left))) => {
                let reason = left.reason.unwrap_or_else(|| "left".to_owned());
                return Ok(End::Refused(format!("not a member of `{}` any more: {reason}", left.channel)));
            }
            Some(Event::Unexpected(ServerFrame::Closing(closing))) => {
                if !closing.reconnect {
                    return Ok(End::Refused(closing.message));
                }
                farewell = Some(closing.message);
            }
            Some(Event::Receipt(_) | Event::Presence(_) | Event::Signal(_) | Event::Unexpected(_)) => {}
            Some(Event::Closed(reason)) => return Ok(End::Lost(farewell.unwrap_or_else(|| reason.to_string()))),
            None => return Ok(End::Lost("the connection has ended".to_owned())),
        }
    }
    Ok(End::Enough)
}

fn show(console: Console, delivery: &Delivery) -> anyhow::Result<()> {
    let Delivery { channel, epoch, message, arrival } = delivery;
    let recovered = arrival.frame == FrameKind::Joined;
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
