//! Channels on a connection: joining and leaving, publishing, and the messages in their order.
//!
//! The client keeps a [`ChannelState`] for each channel, feeds it what the connection brings, and joins again where the state asks for
//! it. It lives as long as its socket; [`Client::resume`] goes on from [`Client::state`] on a new one.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use futures::future;
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};
use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard, mpsc};
use tokio::time::{MissedTickBehavior, interval_at, sleep};

use crate::channel::Channel;
use crate::connection::{CloseReason, Connection, Inbound, Inbox, Received, Settings};
use crate::error::Error;
use crate::frames::{
    Accepted, Addressee, History, Joined, Left, Members, Pong, Posted, Presence, Present, Receipt, Request,
    ServerError, ServerFrame, Signal,
};
use crate::state::{ChannelState, Counters, Delivery, Position, Start, Step};

/// How to connect, as whom, and what to follow from the first moment.
#[derive(Clone, Debug)]
pub struct Options {
    /// The address, the token and how long things may take.
    pub connection: Settings,
    /// The user's id: the token's `sub`.
    pub user: String,
    /// How often the socket is kept from being idle. API Gateway cuts it after 10 minutes.
    pub keep_alive: Duration,
    /// Channels that are joined before [`Client::connect`] returns. Nothing of them is handed out before their answer is there, so that
    /// what was missed comes before what is new.
    pub follow: Vec<(Channel, Start)>,
}

impl Options {
    /// Connects to this address as this user with this token; answers may take 30 s.
    #[must_use]
    pub fn new(url: impl Into<String>, user: impl Into<String>, token: impl Into<String>) -> Self {
        let patience = Duration::from_secs(30);
        Self {
            connection: Settings {
                url: url.into(),
                token: Some(token.into()),
                connect_timeout: patience,
                request_timeout: patience,
            },
            user: user.into(),
            keep_alive: Duration::from_secs(8 * 60),
            follow: Vec::new(),
        }
    }

    /// Follows a channel from the first moment.
    #[must_use]
    pub fn follow(mut self, channel: Channel, start: Start) -> Self {
        self.follow.push((channel, start));
        self
    }

    /// Follows the user's own channel, so that the direct messages that were missed come first.
    #[must_use]
    pub fn inbox(self, start: Start) -> Self {
        let channel = Channel::user(self.user.clone());
        self.follow(channel, start)
    }
}

/// How far a client has come in each of its channels. It can be kept as JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State(pub BTreeMap<Channel, Position>);

/// What a join has brought. The messages themselves are among the events.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Caught {
    /// The epoch of the channel's log.
    pub epoch: String,
    /// The newest sequence at the time of the last answer.
    pub head: u64,
    /// Whether what was missed could be given; nothing if it wasn't asked for.
    pub recovered: Option<bool>,
    /// How many messages the answers held.
    pub messages: usize,
    /// Who is there, where it was asked for.
    pub presence: Option<Present>,
}

/// What happens on a client's channels.
#[derive(Debug)]
pub enum Event {
    /// A message. Those of one channel come once each and in order.
    Message(Delivery),
    /// What was missed in a channel can't be given. Its messages go on from `head`, or from a little before it.
    Reset {
        /// The channel.
        channel: Channel,
        /// The epoch of its log now.
        epoch: String,
        /// The newest sequence.
        head: u64,
    },
    /// The connection is no longer a member: nothing of the channel comes after this.
    Left(Left),
    /// A gap could not be closed, because the channel may not be joined any more. It is no longer followed.
    Dropped {
        /// The channel.
        channel: Channel,
        /// Why the join failed.
        error: Error,
    },
    /// What became of a message whose receipt was asked for.
    Receipt(Receipt),
    /// Who has come to a watched room and gone from it.
    Presence(Presence),
    /// Something for those who are there now. It has no place among the messages.
    Signal(Signal),
    /// A frame that this client has no use for.
    Unexpected(ServerFrame),
    /// The connection has ended; nothing comes after this.
    Closed(CloseReason),
}

/// The events of a client. There is no bound on how many wait, so that a slow application doesn't hold up its own requests: read them.
#[derive(Debug)]
pub struct Events(mpsc::UnboundedReceiver<Event>);

