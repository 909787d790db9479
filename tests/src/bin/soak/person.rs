//! A person: one socket at a time, in some rooms, talking, leaving, vanishing and coming back.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use fastrand::Rng;
use futures::FutureExt;
use hubbub_client::{Channel, Client, Error, Event, Events, Options, Start};
use hubbub_tests::stack::Stack;
use hubbub_tests::token::Tokens;
use serde_json::json;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::unconstrained;
use tokio::time::{sleep, timeout};

use crate::conductor::Phase;
use crate::ledger::{Shared, open};
use crate::town::{Town, around};

/// How long an answer may take before it counts as lost.
const ANSWER: Duration = Duration::from_secs(15);
/// How often a client asks whether it is behind: often, so that what goes wrong heals within the soak.
const KEEP_ALIVE: Duration = Duration::from_secs(30);
/// How long one thing is tried before the soak gives up on the stack.
const PATIENCE: Duration = Duration::from_secs(300);
/// How long a person waits before trying again, on the average.
const PAUSE: Duration = Duration::from_millis(300);

/// People who connect at the same time.
const CONNECTING: usize = 6;
/// People who ask for something at the same time.
const ASKING: usize = 12;

/// How long it takes, on the average, until a person joins another room.
const JOIN: Duration = Duration::from_secs(20);
/// How long it takes, on the average, until a person leaves a room.
const LEAVE: Duration = Duration::from_secs(30);
/// How long it takes, on the average, until a person's socket ends.
const VANISH: Duration = Duration::from_secs(40);
/// How long a person stays away, on the average.
const AWAY: Duration = Duration::from_secs(3);

/// What a person does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Talk,
    Join,
    Leave,
    Vanish,
}

/// Where people wait for their turn. The local AWS starts a process for every call that finds all others busy, so that a machine with
/// more to do than it can would do less and less.
#[derive(Clone, Debug)]
pub(crate) struct Lines {
    /// To connect, which takes several functions.
    connecting: Arc<Semaphore>,
    /// To ask for something.
    asking: Arc<Semaphore>,
}

impl Default for Lines {
    fn default() -> Self {
        Self { connecting: Arc::new(Semaphore::new(CONNECTING)), asking: Arc::new(Semaphore::new(ASKING)) }
    }
}

/// A person.
pub(crate) struct Person {
    number: u32,
    name: String,
    town: Town,
    dice: Rng,
    ledger: Shared,
    options: Options,
    lines: Lines,
    live: Option<(Client, Events)>,
    /// The socket is of no use any more.
    is_lost: bool,
    run: String,
    messages: u32,
}

impl Person {
    /// A person who is not there yet. `run` keeps the messages apart from those of another soak on the same stack.
    pub(crate) fn new(
        number: u32,
        town: Town,
        dice: Rng,
        ledger: Shared,
        lines: Lines,
        (stack, tokens): (&Stack, &Tokens),
        run: &str,
    ) -> anyhow::Result<Self> {
        let name = Town::user(number);
        let mut options = Options::new(&stack.outputs.web_socket_url, &name, tokens.sign(&name)?);
        options.connection.connect_timeout = ANSWER;
        options.connection.request_timeout = ANSWER;
        options.keep_alive = KEEP_ALIVE;
        let run = run.to_owned();
        Ok(Self { number, name, town, dice, ledger, options, lines, live: None, is_lost: false, run, messages: 0 })
    }

    /// Lives through the phases. Says when it has arrived, and when it has come back for the last time.
    pub(crate) async fn live(
        mut self,
        mut phase: watch::Receiver<Phase>,
        ready: mpsc::Sender<()>,
    ) -> anyhow::Result<()> {
        self.come_back().await?;
        self.join(Channel::Everyone).await?;
        self.join(Channel::room(Town::plaza())).await?;
        ready.send(()).await.context("nobody waits for the people to arrive")?;
        while *phase.borrow_and_update() == Phase::Gathering {
            self.listen_until(phase.changed().map(drop)).await?;
        }
        while *phase.borrow_and_update() == Phase::Load {
            let (act, pause) = self.next_act();
            let deadline = Instant::now() + pause;
            // An event or the next phase may come before.
            self.listen_until(futures::future::select(Box::pin(phase.changed()), Box::pin(sleep(pause))).map(drop))
                .await?;
            if Instant::now() >= deadline {
                self.act(act).await?;
            }
        }
        self.come_back().await?;
        ready.send(()).await.context("nobody waits for the people to come back")?;
        while *phase.borrow_and_update() != Phase::Over {
            self.listen_until(phase.changed().map(drop)).await?;
        }
        self.vanish(false).await
    }

