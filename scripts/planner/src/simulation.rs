//! A room's broadcasts, event by event: when a message is published, and when each member has it.
//!
//! The rules are the functions' own. [`Delivery`] appends what comes from the queue and decides whether to post or to wake a broadcast;
//! [`Planner`] plans its rounds, pages and handovers; [`Pace`](hubbub_core::rate::Pace) and [`Senders`] say when a post may leave. They work on the store in memory,
//! whose time is the simulation's. Played are only those that wait: the queue, the state machine, functions that start, posts.

use std::collections::{BTreeMap, VecDeque};
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::executor::block_on;
use hubbub_core::broadcast::{Next, PageReport, PlanInput, Planner, Round, Totals};
use hubbub_core::channel::Channel;
use hubbub_core::config::settings;
use hubbub_core::deliver::{Delivery, Record};
use hubbub_core::envelope::Envelope;
use hubbub_core::fan_out::{Share, part_members};
use hubbub_core::frame::Frame;
use hubbub_core::id::{ConnectionId, Epoch, LeaseId, MessageId, SenderId, UserId};
use hubbub_core::message::Body;
use hubbub_core::outcome::{Outcome, Tally};
use hubbub_core::page::Page;
use hubbub_core::ports::{Broadcasts, Ids, Log, Members, PortError, PortResult, Poster, Senders};
use hubbub_core::rate::Rate;
use hubbub_core::testing::{Recorder, World, connection};
use hubbub_core::time::Timestamp;

use crate::estimate::{BATCH, END_TRANSITIONS, Estimate, PAGE_CALLS, PLAN_CALLS, ROUND_TRANSITIONS};
use crate::inputs::{Inputs, PlanError, Tuning};
use crate::latency::{Dice, Latencies, Latency};
use crate::number::{size, whole};
use crate::sender::{Account, Job, Kind, Sender, Slice};
use crate::shape::{channel, page_size, shards_of_ids, spread};
use crate::traffic::Traffic;

/// How far a sender posts before another event may come between, in microseconds: less than an answer takes.
const SLICE_US: u64 = 10_000;

/// How long a function that rests is kept warm, in microseconds. AWS doesn't say; five minutes is a common observation.
const WARM_US: u64 = 300_000_000;

/// Rooms that are simulated; with more, the rest's posts are taken off the quota at their average.
const MOST_ROOMS: u64 = 16;

/// Members whose times are kept, of each round.
const KEPT_MEMBERS: u64 = 64;

/// The simulation's time begins here, in milliseconds: nothing lies before it.
const EPOCH_MS: u64 = 1_000_000_000_000;

/// When messages are published.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Talk {
    /// One to each room, all at once, to rooms at rest.
    Alone,
    /// At the inputs' rate, for so many seconds; those of the first `warm_up` seconds are not counted. Evenly, or by chance.
    Steady {
        /// Seconds until it counts.
        warm_up: f64,
        /// Seconds in all.
        seconds: f64,
        /// Whether they come evenly.
        evenly: bool,
    },
}

/// How members are spread over their shards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spread {
    /// As evenly as they can be.
    Evenly,
    /// By chance, as hashes are.
    Drawn,
    /// By the ids that the benchmark gives them.
    Benchmark,
}

/// What is simulated.
#[derive(Clone, Copy, Debug)]
pub struct Scenario<'a> {
    /// The rooms.
    pub inputs: &'a Inputs,
    /// The stack's settings.
    pub tuning: &'a Tuning,
    /// The place's latencies.
    pub latencies: &'a Latencies,
    /// When messages come.
    pub talk: Talk,
    /// Where members are.
    pub spread: Spread,
    /// Requests a second that come in beside.
    pub inbound_rps: f64,
    /// The closed form, for what isn't simulated.
    pub estimate: &'a Estimate,
}

/// What became of a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trial {
    /// What was done while it counted.
    pub traffic: Traffic,
    /// Seconds until the last member had a message, for each message.
    pub everybody: Vec<f64>,
    /// Seconds until a member had a message, for some members of each message.
    pub delivered: Vec<f64>,
    /// Seconds until each room's broadcast was over.
    pub room_seconds: Vec<f64>,
    /// The most `deliver-page` functions at once.
    pub page_functions: u32,
    /// The most `deliver` functions at once.
    pub deliver_functions: u32,
}

