//! A client that outlives its sockets.
//!
//! After a cut, a [`Session`] connects again after a random pause, and continues each channel after the last message that it has handed
//! out. It moves to a new socket before API Gateway closes the old one for its age, and before its token expires; the application does
//! not notice. While the session is offline, calls wait. Each message keeps its id when it is sent again, and the next message of its
//! channel waits for it. So it is in the log once and in order.

mod calls;
mod dial;
mod forward;
mod options;
mod run;
mod shared;

use std::sync::Arc;

use serde::Serialize;
use serde_json::value::to_raw_value;
use tokio::sync::{mpsc, watch};

use self::calls::send;
pub use self::options::{SessionOptions, Tokens};
use self::run::run;
pub use self::shared::Stats;
use self::shared::{LiveClient, Shared};
use crate::channel::Channel;
use crate::channel_state::Start;
use crate::client::{Events, JoinOutcome, State, lock, message_request};
use crate::error::Error;
use crate::frames::{Accepted, History, Left, Members, RoomPresence};

/// The status of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// It has not connected yet.
    Connecting,
    /// It is connected, and is a member of all channels that it follows.
    Live,
    /// It has connected again and is fetching missed messages.
    Recovering,
    /// It is not connected, for this reason, and will try again.
    Offline(String),
    /// It has ended, for this reason.
    Closed(String),
}

/// A client that reconnects by itself.
///
/// Clones share the session. Dropping the last clone ends it.
#[derive(Clone, Debug)]
pub struct Session(Arc<Handle>);

/// Stops the session's task when the last clone is dropped.
#[derive(Debug)]
struct Handle {
    shared: Arc<Shared>,
    stop: watch::Sender<bool>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.stop.send_replace(true);
    }
}

impl Session {
    /// Starts a session and returns at once. The session connects in a task of its own; calls wait until it is connected.
    ///
    /// # Panics
    /// Panics outside of a Tokio runtime.
    #[must_use]
    pub fn open(options: SessionOptions) -> (Self, Events) {
        let (sender, events) = mpsc::unbounded_channel();
        let (stop, stopped) = watch::channel(false);
        let shared = Arc::new(Shared::new(options));
        tokio::spawn(run(Arc::clone(&shared), sender, stopped));
        (Self(Arc::new(Handle { shared, stop })), Events::new(events))
    }

