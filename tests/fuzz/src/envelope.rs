//! Messages with any content on the queue.

use hubbub_core::wire::channel::Channel;
use hubbub_core::wire::command::{Command, ModerationCommand};
use hubbub_core::wire::queue_message::{Envelope, QueueMessage, Wake};

use crate::batch::{Sent, deliver_all};
use crate::faults::Fault;
use crate::stage::{MAX_BODY_BYTES, Stage};

/// The most records: so few that a message that is there twice is still among the newest of the log.
const MAX_RECORDS: usize = 25;

/// Delivers any records, in full batches, while some effects fail: nothing is lost, and each message is written as it was read.
pub fn envelope(data: &[u8]) {
    let stage = Stage::new();
    let (mut sent, mut faults) = (Vec::new(), Vec::new());
    for line in String::from_utf8_lossy(data).split('\n') {
        match read_fault(line) {
            Some(fault) => faults.push(fault),
            None if sent.len() < MAX_RECORDS => sent.push(read_record(line)),
            None => {}
        }
    }
    for Sent { group, body } in &sent {
        if let Ok(message) = QueueMessage::parse(body, group, MAX_BODY_BYTES) {
            check_message(&message, body, group);
        }
    }
    stage.ports.hook.set(faults);
    deliver_all(&stage, &sent, 10);
}

/// `!7` for an effect that is refused, `?7` for one whose answer is lost.
fn read_fault(line: &str) -> Option<(usize, Fault)> {
    let (mark, number) = line.split_at_checked(1)?;
    let fault = match mark {
        "!" => Fault::Refused,
        "?" => Fault::Lost,
        _ => return None,
    };
    Some((number.parse().ok()?, fault))
}

/// Without a group that SQS takes, the record lies in the room's.
fn read_record(line: &str) -> Sent {
    let is_group = |text: &str| (1..=128).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    let (group, body) = line.split_once('\t').filter(|(group, _)| is_group(group)).unwrap_or(("room:lobby", line));
    Sent { group: group.to_owned(), body: body.to_owned() }
}

/// A message that was read is well-formed, and written so that it is read again as the same.
pub(crate) fn check_message(message: &QueueMessage, text: &str, group: &str) {
    let (channel, written) = match message {
        QueueMessage::Message(envelope) => {
            let Envelope { channel, id, from, body, .. } = envelope;
            assert!(is_id(id.as_str()) && is_id(from.as_str()), "{envelope:?}");
            assert!(body.as_str().len() <= MAX_BODY_BYTES && text.contains(body.as_str()), "{envelope:?}");
            (channel, envelope.to_json())
        }
        QueueMessage::Command(moderation) => {
            let ModerationCommand { channel, command, from } = moderation;
            assert!(is_id(from.as_str()), "{moderation:?}");
            let is_room = matches!(channel, Channel::Room(_));
            assert!(
                match command {
                    Command::Kick { user } | Command::Ban { user, .. } | Command::Unban { user } =>
                        is_id(user.as_str()) && (is_room || *channel == ModerationCommand::everywhere(user)),
                    Command::Delete { .. } => true,
                    Command::Close { .. } | Command::Open => is_room,
                },
                "{moderation:?}"
            );
            (channel, moderation.to_json())
        }
        QueueMessage::Wake(Wake { channel, .. }) => (channel, message.to_json()),
    };
    assert_eq!(channel.to_string(), group);
    let written = written.unwrap();
    assert_eq!(QueueMessage::parse(&written, group, MAX_BODY_BYTES).as_ref(), Ok(message), "{written}");
}

/// As PROTOCOL.md has it.
pub(crate) fn is_id(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.chars().all(|one| matches!(one, 'A'..='Z' | 'a'..='z' | '0'..='9' | '.' | '_' | ':' | '-'))
}