/// What the rules asked of the ports that are played.
#[derive(Clone, Debug, Default)]
struct Taps(Arc<Mutex<Asked>>);

#[derive(Debug, Default)]
struct Asked {
    starts: Vec<(Channel, LeaseId)>,
    /// Members that `deliver` posts to by itself, and the frames of each.
    members: u64,
    frames: u32,
    /// It shares the budget of large fan-outs.
    large: bool,
}

impl Taps {
    fn asked(&self) -> MutexGuard<'_, Asked> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Broadcasts for Taps {
    async fn start(&self, channel: &Channel, lease: &LeaseId) -> PortResult<()> {
        self.asked().starts.push((channel.clone(), lease.clone()));
        Ok(())
    }
}

impl Poster for Taps {
    async fn post(&self, frames: &[Frame], connections: &[ConnectionId]) -> Vec<Outcome> {
        let mut asked = self.asked();
        asked.members += connections.len() as u64;
        asked.frames = u32::try_from(frames.len()).unwrap_or(u32::MAX);
        vec![Outcome::Delivered; connections.len()]
    }

    async fn try_post(&self, frame: &Frame, connections: &[ConnectionId]) -> Vec<Outcome> {
        self.post(std::slice::from_ref(frame), connections).await
    }

    fn limit(&self, _: Rate) {
        self.asked().large = true;
    }

    async fn close(&self, _: &ConnectionId, _: &Frame) {}
}

/// What happens at a moment.
#[derive(Debug)]
enum Event {
    Publish(usize),
    Arrive(usize),
    Deliver { room: usize, messages: u64, sender: usize, began: u64 },
    Delivered { room: usize, sender: usize, began: u64 },
    Plan { room: usize, input: PlanInput, began: u64 },
    Page { room: usize, page: Page, tries: u32 },
    Post(usize),
    PageDone { room: usize, sender: usize, job: Job },
}

#[derive(Debug)]
struct Running {
    plan: PlanInput,
    round: Round,
    pages: VecDeque<Page>,
    under_way: u32,
    reports: Vec<PageReport>,
    last: u64,
    times: Vec<u64>,
}

#[derive(Debug)]
struct Room {
    channel: Channel,
    counts: Vec<u64>,
    /// When each message was published, by its place in the log.
    published: Vec<u64>,
    /// When the last one came to the queue: it keeps their order.
    arrived: u64,
    queued: u64,
    /// How far `deliver` has posted by itself, and how far it has begun to.
    posted: u64,
    posting: u64,
    delivering: bool,
    running: Option<Running>,
    finished: f64,
}

struct DiceSet {
    post: Dice,
    table: Dice,
    append: Dice,
    members: Dice,
    publish: Dice,
    queue: Dice,
    start: Dice,
    transition: Dice,
    call: Dice,
    cold_start: Dice,
}

impl DiceSet {
    fn of(latencies: &Latencies) -> Self {
        let dice = |latency: Latency| Dice::of(latency);
        Self {
            post: dice(latencies.post),
            table: dice(latencies.table),
            append: dice(latencies.append),
            members: dice(latencies.members),
            publish: dice(latencies.publish),
            queue: dice(latencies.queue),
            start: dice(latencies.start),
            transition: dice(latencies.transition),
            call: dice(latencies.call),
            cold_start: dice(latencies.cold_start),
        }
    }
}

struct Simulation<'a> {
    scenario: Scenario<'a>,
    dice: DiceSet,
    random: fastrand::Rng,
    now: u64,
    events: BTreeMap<(u64, u64), Event>,
    order: u64,
    store: hubbub_core::memory::MemoryStore,
    world: World,
    taps: Taps,
    delivery: Delivery<hubbub_core::memory::MemoryStore, Taps, Recorder, Taps, World>,
    planner: Planner<hubbub_core::memory::MemoryStore, Taps, Taps, World>,
    rooms: Vec<Room>,
    senders: Vec<Sender>,
    account: Account,
    body: Body,
    trial: Trial,
    counts_from: u64,
    counts_until: u64,
    /// Large fan-outs of rooms that are not simulated.
    others_at_work: u32,
    /// Until when `plan-broadcast` is kept warm.
    planner_warm_until: u64,
}

