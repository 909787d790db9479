//! HTTP connections to the target that are kept alive.
//!
//! A connection has no task of its own: the exchange that waits for its answer drives it. So nothing goes on after a call, and a post costs no switch
//! between tasks. Nobody drives an idle connection. The next exchange checks first whether it was closed.

use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::{Instant, timeout};

use super::target::Target;

/// How long an idle connection is kept. Load balancers close idle ones after a minute or more, and a function's environment may have
/// been frozen meanwhile.
const IDLE: Duration = Duration::from_secs(50);

/// How long one of the host's addresses may take to answer, before the next one is tried.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// How long the host's addresses are used.
const ADDRESSES_AGE: Duration = Duration::from_secs(30);

/// A post that was not answered.
#[derive(Debug, Error)]
pub(super) enum TransportError {
    #[error("not connected: {0}")]
    Connect(#[from] io::Error),
    #[error("the connection broke: {0}")]
    Broken(#[from] hyper::Error),
    #[error("the connection was closed")]
    Closed,
    #[error("{0}")]
    Certificates(String),
    #[error("the host has no address")]
    NoAddress,
    #[error("an address of the host did not answer in time")]
    Unreachable,
}

/// A status, and the name of the exception if there is one.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) exception: Option<String>,
}

/// The connections to a target, at most one for each exchange under way.
pub(super) struct Transport {
    idle: Mutex<Vec<(Connection, Instant)>>,
    addresses: tokio::sync::Mutex<Option<(Vec<SocketAddr>, Instant)>>,
    turn: AtomicUsize,
}

impl Transport {
    pub(super) fn new() -> Self {
        Self { idle: Mutex::new(Vec::new()), addresses: tokio::sync::Mutex::new(None), turn: AtomicUsize::new(0) }
    }

    /// Sends a request and waits for its answer. Dropping the future closes the connection.
    pub(super) async fn exchange(
        &self,
        target: &Target,
        request: Request<Full<Bytes>>,
    ) -> Result<Answer, TransportError> {
        let mut connection = match self.take_idle().await {
            Some(connection) => connection,
            None => self.connect(target).await?,
        };
        let answer = match connection.exchange(request).await {
            Ok(answer) => answer,
            Err(error) => {
                // Those that have been idle for longer are probably dead, too: the next try opens a fresh one.
                self.idle().clear();
                return Err(error);
            }
        };
        if !connection.is_closed() {
            self.idle().push((connection, Instant::now()));
        }
        Ok(answer)
    }

    fn idle(&self) -> MutexGuard<'_, Vec<(Connection, Instant)>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The connection that was used last, if it is still open.
    async fn take_idle(&self) -> Option<Connection> {
        loop {
            let (mut connection, since) = self.idle().pop()?;
            if since.elapsed() >= IDLE {
                // Those below have been idle for longer.
                self.idle().clear();
                return None;
            }
            if connection.is_ready().await {
                return Some(connection);
            }
        }
    }

    async fn connect(&self, target: &Target) -> Result<Connection, TransportError> {
        let addresses = self.addresses(target).await?;
        let first = self.turn.fetch_add(1, Ordering::Relaxed) % addresses.len().max(1);
        let mut failure = TransportError::NoAddress;
        for address in addresses.iter().cycle().skip(first).take(addresses.len()) {
            match timeout(CONNECT_TIMEOUT, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => {
                    stream.set_nodelay(true)?;
                    return match &target.tls {
                        None => Connection::open(stream).await,
                        Some(tls) => {
                            let connector =
                                tls.connector().map_err(|why| TransportError::Certificates(why.to_owned()))?;
                            Connection::open(connector.connect(tls.name.clone(), stream).await?).await
                        }
                    };
                }
                Ok(Err(error)) => failure = error.into(),
                Err(_) => failure = TransportError::Unreachable,
            }
        }
        *self.addresses.lock().await = None;
        Err(failure)
    }

    /// Resolves the host, once for all connections.
    async fn addresses(&self, target: &Target) -> Result<Vec<SocketAddr>, TransportError> {
        let mut held = self.addresses.lock().await;
        if let Some((addresses, since)) = held.as_ref()
            && since.elapsed() < ADDRESSES_AGE
        {
            return Ok(addresses.clone());
        }
        let addresses: Vec<SocketAddr> = match (lookup_host((target.host.as_str(), target.port)).await, held.as_ref()) {
            (Ok(addresses), _) => addresses.collect(),
            // If the resolver fails, the old addresses stay in use.
            (Err(_), Some((addresses, _))) => return Ok(addresses.clone()),
            (Err(error), None) => return Err(error.into()),
        };
        *held = Some((addresses.clone(), Instant::now()));
        Ok(addresses)
    }
}

type Driver = Pin<Box<dyn Future<Output = hyper::Result<()>> + Send>>;

struct Connection {
    sender: SendRequest<Full<Bytes>>,
    /// None once the connection is closed: dropping it ends the exchange that waits for an answer.
    driver: Option<Driver>,
}

impl Connection {
    async fn open<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(stream: S) -> Result<Self, TransportError> {
        let (sender, driver) = handshake(TokioIo::new(stream)).await?;
        Ok(Self { sender, driver: Some(Box::pin(driver)) })
    }

    fn is_closed(&self) -> bool {
        self.driver.is_none()
    }

    /// Reads and writes as much as is possible now. The exchange that waits for an answer reports why a connection was closed.
    fn drive(&mut self, context: &mut Context<'_>) {
        if self.driver.as_mut().is_some_and(|driver| driver.as_mut().poll(context).is_ready()) {
            self.driver = None;
        }
    }

    /// Whether it is open and owes no answer, as far as can be seen without waiting.
    async fn is_ready(&mut self) -> bool {
        poll_fn(|context| {
            self.drive(context);
            Poll::Ready(!self.is_closed() && self.sender.is_ready())
        })
        .await
    }

    async fn exchange(&mut self, request: Request<Full<Bytes>>) -> Result<Answer, TransportError> {
        self.until_ready().await?;
        let response = self.sender.send_request(request);
        let mut answer = pin!(async {
            let response = response.await?;
            let status = response.status();
            let exception = response.headers().get("x-amzn-errortype").and_then(|name| name.to_str().ok());
            let exception = exception.map(ToOwned::to_owned);
            let mut body = response.into_body();
            while let Some(part) = body.frame().await {
                part?;
            }
            Ok(Answer { status, exception })
        });
        poll_fn(|context| {
            self.drive(context);
            answer.as_mut().poll(context)
        })
        .await
    }

    /// A fresh connection is ready only after it was driven once.
    async fn until_ready(&mut self) -> Result<(), TransportError> {
        poll_fn(|context| {
            self.drive(context);
            if self.is_closed() {
                return Poll::Ready(Err(TransportError::Closed));
            }
            self.sender.poll_ready(context).map_err(TransportError::from)
        })
        .await
    }
}
