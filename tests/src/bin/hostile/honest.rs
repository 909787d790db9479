//! Honest people, who talk the whole time with the client that everybody uses, and an honest service.

use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use fastrand::Rng;
use futures::FutureExt;
use hubbub_client::{Channel, Client, Event, Events, Options, ServerFrame, Start};
use hubbub_tests::service::Service;
use serde_json::json;
use tokio::sync::{mpsc, watch};
use tokio::task::unconstrained;
use tokio::time::{sleep, timeout};

use crate::book::{Shared, open};
use crate::conductor::Phase;
use crate::field::Field;
use crate::kind::Kind;

/// How many there are.
pub(crate) const HONEST: usize = 6;
/// Rooms that they are in; all of them are in the first, which is large enough for the state machine.
pub(crate) const HALLS: usize = 3;

/// How long an answer may take before it counts as lost.
const ANSWER: Duration = Duration::from_secs(30);
/// How long one thing is tried before there is no hope.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long a person waits, about, between two messages.
const PAUSE: Duration = Duration::from_millis(900);
/// How often a client asks whether it is behind.
const KEEP_ALIVE: Duration = Duration::from_secs(5);
/// The service's name.
pub(crate) const CLERK: &str = "clerk";

/// A room's id.
pub(crate) fn hall(number: usize) -> String {
    format!("hall-{number}")
}

/// A user's id.
pub(crate) fn honest(number: usize) -> String {
    format!("honest-{number}")
}

fn halls_of(number: usize) -> Vec<String> {
    vec![hall(0), hall(1 + number % (HALLS - 1))]
}

/// A person.
pub(crate) struct Person {
    number: usize,
    name: String,
    options: Options,
    dice: Rng,
    book: Shared,
    live: Option<(Client, Events)>,
    messages: u64,
}

impl Person {
    pub(crate) fn new(field: &mut Field, number: usize) -> Self {
        let name = honest(number);
        let mut options = Options::new(&field.stack.outputs.web_socket_url, &name, field.forge.good(&name));
        options.connection.connect_timeout = ANSWER;
        options.connection.request_timeout = ANSWER;
        options.keep_alive = KEEP_ALIVE;
        Self { number, name, options, dice: field.dice.fork(), book: field.book.clone(), live: None, messages: 0 }
    }

    /// Lives through the phases. Says when it has arrived, and when it has come back for the last time.
    pub(crate) async fn live(
        mut self,
        mut phase: watch::Receiver<Phase>,
        ready: mpsc::Sender<()>,
    ) -> anyhow::Result<()> {
        self.come_back().await?;
        ready.send(()).await.context("nobody waits for the people to arrive")?;
        while *phase.borrow_and_update() == Phase::Gathering {
            self.listen_until(phase.changed().map(drop)).await?;
        }
        while *phase.borrow_and_update() == Phase::Attack {
            let pause = PAUSE.mul_f64(0.5 + self.dice.f64());
            self.listen_until(futures::future::select(Box::pin(phase.changed()), Box::pin(sleep(pause))).map(drop))
                .await?;
            self.talk().await?;
        }
        self.come_back().await?;
        ready.send(()).await.context("nobody waits for the people to come back")?;
        while *phase.borrow_and_update() != Phase::Over {
            self.listen_until(phase.changed().map(drop)).await?;
        }
        self.vanish().await
    }

    /// Writes down what comes until something else happens. A socket that ends meanwhile is replaced.
    async fn listen_until(&mut self, end: impl Future<Output = ()>) -> anyhow::Result<()> {
        tokio::pin!(end);
        loop {
            let Some((_, events)) = &mut self.live else { bail!("`{}` is not connected", self.name) };
            let event = tokio::select! {
                () = &mut end => return Ok(()),
                event = events.next() => event,
            };
            match event {
                Some(event) => self.note(event),
                None => self.come_back().await?,
            }
        }
    }

    fn note(&self, event: Event) {
        let mut book = open(&self.book);
        let who = &self.name;
        match event {
            Event::Message(delivery) => book.receive(who, &delivery),
            Event::Reset { channel, .. } => book.reset(who, &channel),
            // Nobody may expel honest people.
            Event::Unexpected(ServerFrame::Left(left)) => {
                book.breach(Kind::ForbiddenOrders, format!("`{who}` had to leave `{}`", left.channel));
            }
            Event::Unexpected(ServerFrame::Closing(closing)) => {
                book.breach(Kind::ForbiddenOrders, format!("`{who}` was told `{}`", closing.code));
            }
            Event::Unexpected(frame) => book.oddities.note("unasked frame", format!("`{who}`: {frame:?}")),
            Event::Dropped { channel, error } => {
                book.oddities.note("dropped channel", format!("`{who}`, `{channel}`: {error}"));
            }
            Event::Presence(news) => book.oddities.note("unasked news", format!("`{who}`: {news:?}")),
            Event::Signal(signal) => book.oddities.note("a signal that was refused", format!("`{who}`: {signal:?}")),
            Event::Receipt(receipt) => book.oddities.note("unexpected receipt", format!("`{who}`: {receipt:?}")),
            Event::Closed(hubbub_client::CloseReason::ByApplication | hubbub_client::CloseReason::Cut) => {}
            Event::Closed(reason) => book.oddities.note("lost connection", format!("`{who}`: {reason}")),
        }
    }