    /// The current status, and a way to wait for changes of it.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<Status> {
        self.0.shared.status.subscribe()
    }

    /// The position in each channel that the session follows. Events that the application has not read yet count as handed out: to save
    /// the positions for later, read all events first.
    #[must_use]
    pub fn state(&self) -> State {
        self.0.shared.positions()
    }

    /// Counts of what the session has done.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.0.shared.stats()
    }

    /// Joins a channel, and returns when all missed messages have come. From then on the session follows the channel on each socket. If
    /// the caller stops waiting, the join may still be carried out.
    ///
    /// # Errors
    /// - [`Error::Server`]: the server refuses the join. The channel is not followed.
    /// - [`Error::Expelled`]: a moderator has removed the user meanwhile.
    /// - [`Error::Ended`]: the session has ended.
    ///
    /// Failures that may pass are tried again.
    pub async fn join(&self, channel: Channel, start: Start) -> Result<JoinOutcome, Error> {
        self.0.shared.follow(channel, start, false).await
    }

    /// Leaves a room. [`Event::Left`](crate::Event::Left) follows its last message.
    ///
    /// # Errors
    /// Fails as [`Session::join`] does.
    pub async fn leave(&self, room: &str) -> Result<Left, Error> {
        let leave = |live: Arc<LiveClient>| {
            let (shared, room) = (Arc::clone(&self.0.shared), room.to_owned());
            async move {
                let left = live.client.leave(&room).await?;
                shared.unfollow(&Channel::room(room));
                Ok(left)
            }
        };
        self.0.shared.change_membership(leave).await
    }

    /// Publishes a message to a room, and returns when it is durable, however long the session is offline. Messages to one room are sent
    /// one after the other, in the order of the calls. Without an `id`, the session makes one. If the caller stops waiting, the message
    /// may still be sent.
    ///
    /// # Errors
    /// - [`Error::Server`]: the server refuses the message.
    /// - [`Error::InDoubt`]: the answer was lost, and it is too late to send the message again.
    /// - [`Error::Body`]: the body can't be written as JSON.
    /// - [`Error::Ended`]: the session has ended.
    pub async fn publish<B: Serialize + ?Sized>(
        &self,
        room: &str,
        body: &B,
        id: Option<&str>,
    ) -> Result<Accepted, Error> {
        self.send(Channel::room(room), body, id, false).await
    }

    /// Sends a direct message to a user; otherwise as [`Session::publish`].
    ///
    /// # Errors
    /// Fails as [`Session::publish`] does.
    pub async fn direct<B: Serialize + ?Sized>(&self, to: &str, body: &B, id: Option<&str>) -> Result<Accepted, Error> {
        self.send(Channel::user(to), body, id, false).await
    }

    /// Sends a message to a room or a user, and asks for a receipt: an [`Event::Receipt`](crate::Event::Receipt) comes when the message
    /// was sent to all members. The receipt is lost if the socket is cut before. Otherwise as [`Session::publish`].
    ///
    /// # Errors
    /// Fails as [`Session::publish`] does, and with [`Error::ServicesOnly`] for [`Channel::Everyone`].
    pub async fn publish_for_receipt<B: Serialize + ?Sized>(
        &self,
        channel: Channel,
        body: &B,
        id: Option<&str>,
    ) -> Result<Accepted, Error> {
        self.send(channel, body, id, true).await
    }

    async fn send<B: Serialize + ?Sized>(
        &self,
        channel: Channel,
        body: &B,
        id: Option<&str>,
        receipt: bool,
    ) -> Result<Accepted, Error> {
        let body = to_raw_value(body).map_err(Error::Body)?;
        let id = id.map_or_else(|| format!("{:032x}", fastrand::u128(..)), str::to_owned);
        let request = message_request(&channel, body, Some(id.clone()), receipt)?;
        // A task of its own: if the caller stops waiting, the next message still waits for this one.
        let sending = tokio::spawn(send(Arc::clone(&self.0.shared), channel, request, id));
        sending.await.unwrap_or_else(|error| Err(Error::Ended(error.to_string())))
    }

    /// Joins a room from its known position, and asks for presence, on each socket again. Returns the users in the room; each later
    /// change is an [`Event::Presence`](crate::Event::Presence). After a cut, one event brings all changes.
    ///
    /// # Errors
    /// Fails as [`Session::join`] does.
    pub async fn watch(&self, room: &str) -> Result<RoomPresence, Error> {
        let outcome = self.0.shared.follow(Channel::room(room), Start::Known, true).await?;
        Ok(outcome.presence.unwrap_or_default())
    }

    /// Stops presence for a room, and stays its member.
    ///
    /// # Errors
    /// Fails as [`Session::join`] does.
    pub async fn unwatch(&self, room: &str) -> Result<(), Error> {
        let unwatch = |live: Arc<LiveClient>| {
            let (shared, room) = (Arc::clone(&self.0.shared), room.to_owned());
            async move {
                lock(&shared.watched).remove(&room);
                live.client.unwatch(&room).await
            }
        };
        self.0.shared.change_membership(unwatch).await
    }

    /// Sends a signal to the other members of a room, once and now. Returns the number of connections that got it: 0 if the session is
    /// offline or the connection ends meanwhile. The body is JSON of at most 1 KiB.
    ///
    /// # Errors
    /// - [`Error::Server`]: the server refuses the signal.
    /// - [`Error::Body`]: the body can't be written as JSON.
    pub async fn signal<B: Serialize + ?Sized>(&self, room: &str, body: &B) -> Result<u64, Error> {
        let Some(live) = self.0.shared.current() else { return Ok(0) };
        zero_if_retryable(live.client.signal(room, body).await)
    }

    /// Sends a signal to all connections of a user, as [`Session::signal`] does to a room.
    ///
    /// # Errors
    /// Fails as [`Session::signal`] does.
    pub async fn signal_user<B: Serialize + ?Sized>(&self, to: &str, body: &B) -> Result<u64, Error> {
        let Some(live) = self.0.shared.current() else { return Ok(0) };
        zero_if_retryable(live.client.signal_user(to, body).await)
    }

    /// Reads a page of a channel's log, as [`Client::history`](crate::Client::history) does.
    ///
    /// # Errors
    /// Fails with [`Error::Server`] if the server refuses, and with [`Error::Ended`].
    pub async fn history(&self, channel: Channel, before: Option<u64>, limit: Option<u32>) -> Result<History, Error> {
        let read = |live: Arc<LiveClient>| {
            let channel = channel.clone();
            async move { live.client.history(channel, before, limit).await }
        };
        self.0.shared.retry(read).await
    }

    /// Lists the members of a room.
    ///
    /// # Errors
    /// Fails as [`Session::history`] does.
    pub async fn who(&self, room: &str) -> Result<Members, Error> {
        let read = |live: Arc<LiveClient>| async move { live.client.who(room).await };
        self.0.shared.retry(read).await
    }

    /// Drops the TCP connection without a close frame, if there is one. The session connects again by itself. For tests.
    pub async fn cut(&self) {
        if let Some(live) = self.0.shared.current() {
            live.client.cut().await;
        }
    }

    /// Closes the socket and ends the session. Events that have come by now can still be read.
    pub async fn close(&self) {
        self.0.stop.send_replace(true);
        self.0.shared.ended().await;
    }
}

fn zero_if_retryable(delivered: Result<u64, Error>) -> Result<u64, Error> {
    match delivered {
        Err(error) if error.is_retryable() => Ok(0),
        other => other,
    }
}
