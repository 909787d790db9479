//! One WebSocket: it sends requests and matches each answer to its request by `ref`.
//!
//! A task of its own reads and writes the socket. The task ends with the socket, and reports the reason. Frames that answer no request
//! come out of the inbox in the order in which they arrived. This module knows nothing of channels.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::http::header::AUTHORIZATION;
use tokio_tungstenite::tungstenite::{self, Message as WireMessage};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_tls_with_config};

use crate::error::Error;
use crate::frames::{Incoming, Outgoing, Request, ServerError, ServerFrame};
use crate::tls;

/// The options of one socket.
#[derive(Clone)]
pub struct ConnectionOptions {
    /// The stack's WebSocket address: `wss://…` or `ws://…`.
    pub url: String,
    /// The JSON Web Token, sent as `Authorization: Bearer …`. `None` if the address has it as `?token=…`.
    pub token: Option<String>,
    /// The longest time that the handshake may take.
    pub connect_timeout: Duration,
    /// The longest time that an answer may take. API Gateway gives a function 29 s.
    pub request_timeout: Duration,
}

impl fmt::Debug for ConnectionOptions {
    /// Leaves out the token, and the query of the address, which may hold the token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectionOptions")
            .field("url", &self.url.split('?').next())
            .field("connect_timeout", &self.connect_timeout)
            .field("request_timeout", &self.request_timeout)
            .finish_non_exhaustive()
    }
}

/// The reason why a connection has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CloseReason {
    /// The application closed it, or dropped its last handle.
    ByApplication,
    /// The application dropped the TCP connection with [`Connection::cut`].
    Cut,
    /// The server closed it.
    ByServer {
        /// The WebSocket close code, or 1005 if the server gave none.
        code: u16,
        /// The server's text, which may be empty.
        reason: String,
    },
    /// It failed, for this reason.
    Lost(String),
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ByApplication => f.write_str("closed by the application"),
            Self::Cut => f.write_str("cut by the application"),
            Self::ByServer { code, reason } if reason.is_empty() => write!(f, "closed by the server with code {code}"),
            Self::ByServer { code, reason } => write!(f, "closed by the server with code {code}: `{reason}`"),
            Self::Lost(error) => write!(f, "lost: {error}"),
        }
    }
}

/// A frame from the server, and its time of arrival.
#[derive(Clone, Debug)]
pub struct Received {
    /// The frame.
    pub frame: ServerFrame,
    /// The time when it was read from the socket.
    pub at: Instant,
}

/// An entry of a connection's inbox.
#[derive(Clone, Debug)]
pub enum Inbound {
    /// A frame that answers no request.
    Frame(Received),
    /// The connection has ended. This is the last entry.
    Closed(CloseReason),
}

/// The inbox of a connection. It has no limit, so that a slow application does not hold up its own answers. The application must read
/// it, or memory grows.
pub type Inbox = mpsc::UnboundedReceiver<Inbound>;

/// An open socket. Dropping it closes the socket.
#[derive(Debug)]
pub struct Connection {
    commands: mpsc::UnboundedSender<Command>,
    closed: watch::Receiver<Option<CloseReason>>,
    next_reference: AtomicU64,
    request_timeout: Duration,
}

type AnswerSender = oneshot::Sender<Received>;

#[derive(Debug)]
enum Command {
    Request { reference: String, text: String, answer: AnswerSender },
    RawRequest { text: String, answer: AnswerSender },
    Close,
    Cut,
    Abandon(String),
}

/// The prefix of this client's references. An answer with this prefix and no waiting request came too late.
const REFERENCE_PREFIX: &str = "hc-";

/// The longest time to wait for the server's answer to a close frame.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

