//! `hubbub load`: clients in a room, messages at a rate, and how long each takes to each client.
//!
//! [`figures`] makes sense of what was measured, [`plot`] draws it. Everything happens in this process, on one clock.

mod figures;
mod plot;

use std::collections::BTreeMap;
use std::io::{IsTerminal, stderr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context;
use futures::{StreamExt, TryStreamExt, stream};
use hubbub_aws::system::System;
use hubbub_client::{Client, CloseReason, Event, Events, Options};
use hubbub_core::id::{RoomId, UserId};
use hubbub_core::ports::Ids;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep};

use self::figures::Report;
use crate::console::Console;
use crate::stack::Stack;

/// Sockets that are opened at once: API Gateway takes 500 new ones a second, and the local stack far fewer.
const OPENINGS: usize = 16;

/// How often progress is looked at.
const PAUSE: Duration = Duration::from_millis(100);

/// The field of a message's body that tells it from others.
const NUMBER: &str = "load";

/// The arguments of `hubbub load`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "The clients are users of their own, who join the room and publish in turn; a user may publish 20 messages a second, if \
                  the stack has the default. Each message goes to all clients: on AWS, C clients at R messages a second for S seconds cost \
                  C·R·S posts, at $1.00 a million. The room and the users' channels stay in the table, the messages until the \
                  retention ends. It ends with status 1 if a message was lost or came out of order.\n\n\
                  Example: hubbub load --clients 50 --rate 20 --seconds 30 --plot load.svg"
)]
pub(crate) struct Arguments {
    /// How many clients.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    clients: u32,
    /// How many messages a second, of all clients together.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    rate: u32,
    /// For how many seconds.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    seconds: u32,
    /// How many bytes of padding each message has.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(0..=24_000))]
    bytes: u32,
    /// The room; a fresh one, without.
    #[arg(long, value_parser = RoomId::parse)]
    room: Option<RoomId>,
    /// Draw the latencies to this file, as SVG.
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
    /// How many seconds to wait for the last messages.
    #[arg(long, value_name = "S", default_value_t = 30)]
    patience: u64,
}

/// What the publishers have sent, and what the clients have got of it.
#[derive(Debug, Default)]
struct Measured {
    /// When a message was handed to its client, by its number.
    sent: BTreeMap<u64, Instant>,
    /// Messages that the stack has accepted.
    accepted: u64,
    /// Messages that it has not, and why the first one wasn't.
    refused: (u64, Option<String>),
    /// What came, in the order in which it came.
    received: Vec<Sighting>,
    /// Messages that did not follow the last one of their channel.
    out_of_order: u64,
    /// Sockets that ended.
    ended: u64,
}

/// A message that came to a client.
#[derive(Clone, Copy, Debug)]
struct Sighting {
    number: u64,
    at: Instant,
}

type Shared = Arc<Mutex<Measured>>;

fn lock(measured: &Shared) -> MutexGuard<'_, Measured> {
    measured.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether nothing was lost and everything came in order.
pub(crate) async fn run(stack: &Stack, console: Console, arguments: Arguments) -> anyhow::Result<bool> {
    let room = match &arguments.room {
        Some(room) => room.clone(),
        None => RoomId::parse(&format!("load-{}", System.fresh()))?,
    };
    let clients = connect(stack, &room, arguments.clients).await?;
    let measured = Shared::default();
    let mut readers = JoinSet::new();
    let mut publishers = Vec::new();
    for (client, events) in clients {
        readers.spawn(read(events, room.to_string(), Arc::clone(&measured)));
        publishers.push(client);
    }
    let began = Instant::now();
    publish(&publishers, &room, &arguments, &measured).await;
    let expected = lock(&measured).accepted.saturating_mul(u64::from(arguments.clients));
    wait(&measured, expected, Duration::from_secs(arguments.patience)).await;
    for client in &publishers {
        client.close().await;
    }
    readers.shutdown().await;
    let report = Report::of(&lock(&measured), u64::from(arguments.clients), began);
    if let Some(file) = &arguments.plot {
        let title = format!("{} clients, {} messages a second", arguments.clients, arguments.rate);
        std::fs::write(file, plot::draw(&title, &report))
            .with_context(|| format!("`{}` can't be written", file.display()))?;
        eprintln!("the plot is in {}", file.display());
    }
    if console.json {
        console.value(&report.to_json(&room, &arguments_json(&arguments)))?;
    } else {
        report.lines(&room).into_iter().try_for_each(|line| console.line(line))?;
    }
    Ok(report.is_well())
}