impl Events {
    pub(crate) const fn new(events: mpsc::UnboundedReceiver<Event>) -> Self {
        Self(events)
    }

    /// The next event, or nothing when the connection has ended and all have been read.
    pub async fn next(&mut self) -> Option<Event> {
        self.0.recv().await
    }
}

/// A connected client, which ends with its socket; a [`Session`](crate::session::Session) doesn't.
/// Clones share the connection, which is closed with the last of them.
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
    /// Fails as [`Connection::open`], and as [`Client::join`] for the channels to follow.
    pub async fn connect(options: Options) -> Result<(Self, Events), Error> {
        let (client, events, follow) = Self::open(options).await?;
        for (_, joined) in client.follow(follow).await {
            joined?;
        }
        Ok((client, events))
    }

    /// Connects, and holds back what comes in the channels of [`Options::follow`], which are to be joined next.
    pub(crate) async fn open(options: Options) -> Result<(Self, Events, Vec<(Channel, Start)>), Error> {
        let (events, events_queue) = mpsc::unbounded_channel();
        let book = Arc::new(Mutex::new(Book { channels: BTreeMap::new(), events, over: None }));
        for (channel, start) in &options.follow {
            // Held back from here on: frames may come as soon as the socket is open.
            lock(&book).begin(channel, start.clone(), None);
        }
        let (connection, inbox) = Connection::open(&options.connection).await?;
        let shared = Arc::new(Shared {
            connection,
            user: options.user,
            book: Arc::clone(&book),
            turns: Mutex::new(BTreeMap::new()),
        });
        tokio::spawn(pump(Arc::downgrade(&shared), book, inbox, options.keep_alive));
        Ok((Self(shared), Events(events_queue), options.follow))
    }

    /// Joins channels, and says of each what came of it.
    pub(crate) async fn follow(&self, channels: Vec<(Channel, Start)>) -> Vec<(Channel, Result<Caught, Error>)> {
        let joins = channels.into_iter().map(|(channel, start)| async move {
            let joined = self.join(channel.clone(), start).await;
            (channel, joined)
        });
        future::join_all(joins).await
    }

    /// Connects, and goes on in each channel of `state` from where it was left.
    ///
    /// # Errors
    /// Fails as [`Client::connect`].
    pub async fn resume(mut options: Options, state: State) -> Result<(Self, Events), Error> {
        let positions = state.0.into_iter().map(|(channel, position)| (channel, Start::After(position)));
        options.follow.extend(positions);
        Self::connect(options).await
    }

    /// The user that the client connected as.
    #[must_use]
    pub fn user(&self) -> &str {
        &self.0.user
    }

    /// How far the client has come in each channel. Channels that were left are not in it.
    #[must_use]
    pub fn state(&self) -> State {
        lock(&self.0.book).state()
    }

    /// What has happened to a channel so far.
    #[must_use]
    pub fn counters(&self, channel: &Channel) -> Counters {
        let book = lock(&self.0.book);
        book.channels.get(channel).map_or_else(Counters::default, |followed| followed.state.counters())
    }

    /// What has happened to all channels so far.
    #[must_use]
    pub fn total(&self) -> Counters {
        lock(&self.0.book).channels.values().map(|followed| followed.state.counters()).sum()
    }

    pub(crate) fn is_following(&self, channel: &Channel) -> bool {
        lock(&self.0.book).is_following(channel)
    }

    /// Joins a channel again from where it was left; `false` if it is followed no longer.
    pub(crate) async fn rejoin(&self, channel: Channel) -> Result<bool, Error> {
        let joining = tokio::spawn(rejoin(Arc::clone(&self.0), channel));
        joining.await.unwrap_or_else(|error| Err(Error::Closed(CloseReason::Lost(error.to_string()))))
    }

    /// Joins a channel, and gets all of what was missed.
    ///
    /// # Errors
    /// Fails as [`Connection::request`].
    pub async fn join(&self, channel: Channel, start: Start) -> Result<Caught, Error> {
        self.join_with(channel, start, None).await
    }

    async fn join_with(&self, channel: Channel, start: Start, presence: Option<bool>) -> Result<Caught, Error> {
        // On a task of its own, so that a caller who stops waiting doesn't leave the channel between two states.
        let joining = tokio::spawn(join(Arc::clone(&self.0), channel, start, presence));
        joining.await.unwrap_or_else(|error| Err(Error::Closed(CloseReason::Lost(error.to_string()))))
    }

    /// Joins a room from where it was left, and asks to be told who comes and goes: who is there now, and from then on an
    /// [`Event::Presence`] for each change. It holds as long as the connection and the membership.
    ///
    /// # Errors
    /// Fails as [`Client::join`].
    pub async fn watch(&self, room: &str) -> Result<Present, Error> {
        let caught = self.join_with(Channel::room(room), Start::Known, Some(true)).await?;
        Ok(caught.presence.unwrap_or_default())
    }

    /// Stays in a room, and asks to be told no longer who comes and goes.
    ///
    /// # Errors
    /// Fails as [`Client::join`].
    pub async fn unwatch(&self, room: &str) -> Result<(), Error> {
        if !self.is_following(&Channel::room(room)) {
            return Ok(());
        }
        self.join_with(Channel::room(room), Start::Known, Some(false)).await.map(drop)
    }

    /// Posts a signal to the other members of a room, at once and a single time; how many connections got it. It is not kept.
    ///
    /// # Errors
    /// Fails as [`Connection::request`], and with [`Error::Body`] if the body can't be written as JSON.
    pub async fn signal<B: Serialize + ?Sized>(&self, room: &str, body: &B) -> Result<u64, Error> {
        self.signal_to(Addressee::Room(room.to_owned()), body).await
    }

    /// Posts a signal to all connections of a user; otherwise as [`Client::signal`].
    ///
    /// # Errors
    /// Fails as [`Client::signal`].
    pub async fn signal_user<B: Serialize + ?Sized>(&self, to: &str, body: &B) -> Result<u64, Error> {
        self.signal_to(Addressee::To(to.to_owned()), body).await
    }

    async fn signal_to<B: Serialize + ?Sized>(&self, to: Addressee, body: &B) -> Result<u64, Error> {
        let request = Request::Signal { to, body: to_raw_value(body).map_err(Error::Body)? };
        match self.0.connection.request(&request).await?.frame {
            ServerFrame::Signalled(signalled) => Ok(signalled.delivered),
            other => Err(unexpected(&request, &other)),
        }
    }

    /// Joins a room from where it was left, or from its newest message.
    ///
    /// # Errors
    /// Fails as [`Client::join`].
    pub async fn join_room(&self, room: &str) -> Result<Caught, Error> {
        self.join(Channel::room(room), Start::Known).await
    }

    /// Gets the direct messages that the user has missed. [`Options::inbox`] does it before new ones can come, which keeps the order;
    /// here, those that have already come are handed out again in their place.
    ///
    /// # Errors
    /// Fails as [`Client::join`].
    pub async fn inbox(&self, start: Start) -> Result<Caught, Error> {
        self.join(Channel::user(self.0.user.clone()), start).await
    }

    /// Leaves a room. An [`Event::Left`] comes behind the last message.
    ///
    /// # Errors
    /// Fails as [`Connection::request`].
    pub async fn leave(&self, room: &str) -> Result<Left, Error> {
        // On a task of its own, as a join is.
        let leaving = tokio::spawn(leave(Arc::clone(&self.0), room.to_owned()));
        leaving.await.unwrap_or_else(|error| Err(Error::Closed(CloseReason::Lost(error.to_string()))))
    }

    /// Publishes to a room, and waits until the message is durable. Messages to one room are sent one after the other, in the order of
    /// the calls; one that the server finds too fast is sent again when the server says. With an `id`, the same call can be repeated for
    /// five minutes and stays one message.
    ///
    /// # Errors
    /// Fails as [`Connection::request`], and with [`Error::Body`] if the body can't be written as JSON.
    pub async fn publish<B: Serialize + ?Sized>(
        &self,
        room: &str,
        body: &B,
        id: Option<&str>,
    ) -> Result<Accepted, Error> {
        self.publish_to(&Channel::room(room), body, id, false).await
    }

    /// Sends a direct message, and waits until it is durable; otherwise as [`Client::publish`].
    ///
    /// # Errors
    /// Fails as [`Client::publish`].
    pub async fn direct<B: Serialize + ?Sized>(&self, to: &str, body: &B, id: Option<&str>) -> Result<Accepted, Error> {
        self.publish_to(&Channel::user(to), body, id, false).await
    }

    /// Publishes to a room or sends to a user, and asks for a receipt: an [`Event::Receipt`] says what became of the message when it was
    /// posted to all members. Otherwise as [`Client::publish`].
    ///
    /// # Errors
    /// Fails as [`Client::publish`]; clients can't publish to everyone.
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
        let request = request_of(channel, body, id.map(str::to_owned), receipt)?;
        self.send(channel, &request).await
    }

    pub(crate) async fn send(&self, channel: &Channel, request: &Request) -> Result<Accepted, Error> {
        let _turn = self.0.turn(channel, Turn::Publishing).await;
        loop {
            match self.0.connection.request(request).await {
                Ok(Received { frame: ServerFrame::Accepted(accepted), .. }) => return Ok(accepted),
                Ok(Received { frame: other, .. }) => return Err(unexpected(request, &other)),
                // Nothing was done, and what comes behind it waits for it, so that the order stays.
                Err(Error::Server(ServerError { code, retry_ms: Some(wait), .. })) if code == ServerError::TOO_FAST => {
                    sleep(Duration::from_millis(wait)).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// A page of a channel's log: up to `limit` messages (1 to 200) before the sequence `before`, or the newest ones.
    ///
    /// # Errors
    /// Fails as [`Connection::request`].
    pub async fn history(&self, channel: Channel, before: Option<u64>, limit: Option<u32>) -> Result<History, Error> {
        let request = Request::History { target: channel.into(), before, limit };
        match self.0.connection.request(&request).await?.frame {
            ServerFrame::History(history) => Ok(history),
            other => Err(unexpected(&request, &other)),
        }
    }

    /// Who is a member of a room.
    ///
    /// # Errors
    /// Fails as [`Connection::request`].
    pub async fn who(&self, room: &str) -> Result<Members, Error> {
        let request = Request::Who { room: room.to_owned() };
        match self.0.connection.request(&request).await?.frame {
            ServerFrame::Members(members) => Ok(members),
            other => Err(unexpected(&request, &other)),
        }
    }

    /// Asks if the server is there, and which channels the client is behind in; those are joined again, by themselves. The keep-alive
    /// does the same, so that even the loss of a channel's newest frame, which leaves no gap, is made good within its interval.
    ///
    /// # Errors
    /// Fails as [`Connection::request`].
    pub async fn ping(&self) -> Result<Pong, Error> {
        self.0.ping(self.state()).await
    }

    /// Sends any text, and waits for the next answer that belongs to no other request; for tests.
    ///
    /// # Errors
    /// Fails as [`Connection::raw`].
    pub async fn raw(&self, text: impl Into<String>) -> Result<Received, Error> {
        self.0.connection.raw(text).await
    }

    /// Follows a channel no longer, because the server has said that it is over.
    pub(crate) fn forget(&self, channel: &Channel) {
        lock(&self.0.book).of(channel).state.left();
    }

    /// Drops the connection, which is of no use any more.
    pub(crate) async fn give_up(&self, why: &str) {
        self.0.connection.give_up(why).await;
    }

    /// Closes the connection, and waits until it is closed.
    pub async fn close(&self) {
        self.0.connection.close().await;
    }

    /// Drops the TCP connection without a goodbye; for tests.
    pub async fn cut(&self) {
        self.0.connection.cut().await;
    }
}

/// Some entries, of all that there are.
fn any<K: Ord, V>(entries: BTreeMap<K, V>, most: usize) -> BTreeMap<K, V> {
    let mut entries: Vec<(K, V)> = entries.into_iter().collect();
    fastrand::shuffle(&mut entries);
    entries.into_iter().take(most).collect()
}

/// The request that sends a body to a channel.
pub(crate) fn request_of(
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

/// What is done on a channel by one at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Turn {
    Joining,
    Publishing,
}

struct Shared {
    connection: Connection,
    user: String,
    book: Arc<Mutex<Book>>,
    /// Only those that somebody has or waits for.
    turns: Mutex<BTreeMap<(Channel, Turn), Gate>>,
}

type Gate = Arc<AsyncMutex<()>>;

impl Shared {
    /// Waits for one's turn; turns come in the order of asking.
    async fn turn(&self, channel: &Channel, turn: Turn) -> OwnedMutexGuard<()> {
        let gate = {
            let mut turns = lock(&self.turns);
            turns.retain(|_, gate| Arc::strong_count(gate) > 1);
            Arc::clone(turns.entry((channel.clone(), turn)).or_default())
        };
        gate.lock_owned().await
    }

    /// The most channels that a ping may ask about.
    const MAX_SEEN: usize = 100;

    /// Asks about the channels of `state`, as many as a ping may, and has those joined again that the client is behind in.
    async fn ping(self: &Arc<Self>, state: State) -> Result<Pong, Error> {
        let request = Request::Ping { seen: any(state.0, Self::MAX_SEEN) };
        match self.connection.request(&request).await?.frame {
            ServerFrame::Pong(pong) => {
                for channel in &pong.behind {
                    tokio::spawn(rejoin(Arc::clone(self), channel.clone()));
                }
                Ok(pong)
            }
            other => Err(unexpected(&request, &other)),
        }
    }

    /// Joins until nothing is missing. Whoever calls it has the channel's turn, and attends to it.
    async fn catch_up(&self, channel: &Channel, start: Start, presence: Option<bool>) -> Result<Caught, Error> {
        let mut caught = Caught::default();
        let mut request = lock(&self.book).begin(channel, start, presence);
        loop {
            let answer = self.connection.request(&request).await.and_then(|received| match received.frame {
                ServerFrame::Joined(joined) => Ok((joined, received.at)),
                other => Err(unexpected(&request, &other)),
            });
            let (joined, at) = match answer {
                Ok(answer) => answer,
                Err(error) => {
                    lock(&self.book).fail(channel);
                    return Err(error);
                }
            };
            caught.messages += joined.messages.len();
            caught.recovered = if caught.recovered == Some(false) { caught.recovered } else { joined.recovered };
            caught.head = joined.head;
            caught.epoch.clone_from(&joined.epoch);
            caught.presence = caught.presence.or_else(|| joined.presence.clone());
            let Some(step) = lock(&self.book).joined(channel, joined, at)? else {
                return Err(self.leave_again(channel).await);
            };
            if !step.needs_join {
                return Ok(caught);
            }
            if step.idle_joins > 0 {
                sleep(FIRST_PAUSE * step.idle_joins).await;
            }
            request = lock(&self.book).begin(channel, Start::Known, None);
        }
    }

    /// The answer to a join has come after the word that the user was expelled: the server may have done them in either order.
    async fn leave_again(&self, channel: &Channel) -> Error {
        if let Channel::Room(room) = channel
            && let Err(error) = self.connection.request(&Request::Leave { room: room.clone() }).await
        {
            tracing::debug!(room, %error, "not left again");
        }
        Error::Expelled(channel.clone())
    }

    /// Joins a channel; whoever calls it has its turn.
    async fn join_in_turn(
        self: &Arc<Self>,
        channel: &Channel,
        start: Start,
        presence: Option<bool>,
    ) -> Result<Caught, Error> {
        let was_following = {
            let mut book = lock(&self.book);
            book.attend(channel);
            book.is_following(channel)
        };
        let caught = self.catch_up(channel, start, presence).await;
        if !was_following && caught.as_ref().is_err_and(|error| !error.is_retryable()) {
            lock(&self.book).of(channel).state.left();
        }
        self.release(channel);
        caught
    }

    /// The caller attends to the channel no longer; if something has come to be missing meanwhile, a recovery does.
    fn release(self: &Arc<Self>, channel: &Channel) {
        if lock(&self.book).release(channel) {
            tokio::spawn(recover(Arc::clone(self), channel.clone()));
        }
    }
}

/// Joins a channel when it is its turn, and gets all of what was missed.
async fn join(shared: Arc<Shared>, channel: Channel, start: Start, presence: Option<bool>) -> Result<Caught, Error> {
    let _turn = shared.turn(&channel, Turn::Joining).await;
    shared.join_in_turn(&channel, start, presence).await
}

/// Leaves a room when it is its turn.
async fn leave(shared: Arc<Shared>, room: String) -> Result<Left, Error> {
    let _turn = shared.turn(&Channel::room(&room), Turn::Joining).await;
    let request = Request::Leave { room };
    match shared.connection.request(&request).await?.frame {
        ServerFrame::Left(left) => {
            lock(&shared.book).left(left.clone())?;
            Ok(left)
        }
        other => Err(unexpected(&request, &other)),
    }
}

/// Joins a channel again when it is its turn; `false` if it was left by then.
async fn rejoin(shared: Arc<Shared>, channel: Channel) -> Result<bool, Error> {
    let _turn = shared.turn(&channel, Turn::Joining).await;
    if !lock(&shared.book).is_following(&channel) {
        return Ok(false);
    }
    shared.join_in_turn(&channel, Start::Known, None).await?;
    Ok(true)
}

/// The pause after a first failure.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The longest pause between two tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Closes a channel's gap, for as long as the connection lives.
async fn recover(shared: Arc<Shared>, channel: Channel) {
    let mut pause = FIRST_PAUSE;
    loop {
        // Others may have it in between: a leave ends what is missing.
        let turn = shared.turn(&channel, Turn::Joining).await;
        if !lock(&shared.book).is_still_needed(&channel) {
            return;
        }
        match shared.catch_up(&channel, Start::Known, None).await {
            Ok(_) => {
                pause = FIRST_PAUSE;
                continue;
            }
            Err(Error::Closed(_)) => return,
            Err(error) if error.is_retryable() => {
                tracing::debug!(%channel, %error, "a gap could not be closed yet");
            }
            Err(error) => {
                lock(&shared.book).give_up(&channel, error);
                return;
            }
        }
        drop(turn);
        sleep(pause).await;
        pause = LONGEST_PAUSE.min(pause * 2);
    }
}

/// Takes what the connection brings until it ends. Holds no handle to it: the last client closes the connection.
async fn pump(shared: Weak<Shared>, book: Arc<Mutex<Book>>, mut inbox: Inbox, keep_alive: Duration) {
    let mut beat = interval_at(tokio::time::Instant::now() + keep_alive, keep_alive);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let inbound = tokio::select! {
            inbound = inbox.recv() => inbound,
            _ = beat.tick() => {
                if let Some(shared) = shared.upgrade() {
                    tokio::spawn(keep_awake(shared));
                }
                continue;
            }
        };
        match inbound {
            Some(Inbound::Frame(Received { frame: ServerFrame::Posted(posted), at })) => {
                let channel = posted.channel.clone();
                let needs_recovery = lock(&book).receive(posted, at);
                if needs_recovery && let Some(shared) = shared.upgrade() {
                    tokio::spawn(recover(shared, channel));
                }
            }
            Some(Inbound::Frame(Received { frame: ServerFrame::Left(left), .. })) => {
                // Fails only where it is over.
                let _ = lock(&book).left(left);
            }
            Some(Inbound::Frame(Received { frame: ServerFrame::Receipt(receipt), .. })) => {
                lock(&book).emit(Event::Receipt(receipt));
            }
            Some(Inbound::Frame(Received { frame: ServerFrame::Presence(presence), .. })) => {
                lock(&book).emit(Event::Presence(presence));
            }
            Some(Inbound::Frame(Received { frame: ServerFrame::Signal(signal), .. })) => {
                lock(&book).emit(Event::Signal(signal));
            }
            Some(Inbound::Frame(received)) => lock(&book).emit(Event::Unexpected(received.frame)),
            Some(Inbound::Closed(reason)) => {
                lock(&book).end(reason);
                return;
            }
            None => return,
        }
    }
}

async fn keep_awake(shared: Arc<Shared>) {
    let state = lock(&shared.book).state();
    if let Err(error) = shared.ping(state).await {
        tracing::debug!(%error, "a ping failed");
        if matches!(error, Error::Timeout { .. }) {
            shared.connection.give_up("a ping was not answered").await;
        }
    }
}

/// A panic while the lock was held is a bug that its own task reports; the state behind it is whole, for nothing in it awaits.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Followed {
    state: ChannelState,
    /// A task has the channel's turn, or waits for it, and will look at what is missing.
    is_attended: bool,
}

/// The channels' states. Events are sent while its lock is held, so that they keep their order whoever brings them.
struct Book {
    channels: BTreeMap<Channel, Followed>,
    events: mpsc::UnboundedSender<Event>,
    /// The connection has ended. Nothing comes out behind that, so the positions stay where the application was told of.
    over: Option<CloseReason>,
}

impl Book {
    fn state(&self) -> State {
        let positions = self.channels.iter().filter_map(|(channel, followed)| {
            let position = followed.state.position()?;
            Some((channel.clone(), position.clone()))
        });
        State(positions.collect())
    }

    fn of(&mut self, channel: &Channel) -> &mut Followed {
        self.channels
            .entry(channel.clone())
            .or_insert_with(|| Followed { state: ChannelState::new(channel.clone()), is_attended: false })
    }

    fn is_following(&self, channel: &Channel) -> bool {
        self.channels.get(channel).is_some_and(|followed| followed.state.is_followed())
    }

    /// A join is about to be sent: gives it.
    fn begin(&mut self, channel: &Channel, start: Start, presence: Option<bool>) -> Request {
        let since = self.of(channel).state.join(start);
        Request::Join { target: channel.clone().into(), since: since.seq, epoch: since.epoch, presence }
    }

    fn attend(&mut self, channel: &Channel) {
        self.of(channel).is_attended = true;
    }

    /// Whether a recovery must take over, which then attends to the channel.
    fn release(&mut self, channel: &Channel) -> bool {
        let followed = self.of(channel);
        followed.is_attended = followed.state.needs_join();
        followed.is_attended
    }

    /// Whether something is missing. If not, the channel is attended to no longer.
    fn is_still_needed(&mut self, channel: &Channel) -> bool {
        self.release(channel)
    }

    /// Whether a recovery must begin, which then attends to the channel.
    fn receive(&mut self, posted: Posted, at: Instant) -> bool {
        let channel = posted.channel.clone();
        let followed = self.of(&channel);
        let step = followed.state.receive(posted, at);
        let must_begin = step.needs_join && !followed.is_attended;
        followed.is_attended |= must_begin;
        self.hand_out(&channel, step);
        must_begin
    }

    /// What is still to be done; nothing if the channel was left while the answer was under way.
    fn joined(&mut self, channel: &Channel, joined: Joined, at: Instant) -> Result<Option<Step>, Error> {
        self.still_on()?;
        if !self.is_following(channel) {
            return Ok(None);
        }
        let mut step = self.of(channel).state.joined(joined, at);
        let rest = Step { needs_join: step.needs_join, idle_joins: step.idle_joins, ..Step::default() };
        let out = std::mem::replace(&mut step, rest);
        self.hand_out(channel, out);
        Ok(Some(step))
    }

    fn fail(&mut self, channel: &Channel) {
        if self.over.is_some() {
            return;
        }
        let step = self.of(channel).state.join_failed();
        self.hand_out(channel, step);
    }

    fn left(&mut self, left: Left) -> Result<(), Error> {
        self.still_on()?;
        self.of(&left.channel).state.left();
        self.emit(Event::Left(left));
        Ok(())
    }

    fn end(&mut self, reason: CloseReason) {
        self.emit(Event::Closed(reason.clone()));
        self.over = Some(reason);
    }

    fn still_on(&self) -> Result<(), Error> {
        self.over.clone().map_or(Ok(()), |reason| Err(Error::Closed(reason)))
    }

    fn give_up(&mut self, channel: &Channel, error: Error) {
        if self.over.is_some() || !self.is_following(channel) {
            return;
        }
        let followed = self.of(channel);
        followed.state.left();
        followed.is_attended = false;
        self.emit(Event::Dropped { channel: channel.clone(), error });
    }

    fn hand_out(&self, channel: &Channel, step: Step) {
        if let Some(reset) = step.reset {
            self.emit(Event::Reset { channel: channel.clone(), epoch: reset.epoch, head: reset.head });
        }
        for delivery in step.deliveries {
            self.emit(Event::Message(delivery));
        }
    }

    fn emit(&self, event: Event) {
        if self.over.is_some() {
            return;
        }
        // Fails only where the application reads no events.
        let _ = self.events.send(event);
    }
}
