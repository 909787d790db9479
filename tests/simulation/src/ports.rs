//! The rules' ports in the simulation: the store in memory and the simulated services, where a hook may delay, refuse or lose each effect,
//! records what matters for the guarantee, and plants the bugs.

use std::any::Any;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use futures::future::join_all;
use hubbub_core::delivery::outcome::Outcome;
use hubbub_core::limits::pace::Rate;
use hubbub_core::log::lease::Lease;
use hubbub_core::log::state::ChannelState;
use hubbub_core::metrics::Metric;
use hubbub_core::ports::{
    Appended, Broadcasts, Clock, DeadLetter, DeadLetters, Ids, Log, MemberPage, Meter, PortError, PortResult, Poster,
    PublishQueue,
};
use hubbub_core::wire::channel::Channel;
use hubbub_core::wire::command::ModerationCommand;
use hubbub_core::wire::frame::Frame;
use hubbub_core::wire::id::{ConnectionId, Epoch, LeaseId};
use hubbub_core::wire::message::{Message, Seq};
use hubbub_core::wire::queue_message::{Envelope, QueueMessage, wake_deduplication_id};
use hubbub_core::wire::time::Timestamp;
use hubbub_testkit::intercept::{Call, Hook, Intercepted};
use hubbub_testkit::memory::MemoryStore;

use crate::bug::Bug;
use crate::environment::Environment;
use crate::queue::Sending;
use crate::sockets::Phase;
use crate::workflows;

/// All ports of one run of a function.
pub(crate) type Ports = Intercepted<MemoryStore, Services, Services, FunctionHook>;

/// The ports of a run that knows no deadline.
pub(crate) fn ports(environment: &Rc<Environment>) -> Ports {
    ports_until(environment, None)
}

/// The ports of a run that posts until a deadline.
pub(crate) fn ports_until(environment: &Rc<Environment>, deadline: Option<Timestamp>) -> Ports {
    let services = Services(Rc::clone(environment));
    let hook = FunctionHook { environment: Rc::clone(environment), first_read: Rc::default(), deadline };
    Intercepted { store: environment.store.clone(), env: services.clone(), services, hook }
}

/// What happens around each effect of one run of a function.
#[derive(Clone)]
pub(crate) struct FunctionHook {
    environment: Rc<Environment>,
    /// For [`Bug::RecoveryReadFirst`]: the first state of each channel that the run has read.
    first_read: Rc<RefCell<BTreeMap<Channel, ChannelState>>>,
    deadline: Option<Timestamp>,
}

impl Hook for FunctionHook {
    async fn before(&self, call: &Call<'_>) -> PortResult<()> {
        if is_post(call) {
            self.settle_too_early(call).await;
            return Ok(());
        }
        let scheduler = &self.environment.scheduler;
        scheduler.pause().await;
        if scheduler.happens(scheduler.faults().refuse) {
            scheduler.note(|| format!("{call:.160}: refused"));
            return Err(error(call, "refused"));
        }
        self.record_before(call).await;
        Ok(())
    }

    async fn after(&self, call: &Call<'_>, reply: &mut dyn Any) -> PortResult<()> {
        if is_post(call) {
            return Ok(());
        }
        self.record_after(call, reply);
        self.plant_bug(call, reply).await;
        let scheduler = &self.environment.scheduler;
        let is_lost = scheduler.happens(scheduler.faults().lose);
        scheduler.note(|| format!("{call:.160}{}", if is_lost { ": the answer is lost" } else { "" }));
        scheduler.pause().await;
        if is_lost { Err(error(call, "the answer is lost")) } else { Ok(()) }
    }
}

/// The sockets have faults of their own.
const fn is_post(call: &Call<'_>) -> bool {
    matches!(call, Call::Post { .. } | Call::TryPost { .. } | Call::Close { .. })
}

fn error(call: &Call<'_>, detail: &str) -> PortError {
    PortError { operation: call.operation(), detail: detail.to_owned(), retryable: true }
}

impl FunctionHook {
    /// Nothing else happens between this and the effect.
    async fn record_before(&self, call: &Call<'_>) {
        let Environment { scheduler, store, record, sockets, .. } = &*self.environment;
        match call {
            // Members may have been left out of a range that is about to count as sent, because time was up.
            Call::Settle { channel, epoch, to } => {
                let is_late = self.deadline.is_some_and(|deadline| deadline.0 <= scheduler.now());
                // The store in memory doesn't fail.
                if is_late && let Ok(Some(state)) = store.state(channel).await {
                    record.leave_out(channel, epoch, (state.sent, *to));
                }
            }
            Call::PutMember { channel, member, .. } => record.put_member(channel, &member.id),
            Call::RemoveMember { id, .. } if sockets.get(id).is_none_or(|socket| socket.phase() == Phase::Closed) => {
                record.count("forgotten");
            }
            _ => {}
        }
    }

    fn record_after(&self, call: &Call<'_>, reply: &mut dyn Any) {
        if let Call::Append { channel, append } = call
            && reply.downcast_ref() == Some(&Appended::Done)
        {
            self.environment.record.append(channel, append);
        }
    }

