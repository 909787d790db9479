//! The task that owns a session's socket: it dials, hands the events on, and decides when to dial again.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::{mpsc, watch};
use tokio::task::unconstrained;
use tokio::time::sleep;

use super::Status;
use super::line::{Dialled, Line, Live, Shared};
use crate::channel::Channel;
use crate::client::{Event, Events, State, lock};
use crate::connection::CloseReason;
use crate::error::Error;
use crate::frames::{Closing, Content, FrameKind, Presence, ServerFrame};
use crate::state::Position;

/// A socket that lived so long was a good one: the pauses begin at their shortest again.
const STABLE: Duration = Duration::from_secs(10);
/// How often it is looked whether a socket that was moved away from has anything left to do.
const LOOK: Duration = Duration::from_millis(50);

/// How a socket's use ends.
enum End {
    /// It is gone.
    Lost(String),
    /// Another one takes its place.
    Moved(Dialled),
    /// The session is over.
    Over(CloseReason),
}

/// Keeps the session connected until it is closed, or the server says not to come back.
pub(super) async fn keep(shared: Arc<Shared>, events: mpsc::UnboundedSender<Event>, stop: watch::Receiver<bool>) {
    let _guard = Guard(&shared);
    let reason = stay_connected(&shared, &events, stop).await;
    let why = match &reason {
        CloseReason::Lost(why) => why.clone(),
        other => other.to_string(),
    };
    shared.switch(Line::Over(why.clone()));
    shared.say(Status::Closed(why));
    // Fails only where nobody reads the events.
    let _ = events.send(Event::Closed(reason));
}

/// Ends the session if its task panics, perhaps in the application's own code, so that no call waits for ever.
struct Guard<'a>(&'a Shared);

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        if !matches!(*self.0.line.borrow(), Line::Over(_)) {
            self.0.switch(Line::Over("its task is gone".to_owned()));
        }
    }
}

/// Gives the reason when it is over.
async fn stay_connected(
    shared: &Arc<Shared>,
    events: &mpsc::UnboundedSender<Event>,
    mut stop: watch::Receiver<bool>,
) -> CloseReason {
    let mut tries = 0;
    let mut next: Option<Dialled> = None;
    loop {
        let dialled = match next.take() {
            Some(dialled) => Ok(dialled),
            None => tokio::select! {
                dialled = shared.dial() => dialled,
                () = stopped(&mut stop) => return CloseReason::ByApplication,
            },
        };
        let why = match dialled {
            Ok(dialled) => {
                let born = Instant::now();
                let end = use_socket(shared, events, &mut stop, dialled).await;
                if born.elapsed() >= STABLE {
                    tries = 0;
                }
                match end {
                    End::Moved(dialled) => {
                        next = Some(dialled);
                        continue;
                    }
                    End::Lost(why) => why,
                    End::Over(why) => return why,
                }
            }
            Err(error) if shared.is_hopeless(&error) => return CloseReason::Lost(error.to_string()),
            Err(error) => error.to_string(),
        };
        shared.say(Status::Offline(why));
        tokio::select! {
            () = sleep(shared.options.pause(tries)) => tries = tries.saturating_add(1),
            () = stopped(&mut stop) => return CloseReason::ByApplication,
        }
    }
}

/// Waits until the session is closed, or dropped.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    // Fails only where the last session is gone.
    let _ = stop.wait_for(|stop| *stop).await;
}

/// Hands on what a socket brings, until it ends or another one takes its place.
async fn use_socket(
    shared: &Arc<Shared>,
    out: &mpsc::UnboundedSender<Event>,
    stop: &mut watch::Receiver<bool>,
    Dialled { live, mut events, lifetime, news, refused, changes }: Dialled,
) -> End {
    shared.switch(Line::Up(Arc::clone(&live)));
    drop(changes);
    shared.say(Status::Live);
    let mut hand =
        Hand { shared, live: &live, out, seen: State::default(), has_lost_channel: false, lost: None, over: None };
    for (channel, error) in refused {
        hand.on(Event::Dropped { channel, error });
    }
    for presence in news {
        hand.on(Event::Presence(presence));
    }
    let mut moving: Option<BoxFuture<'_, Result<Dialled, Error>>> = None;
    let mut move_at = Box::pin(sleep(lifetime));
    let mut failed_moves = 0;
    loop {
        let may_move = moving.is_none() && hand.lost.is_none() && hand.over.is_none();
        let next = async {
            match &mut moving {
                Some(moving) => moving.await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            event = events.next(), if hand.lost.is_none() => match event {
                Some(event) => hand.on(event),
                None => hand.lost = Some("its task has ended".to_owned()),
            },
            next = next => {
                moving = None;
                match next {
                    // The next socket may be a member of what this one was expelled from.
                    Ok(_) if hand.drained(&mut events).has_lost_channel => move_at.set(sleep(shared.options.pause(0))),
                    // What has come by now went first, and the rest comes on the next socket too.
                    Ok(next) if hand.over.is_none() => {
                        let mut floor = lock(&live.floor).clone();
                        floor.0.append(&mut hand.seen.0);
                        *lock(&next.live.floor) = floor;
                        let patience = shared.options.socket.connection.request_timeout;
                        let over = shared.over();
                        tokio::spawn(retire(live, events, out.clone(), patience, over));
                        return End::Moved(next);
                    }
                    Ok(_) => {}
                    Err(error) => {
                        tracing::debug!(%error, "a move to a fresh socket failed");
                        move_at.set(sleep(shared.options.pause(failed_moves)));
                        failed_moves = failed_moves.saturating_add(1);
                    }
                }
            }
            () = &mut move_at, if may_move => {
                hand.has_lost_channel = false;
                moving = Some(shared.dial().boxed());
            }
            () = stopped(stop), if hand.over.is_none() => hand.end(),
        }
        if let Some(why) = &hand.lost
            && (moving.is_none() || hand.over.is_some())
        {
            *lock(&shared.known) = shared.state();
            shared.switch(Line::Down);
            return hand.over.map_or_else(|| End::Lost(why.clone()), End::Over);
        }
    }
}

/// Hands events on, each message once.
struct Hand<'a> {
    shared: &'a Arc<Shared>,
    live: &'a Arc<Live>,
    out: &'a mpsc::UnboundedSender<Event>,
    /// How far the application has come by this socket.
    seen: State,
    /// A channel has come to be followed no longer, since this was unset.
    has_lost_channel: bool,
    /// Why the socket is gone.
    lost: Option<String>,
    /// Why the session ends with this socket.
    over: Option<CloseReason>,
}