fn arguments_json(arguments: &Arguments) -> Value {
    let Arguments { clients, rate, seconds, bytes, .. } = arguments;
    json!({"clients": clients, "rate": rate, "seconds": seconds, "bytes": bytes})
}

/// A bar on a terminal, and a line elsewhere.
fn progress(name: &str, total: u64) -> ProgressBar {
    if !stderr().is_terminal() {
        eprintln!("{name}: {total}");
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{msg:<24} {bar:30} {pos}/{len} {elapsed}");
    let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(total).with_style(style).with_message(name.to_owned())
}

async fn connect(stack: &Stack, room: &RoomId, count: u32) -> anyhow::Result<Vec<(Client, Events)>> {
    let key = stack.signing_key().await?;
    let (url, mark) = (stack.web_socket_url()?, System.fresh());
    let bar = progress("opening sockets", u64::from(count));
    let open = async |number: u32| -> anyhow::Result<(Client, Events)> {
        let user = UserId::parse(&format!("load-{mark}-{number}"))?;
        let token = key.sign_briefly(&user, json!({"join": [room], "publish": [room]}))?;
        let opened = Client::connect(Options::new(url, user.as_str(), token)).await;
        let (client, events) = opened.with_context(|| format!("no socket opens at `{url}`"))?;
        client.join_room(room.as_str()).await.with_context(|| format!("the room `{room}` can't be joined"))?;
        bar.inc(1);
        Ok((client, events))
    };
    let clients = stream::iter(0..count).map(open).buffer_unordered(OPENINGS).try_collect().await?;
    bar.finish_and_clear();
    Ok(clients)
}

/// Publishes at the rate, by the clients in turn. A client whose message isn't accepted yet doesn't hold up the others.
async fn publish(clients: &[Client], room: &RoomId, arguments: &Arguments, measured: &Shared) {
    let count = u64::from(arguments.rate) * u64::from(arguments.seconds);
    let padding = "x".repeat(usize::try_from(arguments.bytes).unwrap_or_default());
    let bar = progress("publishing", count);
    let mut tick = interval(Duration::from_secs(1) / arguments.rate);
    // What falls behind is made up for, so that the rate is kept on average.
    tick.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut publishing = JoinSet::new();
    for (number, client) in (0..count).zip(clients.iter().cycle()) {
        tick.tick().await;
        let (client, room, measured) = (client.clone(), room.to_string(), Arc::clone(measured));
        let body = json!({NUMBER: number, "padding": padding});
        publishing.spawn(async move {
            lock(&measured).sent.insert(number, Instant::now());
            let published = client.publish(&room, &body, None).await;
            let mut measured = lock(&measured);
            match published {
                Ok(_) => measured.accepted += 1,
                Err(error) => {
                    measured.refused.0 += 1;
                    measured.refused.1.get_or_insert_with(|| error.to_string());
                }
            }
        });
        bar.set_position(number);
    }
    while publishing.join_next().await.is_some() {}
    bar.finish_and_clear();
}

/// Notes what comes to a client. The client library puts messages in order; that there is no hole is looked at here.
async fn read(mut events: Events, room: String, measured: Shared) {
    let mut last: Option<u64> = None;
    while let Some(event) = events.next().await {
        match event {
            Event::Message(delivery) if delivery.channel == hubbub_client::Channel::room(&room) => {
                let number = delivery.message.read::<Value>().ok().and_then(|body| body.get(NUMBER)?.as_u64());
                let mut measured = lock(&measured);
                if last.is_some_and(|last| delivery.message.seq != last + 1) {
                    measured.out_of_order += 1;
                }
                last = Some(delivery.message.seq);
                if let Some(number) = number.filter(|number| measured.sent.contains_key(number)) {
                    measured.received.push(Sighting { number, at: delivery.received_at });
                }
            }
            Event::Closed(CloseReason::ByApplication) => {}
            Event::Closed(_) => lock(&measured).ended += 1,
            _ => {}
        }
    }
}

async fn wait(measured: &Shared, expected: u64, patience: Duration) {
    let deadline = Instant::now() + patience;
    let bar = progress("receiving", expected);
    loop {
        let received = u64::try_from(lock(measured).received.len()).unwrap_or(u64::MAX);
        bar.set_position(received);
        if received >= expected || Instant::now() >= deadline {
            bar.finish_and_clear();
            return;
        }
        sleep(PAUSE).await;
    }
}
