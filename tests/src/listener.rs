//! A client that records all events of its session in their order, also while it waits for an answer.

use std::fmt;
use std::time::Duration;

use anyhow::{Context, bail};
use hubbub_client::{Channel, CloseReason, Error, Event, Events, Session, SessionOptions, State, Stats, Status};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

/// How often a listener looks whether its session has reconnected.
const GLANCE: Duration = Duration::from_millis(50);

/// An entry of the record.
#[derive(Debug)]
pub enum Heard {
    /// An event of the session.
    Event(Event),
    /// The session was cut, other than by [`Listener::cut`], or could not connect.
    Offline(String),
}

/// A session whose events are recorded.
pub struct Listener {
    session: Session,
    events: Events,
    status: watch::Receiver<Status>,
    user: String,
    patience: Duration,
    note: Box<dyn FnMut(Heard) + Send>,
    /// What was left last.
    left: Option<Channel>,
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener").field("user", &self.user).finish_non_exhaustive()
    }
}

impl Listener {
    /// Opens a session, and waits until it is connected. No request may take longer than `patience`.
    ///
    /// # Errors
    /// Fails if the session ends, or can't connect within the patience.
    pub async fn open(
        options: SessionOptions,
        patience: Duration,
        note: impl FnMut(Heard) + Send + 'static,
    ) -> anyhow::Result<Self> {
        let user = options.socket.user.clone();
        let (session, events) = Session::open(options);
        let status = session.status();
        let mut listener = Self { session, events, status, user, patience, note: Box::new(note), left: None };
        listener.ask("connect", async { Ok(()) }).await?;
        Ok(listener)
    }

    /// The session, for requests.
    #[must_use]
    pub fn session(&self) -> Session {
        self.session.clone()
    }

    /// Listens until `end` is ready.
    ///
    /// # Errors
    /// Fails if the session ends.
    pub async fn listen_until<T>(&mut self, end: impl Future<Output = T>) -> anyhow::Result<T> {
        tokio::pin!(end);
        let cut = CloseReason::Cut.to_string();
        loop {
            tokio::select! {
                biased;
                event = self.events.next() => match event {
                    Some(event) => self.hear(event),
                    None => bail!("the session of `{}` has ended: {:?}", self.user, *self.status.borrow()),
                },
                // Fails only where the session has ended, which the events say.
                Ok(()) = self.status.changed() => {
                    if let Status::Offline(why) = &*self.status.borrow_and_update() && *why != cut {
                        (self.note)(Heard::Offline(why.clone()));
                    }
                }
                outcome = &mut end => return Ok(outcome),
            }
        }
    }

    fn hear(&mut self, event: Event) {
        if let Event::Left(left) = &event {
            self.left = Some(left.channel.clone());
        }
        (self.note)(Heard::Event(event));
    }

    /// Makes a request as soon as the session is live, and listens meanwhile.
    ///
    /// # Errors
    /// Fails if what was asked for fails, or takes too long, or if the session ends.
    pub async fn ask<T>(&mut self, what: &str, call: impl Future<Output = Result<T, Error>>) -> anyhow::Result<T> {
        let mut status = self.session.status();
        let asking = async {
            // Fails only where the session has ended, which the events say.
            let _ = status.wait_for(|status| *status == Status::Live).await;
            call.await
        };
        let outcome = timeout(self.patience, self.listen_until(asking)).await;
        let about = || format!("`{}` could not {what}", self.user);
        outcome.with_context(about)??.with_context(about)
    }

    /// Leaves a room, and listens to its last message.
    ///
    /// # Errors
    /// As [`Listener::ask`].
    pub async fn leave(&mut self, room: &str) -> anyhow::Result<()> {
        self.left = None;
        let (session, channel) = (self.session(), Channel::room(room));
        self.ask("leave", session.leave(room)).await?;
        while self.left.as_ref() != Some(&channel) {
            let event = timeout(self.patience, self.events.next()).await.ok().flatten();
            self.hear(event.with_context(|| format!("`{}` was not told that it left `{room}`", self.user))?);
        }
        Ok(())
    }

    /// Drops the socket without a close frame; the session reconnects by itself, after a random pause.
    pub async fn cut(&mut self) {
        self.session.cut().await;
    }

    /// Drops the socket, and waits until the session has reconnected.
    ///
    /// # Errors
    /// Fails if that takes too long.
    pub async fn reconnect(&mut self) -> anyhow::Result<()> {
        let before = self.session.stats().connections;
        self.cut().await;
        let session = self.session.clone();
        let returning = async {
            while session.stats().connections == before || *session.status().borrow() != Status::Live {
                sleep(GLANCE).await;
            }
        };
        let returned = timeout(self.patience, self.listen_until(returning)).await;
        returned.with_context(|| format!("`{}` did not reconnect", self.user))?
    }

    /// Closes the session, and listens to the end; gives the session's state and counts.
    pub async fn close(&mut self) -> (State, Stats) {
        self.session.close().await;
        while let Some(event) = self.events.next().await {
            self.hear(event);
        }
        (self.session.state(), self.session.stats())
    }
}