impl From<PortError> for PlanError {
    fn from(error: PortError) -> Self {
        Self::Simulation(error.to_string())
    }
}

/// Runs a scenario once. The same seed is the same run.
///
/// # Errors
/// When the rules refuse something, which is a bug.
pub fn run(scenario: Scenario<'_>, seed: u64) -> Result<Trial, PlanError> {
    let mut simulation = Simulation::new(scenario, seed)?;
    while let Some(((now, _), event)) = simulation.events.pop_first() {
        simulation.now = now;
        simulation.happen(event)?;
    }
    Ok(simulation.end())
}

impl<'a> Simulation<'a> {
    fn new(scenario: Scenario<'a>, seed: u64) -> Result<Self, PlanError> {
        let Scenario { inputs, tuning, latencies, talk, estimate, .. } = scenario;
        let (store, world, taps) = (hubbub_core::memory::MemoryStore::default(), World::at(EPOCH_MS), Taps::default());
        let budget = tuning.budget();
        let lease = Duration::from_secs(settings::LEASE_SECONDS.default);
        let retention = Duration::from_secs(tuning.retention_seconds);
        let delivery = Delivery {
            store: store.clone(),
            broadcasts: taps.clone(),
            dead_letters: Recorder::default(),
            poster: taps.clone(),
            world: world.clone(),
            max_body_bytes: size(settings::MAX_BODY_BYTES.default),
            retention,
            inline_limit: tuning.inline_limit,
            lease,
            share: Share { budget, sender: SenderId::new("deliver") },
            large: Arc::default(),
        };
        let planner = Planner {
            store: store.clone(),
            broadcasts: taps.clone(),
            poster: taps.clone(),
            world: world.clone(),
            lease,
            page_members: tuning.page_members,
            round_frames: tuning.round_frames,
            history_events: settings::HISTORY_EVENTS.default,
            budget,
            retention,
        };
        let simulated = inputs.rooms.min(MOST_ROOMS);
        let others = (inputs.rooms - simulated) as f64 / inputs.rooms as f64;
        let per_second = estimate.per_second.times(others);
        let others_at_work = whole(per_second.page_seconds).min(u64::from(budget.page_functions()));
        let (from, until) = match talk {
            Talk::Alone => (0.0, 1e9),
            Talk::Steady { warm_up, seconds, .. } => (warm_up, seconds),
        };
        let text = "x".repeat(size(inputs.size.saturating_sub(2)));
        let body = Body::parse(format!("\"{text}\"")).map_err(|error| PlanError::Simulation(error.to_string()))?;
        let mut simulation = Self {
            scenario,
            dice: DiceSet::of(latencies),
            random: fastrand::Rng::with_seed(seed),
            now: 0,
            events: BTreeMap::new(),
            order: 0,
            store,
            world,
            taps,
            delivery,
            planner,
            rooms: Vec::new(),
            senders: Vec::new(),
            account: Account::new(inputs.rps as f64, scenario.inbound_rps + inputs.direct + per_second.posts),
            body,
            trial: Trial::default(),
            counts_from: whole(from * 1e6),
            counts_until: whole(until * 1e6),
            others_at_work: u32::try_from(others_at_work).unwrap_or(u32::MAX),
            planner_warm_until: 0,
        };
        for number in 0..simulated {
            simulation.open(number)?;
        }
        Ok(simulation)
    }

