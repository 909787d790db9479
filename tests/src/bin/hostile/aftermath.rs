//! What the attacks have done, by the stack's own books: the logs, the dead letters, the members, and what the functions have logged.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use hubbub_aws::dead_letters::DeadLetterOffice;
use hubbub_client::Channel;
use hubbub_tests::books::Entry;
use hubbub_tests::function_logs::troubles;
use hubbub_tests::inspect;
use hubbub_tests::stack::Stack;
use tokio::time::sleep;

use crate::attacks::find_banned_members;
use crate::book::{Balance, Book, Garbage, Shared, open};
use crate::field::shortened;
use crate::honest::{CLERK, HALLS, HONEST, hall, honest};
use crate::kind::Kind;

/// How long is waited while nothing at all happens.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often it is looked.
const GLANCE: Duration = Duration::from_millis(500);

/// The stack's books beside ours.
pub(crate) struct Aftermath<'a> {
    stack: &'a Stack,
    book: &'a Shared,
    logs: BTreeMap<Channel, Vec<Entry>>,
}

impl<'a> Aftermath<'a> {
    pub(crate) const fn new(stack: &'a Stack, book: &'a Shared) -> Self {
        Self { stack, book, logs: BTreeMap::new() }
    }

    /// Waits until everything has been delivered, and writes down all that is not as it should be.
    ///
    /// # Errors
    /// Fails if the stack can't be asked.
    pub(crate) async fn look(&mut self) -> anyhow::Result<()> {
        self.wait_for_balance().await?;
        find_intruders(&mut open(self.book), &self.logs);
        find_altered_repeats(&mut open(self.book), &self.logs);
        self.look_for_dead_letters().await?;
        let banned = open(self.book).banned.clone();
        for (channel, user) in find_banned_members(self.stack, &banned).await? {
            open(self.book).breach(Kind::ExpelledUsers, format!("`{user}` is banned from `{channel}` and a member"));
        }
        self.read_function_logs().await
    }

    /// How the books stand.
    pub(crate) fn balance(&self) -> Balance {
        open(self.book).balance(&self.logs)
    }

    /// Waits until the queue is empty and the books balance, or until nothing has happened for long.
    async fn wait_for_balance(&mut self) -> anyhow::Result<()> {
        let mut last_change = (Instant::now(), (0, 0, 0));
        loop {
            // In this order: what left the queue before it was looked at is in the log by then.
            let waiting = inspect::waiting(self.stack).await?;
            self.read_logs().await?;
            let (balance, written) = (self.balance(), open(self.book).written);
            if waiting == 0 && balance.is_complete() {
                return Ok(());
            }
            let stand = (waiting, self.logs.values().map(Vec::len).sum::<usize>(), written);
            if stand != last_change.1 {
                last_change = (Instant::now(), stand);
            }
            if last_change.0.elapsed() > PATIENCE {
                let example = format!("{waiting} messages on the queue, {balance:?}");
                open(self.book).oddities.note("vain wait", example);
                return Ok(());
            }
            sleep(GLANCE).await;
        }
    }

    /// Reads the logs that have grown.
    async fn read_logs(&mut self) -> anyhow::Result<()> {
        let halls = (0..HALLS).map(|number| Channel::Room(hall(number)));
        let channels: BTreeSet<Channel> = open(self.book).channels().into_iter().chain(halls).collect();
        for channel in channels {
            let of_core = channel.to_string().parse()?;
            let known = self.logs.get(&channel).map(|log| log.len() as u64);
            if known != Some(inspect::head(self.stack, &of_core).await?) {
                let log = inspect::log(self.stack, &of_core).await?;
                self.logs.insert(channel, log.iter().map(Entry::from).collect());
            }
        }
        Ok(())
    }

    async fn look_for_dead_letters(&self) -> anyhow::Result<()> {
        let outputs = &self.stack.outputs;
        let (dead, publish) = (outputs.dead_letter_queue_url.clone(), outputs.publish_queue_url.clone());
        let office = DeadLetterOffice::new(self.stack.sqs(), dead, publish);
        let mut found = BTreeMap::new();
        // While some letters of a group are held, the queue shows no others of it.
        loop {
            let letters = office.hold_all().await?;
            if letters.is_empty() {
                break;
            }
            for letter in letters {
                office.drop_letter(&letter).await?;
                found.insert((letter.group, letter.body), letter.reason);
            }
        }
        let mut book = open(self.book);
        let garbage = std::mem::take(&mut book.garbage);
        for Garbage { group, text, reason } in &garbage {
            match found.remove(&(group.clone(), text.clone())) {
                Some(found) if found == *reason => {}
                // Also where the queue gave it up, because the function could not get rid of it.
                Some(found) => book
                    .fail("wrongly buried letter", format!("`{found}` instead of `{reason}`: `{}`", shortened(text))),
                None => book.lose("unburied letter", format!("`{reason}`: `{}`", shortened(text))),
            }
        }
        for ((group, text), reason) in found {
            book.oddities.note("stray dead letter", format!("`{reason}` in `{group}`: `{}`", shortened(&text)));
        }
        Ok(())
    }

