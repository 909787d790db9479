//! A client that outlives its sockets.
//!
//! A [`Session`] keeps a [`Client`](crate::client::Client) connected: after a cut it comes back after a random pause and goes on in each
//! channel where it was, and before API Gateway cuts a socket for its age, or its token ends, it moves to a fresh one, of which the
//! application sees nothing. Calls wait while it is offline. Each message has one id however often it is sent, and the next one of its
//! channel waits for it, so that it is in the log once and in order.

mod keeper;
mod line;
mod options;

use std::sync::Arc;

use serde::Serialize;
use serde_json::value::to_raw_value;
use tokio::sync::{mpsc, watch};

use self::keeper::keep;
pub use self::line::Stats;
use self::line::{Line, Live, Shared, send};
pub use self::options::{SessionOptions, Tokens};
use crate::channel::Channel;
use crate::client::{Caught, Events, State, lock, request_of};
use crate::error::Error;
use crate::frames::{Accepted, History, Left, Members, Present};
use crate::state::Start;

/// Where a session stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// It has not been connected yet.
    Connecting,
    /// It is connected and a member of all that it follows.
    Live,
    /// It is connected again, and fetches what was missed.
    Recovering,
    /// It isn't connected, and tries again; says why.
    Offline(String),
    /// It is over; says why.
    Closed(String),
}

/// A client that outlives its sockets. Clones share it; with the last of them it ends.
#[derive(Clone, Debug)]
pub struct Session(Arc<Handle>);

