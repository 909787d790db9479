//! Broadcasts, from the queue's batch to the last member's post.
//!
//! Planner, senders, store and poster are the functions' own. Step Functions' part is played by [`state_machine`]: the emulator's speed
//! is not measured.

mod room;
mod state_machine;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use aws_sdk_dynamodb::Client;
use clap::Subcommand;
use hubbub_aws::metrics::Metered;
use hubbub_aws::poster::ConnectionsPoster;
use hubbub_aws::system::System;
use hubbub_aws::table::{Table, create_table};
use hubbub_core::broadcast::round::Totals;
use hubbub_core::delivery::deliver::{Delivery, Record};
use hubbub_core::limits::budget::Budget;
use hubbub_core::ports::{Clock, Ids, Log};
use hubbub_core::settings;
use hubbub_core::wire::channel::Channel;
use hubbub_core::wire::id::{MessageId, UserId};
use hubbub_core::wire::message::{Body, Seq};
use hubbub_core::wire::queue_message::Envelope;
use hubbub_gateway::Counters;
use hubbub_testkit::fixtures::Recorder;
use serde::Serialize;
use tokio::time::{sleep, sleep_until};

use self::room::TABLE;
use self::state_machine::{Ends, LEASE, NEVER, Place, RETENTION, Starter, StateMachine};
use crate::servers::Server;
use crate::usage;

#[derive(Clone, Copy, Debug, Subcommand)]
pub(crate) enum Scenario {
    /// A message to each room at once, under the account's quota
    Quota {
        /// Members of each room
        #[arg(long)]
        members: u64,
        /// The stack's `callbackRps`. The account's quota is a quarter more; inbound requests use that quarter up
        #[arg(long, default_value_t = 10_000)]
        quota: u32,
        #[arg(long, default_value_t = 1)]
        rooms: usize,
    },
    /// A message at a fixed rate, without a quota
    Growth {
        #[arg(long)]
        members: u64,
    },
    /// Messages at a fixed rate to a room under a quota
    Coalescing {
        #[arg(long, default_value_t = 10_000)]
        members: u64,
        /// The stack's `callbackRps`
        #[arg(long, default_value_t = 10_000)]
        quota: u32,
        /// Messages a second
        #[arg(long)]
        rate: u32,
        #[arg(long, default_value_t = 10)]
        seconds: u32,
    },
}