impl Connection {
    /// Opens a socket.
    ///
    /// # Errors
    /// - [`Error::InvalidUrl`] or [`Error::InvalidToken`]: nothing was sent.
    /// - [`Error::Connect`]: the server can't be reached.
    /// - [`Error::Refused`]: the server refuses the handshake.
    /// - [`Error::Timeout`]: the handshake takes longer than [`ConnectionOptions::connect_timeout`].
    pub async fn open(options: &ConnectionOptions) -> Result<(Self, Inbox), Error> {
        let invalid = |error: tungstenite::Error| Error::InvalidUrl {
            url: options.url.split('?').next().unwrap_or_default().to_owned(),
            reason: error.to_string(),
        };
        let mut request = options.url.as_str().into_client_request().map_err(invalid)?;
        if let Some(token) = &options.token {
            let value = HeaderValue::try_from(format!("Bearer {token}")).map_err(|_| Error::InvalidToken)?;
            request.headers_mut().insert(AUTHORIZATION, value);
        }
        let connector = tls::connector(&options.url)?;
        let connecting = Box::pin(connect_async_tls_with_config(request, None, true, Some(connector)));
        let (socket, _) = timeout(options.connect_timeout, connecting)
            .await
            .map_err(|_| Error::Timeout { action: "connect", after: options.connect_timeout })?
            .map_err(handshake_error)?;

        let (commands, command_queue) = mpsc::unbounded_channel();
        let (inbound, inbox) = mpsc::unbounded_channel();
        let (closing, closed) = watch::channel(None);
        let driver = Driver {
            socket,
            commands: command_queue,
            inbound,
            pending: HashMap::new(),
            raw_pending: VecDeque::new(),
            send_timeout: options.request_timeout,
        };
        tokio::spawn(driver.run(closing));
        Ok((
            Self { commands, closed, next_reference: AtomicU64::new(1), request_timeout: options.request_timeout },
            inbox,
        ))
    }

    /// Sends a request and waits for its answer. If the server no longer knows the connection, this drops the socket.
    ///
    /// # Errors
    /// - [`Error::Server`]: the server refuses the request.
    /// - [`Error::Timeout`] or [`Error::Closed`]: no answer came. The server may have carried out the request all the same.
    pub async fn request(&self, request: &Request) -> Result<Received, Error> {
        let reference = format!("{REFERENCE_PREFIX}{}", self.next_reference.fetch_add(1, Ordering::Relaxed));
        let text = serde_json::to_string(&Outgoing { request, reference: &reference }).map_err(Error::Body)?;
        let received =
            self.send_and_wait(request.action(), |answer| Command::Request { reference, text, answer }).await?;
        match received.frame {
            ServerFrame::Error(error) if error.code == ServerError::NOT_CONNECTED => {
                self.abandon(&error.message).await;
                Err(self.closed_error())
            }
            ServerFrame::Error(error) => Err(Error::Server(error)),
            _ => Ok(received),
        }
    }

    /// Sends any text, and waits for the next answer that belongs to no other request. An error frame counts as an answer.
    ///
    /// # Errors
    /// Fails with [`Error::Timeout`] or [`Error::Closed`] if no answer comes.
    pub async fn raw(&self, text: impl Into<String>) -> Result<Received, Error> {
        let text = text.into();
        self.send_and_wait("raw", |answer| Command::RawRequest { text, answer }).await
    }

    async fn send_and_wait(
        &self,
        action: &'static str,
        command: impl FnOnce(AnswerSender) -> Command,
    ) -> Result<Received, Error> {
        let (answer, answered) = oneshot::channel();
        self.commands.send(command(answer)).map_err(|_| self.closed_error())?;
        match timeout(self.request_timeout, answered).await {
            Ok(Ok(received)) => Ok(received),
            Ok(Err(_)) => Err(self.closed_error()),
            Err(_) => Err(Error::Timeout { action, after: self.request_timeout }),
        }
    }

    fn closed_error(&self) -> Error {
        let reason = self.closed.borrow().clone();
        Error::Closed(reason.unwrap_or_else(|| CloseReason::Lost("the connection's task has ended".to_owned())))
    }

    /// Closes the socket with a close frame, and waits until it is closed.
    pub async fn close(&self) {
        self.end(Command::Close).await;
    }

    /// Drops the TCP connection without a close frame, as a power failure does. For tests.
    pub async fn cut(&self) {
        self.end(Command::Cut).await;
    }

    /// Drops the TCP connection, because it no longer works.
    pub(crate) async fn abandon(&self, reason: &str) {
        self.end(Command::Abandon(reason.to_owned())).await;
    }

    async fn end(&self, command: Command) {
        // Both fail only if the connection has already ended.
        let _ = self.commands.send(command);
        let _ = self.closed.clone().wait_for(Option::is_some).await;
    }
}

/// The error of a handshake that failed.
fn handshake_error(error: tungstenite::Error) -> Error {
    match error {
        tungstenite::Error::Http(response) => {
            let body = response.body().as_deref().unwrap_or_default();
            Error::Refused { status: response.status().as_u16(), body: String::from_utf8_lossy(body).into_owned() }
        }
        other => Error::Connect(other.into()),
    }
}

/// The task that owns the socket.
struct Driver {
    socket: Socket,
    commands: mpsc::UnboundedReceiver<Command>,
    inbound: mpsc::UnboundedSender<Inbound>,
    /// Requests that wait for their answers, by reference.
    pending: HashMap<String, AnswerSender>,
    /// Raw requests, which have no reference, in the order in which they were sent.
    raw_pending: VecDeque<AnswerSender>,
    send_timeout: Duration,
}