    /// Makes a room with its members. Those that `deliver` posts to by itself have rows, because it reads them; of a larger room's, the counts are enough.
    fn open(&mut self, number: u64) -> Result<(), PlanError> {
        let Scenario { inputs, tuning, talk, spread: spread_by, .. } = self.scenario;
        let channel = channel(number);
        let counts = match spread_by {
            Spread::Evenly => crate::shape::Shape::even(inputs.members, inputs.size, tuning)?.counts,
            Spread::Drawn => spread(inputs.members, tuning, &mut self.random),
            Spread::Benchmark => shards_of_ids(&format!("room{number}"), inputs.members, tuning),
        };
        block_on(self.store.open(&channel, &Epoch::new("01J00000000000000000000000")))?;
        block_on(self.store.grow(&channel, 1, u32::try_from(counts.len()).unwrap_or(u32::MAX)))?;
        for (shard, count) in (0..).zip(&counts) {
            block_on(self.store.add_to_count(&channel, shard, i64::try_from(*count).unwrap_or(i64::MAX)))?;
            if inputs.members <= tuning.inline_limit {
                for member in 0..*count {
                    let member = connection(&format!("{number}-{shard}-{member}"), "member", EPOCH_MS - 60_000);
                    block_on(self.store.put_member(&channel, shard, &member))?;
                }
            }
        }
        self.rooms.push(Room {
            channel,
            counts,
            published: Vec::new(),
            arrived: 0,
            queued: 0,
            posted: 0,
            posting: 0,
            delivering: false,
            running: None,
            finished: 0.0,
        });
        let room = self.rooms.len() - 1;
        let first = if talk == Talk::Alone { 0 } else { self.interval() };
        self.schedule(first, Event::Publish(room));
        Ok(())
    }

    fn schedule(&mut self, at: u64, event: Event) {
        self.order += 1;
        self.events.insert((at, self.order), event);
    }

    fn interval(&mut self) -> u64 {
        let mean = 1e6 / self.scenario.inputs.rate.max(1e-9);
        match self.scenario.talk {
            Talk::Steady { evenly: false, .. } => whole(-mean * (1.0 - self.random.f64()).ln()),
            _ => whole(mean),
        }
    }

    fn counts(&self) -> bool {
        (self.counts_from..self.counts_until).contains(&self.now)
    }

    /// The time of so many reads and writes, one after another.
    fn calls(&mut self, count: u32) -> u64 {
        (0..count).map(|_| self.dice.table.draw(&mut self.random)).sum()
    }

    fn room(&mut self, room: usize) -> Result<&mut Room, PlanError> {
        self.rooms.get_mut(room).ok_or_else(|| PlanError::Simulation("a room is gone".to_owned()))
    }

    fn happen(&mut self, event: Event) -> Result<(), PlanError> {
        self.world.set(EPOCH_MS + self.now / 1_000);
        match event {
            Event::Publish(room) => self.publish(room),
            Event::Arrive(room) => {
                self.room(room)?.queued += 1;
                self.take_batch(room)
            }
            Event::Deliver { room, messages, sender, began } => self.deliver(room, messages, sender, began),
            Event::Delivered { room, sender, began } => {
                let seconds = (self.now - began) as f64 / 1e6;
                if self.counts() {
                    self.trial.traffic.delivers += 1.0;
                    self.trial.traffic.deliver_seconds += seconds;
                }
                self.release(sender);
                self.room(room)?.delivering = false;
                self.take_batch(room)
            }
            Event::Plan { room, input, began } => self.plan(room, input, began),
            Event::Page { room, page, tries } => self.page(room, page, tries),
            Event::Post(sender) => self.post(sender),
            Event::PageDone { room, sender, job } => self.page_done(room, sender, &job),
        }
    }

    fn publish(&mut self, room: usize) -> Result<(), PlanError> {
        let now = self.now;
        let way_in = self.dice.publish.draw(&mut self.random);
        let one = self.room(room)?;
        one.published.push(now);
        one.arrived = one.arrived.max(now + way_in);
        let arrives = one.arrived;
        if self.counts() {
            self.trial.traffic.messages += 1.0;
        }
        self.schedule(arrives, Event::Arrive(room));
        if self.scenario.talk != Talk::Alone {
            let next = now + self.interval();
            if next < self.counts_until {
                self.schedule(next, Event::Publish(room));
            }
        }
        Ok(())
    }