    /// Draws what comes next and how long it takes until then.
    fn next_act(&mut self) -> (Act, Duration) {
        let acts =
            [(Act::Talk, self.town.person_pause()), (Act::Join, JOIN), (Act::Leave, LEAVE), (Act::Vanish, VANISH)];
        // Each comes after a time of its own; the first of them is what happens.
        let drawn = acts.map(|(act, average)| (act, around(average, &mut self.dice)));
        drawn.into_iter().min_by_key(|(_, pause)| *pause).unwrap_or((Act::Talk, PAUSE))
    }

    async fn act(&mut self, act: Act) -> anyhow::Result<()> {
        match act {
            Act::Talk => self.talk().await,
            Act::Join => {
                let room = self.town.any_room(&mut self.dice);
                self.join(Channel::room(room)).await?;
                open(&self.ledger).events.joins += 1;
                Ok(())
            }
            Act::Leave => self.leave().await,
            Act::Vanish => {
                let is_rude = self.dice.f64() < 0.7;
                self.vanish(is_rude).await?;
                sleep(around(AWAY, &mut self.dice)).await;
                self.come_back().await
            }
        }
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
                None => self.is_lost = true,
            }
            if self.is_lost {
                self.come_back().await?;
            }
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

    fn note(&mut self, event: Event) {
        let mut ledger = open(&self.ledger);
        match event {
            Event::Message(delivery) => ledger.receive(self.number, &delivery),
            Event::Reset { channel, epoch, head } => {
                ledger.reset(self.number, &channel);
                ledger.oddities.note("log reset", format!("`{}` in `{channel}`, to {head} of `{epoch}`", self.name));
            }
            Event::Dropped { channel, error } => {
                ledger.oddities.note("dropped channel", format!("`{channel}`: {error}"));
                self.is_lost = true;
            }
            Event::Receipt(receipt) => ledger.oddities.note("unexpected receipt", format!("{receipt:?}")),
            Event::Presence(news) => ledger.oddities.note("unasked news", format!("{news:?}")),
            Event::Signal(signal) => ledger.oddities.note("unexpected signal", format!("{signal:?}")),
            Event::Unexpected(frame) => ledger.oddities.note("unasked frame", format!("{frame:?}")),
            Event::Closed(hubbub_client::CloseReason::ByApplication | hubbub_client::CloseReason::Cut) => {}
            Event::Closed(reason) => {
                ledger.oddities.note("lost connection", reason.to_string());
                self.is_lost = true;
            }
        }
    }

    /// The socket ends, with a goodbye or without. Everything that came on it is written down.
    async fn vanish(&mut self, is_rude: bool) -> anyhow::Result<()> {
        let Some((client, mut events)) = self.live.take() else { return Ok(()) };
        if is_rude {
            client.cut().await;
            open(&self.ledger).events.cuts += 1;
        } else {
            client.close().await;
        }
        let channels = open(&self.ledger).channels_of(self.number);
        for counters in channels.iter().map(|channel| client.counters(channel)) {
            open(&self.ledger).add_counters(counters);
        }
        // With the last handle the client's tasks end, and with them the events.
        drop(client);
        while let Some(event) = timeout(PATIENCE, events.next()).await.context("a client doesn't end")? {
            self.note(event);
        }
        Ok(())
    }

