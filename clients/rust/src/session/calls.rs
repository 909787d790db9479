//! How a call survives the end of a socket: it waits for the next one and tries again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::shared::{Connectivity, LiveClient, Shared};
use crate::channel::Channel;
use crate::channel_state::Start;
use crate::client::{JoinOutcome, lock};
use crate::connection::CloseReason;
use crate::error::Error;
use crate::frames::{Accepted, Request, ServerError};

/// The server remembers a message's id for five minutes. A message that may be in the log is not sent again after this time, which
/// leaves room for delays.
const RESEND_LIMIT: Duration = Duration::from_secs(270);
/// The most times that the session joins a room again for one message, when the server says that the sender is not a member.
const MAX_REJOINS: u32 = 3;

impl Shared {
    /// Waits for a client, other than one that no longer works.
    async fn wait_for_client(&self, broken: Option<&Arc<LiveClient>>) -> Result<Arc<LiveClient>, Error> {
        let mut connectivity = self.connectivity.subscribe();
        let usable = connectivity.wait_for(|connectivity| match connectivity {
            Connectivity::Online(live) => broken.is_none_or(|broken| !Arc::ptr_eq(live, broken)),
            Connectivity::Offline => false,
            Connectivity::Ended(_) => true,
        });
        match usable.await.map(|connectivity| connectivity.clone()) {
            Ok(Connectivity::Online(live)) => Ok(live),
            Ok(Connectivity::Ended(reason)) => Err(Error::Ended(reason)),
            Ok(Connectivity::Offline) | Err(_) => Err(Error::Ended("its task has stopped".to_owned())),
        }
    }

    /// Runs a call until it succeeds or fails for good: on the next socket if this one ends, and again if the failure may pass.
    pub(super) async fn retry<T, F>(&self, call: impl Fn(Arc<LiveClient>) -> F) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let mut broken = None;
        let mut failures = 0;
        loop {
            let live = self.wait_for_client(broken.as_ref()).await?;
            match call(Arc::clone(&live)).await {
                Err(error) if error.is_retryable() => broken = self.prepare_retry(&error, live, &mut failures).await,
                outcome => return outcome,
            }
        }
    }

    /// Waits after a failure that may pass, or returns the client if it no longer works.
    async fn prepare_retry(&self, error: &Error, live: Arc<LiveClient>, failures: &mut u32) -> Option<Arc<LiveClient>> {
        match error {
            Error::Closed(_) => Some(live),
            Error::Timeout { .. } => {
                live.client.abandon("a request was not answered").await;
                Some(live)
            }
            _ => {
                drop(live);
                sleep(self.options.pause(*failures)).await;
                *failures = failures.saturating_add(1);
                None
            }
        }
    }

    /// Runs a call that changes the followed channels, as [`Shared::retry`] does. Meanwhile no other call changes them, and no new
    /// socket is opened.
    ///
    /// Each try has a task of its own: if the caller stops waiting, the try still ends before a new socket is opened, and that one
    /// continues from the outcome.
    pub(super) async fn change_membership<T, F>(
        self: &Arc<Self>,
        change: impl Fn(Arc<LiveClient>) -> F,
    ) -> Result<T, Error>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        self.retry(|live| {
            let shared = Arc::clone(self);
            let changing = change(Arc::clone(&live));
            let task = tokio::spawn(async move {
                let _guard = shared.membership.lock().await;
                if !shared.is_current(&live) {
                    return Err(Error::Closed(CloseReason::Lost("a new socket has replaced it".to_owned())));
                }
                changing.await
            });
            async move { task.await.unwrap_or_else(|error| Err(Error::Ended(error.to_string()))) }
        })
        .await
    }

    /// Joins a channel and follows it from now on, even if the answer is lost. `watches` asks for presence as well.
    pub(super) async fn follow(
        self: &Arc<Self>,
        channel: Channel,
        start: Start,
        watches: bool,
    ) -> Result<JoinOutcome, Error> {
        let tries = Arc::new(Tries::default());
        self.change_membership(|live| {
            follow_on(live, Arc::clone(self), Arc::clone(&tries), channel.clone(), start.clone(), watches)
        })
        .await
    }
}

