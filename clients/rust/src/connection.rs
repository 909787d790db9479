//! One socket, on which an answer finds its question by `ref`.
//!
//! A task of its own reads and writes the socket; it ends with the socket, and says why. What isn't an answer comes out of the inbox in
//! the order in which it came. Channels and their order are the client's business.

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

/// Where and how to connect.
#[derive(Clone)]
pub struct Settings {
    /// The stack's WebSocket address, `wss://…` or `ws://…`.
    pub url: String,
    /// The JSON Web Token, sent as `Authorization: Bearer …`; nothing if the address has it as `?token=…`.
    pub token: Option<String>,
    /// How long the handshake may take.
    pub connect_timeout: Duration,
    /// How long an answer may take. API Gateway gives a function 29 s.
    pub request_timeout: Duration,
}

impl fmt::Debug for Settings {
    /// Leaves out the token, and the address' query, which may hold it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("url", &self.url.split('?').next())
            .field("connect_timeout", &self.connect_timeout)
            .field("request_timeout", &self.request_timeout)
            .finish_non_exhaustive()
    }
}

/// Why a connection has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CloseReason {
    /// The application closed it, or dropped its last handle.
    ByApplication,
    /// The application cut it off.
    Cut,
    /// The server closed it.
    ByServer {
        /// The WebSocket close code; 1005 if the server gave none.
        code: u16,
        /// What the server said.
        reason: String,
    },
    /// It broke.
    Lost(String),
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ByApplication => f.write_str("closed by the application"),
            Self::Cut => f.write_str("cut off by the application"),
            Self::ByServer { code, reason } if reason.is_empty() => write!(f, "closed by the server with code {code}"),
            Self::ByServer { code, reason } => write!(f, "closed by the server with code {code}: `{reason}`"),
            Self::Lost(error) => write!(f, "lost: {error}"),
        }
    }
}

/// A frame, and when it was read.
#[derive(Clone, Debug)]
pub struct Received {
    /// The frame.
    pub frame: ServerFrame,
    /// When it was read from the socket.
    pub at: Instant,
}

/// What comes out of a connection's inbox.
#[derive(Clone, Debug)]
pub enum Inbound {
    /// A frame that answers nothing that was asked for.
    Frame(Received),
    /// The connection has ended; nothing comes after this.
    Closed(CloseReason),
}

/// A connection's inbox. It has no bound, so that a slow application doesn't hold up the answers that it waits for: read it.
pub type Inbox = mpsc::UnboundedReceiver<Inbound>;

/// A handle to an open socket. Dropping it closes the socket.
#[derive(Debug)]
pub struct Connection {
    commands: mpsc::UnboundedSender<Command>,
    closed: watch::Receiver<Option<CloseReason>>,
    next: AtomicU64,
    request_timeout: Duration,
}

type Answer = oneshot::Sender<Received>;

#[derive(Debug)]
enum Command {
    Ask { reference: String, text: String, answer: Answer },
    AskRaw { text: String, answer: Answer },
    Close,
    Cut,
    GiveUp(String),
}

/// What the references of this client begin with: an answer that has one of these but no question comes too late.
const REFERENCE_PREFIX: &str = "hc-";

/// How long the server may take to answer a close frame.
const GOODBYE: Duration = Duration::from_secs(2);

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

impl Connection {
    /// Opens a socket.
    ///
    /// # Errors
    /// Fails with [`Error::Refused`] if the server answers the handshake with anything else, with [`Error::Connect`] if it can't be reached
    /// in time, and with [`Error::InvalidUrl`] or [`Error::InvalidToken`] before trying.
    pub async fn open(settings: &Settings) -> Result<(Self, Inbox), Error> {
        let invalid = |error: tungstenite::Error| Error::InvalidUrl {
            url: settings.url.split('?').next().unwrap_or_default().to_owned(),
            reason: error.to_string(),
        };
        let mut request = settings.url.as_str().into_client_request().map_err(invalid)?;
        if let Some(token) = &settings.token {
            let value = HeaderValue::try_from(format!("Bearer {token}")).map_err(|_| Error::InvalidToken)?;
            request.headers_mut().insert(AUTHORIZATION, value);
        }
        let connector = tls::connector(&settings.url)?;
        let connecting = Box::pin(connect_async_tls_with_config(request, None, true, Some(connector)));
        let (socket, _) = timeout(settings.connect_timeout, connecting)
            .await
            .map_err(|_| Error::Timeout { action: "connect", after: settings.connect_timeout })?
            .map_err(refusal)?;

        let (commands, command_queue) = mpsc::unbounded_channel();
        let (inbound, inbox) = mpsc::unbounded_channel();
        let (closing, closed) = watch::channel(None);
        let driver = Driver {
            socket,
            commands: command_queue,
            inbound,
            questions: HashMap::new(),
            raw_questions: VecDeque::new(),
            send_timeout: settings.request_timeout,
        };
        tokio::spawn(driver.run(closing));
        Ok((Self { commands, closed, next: AtomicU64::new(1), request_timeout: settings.request_timeout }, inbox))
    }

    /// Asks, and waits for the answer. If the server doesn't know the connection any more, that is its end.
    ///
    /// # Errors
    /// Fails with [`Error::Server`] if the answer is an error frame, and with [`Error::Timeout`] or [`Error::Closed`] if none comes.
    pub async fn request(&self, request: &Request) -> Result<Received, Error> {
        let reference = format!("{REFERENCE_PREFIX}{}", self.next.fetch_add(1, Ordering::Relaxed));
        let text = serde_json::to_string(&Outgoing { request, reference: &reference }).map_err(Error::Body)?;
        let received = self.ask(request.action(), |answer| Command::Ask { reference, text, answer }).await?;
        match received.frame {
            ServerFrame::Error(error) if error.code == ServerError::NOT_CONNECTED => {
                self.give_up(&error.message).await;
                Err(self.closed_error())
            }
            ServerFrame::Error(error) => Err(Error::Server(error)),
            _ => Ok(received),
        }
    }