    /// The socket ends without a goodbye. Everything that came on it is written down.
    async fn vanish(&mut self) -> anyhow::Result<()> {
        let Some((client, mut events)) = self.live.take() else { return Ok(()) };
        client.cut().await;
        // With the last handle the client's tasks end, and with them the events.
        drop(client);
        while let Some(event) = timeout(PATIENCE, events.next()).await.context("a client doesn't end")? {
            self.note(event);
        }
        Ok(())
    }

    /// A new socket, which goes on in each channel from where the last one ended.
    async fn come_back(&mut self) -> anyhow::Result<()> {
        self.vanish().await?;
        let own = Channel::user(self.name.clone());
        let deadline = Instant::now() + PATIENCE;
        loop {
            let state = open(&self.book).state_of(&self.name);
            let mut options = self.options.clone();
            if !state.0.contains_key(&own) {
                options = options.inbox(Start::Beginning);
            }
            let rooms = halls_of(self.number).into_iter().map(Channel::Room).chain([Channel::Everyone]);
            let fresh: Vec<Channel> = rooms.filter(|channel| !state.0.contains_key(channel)).collect();
            match Client::resume(options, state).await {
                Ok(live) => {
                    self.live = Some(live);
                    open(&self.book).join(&self.name, &own, 0, "");
                    for channel in fresh {
                        self.join(channel).await?;
                    }
                    return Ok(());
                }
                Err(error) => self.try_again("failed honest connection", error, deadline).await?,
            }
        }
    }

    /// A channel that was never joined.
    async fn join(&self, channel: Channel) -> anyhow::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let Some((client, _)) = &self.live else { bail!("`{}` is not connected", self.name) };
            match client.join(channel.clone(), Start::Known).await {
                Ok(caught) => {
                    open(&self.book).join(&self.name, &channel, caught.head, &caught.epoch);
                    return Ok(());
                }
                Err(error) => self.try_again("failed honest join", error, deadline).await?,
            }
        }
    }

    /// Notes a failure and waits a little; fails where there is no hope.
    async fn try_again(
        &self,
        what: &'static str,
        error: hubbub_client::Error,
        deadline: Instant,
    ) -> anyhow::Result<()> {
        open(&self.book).oddities.note(what, format!("`{}`: {error}", self.name));
        if Instant::now() > deadline {
            return Err(error).with_context(|| format!("`{}`: {what}, for the last time", self.name));
        }
        sleep(PAUSE).await;
        Ok(())
    }

    /// Publishes to a hall, mostly, or sends a direct message. It is repeated until it is accepted.
    async fn talk(&mut self) -> anyhow::Result<()> {
        self.messages += 1;
        let (id, body) = (format!("m-{}", self.messages), json!({"by": self.name, "number": self.messages}));
        let channel = match self.dice.u32(..4) {
            0 => Channel::user(honest(self.dice.usize(..HONEST))),
            _ => Channel::Room(self.dice.choice(halls_of(self.number)).unwrap_or_default()),
        };
        let deadline = Instant::now() + PATIENCE;
        loop {
            let Some((client, _)) = &self.live else { bail!("`{}` is not connected", self.name) };
            let answer = match &channel {
                Channel::Room(room) => client.publish(room, &body, Some(&id)).await,
                Channel::User(user) => client.direct(user, &body, Some(&id)).await,
                Channel::Everyone => bail!("only services send to everyone"),
            };
            match answer {
                Ok(_) => {
                    open(&self.book).accept(&channel, &self.name, 0, &id);
                    return Ok(());
                }
                Err(error) => {
                    let is_over = matches!(error, hubbub_client::Error::Closed(_));
                    self.try_again("failed honest publish", error, deadline).await?;
                    if is_over {
                        self.come_back().await?;
                    }
                }
            }
            self.drain();
        }
    }

    /// Writes down what has come by now.
    fn drain(&mut self) {
        // Without tokio's budget, by which a queue may seem to be empty when it isn't.
        while let Some(Some(event)) =
            self.live.as_mut().and_then(|(_, events)| unconstrained(events.next()).now_or_never())
        {
            self.note(event);
        }
    }
}

/// A service that sends to halls, to people and to everyone while the attacks last.
pub(crate) async fn serve(
    service: Service,
    mut dice: Rng,
    book: Shared,
    phase: watch::Receiver<Phase>,
) -> anyhow::Result<()> {
    let mut number: u64 = 0;
    while *phase.borrow() == Phase::Attack {
        number += 1;
        let channel = match dice.u32(..10) {
            0..6 => Channel::Room(hall(dice.usize(..HALLS))),
            6..9 => Channel::user(honest(dice.usize(..HONEST))),
            _ => Channel::Everyone,
        };
        let id = format!("s-{number}");
        service.send(&channel.to_string(), &id, &json!({"number": number})).await?;
        open(&book).accept(&channel, service.name(), 0, &id);
        sleep(PAUSE.mul_f64(0.5 + dice.f64())).await;
    }
    Ok(())
}
