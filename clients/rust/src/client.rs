//! A client on one socket: its channels, its calls and its events.

mod channels;
mod event;
mod membership;
mod options;
mod reader;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::future;
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use self::channels::Channels;
pub use self::event::{Event, Events};
use self::membership::{ChannelLock, Shared, join, leave, rejoin};
pub use self::options::Options;
use self::reader::read_inbox;
use crate::channel::Channel;
use crate::channel_state::{Counters, Position, Start};
use crate::connection::{CloseReason, Connection, Received};
use crate::error::Error;
use crate::frames::{
    Accepted, History, Left, Members, Pong, Recipient, Request, RoomPresence, ServerError, ServerFrame,
};

/// The position in each channel. Save it as JSON, and give it to [`Client::resume`] or
/// [`SessionOptions::state`](crate::SessionOptions::state) later to miss nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State(pub BTreeMap<Channel, Position>);

/// The outcome of a join. The missed messages themselves are [`Event::Message`]s.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JoinOutcome {
    /// The epoch of the channel's log.
    pub epoch: String,
    /// The newest sequence at the last answer.
    pub head: u64,
    /// Whether the server could return the missed messages. `None` if the join asked for none.
    pub recovered: Option<bool>,
    /// The number of messages in the answers.
    pub messages: usize,
    /// The users in the room, if the join asked for presence.
    pub presence: Option<RoomPresence>,
}

/// A client on one socket. It ends with the socket; a [`Session`](crate::Session) reconnects.
///
/// Clones share the socket. Dropping the last clone closes it.
#[derive(Clone)]
pub struct Client(Arc<Shared>);

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("user", &self.0.user).finish_non_exhaustive()
    }
}

impl Client {
    /// Connects, and joins the channels of [`Options::follow`].
    ///
    /// # Errors
    /// Fails as [`Connection::open`] does, and as [`Client::join`] does for the channels to follow.
    pub async fn connect(options: Options) -> Result<(Self, Events), Error> {
        let (client, events, follow) = Self::open(options).await?;
        for (_, joined) in client.join_all(follow).await {
            joined?;
        }
        Ok((client, events))
    }

    /// Connects, and returns the channels of [`Options::follow`], which the caller must join next. Their messages are held back until
    /// then.
    pub(crate) async fn open(options: Options) -> Result<(Self, Events, Vec<(Channel, Start)>), Error> {
        let (sender, events) = mpsc::unbounded_channel();
        let channels = Arc::new(Mutex::new(Channels::new(sender)));
        for (channel, start) in &options.follow {
            // Before the socket opens: messages may come as soon as it is open.
            lock(&channels).begin_join(channel, start.clone(), None);
        }
        let (connection, inbox) = Connection::open(&options.connection).await?;
        let shared = Arc::new(Shared::new(connection, options.user, Arc::clone(&channels)));
        tokio::spawn(read_inbox(Arc::downgrade(&shared), channels, inbox, options.keep_alive));
        Ok((Self(shared), Events::new(events), options.follow))
    }

    /// Joins channels, and returns the outcome for each.
    pub(crate) async fn join_all(&self, channels: Vec<(Channel, Start)>) -> Vec<(Channel, Result<JoinOutcome, Error>)> {
        let joins = channels.into_iter().map(|(channel, start)| async move {
            let joined = self.join(channel.clone(), start).await;
            (channel, joined)
        });
        future::join_all(joins).await
    }

    /// Connects, and continues each channel of `state` after its position.
    ///
    /// # Errors
    /// Fails as [`Client::connect`] does.
    pub async fn resume(mut options: Options, state: State) -> Result<(Self, Events), Error> {
        let positions = state.0.into_iter().map(|(channel, position)| (channel, Start::After(position)));
        options.follow.extend(positions);
        Self::connect(options).await
    }

    /// The id of the user.
    #[must_use]
    pub fn user(&self) -> &str {
        &self.0.user
    }

    /// The position in each channel that the client is a member of.
    #[must_use]
    pub fn state(&self) -> State {
        lock(&self.0.channels).positions()
    }

    /// Counts of what has happened on a channel.
    #[must_use]
    pub fn counters(&self, channel: &Channel) -> Counters {
        lock(&self.0.channels).counters(channel)
    }

    /// Counts of what has happened on all channels together.
    #[must_use]
    pub fn total(&self) -> Counters {
        lock(&self.0.channels).total_counters()
    }

    pub(crate) fn is_following(&self, channel: &Channel) -> bool {
        lock(&self.0.channels).is_following(channel)
    }

    /// Joins a channel again from its position. Returns `false` if the client no longer follows it.
    pub(crate) async fn rejoin(&self, channel: Channel) -> Result<bool, Error> {
        finish(tokio::spawn(rejoin(Arc::clone(&self.0), channel))).await
    }