impl Hand<'_> {
    /// Hands on what has come by now.
    fn drained(&mut self, events: &mut Events) -> &mut Self {
        while let Some(Some(event)) = unconstrained(events.next()).now_or_never() {
            self.on(event);
        }
        self
    }

    fn on(&mut self, event: Event) {
        match &event {
            Event::Message(delivery) => {
                let position = Position { epoch: delivery.epoch.clone(), seq: delivery.message.seq };
                let floor = lock(&self.live.floor).0.get(&delivery.channel).cloned();
                if floor.is_some_and(|floor| floor.epoch == position.epoch && floor.seq >= position.seq) {
                    return;
                }
                self.seen.0.insert(delivery.channel.clone(), position);
                // One that a join has brought is of a room that could be joined again.
                if matches!(delivery.message.content, Content::Closed(_)) && delivery.arrival.frame != FrameKind::Joined
                {
                    self.forget(&delivery.channel);
                }
            }
            Event::Reset { channel, .. } => self.start_anew(channel),
            Event::Dropped { channel, .. } => self.forget(channel),
            Event::Receipt(_) => self.live.paid(),
            Event::Left(left) => {
                self.start_anew(&left.channel);
                // Unless it was joined again meanwhile.
                if !self.live.client.is_following(&left.channel) {
                    self.has_lost_channel = true;
                    self.shared.forget(&left.channel);
                }
            }
            Event::Unexpected(ServerFrame::Closing(closing)) => self.take_leave(closing),
            Event::Presence(news) => self.take_note(news),
            // The session goes on, or says itself that it is over.
            Event::Closed(reason) => {
                self.lost = Some(reason.to_string());
                return;
            }
            Event::Signal(_) | Event::Unexpected(_) => {}
        }
        // Fails only where nobody reads the events.
        let _ = self.out.send(event);
    }

    fn take_note(&self, news: &Presence) {
        if let Channel::Room(room) = &news.channel
            && let Some(present) = lock(&self.shared.watched).get_mut(room)
        {
            present.apply(news);
        }
    }

    /// Whatever comes of a channel next is new.
    fn start_anew(&mut self, channel: &Channel) {
        self.seen.0.remove(channel);
        lock(&self.live.floor).0.remove(channel);
    }

    /// A channel is followed no longer.
    fn forget(&mut self, channel: &Channel) {
        self.has_lost_channel = true;
        self.shared.forget(channel);
        self.live.client.forget(channel);
    }

    /// The server closes the socket. A fixed token that has expired would be refused each time.
    fn take_leave(&mut self, Closing { code, message, reconnect }: &Closing) {
        let is_over = !reconnect || (self.shared.options.tokens.is_fixed && code == Closing::TOKEN_EXPIRED);
        if is_over {
            self.over = Some(CloseReason::Lost(message.clone()));
        }
        let (live, message) = (Arc::clone(self.live), message.clone());
        tokio::spawn(async move { live.client.give_up(&message).await });
    }

    /// The application closes the session: what has come by then is still handed on.
    fn end(&mut self) {
        self.over = Some(CloseReason::ByApplication);
        let live = Arc::clone(self.live);
        tokio::spawn(async move { live.client.close().await });
    }
}

/// Closes a socket that was moved away from, as soon as nothing is expected of it: no call uses it, and no receipt comes on it.
async fn retire(
    live: Arc<Live>,
    mut events: Events,
    out: mpsc::UnboundedSender<Event>,
    patience: Duration,
    over: impl Future<Output = ()>,
) {
    let done = async {
        while Arc::strong_count(&live) > 1 || live.owed.load(Ordering::Relaxed) > 0 {
            tokio::select! {
                event = events.next() => match event {
                    Some(event @ Event::Receipt(_)) => {
                        live.paid();
                        // Fails only where nobody reads the events.
                        let _ = out.send(event);
                    }
                    Some(Event::Closed(_)) | None => return,
                    Some(_) => {}
                },
                () = sleep(LOOK) => {}
            }
        }
    };
    tokio::select! {
        () = done => {}
        // What is still expected then won't come.
        () = sleep(patience) => {}
        () = over => {}
    }
    live.client.close().await;
}
