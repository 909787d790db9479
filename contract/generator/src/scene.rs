//! The examples: a short scene in a room, played by the functions' own rules on a store in memory. What is said in it is given here; every
//! answer and every post is what the rules made of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use futures::executor::block_on;
use hubbub_core::actions::Caller;
use hubbub_core::actions::ClientHandler;
use hubbub_core::delivery::deliver::{Delivery, Record};
use hubbub_core::delivery::fan_out::{FanOut, Share};
use hubbub_core::limits::budget::Budget;
use hubbub_core::limits::turns::PublishRate;
use hubbub_core::members::membership;
use hubbub_core::names::dead_letter;
use hubbub_core::presence::announcer::Announcer;
use hubbub_core::settings;
use hubbub_core::transport::API_GATEWAY;
use hubbub_core::wire::capabilities::Capabilities;
use hubbub_core::wire::command::ModerationCommand;
use hubbub_core::wire::id::SenderId;
use hubbub_core::wire::queue_message::{Envelope, QueueMessage};
use hubbub_core::wire::time::Timestamp;
use hubbub_testkit::fixtures::{FOREVER, Recorder, TestEnv, caller, connection};
use hubbub_testkit::memory::MemoryStore;
use serde_json::{Value, json};

/// When the scene begins.
const BEGIN: u64 = 1_767_323_045_000;

/// What happens in a second.
const SECOND: u64 = 1_000;

/// More than enough for everything.
const PLENTY: u64 = 1_000;

/// What was said, by whomever.
#[derive(Debug, Default)]
pub struct Examples {
    /// Clients' frames, by their actions.
    pub requests: BTreeMap<String, Vec<Value>>,
    /// Server's frames, by their types.
    pub frames: BTreeMap<String, Vec<Value>>,
    /// Types of the frames that were posted without being asked for.
    pub posted: BTreeSet<String>,
    /// What each action is answered with when all is well.
    pub answers: BTreeMap<String, BTreeSet<String>>,
    /// What lies on the publish queue.
    pub parcels: Parcels,
    /// Dead letters: their attributes, and what they say.
    pub dead_letters: Vec<(Value, String)>,
}

/// What lies on the publish queue, each with its attributes.
#[derive(Debug, Default)]
pub struct Parcels {
    /// Messages.
    pub messages: Vec<(Value, Value)>,
    /// Moderation commands.
    pub commands: Vec<(Value, Value)>,
    /// Wakes.
    pub wakes: Vec<(Value, Value)>,
}

impl Examples {
    /// Whether frames of this type answer a frame.
    #[must_use]
    pub fn is_answer(&self, frame: &str) -> bool {
        frame == "error" || self.answers.values().any(|answers| answers.contains(frame))
    }
}

