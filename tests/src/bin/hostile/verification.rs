//! What the attacks have done, as the stack shows it: the logs, the dead letters, the members, and the functions' own logs.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use hubbub_aws::dead_letters::DeadLetterOffice;
use hubbub_client::Channel;
use hubbub_ledger::Balance;
use hubbub_tests::function_logs::troubles;
use hubbub_tests::record::{Ledger, Record, wait_for_balance};
use hubbub_tests::stack::Stack;

use crate::attacker::{SERVICE, shortened};
use crate::attacks::find_banned_members;
use crate::kind::Kind;
use crate::record::{Garbage, Notes, Shared};
use crate::well_behaved::{CLERK, CLIENTS, ROOMS, client_user, shared_room};

/// How long the run waits while nothing happens.
const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until everything has been delivered, and records all that must not be.
///
/// # Errors
/// Fails if the stack can't be asked.
pub(crate) async fn verify(stack: &Stack, record: &Shared) -> anyhow::Result<Balance> {
    // The attacks are over, so that no other message is refused.
    let refused: Vec<Channel> = record.open().notes.refused.iter().map(|refused| refused.channel.clone()).collect();
    let channels = |ledger: &Ledger<String>| {
        ledger.channels().into_iter().chain(refused.iter().cloned()).chain(shared_rooms()).collect()
    };
    let is_done = async |_: &Balance, is_complete| Ok(is_complete);
    let balance = wait_for_balance(stack, record, PATIENCE, channels, is_done).await?;
    find_intruders(&mut record.open());
    find_altered_repeats(&mut record.open());
    check_dead_letters(stack, record).await?;
    let banned = record.open().notes.banned.clone();
    for (channel, user) in find_banned_members(stack, &banned).await? {
        let example = format!("`{user}` is banned from `{channel}` and a member");
        record.open().notes.breach(Kind::ExpelledUsers, example);
    }
    read_function_logs(stack, record).await?;
    Ok(balance)
}

fn shared_rooms() -> impl Iterator<Item = Channel> {
    (0..ROOMS).map(|number| Channel::Room(shared_room(number)))
}

async fn check_dead_letters(stack: &Stack, record: &Shared) -> anyhow::Result<()> {
    let outputs = &stack.outputs;
    let (dead, publish) = (outputs.dead_letter_queue_url.clone(), outputs.publish_queue_url.clone());
    let office = DeadLetterOffice::new(stack.sqs(), dead, publish);
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
    let Record { notes, surprises, .. } = &mut *record.open();
    for Garbage { group, text, reason } in std::mem::take(&mut notes.garbage) {
        match found.remove(&(group, text.clone())) {
            Some(found) if found == reason => {}
            // Also where the queue gave it up, because the function could not get rid of it.
            Some(found) => {
                notes.fail(
                    "dead letter with a wrong reason",
                    format!("`{found}` instead of `{reason}`: `{}`", shortened(&text)),
                );
            }
            None => {
                notes.lost_letters += 1;
                surprises.note("missing dead letter", format!("`{reason}`: `{}`", shortened(&text)));
            }
        }
    }
    for ((group, text), reason) in found {
        surprises.note("unexpected dead letter", format!("`{reason}` in `{group}`: `{}`", shortened(&text)));
    }
    Ok(())
}

async fn read_function_logs(stack: &Stack, record: &Shared) -> anyhow::Result<()> {
    for trouble in troubles(stack).await? {
        let what = format!("`{}`: {}", trouble.function, shortened(&trouble.line));
        let Record { notes, surprises, .. } = &mut *record.open();
        if trouble.is_failure() {
            notes.fail("logged failure", what);
        } else {
            surprises.note("logged error", what);
        }
    }
    Ok(())
}

/// Messages in a log that were refused; and in a shared room, messages that no well-behaved client or service has sent.
fn find_intruders(record: &mut Record<String, Notes>) {
    let Record { ledger, notes, .. } = record;
    let entries: BTreeSet<(&Channel, &str, &str)> =
        ledger.entries().map(|(channel, entry)| (channel, entry.from.as_str(), entry.id.as_str())).collect();
    let mut found = BTreeSet::new();
    let refused = std::mem::take(&mut notes.refused);
    for message in &refused {
        let place = (&message.channel, message.from.as_str(), message.id.as_str());
        if let Some(entry) = entries.get(&place)
            && found.insert(*entry)
        {
            let what = format!("`{}` is in the log of `{}` and was refused", message.id, message.channel);
            notes.breach(message.kind, what);
        }
    }
    let services = [CLERK, SERVICE].map(ToOwned::to_owned);
    let senders: BTreeSet<String> = (0..CLIENTS).map(client_user).chain(services).collect();
    let rooms: BTreeSet<Channel> = shared_rooms().collect();
    for (channel, from, id) in entries {
        if rooms.contains(channel) && !senders.contains(from) && !found.contains(&(channel, from, id)) {
            notes.breach(Kind::OthersChannels, format!("`{id}` of `{from}` is in the log of `{channel}`"));
        }
    }
}

/// Of a message that was sent again, the first one counts.
fn find_altered_repeats(record: &mut Record<String, Notes>) {
    let Record { ledger, notes, .. } = record;
    for message in std::mem::take(&mut notes.repeated) {
        let mut log = ledger.entries().filter(|(channel, _)| **channel == message.channel).map(|(_, entry)| entry);
        let Some(entry) = log.find(|entry| entry.from == message.from && entry.id == message.id) else { continue };
        if entry.body.as_ref() != Some(&message.body) {
            let what = format!("`{}` says `{:?}` and not `{}`", message.id, entry.body, message.body);
            notes.breach(Kind::Replays, what);
        }
    }
}

#[cfg(test)]
mod tests {
    use hubbub_ledger::Entry;
    use hubbub_tests::surprises::Surprises;

    use super::*;
    use crate::record::Repeated;

    /// A record of a room whose log has this message.
    fn record(room: &str, from: &str, id: &str) -> Record<String, Notes> {
        let (epoch, body) = ("E".to_owned(), Some("1".to_owned()));
        let entry = Entry { epoch, seq: 1, from: from.to_owned(), id: id.to_owned(), body };
        let mut ledger = Ledger::default();
        ledger.replace_log(&Channel::room(room), "E", vec![entry]);
        Record { ledger, surprises: Surprises::default(), notes: Notes::default() }
    }

    #[test]
    fn refused_or_foreign_message_in_a_log_is_a_breach() {
        let check = |room: &str, from: &str, id: &str, expected: u64| {
            let mut record = record(room, from, id);
            record.notes.refuse(Kind::Floods, &Channel::room("pen"), "mallory", "m");
            find_intruders(&mut record);
            assert_eq!(record.notes.let_in, expected, "{room} {from} {id}");
        };
        check("pen", "mallory", "m", 1);
        check("pen", "mallory", "n", 0);
        check(&shared_room(0), "mallory", "n", 1);
        check(&shared_room(0), &client_user(1), "n", 0);
        check(&shared_room(0), CLERK, "n", 0);
    }

    #[test]
    fn replay_must_not_replace_the_first_message() {
        let check = |body: &str, expected: u64| {
            let mut record = record("pen", "ana", "m");
            let (from, id, body) = ("ana".to_owned(), "m".to_owned(), body.to_owned());
            record.notes.repeated.push(Repeated { channel: Channel::room("pen"), from, id, body });
            find_altered_repeats(&mut record);
            assert_eq!(record.notes.let_in, expected);
        };
        check("1", 0);
        check("2", 1);
    }
}