    /// Joins a channel, and returns when all missed messages have come. They are [`Event::Message`]s, before any new ones.
    ///
    /// # Errors
    /// Fails as [`Connection::request`] does, and with [`Error::Expelled`] if a moderator removes the user meanwhile.
    pub async fn join(&self, channel: Channel, start: Start) -> Result<JoinOutcome, Error> {
        self.join_with(channel, start, None).await
    }

    pub(crate) async fn join_with(
        &self,
        channel: Channel,
        start: Start,
        presence: Option<bool>,
    ) -> Result<JoinOutcome, Error> {
        finish(tokio::spawn(join(Arc::clone(&self.0), channel, start, presence))).await
    }

    /// Joins a room from its known position, or from its newest message.
    ///
    /// # Errors
    /// Fails as [`Client::join`] does.
    pub async fn join_room(&self, room: &str) -> Result<JoinOutcome, Error> {
        self.join(Channel::room(room), Start::Known).await
    }

    /// Joins the user's own channel, to get missed direct messages. [`Options::inbox`] does this before new messages can come. Here,
    /// messages that have already come may be handed out again in their place.
    ///
    /// # Errors
    /// Fails as [`Client::join`] does.
    pub async fn inbox(&self, start: Start) -> Result<JoinOutcome, Error> {
        self.join(Channel::user(self.0.user.clone()), start).await
    }

    /// Leaves a room. [`Event::Left`] follows its last message.
    ///
    /// # Errors
    /// Fails as [`Connection::request`] does.
    pub async fn leave(&self, room: &str) -> Result<Left, Error> {
        finish(tokio::spawn(leave(Arc::clone(&self.0), room.to_owned()))).await
    }

    /// Joins a room from its known position, and asks for presence. Returns the users in the room; each later change is an
    /// [`Event::Presence`]. This lasts as long as the connection and the membership.
    ///
    /// # Errors
    /// Fails as [`Client::join`] does.
    pub async fn watch(&self, room: &str) -> Result<RoomPresence, Error> {
        let outcome = self.join_with(Channel::room(room), Start::Known, Some(true)).await?;
        Ok(outcome.presence.unwrap_or_default())
    }

    /// Stops presence for a room, and stays its member. Does nothing if the client is not a member.
    ///
    /// # Errors
    /// Fails as [`Client::join`] does.
    pub async fn unwatch(&self, room: &str) -> Result<(), Error> {
        if !self.is_following(&Channel::room(room)) {
            return Ok(());
        }
        self.join_with(Channel::room(room), Start::Known, Some(false)).await.map(drop)
    }

    /// Sends a signal to the other members of a room. It is sent once, now, and is not kept. Returns the number of connections that got
    /// it. The body is JSON of at most 1 KiB.
    ///
    /// # Errors
    /// Fails as [`Connection::request`] does, and with [`Error::Body`] if the body can't be written as JSON.
    pub async fn signal<B: Serialize + ?Sized>(&self, room: &str, body: &B) -> Result<u64, Error> {
        self.signal_to(Recipient::Room(room.to_owned()), body).await
    }

    /// Sends a signal to all connections of a user, as [`Client::signal`] does to a room.
    ///
    /// # Errors
    /// Fails as [`Client::signal`] does.
    pub async fn signal_user<B: Serialize + ?Sized>(&self, to: &str, body: &B) -> Result<u64, Error> {
        self.signal_to(Recipient::To(to.to_owned()), body).await
    }

    async fn signal_to<B: Serialize + ?Sized>(&self, to: Recipient, body: &B) -> Result<u64, Error> {
        let request = Request::Signal { to, body: to_raw_value(body).map_err(Error::Body)? };
        match self.0.connection.request(&request).await?.frame {
            ServerFrame::Signalled(signalled) => Ok(signalled.delivered),
            other => Err(unexpected(&request, &other)),
        }
    }

    /// Publishes a message to a room, and returns when it is durable. Messages to one room are sent one after the other, in the order of
    /// the calls. If the user sends too fast, the client waits as long as the server says and sends the message again. With an `id`, the
    /// same call can be repeated for five minutes and adds one message to the log.
    ///
    /// # Errors
    /// Fails as [`Connection::request`] does, and with [`Error::Body`] if the body can't be written as JSON.
    pub async fn publish<B: Serialize + ?Sized>(
        &self,
        room: &str,
        body: &B,
        id: Option<&str>,
    ) -> Result<Accepted, Error> {
        self.publish_to(&Channel::room(room), body, id, false).await
    }

    /// Sends a direct message to a user, and returns when it is durable; otherwise as [`Client::publish`].
    ///
    /// # Errors
    /// Fails as [`Client::publish`] does.
    pub async fn direct<B: Serialize + ?Sized>(&self, to: &str, body: &B, id: Option<&str>) -> Result<Accepted, Error> {
        self.publish_to(&Channel::user(to), body, id, false).await
    }