    /// Does to the effect and its reply what a port would do that has the run's bug.
    async fn plant_bug(&self, call: &Call<'_>, reply: &mut dyn Any) {
        let Some(bug) = self.environment.bug else { return };
        match (bug, call) {
            (Bug::RecoveryReadFirst, Call::Open { channel, .. }) => {
                if let Some(state) = reply.downcast_mut::<ChannelState>() {
                    let mut first_read = self.first_read.borrow_mut();
                    state.clone_from(first_read.entry((*channel).clone()).or_insert_with(|| state.clone()));
                }
            }
            (Bug::RedeliveryUnchecked, Call::ReadBack { .. }) => {
                if let Some(messages) = reply.downcast_mut::<Vec<Message>>() {
                    messages.clear();
                }
            }
            (Bug::PrunedYoung, Call::MemberPage { .. }) => {
                if let Some(page) = reply.downcast_mut::<MemberPage>() {
                    page.members.iter_mut().for_each(|member| member.connected_at = Timestamp(0));
                }
            }
            (Bug::LeaseGivenBackUnchecked, Call::ReleaseLease { channel, held }) => {
                if let Some(is_released) = reply.downcast_mut::<bool>()
                    && !*is_released
                {
                    let ended = Lease { id: (*held).clone(), until: Timestamp(0) };
                    // The store in memory doesn't fail.
                    *is_released =
                        self.environment.store.replace_lease(channel, held, &ended).await.unwrap_or_default();
                }
            }
            _ => {}
        }
    }

    /// For [`Bug::SentBeforePosted`].
    async fn settle_too_early(&self, call: &Call<'_>) {
        let frames = match call {
            Call::Post { frames, .. } => frames,
            Call::TryPost { frame, .. } => std::slice::from_ref(*frame),
            _ => return,
        };
        if self.environment.bug == Some(Bug::SentBeforePosted) {
            for Posted { channel, epoch, seqs } in Posted::read_all(frames) {
                let to = Seq(seqs.last().copied().unwrap_or_default());
                // The store in memory doesn't fail.
                let _ = self.environment.store.settle(&channel, &epoch, to).await;
            }
        }
    }
}

/// The services around the functions, which have no faults of their own but the sockets'; and the time, and ids.
#[derive(Clone)]
pub(crate) struct Services(Rc<Environment>);

impl Clock for Services {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.scheduler.now())
    }
}

impl Ids for Services {
    fn fresh(&self) -> String {
        format!("{:026}", self.0.scheduler.fresh())
    }
}

/// The record knows better than any meter.
impl Meter for Services {
    fn record(&self, _: Metric, _: u64) {}
}

impl Services {
    fn send(&self, group: &Channel, deduplication: String, body: serde_json::Result<String>) -> PortResult<()> {
        let body = body.map_err(|error| PortError {
            operation: "write envelope",
            detail: error.to_string(),
            retryable: false,
        })?;
        let sending = Sending { group: group.to_string(), deduplication, body, redriven: false };
        self.0.queue.send(&self.0.scheduler, sending);
        Ok(())
    }
}

impl PublishQueue for Services {
    async fn enqueue(&self, envelope: &Envelope) -> PortResult<()> {
        self.send(&envelope.channel, envelope.deduplication_id(), envelope.to_json())
    }

    async fn command(&self, command: &ModerationCommand, id: &str) -> PortResult<()> {
        self.send(&command.channel, id.to_owned(), command.to_json())
    }

    async fn wake(&self, channel: &Channel, reason: &str) -> PortResult<()> {
        self.send(channel, wake_deduplication_id(reason), QueueMessage::wake(channel.clone()).to_json())
    }
}

impl DeadLetters for Services {
    async fn bury(&self, letter: &DeadLetter) -> PortResult<()> {
        self.0.record.bury(&letter.body, letter.reason.as_str());
        Ok(())
    }
}

impl Broadcasts for Services {
    async fn start(&self, channel: &Channel, lease: &LeaseId) -> PortResult<()> {
        workflows::start(&self.0, channel, lease);
        Ok(())
    }
}

impl Poster for Services {
    async fn post(&self, frames: &[Frame], connections: &[ConnectionId]) -> Vec<Outcome> {
        let contents = Posted::read_all(frames);
        join_all(connections.iter().map(|id| self.post_to(id, frames, &contents))).await
    }

    async fn try_post(&self, frame: &Frame, connections: &[ConnectionId]) -> Vec<Outcome> {
        self.post(std::slice::from_ref(frame), connections).await
    }

    async fn close(&self, connection: &ConnectionId, farewell: &Frame) {
        self.0.scheduler.pause().await;
        if let Some(socket) = self.0.sockets.get(connection) {
            socket.push(farewell.text.clone());
            socket.close();
        }
    }

    /// The scheduler decides how time passes.
    fn limit(&self, _: Rate) {}
}

impl Services {
    async fn post_to(&self, id: &ConnectionId, frames: &[Frame], contents: &[Posted]) -> Outcome {
        let Environment { scheduler, record, sockets, .. } = &*self.0;
        for content in contents {
            record.attempt(id, content);
        }
        for frame in frames {
            scheduler.pause().await;
            let outcome = match sockets.get(id) {
                Some(socket) => socket.post(scheduler, &frame.text).await,
                None => Outcome::Gone,
            };
            scheduler.note(|| format!("post up to {} to {id}: {outcome:?}", frame.last));
            scheduler.pause().await;
            if outcome != Outcome::Delivered {
                return outcome;
            }
        }
        Outcome::Delivered
    }
}

/// The messages of a frame.
pub(crate) struct Posted {
    pub(crate) channel: Channel,
    pub(crate) epoch: Epoch,
    pub(crate) seqs: Vec<u64>,
}

impl Posted {
    /// The content of those frames that have messages: a receipt has none.
    fn read_all(frames: &[Frame]) -> Vec<Self> {
        frames.iter().filter_map(|frame| Self::read(&frame.text)).collect()
    }

    fn read(text: &str) -> Option<Self> {
        let hubbub_client::ServerFrame::Messages(posted) = hubbub_client::frames::Incoming::parse(text).frame else {
            return None;
        };
        Some(Self {
            channel: posted.channel.to_string().parse().ok()?,
            epoch: Epoch::new(posted.epoch),
            seqs: posted.messages.iter().map(|message| message.seq).collect(),
        })
    }
}
