//! The poster: when posts leave, how often they are tried, and what their answers mean.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_types::SdkConfig;
use bytes::Bytes;
use futures::stream::{self, StreamExt};
use http_body_util::Full;
use hubbub_core::delivery::outcome::Outcome;
use hubbub_core::limits::pace::{Pace, Rate};
use hubbub_core::ports::{Clock, Poster};
use hubbub_core::wire::frame::Frame;
use hubbub_core::wire::id::ConnectionId;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderName, HeaderValue};
use hyper::{Method, Request, StatusCode, Uri};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout};

use super::identity::{Identity, IdentityError};
use super::page::{Prepared, Threads, prepare};
use super::sign::{self, Body, Signer};
use super::target::Target;
use super::transport::{Answer, Transport, TransportError};
use super::{PosterError, PosterSettings};
use crate::system::System;

/// How often a post is tried.
const TRIES: u32 = 5;

/// The longest pause before the second try. It doubles with each further one. A pause is drawn between zero and this, so that posts that failed
/// together don't come back together.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

const DATE: HeaderName = HeaderName::from_static("x-amz-date");
const TOKEN: HeaderName = HeaderName::from_static("x-amz-security-token");

/// A poster that signs and sends requests itself.
///
/// The future of a call does all of its work: when it is dropped, only open connections are left. A call makes all its requests before it sends the
/// first, which takes some hundred bytes for each connection and frame. So callers post in parts.
pub struct ConnectionsPoster {
    target: Target,
    identity: Arc<Identity<System>>,
    transport: Arc<Transport>,
    turns: Arc<Semaphore>,
    concurrency: usize,
    timeout: Duration,
    pace: Option<Mutex<Pace>>,
    /// When the pace begins to count.
    start: Instant,
}

impl fmt::Debug for ConnectionsPoster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectionsPoster").field("concurrency", &self.concurrency).finish_non_exhaustive()
    }
}

/// Whether a post waits for its turn and is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Patience {
    Much,
    None,
}

/// Why a post is not delivered.
enum Trouble {
    /// No try will succeed.
    Final(Outcome),
    /// The next try may succeed. This is the outcome if there is no next try.
    Passing(Outcome),
}

impl ConnectionsPoster {
    /// Posts to the stage at `callback_url`.
    ///
    /// # Errors
    /// When the URL isn't a stage's, when there are no Region or credentials to sign with, or when the certificates that were given can't
    /// be used.
    pub fn new(config: &SdkConfig, callback_url: &str, settings: PosterSettings) -> Result<Self, PosterError> {
        let PosterSettings { concurrency, timeout, rate, trust } = settings;
        let concurrency = concurrency.clamp(1, Semaphore::MAX_PERMITS);
        let provider = config.credentials_provider().ok_or(PosterError::NoCredentials)?;
        let region = config.region().ok_or(PosterError::NoRegion)?.to_string();
        Ok(Self {
            target: Target::parse(callback_url, &trust)?,
            identity: Arc::new(Identity::new(provider, region, System)),
            transport: Arc::new(Transport::new()),
            turns: Arc::new(Semaphore::new(concurrency)),
            concurrency,
            timeout,
            pace: rate.map(|rate| Mutex::new(Pace::new(rate, Duration::ZERO))),
            start: Instant::now(),
        })
    }

    /// Posts all frames to a connection.
    async fn post_all(
        &self,
        page: &Page,
        connection: &ConnectionId,
        prepared: &Prepared,
        patience: Patience,
    ) -> Outcome {
        // Only a closed semaphore gives no turn, and nobody closes this one.
        let Ok(_turn) = self.turns.acquire().await else { return Outcome::Failed };
        for (body, authorization) in page.bodies.iter().zip(&prepared.authorizations) {
            let post = Post { signer: &page.signer, uri: &prepared.uri, body, authorization };
            let outcome = self.post_body(connection, &post, patience).await;
            if outcome != Outcome::Delivered {
                return outcome;
            }
        }
        Outcome::Delivered
    }

