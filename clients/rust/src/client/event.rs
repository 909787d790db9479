//! The events of a client or a session.

use tokio::sync::mpsc;

use crate::channel::Channel;
use crate::channel_state::Delivery;
use crate::connection::CloseReason;
use crate::error::Error;
use crate::frames::{Left, Presence, Receipt, ServerFrame, Signal};

/// An event on the channels of a client or a session.
#[derive(Debug)]
pub enum Event {
    /// A message. Each message of a channel comes once, and they come in order.
    Message(Delivery),
    /// Missed messages of a channel can't be returned any more. Its messages continue at `head`, or a little before it.
    Reset {
        /// The channel.
        channel: Channel,
        /// The current epoch of its log.
        epoch: String,
        /// The newest sequence.
        head: u64,
    },
    /// The connection is no longer a member of a channel. No message of the channel follows, unless it is joined again.
    Left(Left),
    /// A channel was given up, because the server refuses to let the client join it again.
    Dropped {
        /// The channel.
        channel: Channel,
        /// The reason.
        error: Error,
    },
    /// The receipt of a message, if one was requested.
    Receipt(Receipt),
    /// The users in a watched room have changed.
    Presence(Presence),
    /// A signal from another user. It has no place in the order of the messages.
    Signal(Signal),
    /// A frame that this client does not use.
    Unexpected(ServerFrame),
    /// The connection or the session has ended. This is the last event.
    Closed(CloseReason),
}

/// The stream of events. It has no limit, so that a slow application does not hold up its own calls. The application must read it, or
/// memory grows.
#[derive(Debug)]
pub struct Events(mpsc::UnboundedReceiver<Event>);

impl Events {
    pub(crate) const fn new(events: mpsc::UnboundedReceiver<Event>) -> Self {
        Self(events)
    }

    /// Waits for the next event. Returns `None` after the last one, [`Event::Closed`].
    pub async fn next(&mut self) -> Option<Event> {
        self.0.recv().await
    }
}