    /// A function for a job: one that is warm, or a new one, and what its start takes; none where all that there may be are busy.
    fn hire(&mut self, kind: Kind) -> Option<(usize, u64)> {
        let budget = self.scenario.tuning.budget();
        let now = self.now;
        let warm = self
            .senders
            .iter()
            .enumerate()
            .filter(|(_, sender)| sender.kind == kind && !sender.busy && now - sender.idle_since < WARM_US)
            .max_by_key(|(number, sender)| (sender.idle_since, *number))
            .map(|(number, _)| number);
        let busy = self.senders.iter().filter(|sender| sender.kind == kind && sender.busy).count() as u64;
        let most = match kind {
            Kind::Deliver => budget.deliver_functions(),
            Kind::Page => budget.page_functions(),
        };
        if busy >= u64::from(most) {
            return None;
        }
        let seen = u32::try_from(busy + 1).unwrap_or(u32::MAX);
        match kind {
            Kind::Deliver => self.trial.deliver_functions = self.trial.deliver_functions.max(seen),
            Kind::Page => self.trial.page_functions = self.trial.page_functions.max(seen),
        }
        let (number, cold) = warm.map_or_else(
            || {
                let rate = match kind {
                    Kind::Deliver => budget.small_rate(),
                    Kind::Page => budget.large_rate(budget.page_senders()),
                };
                let id = SenderId::new(self.world.fresh());
                self.senders.push(Sender::new(id, kind, rate, now, self.scenario.latencies.cpu_us_per_post));
                (self.senders.len() - 1, self.dice.cold_start.draw(&mut self.random))
            },
            |number| (number, 0),
        );
        self.senders.get_mut(number).into_iter().for_each(|sender| sender.busy = true);
        Some((number, cold))
    }

    fn release(&mut self, sender: usize) {
        let now = self.now;
        self.senders.get_mut(sender).into_iter().for_each(|sender| {
            sender.busy = false;
            sender.idle_since = now;
        });
    }

    /// The queue hands over what it has of a room, if nothing of it is being delivered.
    fn take_batch(&mut self, room: usize) -> Result<(), PlanError> {
        let one = self.room(room)?;
        if one.delivering || one.queued == 0 {
            return Ok(());
        }
        let messages = one.queued.min(whole(BATCH));
        let Some((sender, cold)) = self.hire(Kind::Deliver) else {
            // All functions are busy: the queue looks again.
            let again = self.now + self.dice.queue.draw(&mut self.random).max(1_000);
            self.room(room)?.queued -= 1;
            self.schedule(again, Event::Arrive(room));
            return Ok(());
        };
        let one = self.room(room)?;
        one.delivering = true;
        one.queued -= messages;
        let began = self.now + self.dice.queue.draw(&mut self.random) + cold;
        let done = began + self.calls(2) + self.dice.append.draw(&mut self.random);
        self.schedule(done, Event::Deliver { room, messages, sender, began });
        Ok(())
    }

    fn record(&self, room: &Channel) -> Result<Record, PlanError> {
        let id = self.world.fresh();
        let invalid = |error: &dyn std::fmt::Display| PlanError::Simulation(error.to_string());
        let envelope = Envelope {
            channel: room.clone(),
            id: MessageId::parse(&id).map_err(|error| invalid(&error))?,
            from: UserId::parse("alice").map_err(|error| invalid(&error))?,
            body: self.body.clone(),
            receipt: None,
        };
        Ok(Record {
            queue_id: id,
            group: room.to_string(),
            body: envelope.to_json().map_err(|error| invalid(&error))?,
            sent_at: Timestamp(EPOCH_MS + self.now / 1_000),
            receives: 1,
            redriven: false,
            source: "plan".to_owned(),
        })
    }