    /// Posts a frame, and tries again while the timeout allows it.
    async fn post_body(&self, connection: &ConnectionId, post: &Post<'_>, patience: Patience) -> Outcome {
        let mut left = self.timeout;
        let mut outcome = Outcome::Failed;
        for attempt in 1..=TRIES {
            match patience {
                Patience::Much => self.wait_for_turn().await,
                Patience::None if self.may_go() => {}
                Patience::None => return Outcome::Throttled,
            }
            let begun = Instant::now();
            let answer = timeout(left, self.try_once(post)).await;
            left = left.saturating_sub(begun.elapsed());
            let throttled = matches!(&answer, Ok(Ok(answer)) if answer.status == StatusCode::TOO_MANY_REQUESTS);
            if attempt == 1 {
                self.note(throttled);
            }
            outcome = match judge(connection, attempt, answer) {
                Ok(()) => return Outcome::Delivered,
                Err(Trouble::Final(outcome)) => return outcome,
                Err(Trouble::Passing(outcome)) => outcome,
            };
            if patience == Patience::None {
                break;
            }
            let pause = pause_after(attempt);
            if pause >= left {
                break;
            }
            sleep(pause).await;
            left -= pause;
        }
        // The log line at the fan-out's end has their number.
        tracing::debug!(connection.id = %connection, ?outcome, "post given up");
        outcome
    }

    async fn try_once(&self, post: &Post<'_>) -> Result<Answer, TryError> {
        let request = if post.signer.is_fresh(System.now()) {
            request(Method::POST, post.uri, post.body, post.signer, post.authorization.clone())
        } else {
            // It has waited for so long that its signature is about to expire.
            let signer = self.identity.signer(&self.target).await?;
            let authorization = signer.sign(&Method::POST, post.uri.path(), post.body).map_err(IdentityError::from)?;
            request(Method::POST, post.uri, post.body, &signer, authorization)
        };
        Ok(self.transport.exchange(&self.target, request).await?)
    }

    /// Closes a socket.
    async fn delete(&self, connection: &ConnectionId) -> Result<Answer, TryError> {
        let signer = self.identity.signer(&self.target).await?;
        let (path, body) = (self.target.path(connection), Body::new(Bytes::new()));
        let authorization = signer.sign(&Method::DELETE, &path, &body).map_err(IdentityError::from)?;
        let uri = Uri::from_maybe_shared(Bytes::from(path)).map_err(|_| IdentityError::from(sign::SignError::Path))?;
        let request = request(Method::DELETE, &uri, &body, &signer, authorization);
        Ok(self.transport.exchange(&self.target, request).await?)
    }

    /// Makes the requests of a page.
    async fn prepare(
        &self,
        frames: &[Frame],
        connections: &[ConnectionId],
    ) -> Result<(Page, Vec<Prepared>), IdentityError> {
        let signer = self.identity.signer(&self.target).await?;
        let bodies: Vec<Body> =
            frames.iter().map(|frame| Body::new(Bytes::copy_from_slice(frame.text.as_bytes()))).collect();
        let threads = Threads::for_requests(bodies.len().saturating_mul(connections.len()));
        let prepared = prepare(threads, &signer, &self.target, &bodies, connections)?;
        Ok((Page { signer, bodies }, prepared))
    }

    /// Keeps the sender's rate.
    async fn wait_for_turn(&self) {
        let Some(pace) = &self.pace else { return };
        let wait = pace.lock().unwrap_or_else(PoisonError::into_inner).take(self.start.elapsed());
        if !wait.is_zero() {
            sleep(wait).await;
        }
    }

    /// Whether a post may leave at once.
    fn may_go(&self) -> bool {
        let may_go =
            |pace: &Mutex<Pace>| pace.lock().unwrap_or_else(PoisonError::into_inner).try_take(self.start.elapsed());
        self.pace.as_ref().is_none_or(may_go)
    }

    async fn post_with(&self, frames: &[Frame], connections: &[ConnectionId], patience: Patience) -> Vec<Outcome> {
        let mut outcomes = vec![Outcome::Failed; connections.len()];
        let (page, prepared) = match self.prepare(frames, connections).await {
            Ok(prepared) => prepared,
            Err(error) => {
                tracing::error!(%error, connections = connections.len(), "posts not signed");
                return outcomes;
            }
        };
        let page = &page;
        let mut posts = stream::iter(connections.iter().zip(&prepared).zip(&mut outcomes))
            .map(|((connection, prepared), outcome)| async move {
                *outcome = self.post_all(page, connection, prepared, patience).await;
            })
            .buffer_unordered(self.concurrency);
        while posts.next().await.is_some() {}
        drop(posts);
        outcomes
    }

