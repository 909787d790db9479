//! The options of a client.

use std::time::Duration;

use crate::channel::Channel;
use crate::channel_state::Start;
use crate::connection::ConnectionOptions;

/// The options of a [`Client`](crate::Client): how to connect, as which user, and which channels to join first.
#[derive(Clone, Debug)]
pub struct Options {
    /// The address, the token and the timeouts.
    pub connection: ConnectionOptions,
    /// The user's id: the token's `sub`.
    pub user: String,
    /// The time between two pings. API Gateway closes a socket that is idle for 10 minutes.
    pub keep_alive: Duration,
    /// Channels to join before [`Client::connect`](crate::Client::connect) returns. Their messages are held back until the join is
    /// answered, so that missed messages come before new ones.
    pub follow: Vec<(Channel, Start)>,
}

impl Options {
    /// Connects to this address as this user with this token. The handshake and each answer may take 30 s, and a ping is sent every
    /// 8 minutes.
    #[must_use]
    pub fn new(url: impl Into<String>, user: impl Into<String>, token: impl Into<String>) -> Self {
        let timeout = Duration::from_secs(30);
        Self {
            connection: ConnectionOptions {
                url: url.into(),
                token: Some(token.into()),
                connect_timeout: timeout,
                request_timeout: timeout,
            },
            user: user.into(),
            keep_alive: Duration::from_secs(8 * 60),
            follow: Vec::new(),
        }
    }

    /// Adds a channel to join while connecting.
    #[must_use]
    pub fn follow(mut self, channel: Channel, start: Start) -> Self {
        self.follow.push((channel, start));
        self
    }

    /// Joins the user's own channel while connecting, so that missed direct messages come before new ones.
    #[must_use]
    pub fn inbox(self, start: Start) -> Self {
        let channel = Channel::user(self.user.clone());
        self.follow(channel, start)
    }
}
