//! What the tasks of a run record together: the ledger, surprises, and notes of the run's own; and waiting until the ledger balances.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures::stream::{self, StreamExt, TryStreamExt};
use hubbub_client::{Channel, Delivery};
use hubbub_core::wire::message::Message;
use hubbub_ledger::{Balance, Entry, Position};
use tokio::time::sleep;

use crate::inspect;
use crate::stack::Stack;
use crate::surprises::Surprises;

pub type Ledger<Client> = hubbub_ledger::Ledger<Client, Channel>;

/// How often a run looks whether its ledger balances.
const LOOK: Duration = Duration::from_millis(500);
/// Logs that are read at the same time.
const AT_ONCE: usize = 16;

#[derive(Clone, Debug)]
pub struct Record<Client, Notes> {
    pub ledger: Ledger<Client>,
    pub surprises: Surprises,
    pub notes: Notes,
}

/// A record that tasks share.
#[derive(Debug)]
pub struct Shared<Client, Notes>(Arc<Mutex<Record<Client, Notes>>>);

impl<Client, Notes: Default> Default for Shared<Client, Notes> {
    fn default() -> Self {
        let record = Record { ledger: Ledger::default(), surprises: Surprises::default(), notes: Notes::default() };
        Self(Arc::new(Mutex::new(record)))
    }
}

impl<Client, Notes> Clone for Shared<Client, Notes> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<Client, Notes> Shared<Client, Notes> {
    /// Opens the record. A panic while it was open is a bug that its own task reports; no entry is written in two steps.
    pub fn open(&self) -> MutexGuard<'_, Record<Client, Notes>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A message that a client gave to its application.
#[must_use]
pub fn received(delivery: &Delivery) -> Entry {
    let message = &delivery.message;
    Entry {
        epoch: delivery.epoch.clone(),
        seq: message.seq,
        from: message.from.clone(),
        id: message.id.clone(),
        body: message.body().map(str::to_owned),
    }
}

/// A message as the log has it.
#[must_use]
pub fn logged(epoch: &str, message: &Message) -> Entry {
    Entry {
        epoch: epoch.to_owned(),
        seq: message.seq.0,
        from: message.from.as_str().to_owned(),
        id: message.id.as_str().to_owned(),
        body: message.content.body().map(|body| body.as_str().to_owned()),
    }
}

/// The head of a channel's log in the table.
///
/// # Errors
/// Fails if the table can't be read.
pub async fn head(stack: &Stack, channel: &Channel) -> anyhow::Result<Position> {
    let state = inspect::state(stack, &channel.to_string().parse()?).await?;
    Ok(state.map_or(Position::START, |state| Position::new(state.epoch.as_str(), state.head.0)))
}

/// Reads the logs that have grown since they were read last.
///
/// # Errors
/// Fails if the table can't be read.
pub async fn read_logs<Client, Notes>(
    stack: &Stack,
    record: &Shared<Client, Notes>,
    channels: BTreeSet<Channel>,
) -> anyhow::Result<()> {
    let reading = channels.into_iter().map(|channel| async move {
        let head = head(stack, &channel).await?;
        let known = record.open().ledger.head(&channel);
        if let Some(epoch) = head.epoch.clone().filter(|_| known != Some(head)) {
            let log = inspect::log(stack, &channel.to_string().parse()?).await?;
            let entries = log.iter().map(|message| logged(&epoch, message)).collect();
            record.open().ledger.replace_log(&channel, &epoch, entries);
        }
        anyhow::Ok(())
    });
    stream::iter(reading.collect::<Vec<_>>()).buffer_unordered(AT_ONCE).try_collect().await
}

/// Waits until the queue is empty, the ledger is complete and `is_done` as well; or until nothing has happened for `patience`, which is a
/// surprise. `channels` gives those whose logs are read, and must
/// not open the record; `is_done` is asked every time, and told whether the rest is complete.
///
/// # Errors
/// Fails if the stack can't be asked.
pub async fn wait_for_balance<Client: Clone + Ord, Notes>(
    stack: &Stack,
    record: &Shared<Client, Notes>,
    patience: Duration,
    channels: impl Fn(&Ledger<Client>) -> BTreeSet<Channel>,
    mut is_done: impl AsyncFnMut(&Balance, bool) -> anyhow::Result<bool>,
) -> anyhow::Result<Balance> {
    let mut last_change = (Instant::now(), None);
    loop {
        // In this order: a message that left the queue before it was counted is in the log by then.
        let waiting = inspect::waiting(stack).await?;
        let channels = channels(&record.open().ledger);
        read_logs(stack, record, channels).await?;
        let (balance, recorded) = {
            let ledger = &record.open().ledger;
            (ledger.balance(), ledger.recorded())
        };
        if is_done(&balance, waiting == 0 && balance.is_complete()).await? {
            return Ok(balance);
        }
        let state = Some((waiting, balance.logged, recorded));
        if state != last_change.1 {
            last_change = (Instant::now(), state);
        }
        if last_change.0.elapsed() > patience {
            let example = format!("{waiting} messages on the queue, {balance:?}");
            record.open().surprises.note("wait that was given up", example);
            return Ok(balance);
        }
        sleep(LOOK).await;
    }
}
