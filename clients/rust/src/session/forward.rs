//! Forwarding the events of a socket to the application, each message once across sockets.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::FutureExt;
use tokio::sync::mpsc;
use tokio::task::unconstrained;
use tokio::time::sleep;

use super::shared::{LiveClient, Shared};
use crate::channel::Channel;
use crate::channel_state::Position;
use crate::client::{Event, Events, State, lock};
use crate::connection::CloseReason;
use crate::frames::{Closing, Content, FrameKind, Presence, ServerFrame};

/// How often to check whether an old socket is still needed.
const DRAIN_CHECK: Duration = Duration::from_millis(50);

/// Forwards the events of one socket, and takes note of those that change the session.
pub(super) struct EventForwarder<'a> {
    shared: &'a Arc<Shared>,
    live: &'a Arc<LiveClient>,
    out: &'a mpsc::UnboundedSender<Event>,
    /// The positions that this socket has handed out.
    pub(super) handed_out: State,
    /// Whether the session has stopped following a channel since this was last cleared.
    pub(super) has_lost_channel: bool,
    /// Set when the socket is gone: the reason.
    pub(super) lost: Option<String>,
    /// Set when the session ends with this socket: the reason.
    pub(super) ends_session: Option<CloseReason>,
}

impl<'a> EventForwarder<'a> {
    pub(super) fn new(
        shared: &'a Arc<Shared>,
        live: &'a Arc<LiveClient>,
        out: &'a mpsc::UnboundedSender<Event>,
    ) -> Self {
        let handed_out = State::default();
        Self { shared, live, out, handed_out, has_lost_channel: false, lost: None, ends_session: None }
    }

    /// Forwards the events that have come by now.
    pub(super) fn forward_pending(&mut self, events: &mut Events) {
        while let Some(Some(event)) = unconstrained(events.next()).now_or_never() {
            self.forward(event);
        }
    }

    pub(super) fn forward(&mut self, event: Event) {
        match &event {
            Event::Message(delivery) => {
                let position = Position { epoch: delivery.epoch.clone(), seq: delivery.message.seq };
                let handed_out = lock(&self.live.handed_out).0.get(&delivery.channel).cloned();
                if handed_out.is_some_and(|last| last.epoch == position.epoch && last.seq >= position.seq) {
                    return;
                }
                self.handed_out.0.insert(delivery.channel.clone(), position);
                // If a join has brought it, the room could be joined, so it is open again.
                if matches!(delivery.message.content, Content::Closed(_)) && delivery.frame != FrameKind::Joined {
                    self.unfollow(&delivery.channel);
                }
            }
            Event::Reset { channel, .. } => self.forget_position(channel),
            Event::Dropped { channel, .. } => self.unfollow(channel),
            Event::Receipt(_) => self.live.receipt_arrived(),
            Event::Left(left) => {
                self.forget_position(&left.channel);
                // Unless the channel was joined again meanwhile.
                if !self.live.client.is_following(&left.channel) {
                    self.has_lost_channel = true;
                    self.shared.unfollow(&left.channel);
                }
            }
            Event::Unexpected(ServerFrame::Closing(closing)) => self.leave_closing_socket(closing),
            Event::Presence(update) => self.update_presence(update),
            // The application hears of it only if the session ends, too.
            Event::Closed(reason) => {
                self.lost = Some(reason.to_string());
                return;
            }
            Event::Signal(_) | Event::Unexpected(_) => {}
        }
        // Fails only if nobody reads the events.
        let _ = self.out.send(event);
    }

    fn update_presence(&self, update: &Presence) {
        if let Channel::Room(room) = &update.channel
            && let Some(presence) = lock(&self.shared.watched).get_mut(room)
        {
            presence.apply(update);
        }
    }

    /// From now on, any message of the channel is new.
    fn forget_position(&mut self, channel: &Channel) {
        self.handed_out.0.remove(channel);
        lock(&self.live.handed_out).0.remove(channel);
    }

    fn unfollow(&mut self, channel: &Channel) {
        self.has_lost_channel = true;
        self.shared.unfollow(channel);
        self.live.client.unfollow(channel);
    }

    /// Leaves a socket that the server is about to close. A fixed token that has expired would be refused on the next one.
    fn leave_closing_socket(&mut self, Closing { code, message, reconnect }: &Closing) {
        let is_last = !reconnect || (self.shared.options.tokens.is_fixed && code == Closing::TOKEN_EXPIRED);
        if is_last {
            self.ends_session = Some(CloseReason::Lost(message.clone()));
        }
        let (live, message) = (Arc::clone(self.live), message.clone());
        tokio::spawn(async move { live.client.abandon(&message).await });
    }

    /// Ends the session, because the application closes it. Events that have come by now are still forwarded.
    pub(super) fn close(&mut self) {
        self.ends_session = Some(CloseReason::ByApplication);
        let live = Arc::clone(self.live);
        tokio::spawn(async move { live.client.close().await });
    }
}

/// Closes a socket that was replaced, when no call uses it and no receipt can come on it, or after `timeout`, or when `ended` is ready.
pub(super) async fn drain(
    live: Arc<LiveClient>,
    mut events: Events,
    out: mpsc::UnboundedSender<Event>,
    timeout: Duration,
    ended: impl Future<Output = ()>,
) {
    let drained = async {
        while Arc::strong_count(&live) > 1 || live.pending_receipts.load(Ordering::Relaxed) > 0 {
            tokio::select! {
                event = events.next() => match event {
                    Some(event @ Event::Receipt(_)) => {
                        live.receipt_arrived();
                        // Fails only if nobody reads the events.
                        let _ = out.send(event);
                    }
                    Some(Event::Closed(_)) | None => return,
                    Some(_) => {}
                },
                () = sleep(DRAIN_CHECK) => {}
            }
        }
    };
    tokio::select! {
        () = drained => {}
        () = sleep(timeout) => {}
        () = ended => {}
    }
    live.client.close().await;
}