/// Ends the session's task with the last session.
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
    /// Begins a session, which connects by itself; calls wait until it has.
    #[must_use]
    pub fn open(options: SessionOptions) -> (Self, Events) {
        let (sender, events) = mpsc::unbounded_channel();
        let (stop, stopped) = watch::channel(false);
        let shared = Arc::new(Shared::new(options));
        tokio::spawn(keep(Arc::clone(&shared), sender, stopped));
        (Self(Arc::new(Handle { shared, stop })), Events::new(events))
    }

    /// Where it stands now, and whenever that changes.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<Status> {
        self.0.shared.status.subscribe()
    }

    /// How far it has come in each channel that it follows. While events are still to be read, this is ahead of them: to go on from it later,
    /// read them to their end first.
    #[must_use]
    pub fn state(&self) -> State {
        self.0.shared.state()
    }

    /// What it has been through.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.0.shared.stats()
    }

    /// Joins a channel, and gets all of what was missed; it is followed across sockets from here on.
    ///
    /// # Errors
    /// Fails as [`Client::join`](crate::client::Client::join), except for what passes, and with [`Error::Ended`].
    pub async fn join(&self, channel: Channel, start: Start) -> Result<Caught, Error> {
        let act = |live: Arc<Live>, start| {
            let channel = channel.clone();
            async move { live.client.join(channel, start).await }
        };
        self.0.shared.follow(&channel, start, act).await
    }

    /// Leaves a room. An [`Event::Left`](crate::client::Event::Left) comes behind the last message.
    ///
    /// # Errors
    /// As [`Session::join`].
    pub async fn leave(&self, room: &str) -> Result<Left, Error> {
        let act = |live: Arc<Live>| async move {
            let left = live.client.leave(room).await?;
            self.0.shared.forget(&Channel::room(room));
            Ok(left)
        };
        self.0.shared.change(act).await
    }

    /// Publishes to a room, and waits until the message is durable, however long the session is offline. Messages to one room are sent one
    /// after the other, in the order of the calls. Without an `id`, one is made.
    ///
    /// # Errors
    /// As [`Session::join`], and with [`Error::InDoubt`] if an answer was lost and it is too late to ask again.
    pub async fn publish<B: Serialize + ?Sized>(
        &self,
        room: &str,
        body: &B,
        id: Option<&str>,
    ) -> Result<Accepted, Error> {
        self.send(Channel::room(room), body, id, false).await
    }

    /// Sends a direct message; otherwise as [`Session::publish`].
    ///
    /// # Errors
    /// As [`Session::publish`].
    pub async fn direct<B: Serialize + ?Sized>(&self, to: &str, body: &B, id: Option<&str>) -> Result<Accepted, Error> {
        self.send(Channel::user(to), body, id, false).await
    }

    /// Publishes and asks for a receipt, which comes unless the socket is cut meanwhile; otherwise as [`Session::publish`].
    ///
    /// # Errors
    /// As [`Session::publish`]; clients can't publish to everyone.
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
        let request = request_of(&channel, body, Some(id.clone()), receipt)?;
        // A task of its own, so that a caller who stops waiting doesn't let the next message overtake this one.
        let sending = tokio::spawn(send(Arc::clone(&self.0.shared), channel, request, id));
        sending.await.unwrap_or_else(|error| Err(Error::Ended(error.to_string())))
    }

    /// Joins a room from where it was left, and asks to be told who comes and goes, on each socket anew: who is there now, and from then on
    /// an [`Event::Presence`](crate::client::Event::Presence) for each change. After a cut, what changed meanwhile comes as one.
    ///
    /// # Errors
    /// As [`Session::join`].
    pub async fn watch(&self, room: &str) -> Result<Present, Error> {
        let act = |live: Arc<Live>, _| async move {
            let present = live.client.watch(room).await?;
            if live.client.is_following(&Channel::room(room)) {
                lock(&self.0.shared.watched).insert(room.to_owned(), present.clone());
            }
            Ok(present)
        };
        self.0.shared.follow(&Channel::room(room), Start::Known, act).await
    }

    /// Stays in a room, and asks to be told no longer who comes and goes.
    ///
    /// # Errors
    /// As [`Session::join`].
    pub async fn unwatch(&self, room: &str) -> Result<(), Error> {
        let act = |live: Arc<Live>| async move {
            lock(&self.0.shared.watched).remove(room);
            live.client.unwatch(room).await
        };
        self.0.shared.change(act).await
    }

    /// Posts a signal to the other members of a room, once and now; how many connections got it. It is never sent later: where the session
    /// is not connected, or the connection ends meanwhile, nobody gets it.
    ///
    /// # Errors
    /// Fails as [`Client::signal`](crate::client::Client::signal), except for what passes.
    pub async fn signal<B: Serialize + ?Sized>(&self, room: &str, body: &B) -> Result<u64, Error> {
        let Some(live) = self.0.shared.live_now() else { return Ok(0) };
        nobody_if_it_passes(live.client.signal(room, body).await)
    }

    /// Posts a signal to all connections of a user; otherwise as [`Session::signal`].
    ///
    /// # Errors
    /// As [`Session::signal`].
    pub async fn signal_user<B: Serialize + ?Sized>(&self, to: &str, body: &B) -> Result<u64, Error> {
        let Some(live) = self.0.shared.live_now() else { return Ok(0) };
        nobody_if_it_passes(live.client.signal_user(to, body).await)
    }

    /// A page of a channel's log, as [`Client::history`](crate::client::Client::history).
    ///
    /// # Errors
    /// As [`Session::join`].
    pub async fn history(&self, channel: Channel, before: Option<u64>, limit: Option<u32>) -> Result<History, Error> {
        let act = |live: Arc<Live>| {
            let channel = channel.clone();
            async move { live.client.history(channel, before, limit).await }
        };
        self.0.shared.try_until(act).await
    }

    /// Who is a member of a room.
    ///
    /// # Errors
    /// As [`Session::join`].
    pub async fn who(&self, room: &str) -> Result<Members, Error> {
        let act = |live: Arc<Live>| {
            let room = room.to_owned();
            async move { live.client.who(&room).await }
        };
        self.0.shared.try_until(act).await
    }

    /// Drops the TCP connection without a goodbye, if there is one; the session comes back by itself. For tests.
    pub async fn cut(&self) {
        if let Some(live) = self.0.shared.live_now() {
            live.client.cut().await;
        }
    }

    /// Closes the socket and ends the session; the events end when all have been read.
    pub async fn close(&self) {
        self.0.stop.send_replace(true);
        // Fails only where the task has ended already.
        let _ = self.0.shared.line.subscribe().wait_for(|line| matches!(line, Line::Over(_))).await;
    }
}

fn nobody_if_it_passes(signalled: Result<u64, Error>) -> Result<u64, Error> {
    match signalled {
        Err(error) if error.is_retryable() => Ok(0),
        other => other,
    }
}