    /// The functions' own delivery, at the moment of its append.
    fn deliver(&mut self, room: usize, messages: u64, sender: usize, began: u64) -> Result<(), PlanError> {
        let channel = self.room(room)?.channel.clone();
        let records: Vec<Record> = (0..messages).map(|_| self.record(&channel)).collect::<Result<_, _>>()?;
        let failed = block_on(self.delivery.deliver(records, Timestamp(u64::MAX)));
        if !failed.is_empty() {
            return Err(PlanError::Simulation("messages were not delivered".to_owned()));
        }
        let asked = mem::take(&mut *self.taps.asked());
        if asked.members > 0 {
            let begin = self.now + self.calls(2) + self.dice.members.draw(&mut self.random);
            let job = self.job(room, 0, asked.members, asked.frames, began, asked.large, 1);
            self.room(room)?.posting += messages;
            return self.begin(sender, job, begin);
        }
        let mut done = self.now + self.calls(1);
        for (_, lease) in asked.starts {
            done += self.calls(2) + self.dice.start.draw(&mut self.random);
            self.start(room, &channel, lease, done);
        }
        self.schedule(done, Event::Delivered { room, sender, began });
        Ok(())
    }

    fn start(&mut self, room: usize, channel: &Channel, lease: LeaseId, at: u64) {
        let input =
            PlanInput { channel: channel.clone(), lease, round: None, reports: Vec::new(), totals: Totals::default() };
        if self.counts() {
            self.trial.traffic.broadcasts += 1.0;
        }
        self.schedule_plan(room, input, at);
    }

    fn schedule_plan(&mut self, room: usize, input: PlanInput, at: u64) {
        let mut began = at + self.dice.transition.draw(&mut self.random) + self.dice.call.draw(&mut self.random);
        if began > self.planner_warm_until {
            began += self.dice.cold_start.draw(&mut self.random);
        }
        let done = began + self.calls(PLAN_CALLS);
        self.planner_warm_until = done + WARM_US;
        self.schedule(done, Event::Plan { room, input, began });
    }

    /// The functions' own planner.
    fn plan(&mut self, room: usize, input: PlanInput, began: u64) -> Result<(), PlanError> {
        let plan = block_on(self.planner.plan(input))?;
        if self.counts() {
            self.trial.traffic.plans += 1.0;
            self.trial.traffic.plan_seconds += (self.now - began) as f64 / 1e6;
        }
        match plan.next {
            Next::Round { round, pages, concurrency } => {
                self.count_transitions(ROUND_TRANSITIONS);
                let mut pages = VecDeque::from(pages);
                let first: Vec<Page> = (0..concurrency).map_while(|_| pages.pop_front()).collect();
                let under_way = u32::try_from(first.len()).unwrap_or(u32::MAX);
                let plan = PlanInput {
                    channel: plan.channel,
                    lease: plan.lease,
                    round: None,
                    reports: Vec::new(),
                    totals: plan.totals,
                };
                let running =
                    Running { plan, round, pages, under_way, reports: Vec::new(), last: 0, times: Vec::new() };
                self.room(room)?.running = Some(running);
                for page in first {
                    let at = self.now + self.dice.transition.draw(&mut self.random);
                    self.schedule(at, Event::Page { room, page, tries: 0 });
                }
            }
            Next::Settled | Next::LostLease => {
                self.count_transitions(END_TRANSITIONS);
                self.room(room)?.finished = self.now as f64 / 1e6;
            }
            Next::HandedOver => {
                self.count_transitions(END_TRANSITIONS);
                let asked = mem::take(&mut *self.taps.asked());
                for (channel, lease) in asked.starts {
                    let at = self.now + self.dice.start.draw(&mut self.random);
                    self.start(room, &channel, lease, at);
                }
            }
        }
        Ok(())
    }

    fn count_transitions(&mut self, transitions: f64) {
        if self.counts() {
            self.trial.traffic.transitions += transitions;
        }
    }

