//! Opening a new socket for a session.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::OwnedMutexGuard;
use tokio::time::timeout;

use super::Status;
use super::shared::{LiveClient, Shared};
use crate::channel::Channel;
use crate::channel_state::Start;
use crate::client::{Client, Events, State, lock};
use crate::error::Error;
use crate::frames::Presence;

/// A new socket, on which all followed channels are joined.
pub(super) struct OpenedSocket {
    pub(super) live: Arc<LiveClient>,
    pub(super) events: Events,
    /// The time after which the session moves to another socket.
    pub(super) lifetime: Duration,
    /// Changes in watched rooms since the last socket.
    pub(super) presence_updates: Vec<Presence>,
    /// The channels that could not be joined, and the reasons.
    pub(super) refused: Vec<(Channel, Error)>,
    /// Keeps the followed channels as they are until this socket is the current one.
    pub(super) membership_guard: OwnedMutexGuard<()>,
}

impl Shared {
    /// Opens a socket and joins the followed channels.
    pub(super) async fn dial(&self) -> Result<OpenedSocket, Error> {
        let membership_guard = Arc::clone(&self.membership).lock_owned().await;
        let mut options = self.options.socket.clone();
        let fetching = timeout(options.connection.connect_timeout, (self.options.tokens.fetch)());
        let token = match fetching.await {
            Ok(token) => token.map_err(Error::Token)?,
            Err(_) => return Err(Error::Timeout { action: "token", after: options.connection.connect_timeout }),
        };
        let lifetime = self.options.lifetime(&token);
        options.connection.token = Some(token);
        let State(mut positions) = self.positions();
        options.follow = lock(&self.followed)
            .iter()
            .map(|(channel, start)| {
                let position = positions.remove(channel).map(Start::After);
                (channel.clone(), position.unwrap_or_else(|| start.clone()))
            })
            .collect();
        let (client, events, follow) = Client::open(options).await?;
        let was_offline = matches!(*self.status.borrow(), Status::Offline(_));
        if was_offline {
            self.set_status(Status::Recovering);
        }
        let mut refused = Vec::new();
        for (channel, joined) in client.join_all(follow).await {
            match joined {
                Ok(_) => {}
                Err(error) if error.is_retryable() => return Err(error),
                Err(error) => refused.push((channel, error)),
            }
        }
        let watched: Vec<String> = lock(&self.watched).keys().cloned().collect();
        let mut presence_updates = Vec::new();
        for room in watched {
            presence_updates.extend(self.watch_again(&client, &room).await?);
        }
        let live = Arc::new(LiveClient::new(client));
        Ok(OpenedSocket { live, events, lifetime, presence_updates, refused, membership_guard })
    }

    /// Asks for presence in a room on a new socket. Returns what has changed since the last one.
    async fn watch_again(&self, client: &Client, room: &str) -> Result<Option<Presence>, Error> {
        match client.watch(room).await {
            Ok(now) => Ok(lock(&self.watched).get(room).and_then(|presence| presence.update_to(room, now))),
            Err(error) if error.is_retryable() => Err(error),
            Err(error) => {
                tracing::debug!(room, %error, "the room is no longer watched");
                lock(&self.watched).remove(room);
                Ok(None)
            }
        }
    }
}
