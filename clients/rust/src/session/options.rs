//! How a session connects, for how long it uses a socket, and where its tokens come from.

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
use crate::client::{Options, State};
use crate::state::Start;

/// A token that has less left, perhaps one from a cache, is left to the server to end.
const SHORT_TOKEN: Duration = Duration::from_secs(60);

/// Any error.
type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Where tokens come from.
#[derive(Clone)]
pub struct Tokens {
    pub(super) fetch: Arc<dyn Fn() -> BoxFuture<'static, Result<String, BoxError>> + Send + Sync>,
    pub(super) is_fixed: bool,
}

impl Tokens {
    /// The same token for every socket. When the server says that it has expired, the session is over.
    #[must_use]
    pub fn fixed(token: impl Into<String>) -> Self {
        let token = token.into();
        Self { is_fixed: true, ..Self::fetch(move || std::future::ready(Ok(token.clone()))) }
    }

    /// A token for each socket. An error is a try that failed.
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

/// How a session connects, and what it follows.
#[derive(Clone, Debug)]
pub struct SessionOptions {
    /// How each socket is opened; its token is replaced by one of `tokens`, and its channels by those that are followed by then.
    pub socket: Options,
    /// Where tokens come from.
    pub tokens: Tokens,
    /// How far an earlier session has come: its channels are joined again, and what was missed comes first.
    pub state: State,
    /// The pause before the second try to connect is random and at most this; the next ones are at most twice as long each.
    pub first_pause: Duration,
    /// The longest pause.
    pub longest_pause: Duration,
    /// A random age between these two is when a socket is left for a fresh one: API Gateway cuts it at two hours.
    pub move_after: RangeInclusive<Duration>,
}

impl SessionOptions {
    /// Connects to this address as this user, with the pauses that PROTOCOL.md asks for.
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

    /// Follows a channel from the first moment.
    #[must_use]
    pub fn follow(mut self, channel: Channel, start: Start) -> Self {
        self.socket.follow.push((channel, start));
        self
    }

    /// Follows the user's own channel, so that the direct messages that were missed come first.
    #[must_use]
    pub fn inbox(mut self, start: Start) -> Self {
        self.socket = self.socket.inbox(start);
        self
    }

    /// Full jitter: any pause up to the limit, which doubles with each try, so that those who were cut together come back apart.
    pub(super) fn pause(&self, tries: u32) -> Duration {
        let limit = self.first_pause.saturating_mul(2_u32.saturating_pow(tries)).min(self.longest_pause);
        limit.mul_f64(fastrand::f64())
    }

    /// How long a socket with this token is used.
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

/// How long a token can be used, if it says so.
#[expect(clippy::disallowed_methods, reason = "a token's end is a time of day, and this is a client, at the edge")]
fn remaining(token: &str) -> Option<Duration> {
    #[derive(Deserialize)]
    struct Claims {
        exp: u64,
    }
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    let end = SystemTime::UNIX_EPOCH + Duration::from_secs(serde_json::from_slice::<Claims>(&claims).ok()?.exp);
    end.duration_since(SystemTime::now()).ok()
}