    fn page(&mut self, room: usize, page: Page, tries: u32) -> Result<(), PlanError> {
        let Some((sender, cold)) = self.hire(Kind::Page) else {
            // The state machine's retrier for functions that are all busy: a pause of a second that grows to ten, drawn from nothing to it.
            let longest = 1e6 * 1.5_f64.powi(i32::try_from(tries).unwrap_or(i32::MAX)).min(10.0);
            let at = self.now + self.random.u64(0..=whole(longest));
            self.count_transitions(1.0);
            self.schedule(at, Event::Page { room, page, tries: tries + 1 });
            return Ok(());
        };
        self.count_transitions(1.0);
        let began = self.now + self.dice.call.draw(&mut self.random) + cold;
        let begin = began + self.calls(PAGE_CALLS) + self.dice.members.draw(&mut self.random);
        let one = self.room(room)?;
        let members = page_size(&page, &one.counts);
        let (frames, senders) =
            one.running.as_ref().map_or((1, 1), |running| (running.round.frames, running.round.senders));
        let job = self.job(room, page.index, members, frames, began, true, senders);
        self.begin(sender, job, begin)
    }

    #[expect(clippy::too_many_arguments, reason = "each is a field")]
    fn job(&self, room: usize, page: u32, members: u64, frames: u32, began: u64, large: bool, senders: u32) -> Job {
        Job {
            room,
            page,
            members,
            frames: frames.max(1),
            part: if large { 0 } else { members },
            large,
            senders,
            began,
            last: began,
            stride: (self.scenario.inputs.members / KEPT_MEMBERS).max(1),
            times: Vec::new(),
            posts: 0,
            throttled: 0,
            failed: 0,
            parts: 0,
        }
    }

    fn begin(&mut self, sender: usize, job: Job, at: u64) -> Result<(), PlanError> {
        let concurrency = self.scenario.tuning.post_concurrency;
        let one = self.senders.get_mut(sender).ok_or_else(|| PlanError::Simulation("a sender is gone".to_owned()))?;
        one.begin(job, at, concurrency);
        self.schedule(at, Event::Post(sender));
        Ok(())
    }

    fn post(&mut self, number: usize) -> Result<(), PlanError> {
        let Self { senders, account, dice, random, now, .. } = self;
        let sender = senders.get_mut(number).ok_or_else(|| PlanError::Simulation("a sender is gone".to_owned()))?;
        match sender.post(*now + SLICE_US, account, &dice.post, random) {
            Slice::Until(at) => self.schedule(at, Event::Post(number)),
            Slice::Part(at) => {
                self.share(number, at)?;
                self.schedule(at.max(self.now), Event::Post(number));
            }
            Slice::Done => self.posted(number)?,
        }
        Ok(())
    }

    /// A part begins: the sender takes its part of the budget, as the functions' fan-out does.
    fn share(&mut self, number: usize, at: u64) -> Result<(), PlanError> {
        let budget = self.scenario.tuning.budget();
        let Some(sender) = self.senders.get_mut(number) else { return Ok(()) };
        let Some(job) = &mut sender.job else { return Ok(()) };
        let (now, senders) = (Timestamp(EPOCH_MS + at / 1_000), job.senders);
        job.part = part_members(size(u64::from(job.frames))) as u64;
        job.parts += 1;
        let until = now.plus(Duration::from_secs(3_600));
        let seen = block_on(self.store.at_work(&sender.id, until, now))? + self.others_at_work;
        let at_work = seen.max(senders);
        let Latencies { cpu_us_per_post, machine_rps, .. } = self.scenario.latencies;
        let machine = machine_rps.map_or(0.0, |rps| 1e6 * f64::from(seen) / rps);
        sender.limit(budget.large_rate(at_work), at, cpu_us_per_post.max(machine));
        Ok(())
    }

    /// A sender has posted to everybody.
    fn posted(&mut self, number: usize) -> Result<(), PlanError> {
        let rest = self.calls(1);
        let small = self.scenario.tuning.budget().small_rate();
        let Some(sender) = self.senders.get_mut(number) else { return Ok(()) };
        let Some(mut job) = sender.job.take() else { return Ok(()) };
        let (kind, id) = (sender.kind, sender.id.clone());
        let at = job.last.max(self.now) + rest;
        if job.large {
            block_on(self.store.at_rest(&id))?;
        }
        match kind {
            Kind::Page => {
                let room = job.room;
                self.schedule(at, Event::PageDone { room, sender: number, job });
            }
            Kind::Deliver => {
                sender.limit(small, at, self.scenario.latencies.cpu_us_per_post);
                let (room, began) = (job.room, job.began);
                let one = self.room(room)?;
                let (from, to) = (mem::replace(&mut one.posted, one.posting), one.posting);
                let (last, times) = (job.last, mem::take(&mut job.times));
                self.count_job(&job, to - from);
                self.finish_round(room, from, to, last, &times)?;
                self.schedule(at, Event::Delivered { room, sender: number, began });
            }
        }
        Ok(())
    }