    /// A new socket, which goes on in each channel from where the last one ended. If that is still open, it is cut.
    async fn come_back(&mut self) -> anyhow::Result<()> {
        let own = Channel::user(self.name.clone());
        let _turn = Arc::clone(&self.lines.connecting).acquire_owned().await?;
        self.vanish(true).await?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            let state = open(&self.ledger).state_of(self.number);
            let mut options = self.options.clone();
            if !state.0.contains_key(&own) {
                options = options.inbox(Start::Beginning);
            }
            let is_first = state.0.is_empty();
            match Client::resume(options, state).await {
                Ok(live) => {
                    (self.live, self.is_lost) = (Some(live), false);
                    let mut ledger = open(&self.ledger);
                    ledger.join(self.number, &own, 0, "");
                    ledger.events.reconnects += u64::from(!is_first);
                    return Ok(());
                }
                Err(error) => self.try_again("failed connection attempt", error, deadline).await?,
            }
        }
    }

    /// Notes a failure and waits a little; fails where there is no hope.
    async fn try_again(&mut self, what: &'static str, error: Error, deadline: Instant) -> anyhow::Result<()> {
        // A refusal may pass: the local AWS answers so where `authorize` or `connect` was killed.
        let is_hopeless = matches!(error, Error::InvalidUrl { .. } | Error::InvalidToken | Error::Body(_));
        if is_hopeless || Instant::now() > deadline {
            return Err(error).with_context(|| format!("`{}`: {what}, for the last time", self.name));
        }
        open(&self.ledger).oddities.note(what, format!("`{}`: {error}", self.name));
        sleep(around(PAUSE, &mut self.dice)).await;
        Ok(())
    }

    /// After a failed request: the socket is replaced, if that is what it takes, and then it can be tried again.
    async fn mend(&mut self, what: &'static str, error: Error, deadline: Instant) -> anyhow::Result<()> {
        self.drain();
        let is_forgotten = matches!(&error, Error::Server(server) if server.code.starts_with("not_"));
        let is_over = self.is_lost || is_forgotten || matches!(error, Error::Closed(_));
        self.try_again(what, error, deadline).await?;
        if is_over {
            self.come_back().await?;
        }
        Ok(())
    }

    fn client(&self) -> anyhow::Result<&Client> {
        let (client, _) = self.live.as_ref().with_context(|| format!("`{}` is not connected", self.name))?;
        Ok(client)
    }

    async fn join(&mut self, channel: Channel) -> anyhow::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let answer = {
                let _turn = self.lines.asking.acquire().await?;
                self.client()?.join(channel.clone(), Start::Known).await
            };
            match answer {
                Ok(caught) => {
                    open(&self.ledger).join(self.number, &channel, caught.head, &caught.epoch);
                    return Ok(());
                }
                Err(error) => self.mend("failed join attempt", error, deadline).await?,
            }
        }
    }

    /// Leaves a room, other than the plaza.
    async fn leave(&mut self) -> anyhow::Result<()> {
        let Some(room) = self.any_own_room(|room| room != Town::plaza()) else { return Ok(()) };
        let deadline = Instant::now() + PATIENCE;
        loop {
            let answer = {
                let _turn = self.lines.asking.acquire().await?;
                self.client()?.leave(&room).await
            };
            match answer {
                Ok(_) => {
                    // Everything that came before the answer belongs to the stay that ends.
                    self.drain();
                    let mut ledger = open(&self.ledger);
                    ledger.leave(self.number, &Channel::room(room));
                    ledger.events.leaves += 1;
                    return Ok(());
                }
                Err(error) => self.mend("failed leave attempt", error, deadline).await?,
            }
        }
    }

    /// One of the rooms that the person is in.
    fn any_own_room(&mut self, is_meant: impl Fn(&str) -> bool) -> Option<String> {
        let channels = open(&self.ledger).channels_of(self.number);
        let rooms = channels.into_iter().filter_map(|channel| match channel {
            Channel::Room(room) if is_meant(&room) => Some(room),
            _ => None,
        });
        let rooms: Vec<String> = rooms.collect();
        self.dice.choice(rooms)
    }

    /// Publishes to a room, mostly, or sends a direct message. It is repeated until it is accepted.
    async fn talk(&mut self) -> anyhow::Result<()> {
        self.messages += 1;
        let id = format!("{}.{}", self.run, self.messages);
        let body = json!({"by": self.name, "number": self.messages});
        let room = match self.dice.u32(..100) {
            0..65 => self.any_own_room(|room| room != Town::plaza()),
            65..67 => Some(Town::plaza().to_owned()),
            _ => None,
        };
        let channel = room.map_or_else(|| Channel::user(self.town.any_user(&mut self.dice)), Channel::Room);
        let deadline = Instant::now() + PATIENCE;
        loop {
            let answer = {
                let _turn = self.lines.asking.acquire().await?;
                let client = self.client()?;
                match &channel {
                    Channel::Room(room) => client.publish(room, &body, Some(&id)).await,
                    Channel::User(user) => client.direct(user, &body, Some(&id)).await,
                    Channel::Everyone => bail!("only services send to everyone"),
                }
            };
            match answer {
                Ok(_) => {
                    open(&self.ledger).accept(&channel, &self.name, &id);
                    return Ok(());
                }
                Err(error) => self.mend("failed publish attempt", error, deadline).await?,
            }
            open(&self.ledger).events.repeats += 1;
        }
    }
}