/// The tries of one call to follow a channel.
#[derive(Default)]
struct Tries {
    has_begun: AtomicBool,
    /// One of the tries was the first to follow the channel.
    is_new: AtomicBool,
}

/// One try to follow a channel.
async fn follow_on(
    live: Arc<LiveClient>,
    shared: Arc<Shared>,
    tries: Arc<Tries>,
    channel: Channel,
    start: Start,
    watches: bool,
) -> Result<JoinOutcome, Error> {
    // A later try continues from the position that the first one has reached.
    let start = if tries.has_begun.swap(true, Ordering::Relaxed) { Start::Known } else { start };
    if start != Start::Known {
        // Messages that were handed out before may come again.
        lock(&live.handed_out).0.remove(&channel);
    }
    let was_followed = {
        let mut followed = lock(&shared.followed);
        let was_followed = followed.contains_key(&channel);
        if !was_followed || start != Start::Known {
            followed.insert(channel.clone(), start.clone());
        }
        was_followed
    };
    tries.is_new.fetch_or(!was_followed, Ordering::Relaxed);
    let outcome = live.client.join_with(channel.clone(), start.clone(), watches.then_some(true)).await;
    match &outcome {
        // A late report that an earlier membership has ended may have ended this one.
        Ok(outcome) if live.client.is_following(&channel) => {
            lock(&shared.followed).entry(channel.clone()).or_insert(Start::Known);
            if watches && let Channel::Room(room) = channel {
                lock(&shared.watched).insert(room, outcome.presence.clone().unwrap_or_default());
            }
        }
        Ok(_) => {}
        // The session may have saved the older position before the join began.
        Err(error) if error.is_retryable() && start != Start::Known => shared.save_position(&live, &channel),
        Err(error) if error.is_retryable() || !tries.is_new.load(Ordering::Relaxed) => {}
        Err(_) => shared.unfollow(&channel),
    }
    outcome
}

/// Sends a message until its outcome is known, each time with the same id.
pub(super) async fn send(
    shared: Arc<Shared>,
    channel: Channel,
    request: Request,
    id: String,
) -> Result<Accepted, Error> {
    let publish_lock = {
        let mut locks = lock(&shared.publish_locks);
        locks.retain(|_, publish_lock| Arc::strong_count(publish_lock) > 1);
        Arc::clone(locks.entry(channel.clone()).or_default())
    };
    let _guard = publish_lock.lock().await;
    let (mut broken, mut failures, mut rejoins) = (None, 0, 0);
    let mut in_doubt_since: Option<Instant> = None;
    loop {
        let live = shared.wait_for_client(broken.as_ref()).await?;
        if let Some(since) = in_doubt_since {
            if since.elapsed() > RESEND_LIMIT {
                return Err(Error::InDoubt { id });
            }
            shared.count_resent();
        }
        let sent_at = Instant::now();
        let receipts = usize::from(request.wants_receipt());
        live.pending_receipts.fetch_add(receipts, Ordering::Relaxed);
        let error = match live.client.send(&channel, &request).await {
            Ok(accepted) => return Ok(accepted),
            Err(error) => error,
        };
        live.pending_receipts.fetch_sub(receipts, Ordering::Relaxed);
        if matches!(error, Error::Closed(_) | Error::Timeout { .. }) {
            in_doubt_since.get_or_insert(sent_at);
        }
        let is_forgotten = matches!(&error, Error::Server(error) if error.code == ServerError::NOT_A_MEMBER)
            && lock(&shared.followed).contains_key(&channel);
        if is_forgotten && rejoins < MAX_REJOINS {
            rejoins += 1;
            match live.client.rejoin(channel.clone()).await {
                Ok(true) => continue,
                Ok(false) => return Err(error),
                Err(error) if error.is_retryable() => {
                    broken = shared.prepare_retry(&error, live, &mut failures).await;
                    continue;
                }
                Err(error) => return Err(error),
            }
        }
        if !error.is_retryable() {
            return Err(error);
        }
        broken = shared.prepare_retry(&error, live, &mut failures).await;
    }
}