    fn note(&self, throttled: bool) {
        if let Some(pace) = &self.pace {
            pace.lock().unwrap_or_else(PoisonError::into_inner).answered(throttled, self.start.elapsed());
        }
    }
}

/// What the posts of a call share.
struct Page {
    signer: Arc<Signer>,
    bodies: Vec<Body>,
}

/// A frame for a connection.
struct Post<'a> {
    signer: &'a Signer,
    uri: &'a Uri,
    body: &'a Body,
    authorization: &'a HeaderValue,
}

fn request(
    method: Method,
    uri: &Uri,
    body: &Body,
    signer: &Signer,
    authorization: HeaderValue,
) -> Request<Full<Bytes>> {
    let mut request = Request::new(Full::new(body.bytes.clone()));
    *request.method_mut() = method;
    *request.uri_mut() = uri.clone();
    let headers = request.headers_mut();
    headers.insert(HOST, signer.host.clone());
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(sign::CONTENT_TYPE));
    headers.insert(DATE, signer.date.clone());
    if let Some(token) = &signer.token {
        headers.insert(TOKEN, token.clone());
    }
    headers.insert(AUTHORIZATION, authorization);
    request
}

/// A try without an answer.
#[derive(Debug, thiserror::Error)]
enum TryError {
    #[error(transparent)]
    Identity(#[from] IdentityError),
    #[error(transparent)]
    Transport(#[from] TransportError),
}

fn judge(
    connection: &ConnectionId,
    attempt: u32,
    answer: Result<Result<Answer, TryError>, tokio::time::error::Elapsed>,
) -> Result<(), Trouble> {
    let answer = match answer {
        Ok(Ok(answer)) => answer,
        Ok(Err(error @ TryError::Transport(_))) => {
            tracing::debug!(connection.id = %connection, attempt, %error, "post broke");
            return Err(Trouble::Passing(Outcome::Failed));
        }
        Ok(Err(error)) => {
            tracing::warn!(connection.id = %connection, attempt, %error, "post failed");
            return Err(Trouble::Final(Outcome::Failed));
        }
        Err(_) => {
            tracing::warn!(connection.id = %connection, attempt, "post not answered in time");
            return Err(Trouble::Final(Outcome::Failed));
        }
    };
    match answer.status {
        status if status.is_success() => Ok(()),
        StatusCode::GONE => Err(Trouble::Final(Outcome::Gone)),
        StatusCode::TOO_MANY_REQUESTS => Err(Trouble::Passing(Outcome::Throttled)),
        status if status.is_server_error() => Err(Trouble::Passing(Outcome::Failed)),
        status => {
            let exception = answer.exception.as_deref().unwrap_or_default();
            tracing::warn!(connection.id = %connection, attempt, %status, exception, "post refused");
            Err(Trouble::Final(Outcome::Failed))
        }
    }
}

fn pause_after(attempt: u32) -> Duration {
    let longest = FIRST_PAUSE * 2_u32.saturating_pow(attempt.saturating_sub(1));
    longest.mul_f64(fastrand::f64())
}

impl Poster for ConnectionsPoster {
    async fn post(&self, frames: &[Frame], connections: &[ConnectionId]) -> Vec<Outcome> {
        self.post_with(frames, connections, Patience::Much).await
    }

    async fn try_post(&self, frame: &Frame, connections: &[ConnectionId]) -> Vec<Outcome> {
        self.post_with(std::slice::from_ref(frame), connections, Patience::None).await
    }

    async fn close(&self, connection: &ConnectionId, farewell: &Frame) {
        self.post(std::slice::from_ref(farewell), std::slice::from_ref(connection)).await;
        match timeout(self.timeout, self.delete(connection)).await {
            Ok(Ok(answer)) if answer.status.is_success() || answer.status == StatusCode::GONE => {}
            Ok(Ok(answer)) => tracing::warn!(connection.id = %connection, status = %answer.status, "socket not closed"),
            Ok(Err(error)) => tracing::warn!(connection.id = %connection, %error, "socket not closed"),
            Err(_) => tracing::warn!(connection.id = %connection, "socket not closed in time"),
        }
    }

    fn limit(&self, rate: Rate) {
        if let Some(pace) = &self.pace {
            pace.lock().unwrap_or_else(PoisonError::into_inner).limit(rate, self.start.elapsed());
        }
    }
}