    fn count_job(&mut self, job: &Job, messages: u64) {
        if !self.counts() {
            return;
        }
        let shape_bytes = self.scenario.inputs.size as f64 * messages as f64;
        let traffic = &mut self.trial.traffic;
        traffic.posts += job.posts as f64;
        traffic.bytes += job.posts as f64 * shape_bytes / f64::from(job.frames);
        traffic.rows += job.posts as f64 / f64::from(job.frames);
        traffic.throttled += job.throttled as f64;
        traffic.failed += job.failed as f64;
        traffic.parts += job.parts as f64;
    }

    fn page_done(&mut self, room: usize, sender: usize, job: &Job) -> Result<(), PlanError> {
        if self.counts() {
            self.trial.traffic.pages += 1.0;
            self.trial.traffic.page_seconds += (self.now - job.began) as f64 / 1e6;
        }
        self.release(sender);
        let messages = self.room(room)?.running.as_ref().map_or(0, |running| running.round.to.0 - running.round.from.0);
        self.count_job(job, messages);
        let transition = self.dice.transition.draw(&mut self.random);
        let next = self.now + transition;
        let Some(running) = &mut self.room(room)?.running else { return Ok(()) };
        let delivered = job.posts / u64::from(job.frames);
        let members = delivered + job.failed;
        let tally = Tally { members, delivered, failed: job.failed, posts: job.posts, ..Tally::default() };
        running.reports.push(PageReport { index: job.page, tally, error: None });
        running.last = running.last.max(job.last);
        running.times.extend(&job.times);
        running.under_way -= 1;
        if let Some(page) = running.pages.pop_front() {
            running.under_way += 1;
            self.schedule(next, Event::Page { room, page, tries: 0 });
            return Ok(());
        }
        if running.under_way > 0 {
            return Ok(());
        }
        let Some(Running { plan, round, reports, last, times, .. }) = self.room(room)?.running.take() else {
            return Ok(());
        };
        self.finish_round(room, round.from.0, round.to.0, last, &times)?;
        self.schedule_plan(room, PlanInput { round: Some(round), reports, ..plan }, self.now);
        Ok(())
    }

    /// Everybody has the messages behind `from` up to `to`.
    fn finish_round(&mut self, room: usize, from: u64, to: u64, last: u64, times: &[u64]) -> Result<(), PlanError> {
        if self.counts() {
            self.trial.traffic.rounds += 1.0;
        }
        let (counts_from, counts_until) = (self.counts_from, self.counts_until);
        let one = self.room(room)?;
        one.finished = last as f64 / 1e6;
        let published = one.published.get(size(from)..size(to)).unwrap_or_default();
        let counted: Vec<u64> =
            published.iter().copied().filter(|at| (counts_from..counts_until).contains(at)).collect();
        for published in counted {
            let since = |at: u64| at.saturating_sub(published) as f64 / 1e6;
            self.trial.everybody.push(since(last));
            self.trial.delivered.extend(times.iter().map(|at| since(*at)));
        }
        Ok(())
    }

    fn end(mut self) -> Trial {
        let end = if self.scenario.talk == Talk::Alone { self.now } else { self.counts_until };
        self.trial.traffic.seconds = end.saturating_sub(self.counts_from) as f64 / 1e6;
        // What the rooms that are not simulated do is what these do.
        let rooms = self.scenario.inputs.rooms as f64 / self.rooms.len().max(1) as f64;
        let seconds = self.trial.traffic.seconds;
        self.trial.traffic = Traffic { seconds, ..self.trial.traffic.times(rooms) };
        self.trial.room_seconds = self.rooms.iter().map(|room| room.finished).collect();
        self.trial
    }
}