impl Driver {
    async fn run(mut self, closing: watch::Sender<Option<CloseReason>>) {
        let reason = self.drive().await;
        tracing::debug!(%reason, "a connection has ended");
        let Self { socket, inbound, .. } = self;
        drop(socket);
        // The reason is set before the pending requests are dropped, so that their callers see it.
        closing.send_replace(Some(reason.clone()));
        // Fails only if nobody reads the inbox.
        let _ = inbound.send(Inbound::Closed(reason));
    }

    async fn drive(&mut self) -> CloseReason {
        loop {
            let end = tokio::select! {
                command = self.commands.recv() => self.execute(command).await,
                message = self.socket.next() => self.receive(message),
            };
            if let Some(reason) = end {
                return reason;
            }
        }
    }

    /// Returns a reason if the connection ends.
    async fn execute(&mut self, command: Option<Command>) -> Option<CloseReason> {
        match command {
            Some(Command::Request { reference, text, answer }) => {
                // Requests whose callers no longer wait are removed here, so that they don't pile up.
                self.pending.retain(|_, answer| !answer.is_closed());
                self.pending.insert(reference, answer);
                self.send(text).await
            }
            Some(Command::RawRequest { text, answer }) => {
                self.raw_pending.push_back(answer);
                self.send(text).await
            }
            Some(Command::Cut) => Some(CloseReason::Cut),
            Some(Command::Abandon(reason)) => Some(CloseReason::Lost(reason)),
            Some(Command::Close) | None => {
                // This side has closed, whether or not the server answers the close frame.
                let _ = timeout(CLOSE_TIMEOUT, self.close_handshake()).await;
                Some(CloseReason::ByApplication)
            }
        }
    }

    async fn send(&mut self, text: String) -> Option<CloseReason> {
        match timeout(self.send_timeout, self.socket.send(WireMessage::text(text))).await {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(CloseReason::Lost(error.to_string())),
            Err(_) => Some(CloseReason::Lost(format!("nothing could be sent for {:?}", self.send_timeout))),
        }
    }

    async fn close_handshake(&mut self) {
        if self.socket.close(None).await.is_ok() {
            while let Some(Ok(message)) = self.socket.next().await {
                if message.is_close() {
                    return;
                }
            }
        }
    }

    /// Returns a reason if the connection ends. The WebSocket library answers WebSocket pings.
    fn receive(&mut self, message: Option<Result<WireMessage, tungstenite::Error>>) -> Option<CloseReason> {
        match message {
            None => Some(CloseReason::Lost("the stream has ended".to_owned())),
            Some(Err(error)) => Some(CloseReason::Lost(error.to_string())),
            Some(Ok(WireMessage::Close(frame))) => {
                Some(frame.map_or(CloseReason::ByServer { code: 1005, reason: String::new() }, |frame| {
                    CloseReason::ByServer { code: frame.code.into(), reason: frame.reason.as_str().to_owned() }
                }))
            }
            Some(Ok(WireMessage::Text(text))) => {
                self.route(Incoming::parse(text.as_str()), Instant::now());
                None
            }
            Some(Ok(_)) => None,
        }
    }

    /// Gives a frame to the request that waits for it, or to the inbox.
    fn route(&mut self, Incoming { reference, frame }: Incoming, at: Instant) {
        let received = Received { frame, at };
        if let Some(reference) = &reference {
            if let Some(answer) = self.pending.remove(reference) {
                // Fails if the request has timed out.
                let _ = answer.send(received);
                return;
            }
            if reference.starts_with(REFERENCE_PREFIX) {
                tracing::debug!(reference, "an answer came too late");
                return;
            }
        }
        let received = match received.frame {
            ServerFrame::Messages(_) | ServerFrame::Presence(_) | ServerFrame::Signal(_) => received,
            _ => match self.answer_raw(received) {
                None => return,
                Some(received) => received,
            },
        };
        // Fails only if nobody reads the inbox.
        let _ = self.inbound.send(Inbound::Frame(received));
    }

    /// Gives the frame to the first raw request that still waits, or returns it.
    fn answer_raw(&mut self, mut received: Received) -> Option<Received> {
        while let Some(answer) = self.raw_pending.pop_front() {
            match answer.send(received) {
                Ok(()) => return None,
                Err(back) => received = back,
            }
        }
        Some(received)
    }
}