/// Plays the scene.
///
/// # Errors
/// Names what did not go as it was written.
pub fn play() -> Result<Examples> {
    let mut scene = Scene::set()?;
    let service =
        r#"{"v":1,"channel":"room:lobby","id":"order-17","from":"orders","body":{"text":"hello"},"receipt":true}"#;
    scene.serve(service, "orders/order-17")?;
    scene.say("alice", r#"{"action":"join","room":"lobby","since":0,"ref":"1"}"#)?;
    scene.say("bob", r#"{"action":"join","channel":"room:lobby","since":1,"epoch":"an earlier one","ref":"1"}"#)?;
    scene.say("mod", r#"{"action":"join","room":"lobby"}"#)?;
    scene.say(
        "alice",
        r#"{"action":"publish","room":"lobby","body":{"text":"hi"},"id":"m-1","receipt":true,"ref":"2"}"#,
    )?;
    scene.say("alice", r#"{"action":"direct","to":"bob","body":{"text":"psst"},"ref":"3"}"#)?;
    scene.say("alice", r#"{"action":"history","room":"lobby","before":3,"limit":1,"ref":"4"}"#)?;
    scene.say("alice", r#"{"action":"who","room":"lobby","ref":"5"}"#)?;
    scene.say("alice", r#"{"action":"join","room":"lobby","presence":true,"ref":"15"}"#)?;
    scene.say("bob", r#"{"action":"leave","room":"lobby","ref":"4"}"#)?;
    scene.announce("room:lobby")?;
    scene.say("bob", r#"{"action":"join","room":"lobby","ref":"5"}"#)?;
    scene.announce("room:lobby")?;
    scene.say("alice", r#"{"action":"signal","room":"lobby","body":{"typing":true},"ref":"16"}"#)?;
    scene.say("alice", r#"{"action":"signal","to":"bob","body":{"typing":true},"ref":"17"}"#)?;
    scene.say("alice", r#"{"action":"ping"}"#)?;
    scene.say("alice", r#"{"action":"ping","seen":{"room:lobby":{"epoch":"an earlier one","seq":2}},"ref":"6"}"#)?;
    let direct = r#"{"v":1,"channel":"user:bob","id":"order-18","from":"orders","body":{"text":"it is on its way"}}"#;
    let again = r#"{"v":1,"channel":"user:bob","id":"order-19","from":"orders","body":{"text":"it is there"}}"#;
    scene.serve_all(&[(direct, "orders/order-18"), (again, "orders/order-19")])?;
    scene.serve(r#"{"v":1,"channel":"everyone","id":"news-1","from":"news","body":"we are open"}"#, "news/news-1")?;
    scene.serve(r#"{"v":1,"channel":"room:lobby","from":"guard","command":"delete","seq":1}"#, "guard/delete-1")?;
    scene.say("mod", r#"{"action":"delete","room":"lobby","seq":2,"ref":"2"}"#)?;
    scene.say("mod", r#"{"action":"kick","user":"bob","room":"lobby","ref":"3"}"#)?;
    let until = BEGIN + 3_600 * SECOND;
    scene.say("mod", &format!(r#"{{"action":"ban","user":"bob","until":{until},"room":"lobby","ref":"4"}}"#))?;
    scene.say("bob", r#"{"action":"join","room":"lobby","ref":"2"}"#)?;
    scene.say("mod", r#"{"action":"unban","user":"bob","room":"lobby","ref":"5"}"#)?;
    scene.say("mod", r#"{"action":"close","room":"lobby","erase":true,"ref":"6"}"#)?;
    scene.say("bob", r#"{"action":"join","room":"lobby","ref":"3"}"#)?;
    scene.say("mod", r#"{"action":"open","room":"lobby","ref":"7"}"#)?;
    scene.say("alice", r#"{"action":"join","room":"lobby","ref":"7"}"#)?;
    scene.say("alice", r#"{"action":"leave","room":"lobby","ref":"8"}"#)?;
    scene.say("alice", r#"{"action":"publish","room":"lobby","body":1,"id":"m-2","ref":"9"}"#)?;
    scene.say("alice", r#"{"action":"kick","user":"bob","ref":"10"}"#)?;
    scene.say_badly("alice", "hello")?;
    scene.say_badly("alice", r#"{"action":"shout","ref":"11"}"#)?;
    scene.say_badly("alice", r#"{"action":"who","ref":"12"}"#)?;
    scene.say_badly("alice", r#"{"action":"history","room":"lobby","limit":1000,"ref":"13"}"#)?;
    scene.say_badly("alice", r#"{"action":"join","room":"two words","ref":"14"}"#)?;
    scene.serve(r#"{"v":1,"channel":"user:bob","from":"guard","command":"kick","user":"bob"}"#, "guard/kick-bob-1")?;
    let ban =
        format!(r#"{{"v":1,"channel":"room:lobby","from":"guard","command":"ban","user":"bob","until":{until}}}"#);
    scene.serve(&ban, "guard/ban-bob-1")?;
    scene.serve(
        r#"{"v":1,"channel":"room:lobby","from":"guard","command":"unban","user":"bob"}"#,
        "guard/unban-bob-1",
    )?;
    scene.serve(r#"{"v":1,"channel":"room:lobby","from":"guard","command":"close"}"#, "guard/close-1")?;
    scene.serve(r#"{"v":1,"channel":"room:lobby","from":"guard","command":"open"}"#, "guard/open-1")?;
    scene.serve(&QueueMessage::wake("room:lobby".parse()?).to_json()?, "wake//1")?;
    scene.bury(r#"{"v":1,"channel":"room:lobby","id":"order-20","from":"orders"}"#)?;
    scene.outlive_the_token()?;
    Ok(scene.examples)
}

/// A stack without AWS, and what was said on it so far.
struct Scene {
    handler: ClientHandler<MemoryStore, Recorder, Recorder, TestEnv>,
    delivery: Delivery<MemoryStore, Recorder, Recorder, Recorder, TestEnv>,
    announcer: Announcer<MemoryStore, Recorder, TestEnv>,
    /// What the functions have done.
    recorder: Recorder,
    env: TestEnv,
    now: u64,
    /// How many messages the queue took.
    taken: u64,
    examples: Examples,
}

impl Scene {
    fn set() -> Result<Self> {
        let (store, recorder, env) = (MemoryStore::default(), Recorder::default(), TestEnv::at(BEGIN));
        let max_body_bytes = usize::try_from(settings::MAX_BODY_BYTES.default)?;
        let shard_members = settings::SHARD_MEMBERS.default;
        for name in ["alice", "bob", "mod"] {
            block_on(membership::connect(&store, &env, &connection(name, name, BEGIN), shard_members))?;
        }
        let handler = ClientHandler {
            store: store.clone(),
            queue: recorder.clone(),
            poster: recorder.clone(),
            env: env.clone(),
            max_body_bytes,
            shard_members,
            budget: Budget::of(PLENTY),
            user_rate: PublishRate { per_second: PLENTY, burst: PLENTY },
            max_rooms: PLENTY,
            transport: API_GATEWAY,
        };
        let delivery = Delivery {
            fan_out: FanOut {
                store: store.clone(),
                poster: recorder.clone(),
                env: env.clone(),
                share: Share { budget: Budget::of(PLENTY), sender: SenderId::new("sender") },
                transport: API_GATEWAY,
            },
            broadcasts: recorder.clone(),
            dead_letters: recorder.clone(),
            max_body_bytes,
            retention: Duration::from_secs(settings::RETENTION_SECONDS.default),
            inline_limit: PLENTY,
            lease: Duration::from_secs(PLENTY),
            large: Arc::default(),
        };
        let rate = Budget::of(PLENTY).announce_rate();
        let announcer = Announcer { store, poster: recorder.clone(), env: env.clone(), rate, transport: API_GATEWAY };
        Ok(Self { handler, delivery, announcer, recorder, env, now: BEGIN, taken: 0, examples: Examples::default() })
    }

    /// A client says something that is understood, and whatever comes of it happens.
    fn say(&mut self, name: &str, frame: &str) -> Result<()> {
        let action = action(frame)?;
        note(&mut self.examples.requests, &action, serde_json::from_str(frame)?);
        let answered = self.answer(&member(name)?, frame)?;
        if answered != "error" {
            self.examples.answers.entry(action).or_default().insert(answered);
        }
        Ok(())
    }

    /// A client says something that is not carried out.
    fn say_badly(&mut self, name: &str, frame: &str) -> Result<()> {
        let answered = self.answer(&member(name)?, frame)?;
        ensure!(answered == "error", "`{frame}` was answered with `{answered}`");
        Ok(())
    }

    /// What a frame is answered with.
    fn answer(&mut self, caller: &Caller, frame: &str) -> Result<String> {
        self.pass(SECOND);
        let answer = serde_json::to_value(block_on(self.handler.answer(caller, frame)))?;
        let answered = self.note_frame(answer)?;
        self.deliver_what_clients_sent()?;
        Ok(answered)
    }

    /// A service puts something on the queue.
    fn serve(&mut self, parcel: &str, deduplication_id: &str) -> Result<()> {
        self.serve_all(&[(parcel, deduplication_id)])
    }

    /// A service puts several messages on the queue before anything is delivered.
    fn serve_all(&mut self, parcels: &[(&str, &str)]) -> Result<()> {
        for (parcel, deduplication_id) in parcels {
            let value: Value = serde_json::from_str(parcel)?;
            let group = value.get("channel").and_then(Value::as_str).context("a parcel has a channel")?;
            let attributes = json!({ "MessageGroupId": group, "MessageDeduplicationId": deduplication_id });
            let parcels = &mut self.examples.parcels;
            let kind = match QueueMessage::parse(parcel, group, usize::MAX)? {
                QueueMessage::Message(_) => &mut parcels.messages,
                QueueMessage::Command(_) => &mut parcels.commands,
                QueueMessage::Wake(_) => &mut parcels.wakes,
            };
            kind.push((value.clone(), attributes));
        }
        self.pass(SECOND);
        let records = parcels.iter().map(|(parcel, _)| self.record(parcel)).collect::<Result<_>>()?;
        self.deliver(records)
    }

    /// A service puts something on the queue that can't be delivered.
    fn bury(&mut self, parcel: &str) -> Result<()> {
        self.pass(SECOND);
        let record = self.record(parcel)?;
        self.deliver(vec![record])?;
        for letter in self.recorder.seen().buried.drain(..) {
            let attributes = json!({
                dead_letter::REASON: letter.reason,
                dead_letter::DETAIL: letter.detail,
                dead_letter::SOURCE: letter.source,
                dead_letter::FIRST_SEEN: letter.first_seen.0.to_string(),
            });
            self.examples.dead_letters.push((attributes, letter.body));
        }
        ensure!(!self.examples.dead_letters.is_empty(), "`{parcel}` is no dead letter");
        Ok(())
    }

    /// Who watches a room is told who has come and gone.
    fn announce(&mut self, channel: &str) -> Result<()> {
        self.pass(SECOND);
        block_on(self.announcer.announce(&BTreeSet::from([channel.parse()?]), FOREVER));
        self.note_posted()
    }

    fn outlive_the_token(&mut self) -> Result<()> {
        let late = Caller { until: Timestamp(self.now), ..member("alice")? };
        let answered = self.answer(&late, r#"{"action":"ping"}"#)?;
        ensure!(answered == "closing", "a token has ended, and the answer is `{answered}`");
        Ok(())
    }

    fn pass(&mut self, milliseconds: u64) {
        self.now += milliseconds;
        self.env.set(self.now);
    }

    /// A message, as the queue hands it on.
    fn record(&mut self, body: &str) -> Result<Record> {
        self.taken += 1;
        let value: Value = serde_json::from_str(body)?;
        let group = value.get("channel").and_then(Value::as_str).context("a parcel has a channel")?.to_owned();
        Ok(Record {
            queue_id: format!("taken-{}", self.taken),
            group,
            body: body.to_owned(),
            sent_at: Timestamp(self.now),
            receives: 1,
            redriven: false,
            source: "arn:aws:sqs:eu-central-1:123456789012:hubbub-publish.fifo".to_owned(),
        })
    }

    fn deliver_what_clients_sent(&mut self) -> Result<()> {
        let mut seen = self.recorder.seen();
        let (enqueued, commands) = (std::mem::take(&mut seen.enqueued), std::mem::take(&mut seen.commands));
        drop(seen);
        let messages = enqueued.iter().map(Envelope::to_json);
        let parcels = messages.chain(commands.iter().map(ModerationCommand::to_json)).collect::<Result<Vec<_>, _>>()?;
        let records = parcels.iter().map(|parcel| self.record(parcel)).collect::<Result<_>>()?;
        self.deliver(records)
    }

    /// Delivers, and notes what was posted.
    fn deliver(&mut self, records: Vec<Record>) -> Result<()> {
        self.pass(40);
        let failed = block_on(self.delivery.deliver(records, FOREVER));
        ensure!(failed.is_empty(), "these were not delivered: {failed:?}");
        self.note_posted()
    }

    fn note_posted(&mut self) -> Result<()> {
        let mut seen = self.recorder.seen();
        let posted = std::mem::take(&mut seen.posted).into_values().flatten();
        let texts: Vec<String> = posted.chain(seen.closed.drain(..).map(|(_, farewell)| farewell)).collect();
        drop(seen);
        for text in texts {
            let posted = self.note_frame(serde_json::from_str(&text)?)?;
            self.examples.posted.insert(posted);
        }
        Ok(())
    }

    /// The frame's type.
    fn note_frame(&mut self, frame: Value) -> Result<String> {
        let kind = frame.get("type").and_then(Value::as_str).context("a frame has a type")?.to_owned();
        note(&mut self.examples.frames, &kind, frame);
        Ok(kind)
    }
}

/// Keeps an example that shows something: other fields than those before, or another code.
fn note(examples: &mut BTreeMap<String, Vec<Value>>, name: &str, example: Value) {
    let shape = |value: &Value| {
        let fields: Vec<String> = value.as_object().into_iter().flat_map(|fields| fields.keys().cloned()).collect();
        (fields, value.get("code").cloned())
    };
    let known = examples.entry(name.to_owned()).or_default();
    if known.iter().all(|one| shape(one) != shape(&example)) {
        known.push(example);
    }
}

fn action(frame: &str) -> Result<String> {
    let value: Value = serde_json::from_str(frame)?;
    Ok(value.get("action").and_then(Value::as_str).context("a frame has an action")?.to_owned())
}

/// Somebody who is connected; `mod` may do everything.
fn member(name: &str) -> Result<Caller> {
    let member = caller(name);
    if name != "mod" {
        return Ok(member);
    }
    let capabilities = r#"{"join":["*"],"publish":["*"],"history":["*"],"who":["*"],"direct":["*"],"admin":["*"]}"#;
    Ok(Caller { capabilities: Capabilities::parse(capabilities)?, ..member })
}
