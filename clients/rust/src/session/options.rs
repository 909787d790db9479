//! The options of a session, and its source of tokens.

use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures::FutureExt;
use futures::future::BoxFuture;
use serde::Deserialize;

use crate::channel::Channel;
use crate::channel_state::Start;
use crate::client::{Options, State};

/// A token that expires sooner does not shorten the use of its socket: the next token may come from the same cache. The server closes
/// the socket instead.
const SHORT_TOKEN: Duration = Duration::from_secs(60);

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The source of a session's tokens.
#[derive(Clone)]
pub struct Tokens {
    pub(super) fetch: Arc<dyn Fn() -> BoxFuture<'static, Result<String, BoxError>> + Send + Sync>,
    pub(super) is_fixed: bool,
}

impl Tokens {
    /// The same token for each socket. The session ends when the server refuses the token or says that it has expired.
    #[must_use]
    pub fn fixed(token: impl Into<String>) -> Self {
        let token = token.into();
        Self { is_fixed: true, ..Self::fetch(move || std::future::ready(Ok(token.clone()))) }
    }

    /// A new token for each socket, from this function. If it returns an error, the session tries again after a pause. If it panics, the
    /// session ends.
    #[must_use]
    pub fn fetch<F>(fetch: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<String, BoxError>> + Send + 'static,
    {
        Self { fetch: Arc::new(move || fetch().boxed()), is_fixed: false }
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").field("is_fixed", &self.is_fixed).finish_non_exhaustive()
    }
}

/// The options of a [`Session`](crate::Session).
#[derive(Clone, Debug)]
pub struct SessionOptions {
    /// The options of each socket. Its token is replaced by one of `tokens`, and its channels by those that the session follows.
    pub socket: Options,
    /// The source of tokens.
    pub tokens: Tokens,
    /// The positions of an earlier session. Its channels are joined again, and missed messages come first.
    pub state: State,
    /// The longest pause before the second try to connect. The limit doubles with each further try, and each pause is random.
    pub first_pause: Duration,
    /// The longest pause between any two tries.
    pub longest_pause: Duration,
    /// The age at which the session moves to a new socket: a random one in this range. API Gateway closes a socket after two hours.
    pub move_after: RangeInclusive<Duration>,
}

impl SessionOptions {
    /// Connects to this address as this user. Pauses are at most 1 s at first and 30 s in the end, as PROTOCOL.md asks for, and a socket
    /// is used for 90 to 115 minutes.
    #[must_use]
    pub fn new(url: impl Into<String>, user: impl Into<String>, tokens: Tokens) -> Self {
        const MINUTE: Duration = Duration::from_secs(60);
        Self {
            socket: Options::new(url, user, ""),
            tokens,
            state: State::default(),
            first_pause: Duration::from_secs(1),
            longest_pause: Duration::from_secs(30),
            move_after: MINUTE * 90..=MINUTE * 115,
        }
    }

    /// Adds a channel to follow from the start.
    #[must_use]
    pub fn follow(mut self, channel: Channel, start: Start) -> Self {
        self.socket.follow.push((channel, start));
        self
    }

    /// Follows the user's own channel from the start, so that missed direct messages come before new ones.
    #[must_use]
    pub fn inbox(mut self, start: Start) -> Self {
        self.socket = self.socket.inbox(start);
        self
    }

    /// A random pause up to the limit, so that clients which were cut together don't connect together.
    pub(super) fn pause(&self, failures: u32) -> Duration {
        let limit = self.first_pause.saturating_mul(2_u32.saturating_pow(failures)).min(self.longest_pause);
        limit.mul_f64(fastrand::f64())
    }

    /// The time for which to use a socket with this token.
    pub(super) fn lifetime(&self, token: &str) -> Duration {
        let (from, to) = (*self.move_after.start(), *self.move_after.end());
        let by_age = from + to.saturating_sub(from).mul_f64(fastrand::f64());
        match remaining(token) {
            Some(rest) if !self.tokens.is_fixed && rest > SHORT_TOKEN => {
                by_age.min(rest.mul_f64(0.8 + 0.15 * fastrand::f64()))
            }
            _ => by_age,
        }
    }
}

/// The time until a token expires, if it says so.
#[expect(clippy::disallowed_methods, reason = "a token expires at a time of day, and a client has no clock port")]
fn remaining(token: &str) -> Option<Duration> {
    #[derive(Deserialize)]
    struct Claims {
        exp: u64,
    }
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    let end = SystemTime::UNIX_EPOCH + Duration::from_secs(serde_json::from_slice::<Claims>(&claims).ok()?.exp);
    end.duration_since(SystemTime::now()).ok()
}