pub(crate) async fn measure(scenario: Scenario) -> anyhow::Result<Measured> {
    Ok(match scenario {
        Scenario::Quota { members, quota, rooms } => Measured::Quota(measure_quota(members, quota, rooms).await?),
        Scenario::Growth { members } => Measured::Growth(measure_growth(members).await?),
        Scenario::Coalescing { members, quota, rate, seconds } => {
            Measured::Coalescing(measure_coalescing(members, quota, rate, seconds).await?)
        }
    })
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum Measured {
    Quota(Quota),
    Growth(Growth),
    Coalescing(Coalescing),
}

const BODY_BYTES: usize = 1_024;

/// Small, so that a round's messages fit into a frame of 32 KiB. More than one frame takes more than one post.
const COALESCED_BODY_BYTES: usize = 100;

/// `callbackRps` as a part of the account's quota. Inbound requests use the rest.
const CALLBACK_PART: f64 = 0.8;

/// Everything between the queue and the sockets.
struct Stack {
    gateway: Server,
    _dynamodb: Server,
    client: Client,
    table: Table,
    delivery: Delivery<Table, Starter, Recorder, ConnectionsPoster, Metered>,
    rooms: Vec<Channel>,
    ends: Ends,
}

impl Stack {
    async fn start(budget: Budget, gateway: Server, rooms: usize, members: u64) -> anyhow::Result<Self> {
        let dynamodb = Server::start_dynamodb()?;
        let client = room::dynamodb(&dynamodb.url);
        create_table(&client, TABLE).await?;
        let place = Place { gateway: gateway.url.clone(), dynamodb: dynamodb.url.clone(), budget };
        let mut channels = Vec::new();
        for number in 0..rooms {
            channels.push(room::fill(&client, &format!("room{number}"), members).await?);
        }
        let (state_machine, starter, ends) = StateMachine::start(&place, u32::try_from(rooms)?)?;
        tokio::task::spawn_local(state_machine.run());
        let delivery = Delivery {
            fan_out: place.fan_out()?,
            broadcasts: starter,
            dead_letters: Recorder::default(),
            max_body_bytes: usize::try_from(settings::MAX_BODY_BYTES.default)?,
            retention: RETENTION,
            // Small rooms go to the state machine, too.
            inline_limit: 0,
            lease: LEASE,
            large: Arc::default(),
        };
        let table = place.table();
        Ok(Self { gateway, _dynamodb: dynamodb, client, table, delivery, rooms: channels, ends })
    }

    /// Delivers a batch of the queue.
    async fn deliver(&self, room: &Channel, messages: u64, body_bytes: usize) -> anyhow::Result<()> {
        let records = (0..messages).map(|_| record(room, body_bytes)).collect::<anyhow::Result<_>>()?;
        let failed = self.delivery.deliver(records, NEVER).await;
        ensure!(failed.is_empty(), "messages were not delivered");
        Ok(())
    }

    async fn next_end(&mut self) -> anyhow::Result<(Channel, Totals)> {
        self.ends.recv().await.context("the broadcasts have ended")?
    }
}

fn record(room: &Channel, body_bytes: usize) -> anyhow::Result<Record> {
    let fresh = System.fresh();
    let text = "x".repeat(body_bytes.saturating_sub(2));
    let envelope = Envelope {
        channel: room.clone(),
        id: MessageId::parse(&fresh)?,
        from: UserId::parse("bench")?,
        body: Body::parse(format!("\"{text}\""))?,
        receipt: None,
    };
    Ok(Record {
        queue_id: fresh,
        group: room.to_string(),
        body: envelope.to_json()?,
        sent_at: System.now(),
        receives: 1,
        redriven: false,
        source: "bench".to_owned(),
    })
}

#[derive(Debug, Serialize)]
pub(crate) struct Quota {
    members: u64,
    quota: u32,
    rooms: usize,
    seconds: f64,
    throttled: u64,
    inbound: u64,
    inbound_refused: u64,
    cpu_us_per_post: f64,
    peak_mib: f64,
    room_seconds: Vec<f64>,
}

async fn measure_quota(members: u64, quota: u32, rooms: usize) -> anyhow::Result<Quota> {
    let account_quota = f64::from(quota) / CALLBACK_PART;
    let gateway = Server::start_gateway(Some(account_quota), account_quota - f64::from(quota))?;
    let mut stack = Stack::start(Budget::of(quota.into()), gateway, rooms, members).await?;
    let (run, room_seconds) = deliver_to_all(&mut stack, members).await?;
    Ok(Quota {
        members,
        quota,
        rooms,
        seconds: run.seconds,
        throttled: run.counted.answered(429),
        inbound: run.counted.inbound,
        inbound_refused: run.counted.inbound_refused,
        cpu_us_per_post: run.cpu.as_secs_f64() * 1e6 / run.counted.answered(200) as f64,
        peak_mib: run.peak_mib,
        room_seconds,
    })
}

#[derive(Debug, Serialize)]
pub(crate) struct Growth {
    members: u64,
    seconds: f64,
    cpu_us_per_member: f64,
    peak_mib: f64,
    read_units_per_member: f64,
    bytes_per_member: f64,
}

/// Posts a second. Two cores do not make more beside the gateway.
const GROWTH_RPS: u32 = 20_000;

async fn measure_growth(members: u64) -> anyhow::Result<Growth> {
    let gateway = Server::start_gateway(None, 0.0)?;
    let mut stack = Stack::start(Budget::of(GROWTH_RPS.into()), gateway, 1, members).await?;
    let (run, _) = deliver_to_all(&mut stack, members).await?;
    let room = stack.rooms.first().context("there is no room")?;
    let units = room::read_units(&stack.client, room, members).await?;
    let of_each = |whole: f64| whole / members as f64;
    Ok(Growth {
        members,
        seconds: run.seconds,
        cpu_us_per_member: of_each(run.cpu.as_secs_f64() * 1e6),
        peak_mib: run.peak_mib,
        read_units_per_member: of_each(units),
        bytes_per_member: of_each(run.counted.bytes as f64),
    })
}

struct Run {
    seconds: f64,
    cpu: Duration,
    peak_mib: f64,
    counted: Counters,
}

/// Sends a message to each room at once and waits until all are delivered. Returns the seconds of each room, too.
async fn deliver_to_all(stack: &mut Stack, members: u64) -> anyhow::Result<(Run, Vec<f64>)> {
    stack.gateway.counters()?;
    usage::reset_peak_memory()?;
    let (cpu, began) = (usage::cpu_time(), Instant::now());
    for room in &stack.rooms {
        stack.deliver(room, 1, BODY_BYTES).await?;
    }
    let mut seconds = BTreeMap::new();
    while seconds.len() < stack.rooms.len() {
        let (room, totals) = stack.next_end().await?;
        ensure!(totals.tally.delivered == members, "of {members} members, there were {:?}", totals.tally);
        seconds.insert(room, began.elapsed().as_secs_f64());
    }
    let run = Run {
        seconds: began.elapsed().as_secs_f64(),
        cpu: usage::cpu_time().saturating_sub(cpu),
        peak_mib: usage::peak_memory_mib()?,
        counted: stack.gateway.counters()?,
    };
    Ok((run, seconds.into_values().collect()))
}

#[derive(Debug, Serialize)]
pub(crate) struct Coalescing {
    members: u64,
    rate: u32,
    body_bytes: usize,
    posts_per_member_per_second: f64,
    oldest_unsent_ms_p50: f64,
    oldest_unsent_ms_max: f64,
}

/// Between two looks at the age of the oldest unsent message.
const LOOK: Duration = Duration::from_millis(20);

/// The most messages of a batch of the queue.
const BATCH: u64 = 10;

/// Publishes `rate` messages a second for some seconds, and waits until all are delivered.
async fn measure_coalescing(members: u64, quota: u32, rate: u32, seconds: u32) -> anyhow::Result<Coalescing> {
    let gateway = Server::start_gateway(Some(f64::from(quota) / CALLBACK_PART), 0.0)?;
    let mut stack = Stack::start(Budget::of(quota.into()), gateway, 1, members).await?;
    stack.gateway.counters()?;
    let room = stack.rooms.first().context("there is no room")?.clone();
    let schedule = Schedule { began: Instant::now(), rate };
    let messages = u64::from(rate) * u64::from(seconds);
    let (published, ages) =
        tokio::join!(publish(&stack, &room, schedule, messages), watch(&stack.table, &room, schedule, messages));
    published?;
    let mut ages = ages?;
    let seconds = schedule.began.elapsed().as_secs_f64();
    ages.sort_by(f64::total_cmp);
    let posts = stack.gateway.counters()?.answered(200);
    Ok(Coalescing {
        members,
        rate,
        body_bytes: COALESCED_BODY_BYTES,
        posts_per_member_per_second: posts as f64 / members as f64 / seconds,
        oldest_unsent_ms_p50: ages.get(ages.len() / 2).copied().unwrap_or_default(),
        oldest_unsent_ms_max: ages.last().copied().unwrap_or_default(),
    })
}

/// When messages are published.
#[derive(Clone, Copy, Debug)]
struct Schedule {
    began: Instant,
    rate: u32,
}

impl Schedule {
    /// When a message is published, by how many are published before it.
    fn due(self, before: u64) -> Instant {
        self.began + Duration::from_secs_f64(before as f64 / f64::from(self.rate))
    }

    /// How many messages are due by now.
    fn due_by_now(self) -> u64 {
        let (whole, rate) = (self.began.elapsed().as_micros(), u128::from(self.rate));
        u64::try_from(whole * rate / 1_000_000).unwrap_or(u64::MAX) + 1
    }
}

async fn publish(stack: &Stack, room: &Channel, schedule: Schedule, messages: u64) -> anyhow::Result<()> {
    let mut published = 0;
    while published < messages {
        sleep_until(schedule.due(published).into()).await;
        let batch = schedule.due_by_now().min(messages).saturating_sub(published).clamp(1, BATCH);
        stack.deliver(room, batch, COALESCED_BODY_BYTES).await?;
        published += batch;
    }
    Ok(())
}

/// The ages of the oldest unsent message, in milliseconds, until all are sent.
async fn watch(table: &Table, room: &Channel, schedule: Schedule, messages: u64) -> anyhow::Result<Vec<f64>> {
    let mut ages = Vec::new();
    loop {
        let state = table.state(room).await?.context("the room is not there")?;
        if state.sent == Seq(messages) {
            return Ok(ages);
        }
        if state.sent < state.head {
            ages.push(schedule.due(state.sent.0).elapsed().as_secs_f64() * 1e3);
        }
        sleep(LOOK).await;
    }
}