    async fn read_function_logs(&self) -> anyhow::Result<()> {
        for trouble in troubles(self.stack).await? {
            let (what, mut book) = (format!("`{}`: {}", trouble.function, shortened(&trouble.line)), open(self.book));
            if trouble.is_failure() {
                book.fail("logged failure", what);
            } else {
                book.oddities.note("logged error", what);
            }
        }
        Ok(())
    }
}

/// Messages in a log that were refused; and in a hall, all that nobody of the honest people has sent.
fn find_intruders(book: &mut Book, logs: &BTreeMap<Channel, Vec<Entry>>) {
    let refused = std::mem::take(&mut book.refused);
    let entries: BTreeSet<(&Channel, &str, &str)> = logs
        .iter()
        .flat_map(|(channel, log)| log.iter().map(move |entry| (channel, entry.from.as_str(), entry.id.as_str())))
        .collect();
    let mut found = BTreeSet::new();
    for message in &refused {
        let place = (&message.channel, message.from.as_str(), message.id.as_str());
        if entries.contains(&place) && found.insert(place) {
            book.breach(
                message.kind,
                format!("`{}` is in the log of `{}` and was refused", message.id, message.channel),
            );
        }
    }
    let people: BTreeSet<String> = (0..HONEST).map(honest).chain([CLERK.to_owned(), "warden".to_owned()]).collect();
    let halls: BTreeSet<Channel> = (0..HALLS).map(|number| Channel::Room(hall(number))).collect();
    for (channel, from, id) in entries {
        if halls.contains(channel) && !people.contains(from) && !found.contains(&(channel, from, id)) {
            book.breach(Kind::OthersChannels, format!("`{id}` of `{from}` is in the log of `{channel}`"));
        }
    }
}

/// Of a message that was sent again, the first one counts.
fn find_altered_repeats(book: &mut Book, logs: &BTreeMap<Channel, Vec<Entry>>) {
    let repeated = std::mem::take(&mut book.repeated);
    for message in &repeated {
        let mut log = logs.get(&message.channel).into_iter().flatten();
        let Some(entry) = log.find(|entry| entry.from == message.from && entry.id == message.id) else { continue };
        if entry.body.as_ref() != Some(&message.body) {
            book.breach(Kind::Replays, format!("`{}` says `{:?}` and not `{}`", message.id, entry.body, message.body));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn logs(channel: &str, from: &str, id: &str) -> BTreeMap<Channel, Vec<Entry>> {
        let entry = Entry { seq: 1, from: from.to_owned(), id: id.to_owned(), body: Some("1".to_owned()) };
        BTreeMap::from([(Channel::room(channel), vec![entry])])
    }

    #[test]
    fn a_message_that_was_refused_or_is_a_strangers_must_not_be_in_a_log() {
        let check = |channel: &str, from: &str, id: &str, expected: u64| {
            let mut book = Book::default();
            book.refuse(Kind::Floods, &Channel::room("pen"), "mallory", "m");
            find_intruders(&mut book, &logs(channel, from, id));
            assert_eq!(book.let_in, expected, "{channel} {from} {id}");
        };
        check("pen", "mallory", "m", 1);
        check("pen", "mallory", "n", 0);
        check("hall-0", "mallory", "n", 1);
        check("hall-0", "honest-1", "n", 0);
        check("hall-0", CLERK, "n", 0);
    }

    #[test]
    fn a_replay_must_not_replace_what_it_repeats() {
        let check = |body: &str, expected: u64| {
            let mut book = Book::default();
            let (from, id, body) = ("ana".to_owned(), "m".to_owned(), body.to_owned());
            book.repeated.push(crate::book::Repeated { channel: Channel::room("pen"), from, id, body });
            find_altered_repeats(&mut book, &logs("pen", "ana", "m"));
            assert_eq!(book.let_in, expected);
        };
        check("1", 0);
        check("2", 1);
    }
}