    /// Sends any text, and waits for the next answer that belongs to no other question. An error frame is an answer here.
    ///
    /// # Errors
    /// Fails with [`Error::Timeout`] or [`Error::Closed`] if no answer comes.
    pub async fn raw(&self, text: impl Into<String>) -> Result<Received, Error> {
        let text = text.into();
        self.ask("raw", |answer| Command::AskRaw { text, answer }).await
    }

    async fn ask(&self, action: &'static str, command: impl FnOnce(Answer) -> Command) -> Result<Received, Error> {
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

    /// Drops the TCP connection without a close frame, as a machine does that loses its power. For tests.
    pub async fn cut(&self) {
        self.end(Command::Cut).await;
    }

    /// Drops the TCP connection, because nothing comes from it any more.
    pub(crate) async fn give_up(&self, why: &str) {
        self.end(Command::GiveUp(why.to_owned())).await;
    }

    async fn end(&self, command: Command) {
        // Both fail only where the connection has already ended.
        let _ = self.commands.send(command);
        let _ = self.closed.clone().wait_for(Option::is_some).await;
    }
}

/// A handshake that failed.
fn refusal(error: tungstenite::Error) -> Error {
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
    questions: HashMap<String, Answer>,
    /// Questions without a reference, in the order in which they were sent.
    raw_questions: VecDeque<Answer>,
    send_timeout: Duration,
}

impl Driver {
    async fn run(mut self, closing: watch::Sender<Option<CloseReason>>) {
        let reason = self.drive().await;
        tracing::debug!(%reason, "a connection has ended");
        let Self { socket, inbound, .. } = self;
        drop(socket);
        // The reason is known before the questions are dropped, so that their askers are told it.
        closing.send_replace(Some(reason.clone()));
        // Fails only where nobody reads the inbox.
        let _ = inbound.send(Inbound::Closed(reason));
    }

    async fn drive(&mut self) -> CloseReason {
        loop {
            let end = tokio::select! {
                command = self.commands.recv() => self.carry_out(command).await,
                message = self.socket.next() => self.take(message),
            };
            if let Some(reason) = end {
                return reason;
            }
        }
    }

    /// Gives a reason if the connection ends by it.
    async fn carry_out(&mut self, command: Option<Command>) -> Option<CloseReason> {
        match command {
            Some(Command::Ask { reference, text, answer }) => {
                // Questions that nobody waits for any more are forgotten here, so that they don't add up.
                self.questions.retain(|_, answer| !answer.is_closed());
                self.questions.insert(reference, answer);
                self.send(text).await
            }
            Some(Command::AskRaw { text, answer }) => {
                self.raw_questions.push_back(answer);
                self.send(text).await
            }
            Some(Command::Cut) => Some(CloseReason::Cut),
            Some(Command::GiveUp(why)) => Some(CloseReason::Lost(why)),
            Some(Command::Close) | None => {
                // A server that doesn't answer the close frame doesn't change that this side has closed.
                let _ = timeout(GOODBYE, self.say_goodbye()).await;
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

    async fn say_goodbye(&mut self) {
        if self.socket.close(None).await.is_ok() {
            while let Some(Ok(message)) = self.socket.next().await {
                if message.is_close() {
                    return;
                }
            }
        }
    }

    /// Gives a reason if the connection ends by it. Pings are answered by the WebSocket library.
    fn take(&mut self, message: Option<Result<WireMessage, tungstenite::Error>>) -> Option<CloseReason> {
        match message {
            None => Some(CloseReason::Lost("the stream has ended".to_owned())),
            Some(Err(error)) => Some(CloseReason::Lost(error.to_string())),
            Some(Ok(WireMessage::Close(frame))) => {
                Some(frame.map_or(CloseReason::ByServer { code: 1005, reason: String::new() }, |frame| {
                    CloseReason::ByServer { code: frame.code.into(), reason: frame.reason.as_str().to_owned() }
                }))
            }
            Some(Ok(WireMessage::Text(text))) => {
                self.sort(Incoming::parse(text.as_str()), Instant::now());
                None
            }
            Some(Ok(_)) => None,
        }
    }

    /// Gives a frame to whom it belongs.
    fn sort(&mut self, Incoming { reference, frame }: Incoming, at: Instant) {
        let received = Received { frame, at };
        if let Some(reference) = &reference {
            if let Some(answer) = self.questions.remove(reference) {
                // Fails where the question has timed out.
                let _ = answer.send(received);
                return;
            }
            if reference.starts_with(REFERENCE_PREFIX) {
                tracing::debug!(reference, "an answer came too late");
                return;
            }
        }
        let received = match received.frame {
            ServerFrame::Posted(_) | ServerFrame::Presence(_) | ServerFrame::Signal(_) => received,
            _ => match self.answer_raw(received) {
                None => return,
                Some(received) => received,
            },
        };
        // Fails only where nobody reads the inbox.
        let _ = self.inbound.send(Inbound::Frame(received));
    }

    /// Gives the frame to the first raw question that still waits, or back.
    fn answer_raw(&mut self, mut received: Received) -> Option<Received> {
        while let Some(answer) = self.raw_questions.pop_front() {
            match answer.send(received) {
                Ok(()) => return None,
                Err(back) => received = back,
            }
        }
        Some(received)
    }
}
