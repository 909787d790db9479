//! The states of a client's channels, and the events that follow from them.

use std::collections::BTreeMap;
use std::time::Instant;

use tokio::sync::mpsc;

use super::State;
use super::event::Event;
use crate::channel::Channel;
use crate::channel_state::{ChannelState, Counters, Start, Step};
use crate::connection::CloseReason;
use crate::error::Error;
use crate::frames::{Joined, Left, Messages, Presence, Request, RoomPresence};

struct Entry {
    state: ChannelState,
    /// A task holds the channel's membership lock or waits for it, and will join again if messages are missing.
    has_joiner: bool,
    /// The users in the room, while the client asks for presence.
    presence: Option<RoomPresence>,
}

/// The channels of a client. It sits behind a lock, and events are sent while the lock is held, so that they keep their order.
pub(super) struct Channels {
    entries: BTreeMap<Channel, Entry>,
    events: mpsc::UnboundedSender<Event>,
    /// Set when the connection has ended. No event is sent after that, so the positions stay where the application has read to.
    closed: Option<CloseReason>,
}

impl Channels {
    pub(super) const fn new(events: mpsc::UnboundedSender<Event>) -> Self {
        Self { entries: BTreeMap::new(), events, closed: None }
    }

    /// The position in each channel.
    pub(super) fn positions(&self) -> State {
        let positions = self.entries.iter().filter_map(|(channel, entry)| {
            let position = entry.state.position()?;
            Some((channel.clone(), position.clone()))
        });
        State(positions.collect())
    }

    pub(super) fn counters(&self, channel: &Channel) -> Counters {
        self.entries.get(channel).map_or_else(Counters::default, |entry| entry.state.counters())
    }

    pub(super) fn total_counters(&self) -> Counters {
        self.entries.values().map(|entry| entry.state.counters()).sum()
    }

    pub(super) fn is_following(&self, channel: &Channel) -> bool {
        self.entries.get(channel).is_some_and(|entry| entry.state.is_followed())
    }

    fn entry(&mut self, channel: &Channel) -> &mut Entry {
        self.entries.entry(channel.clone()).or_insert_with(|| Entry {
            state: ChannelState::new(channel.clone()),
            has_joiner: false,
            presence: None,
        })
    }

    /// Begins a join, and returns the request to send.
    pub(super) fn begin_join(&mut self, channel: &Channel, start: Start, presence: Option<bool>) -> Request {
        let since = self.entry(channel).state.join(start);
        Request::Join { target: channel.clone().into(), since: since.seq, epoch: since.epoch, presence }
    }

    /// Takes the answer to a join. Returns `None` if the client left the channel before the answer came.
    pub(super) fn joined(&mut self, channel: &Channel, joined: Joined, at: Instant) -> Result<Option<Step>, Error> {
        self.check_open()?;
        if !self.is_following(channel) {
            return Ok(None);
        }
        let step = self.entry(channel).state.joined(joined, at);
        let rest = Step { needs_join: step.needs_join, idle_joins: step.idle_joins, ..Step::default() };
        self.hand_out(channel, step);
        Ok(Some(rest))
    }

    pub(super) fn join_failed(&mut self, channel: &Channel) {
        if self.closed.is_some() {
            return;
        }
        let step = self.entry(channel).state.join_failed();
        self.hand_out(channel, step);
    }

    /// Marks that a task will join the channel again if messages are missing.
    pub(super) fn add_joiner(&mut self, channel: &Channel) {
        self.entry(channel).has_joiner = true;
    }

    /// Ends the caller's part as the joiner, unless messages are missing. Returns whether they are.
    pub(super) fn needs_joiner(&mut self, channel: &Channel) -> bool {
        let entry = self.entry(channel);
        entry.has_joiner = entry.state.needs_join();
        entry.has_joiner
    }

    /// Takes a frame of messages. Returns whether the caller must start a task that joins again.
    pub(super) fn receive(&mut self, frame: Messages, at: Instant) -> bool {
        let channel = frame.channel.clone();
        let entry = self.entry(&channel);
        let step = entry.state.receive(frame, at);
        let needs_task = step.needs_join && !entry.has_joiner;
        entry.has_joiner |= needs_task;
        self.hand_out(&channel, step);
        needs_task
    }

    /// Whether the client asks for presence in the channel.
    pub(super) fn is_watched(&self, channel: &Channel) -> bool {
        self.entries.get(channel).is_some_and(|entry| entry.presence.is_some())
    }

    /// Begins to keep the users in a room, before a join asks for them: an update may come before the answer does.
    pub(super) fn begin_presence(&mut self, channel: &Channel) {
        self.entry(channel).presence.get_or_insert_default();
    }

    pub(super) fn end_presence(&mut self, channel: &Channel) {
        self.entry(channel).presence = None;
    }

    pub(super) fn set_presence(&mut self, channel: &Channel, now: RoomPresence) {
        if let Some(presence) = &mut self.entry(channel).presence {
            presence.set(now);
        }
    }

    /// Takes the users in a watched room from the answer to another join, and reports what has changed.
    pub(super) fn refresh_presence(&mut self, channel: &Channel, now: RoomPresence) {
        let Channel::Room(room) = channel else { return };
        let update = self.entry(channel).presence.as_ref().and_then(|presence| presence.update_to(room, now));
        if let Some(update) = update {
            self.presence_changed(update);
        }
    }

    pub(super) fn presence_changed(&mut self, update: Presence) {
        if let Some(presence) = &mut self.entry(&update.channel).presence {
            presence.apply(&update);
        }
        self.emit(Event::Presence(update));
    }

    pub(super) fn left(&mut self, left: Left) -> Result<(), Error> {
        self.check_open()?;
        self.unfollow(&left.channel);
        self.emit(Event::Left(left));
        Ok(())
    }

    /// Stops following a channel, without an event.
    pub(super) fn unfollow(&mut self, channel: &Channel) {
        let entry = self.entry(channel);
        entry.state.left();
        entry.presence = None;
    }

    /// Stops following a channel that can't be joined any more.
    pub(super) fn give_up(&mut self, channel: &Channel, error: Error) {
        if self.closed.is_some() || !self.is_following(channel) {
            return;
        }
        self.unfollow(channel);
        self.entry(channel).has_joiner = false;
        self.emit(Event::Dropped { channel: channel.clone(), error });
    }

    pub(super) fn close(&mut self, reason: CloseReason) {
        self.emit(Event::Closed(reason.clone()));
        self.closed = Some(reason);
    }

    fn check_open(&self) -> Result<(), Error> {
        self.closed.clone().map_or(Ok(()), |reason| Err(Error::Closed(reason)))
    }

    fn hand_out(&self, channel: &Channel, step: Step) {
        if let Some(reset) = step.reset {
            self.emit(Event::Reset { channel: channel.clone(), epoch: reset.epoch, head: reset.head });
        }
        for delivery in step.deliveries {
            self.emit(Event::Message(delivery));
        }
    }

    pub(super) fn emit(&self, event: Event) {
        if self.closed.is_some() {
            return;
        }
        // Fails only if the application reads no events.
        let _ = self.events.send(event);
    }
}