    /// Sends a message to a room or a user, and asks for a receipt: an [`Event::Receipt`] comes when the message was sent to all members.
    /// Otherwise as [`Client::publish`].
    ///
    /// # Errors
    /// Fails as [`Client::publish`] does, and with [`Error::ServicesOnly`] for [`Channel::Everyone`].
    pub async fn publish_for_receipt<B: Serialize + ?Sized>(
        &self,
        channel: &Channel,
        body: &B,
        id: Option<&str>,
    ) -> Result<Accepted, Error> {
        self.publish_to(channel, body, id, true).await
    }

    async fn publish_to<B: Serialize + ?Sized>(
        &self,
        channel: &Channel,
        body: &B,
        id: Option<&str>,
        receipt: bool,
    ) -> Result<Accepted, Error> {
        let body = to_raw_value(body).map_err(Error::Body)?;
        let request = message_request(channel, body, id.map(str::to_owned), receipt)?;
        self.send(channel, &request).await
    }

    pub(crate) async fn send(&self, channel: &Channel, request: &Request) -> Result<Accepted, Error> {
        let _lock = self.0.lock_channel(channel, ChannelLock::Publishing).await;
        loop {
            match self.0.connection.request(request).await {
                Ok(Received { frame: ServerFrame::Accepted(accepted), .. }) => return Ok(accepted),
                Ok(Received { frame: other, .. }) => return Err(unexpected(request, &other)),
                // The lock is held while it waits, so that later messages stay after this one.
                Err(Error::Server(ServerError { code, retry_ms: Some(wait), .. })) if code == ServerError::TOO_FAST => {
                    sleep(Duration::from_millis(wait)).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Reads a page of a channel's log: up to `limit` messages (1 to 200) before the sequence `before`, or the newest ones.
    ///
    /// # Errors
    /// Fails as [`Connection::request`] does.
    pub async fn history(&self, channel: Channel, before: Option<u64>, limit: Option<u32>) -> Result<History, Error> {
        let request = Request::History { target: channel.into(), before, limit };
        match self.0.connection.request(&request).await?.frame {
            ServerFrame::History(history) => Ok(history),
            other => Err(unexpected(&request, &other)),
        }
    }

    /// Lists the members of a room.
    ///
    /// # Errors
    /// Fails as [`Connection::request`] does.
    pub async fn who(&self, room: &str) -> Result<Members, Error> {
        let request = Request::Who { room: room.to_owned() };
        match self.0.connection.request(&request).await?.frame {
            ServerFrame::Members(members) => Ok(members),
            other => Err(unexpected(&request, &other)),
        }
    }

    /// Checks that the server answers, and asks in which channels messages are missing. The client then joins those again by itself. The
    /// keep-alive does the same. So the loss of a channel's newest message, which leaves no gap, is repaired within that interval.
    ///
    /// # Errors
    /// Fails as [`Connection::request`] does.
    pub async fn ping(&self) -> Result<Pong, Error> {
        self.0.ping(self.state()).await
    }

    /// Sends any text, and waits for the next answer that belongs to no other request. Moderation commands go this way, and tests use it.
    ///
    /// # Errors
    /// Fails as [`Connection::raw`] does.
    pub async fn raw(&self, text: impl Into<String>) -> Result<Received, Error> {
        self.0.connection.raw(text).await
    }

    /// Stops following a channel, because the server has ended the membership.
    pub(crate) fn unfollow(&self, channel: &Channel) {
        lock(&self.0.channels).unfollow(channel);
    }

    /// Drops the connection, because it no longer works.
    pub(crate) async fn abandon(&self, reason: &str) {
        self.0.connection.abandon(reason).await;
    }

    /// Closes the socket, and waits until it is closed.
    pub async fn close(&self) {
        self.0.connection.close().await;
    }

    /// Drops the TCP connection without a close frame. For tests.
    pub async fn cut(&self) {
        self.0.connection.cut().await;
    }
}

/// Waits for an operation that has a task of its own: if the caller stops waiting, it still ends, and no channel stays half joined.
async fn finish<T>(task: JoinHandle<Result<T, Error>>) -> Result<T, Error> {
    task.await.unwrap_or_else(|error| Err(Error::Closed(CloseReason::Lost(error.to_string()))))
}

/// The request that sends a message to a channel.
pub(crate) fn message_request(
    channel: &Channel,
    body: Box<RawValue>,
    id: Option<String>,
    receipt: bool,
) -> Result<Request, Error> {
    match channel {
        Channel::Room(room) => Ok(Request::Publish { room: room.clone(), body, id, receipt }),
        Channel::User(to) => Ok(Request::Direct { to: to.clone(), body, id, receipt }),
        Channel::Everyone => Err(Error::ServicesOnly),
    }
}

const fn unexpected(request: &Request, frame: &ServerFrame) -> Error {
    Error::Unexpected { action: request.action(), kind: frame.kind() }
}

/// Locks a mutex, also after a panic: no code awaits while it holds one, and the panic's own task reports it.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
