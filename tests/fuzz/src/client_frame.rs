//! Clients' frames with any content.

use std::collections::BTreeSet;

use futures::executor::block_on;
use hubbub_core::actions::ban::Ban;
use hubbub_core::actions::close::Close;
use hubbub_core::actions::delete::Delete;
use hubbub_core::actions::direct::Direct;
use hubbub_core::actions::history::{DEFAULT_HISTORY, History};
use hubbub_core::actions::join::Join;
use hubbub_core::actions::kick::Kick;
use hubbub_core::actions::leave::Leave;
use hubbub_core::actions::open::Open;
use hubbub_core::actions::ping::Ping;
use hubbub_core::actions::publish::Publish;
use hubbub_core::actions::signal::Signal;
use hubbub_core::actions::target::{RoomOrChannel, RoomOrUser};
use hubbub_core::actions::unban::Unban;
use hubbub_core::actions::who::Who;
use hubbub_core::actions::{Caller, ClientAction, ClientFrame};
use hubbub_core::transport::API_GATEWAY;
use hubbub_core::wire::channel::Channel;
use hubbub_core::wire::codes::ErrorCode;
use hubbub_core::wire::command::{Command, ModerationCommand};
use hubbub_core::wire::fields::MAX_SIGNAL_BYTES;
use hubbub_core::wire::id::{MessageId, RoomId, UserId};
use hubbub_core::wire::message::{Body, Message, Seq, SignalBody};
use hubbub_core::wire::queue_message::QueueMessage;
use hubbub_core::wire::server_frame::{Answer, MAX_HISTORY, MAX_REF_CHARS, MAX_SMALL_ROOM, ServerFrame};
use serde_json::Value;

use crate::batch::{Sent, deliver_all};
use crate::envelope::check_message;
use crate::stage::{MAX_BODY_BYTES, NOW, Stage, sender};

/// The most frames that are answered on a stage.
const MAX_FRAMES: usize = 12;

/// The longest text for people, in bytes.
const MAX_SENTENCE_BYTES: usize = 1_024;

/// Every code that PROTOCOL.md has.
const CODES: [&str; 14] = [
    "not_json",
    "unknown_action",
    "missing_field",
    "wrong_field",
    "invalid_id",
    "body_too_large",
    "not_a_member",
    "not_allowed",
    "not_connected",
    "banned",
    "too_fast",
    "too_many_rooms",
    "too_many_members",
    "unavailable",
];

/// Answers any frames, one after the other: each has an answer that can be sent, says what PROTOCOL.md has for it, and does what it says
/// and nothing else. Whatever is put on the queue can be delivered.
pub fn client_frame(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let stage = Stage::with_a_log();
    for line in text.split('\n').take(MAX_FRAMES) {
        let (name, frame) = line.split_once("> ").filter(|(name, _)| is_name(name)).unwrap_or(("alice", line));
        check_answer(&stage, &sender(name), frame);
    }
    check_queue(&stage);
}

fn is_name(text: &str) -> bool {
    matches!(text, "alice" | "root" | "late" | "stranger")
}

/// What has happened outside by now: envelopes, moderation commands, and the sender's channels.
#[derive(PartialEq, Eq, Debug)]
struct Effects {
    enqueued: usize,
    commands: usize,
    channels: BTreeSet<Channel>,
}

impl Effects {
    fn of(stage: &Stage, caller: &Caller) -> Self {
        let seen = stage.ports.services.seen();
        let channels = stage.memberships(&caller.connection).into_iter().collect();
        Self { enqueued: seen.enqueued.len(), commands: seen.commands.len(), channels }
    }
}

/// Answers a frame and checks the answer; gives it back.
pub(crate) fn check_answer(stage: &Stage, caller: &Caller, text: &str) -> Option<Answer> {
    // API Gateway closes the socket.
    if text.len() > API_GATEWAY.max_frame_bytes {
        return None;
    }
    let before = Effects::of(stage, caller);
    let answer = block_on(stage.client_handler().answer(caller, text));
    let after = Effects::of(stage, caller);
    check_form(&answer, text);
    let has_ended = caller.until.0 <= NOW;
    assert_eq!(matches!(answer.frame, ServerFrame::Closing { .. }), has_ended, "{text}");
    if has_ended {
        assert_eq!(after, Effects { channels: BTreeSet::new(), ..before });
        return Some(answer);
    }
    match ClientFrame::parse(text, MAX_BODY_BYTES, API_GATEWAY.max_frame_bytes) {
        Ok(ClientFrame { reference, action }) => {
            assert_eq!(answer.reference, reference, "{text}");
            check_action(stage, caller, &action, &answer.frame, (&before, &after));
        }
        Err(refused) => {
            assert_eq!(answer, refused.into());
            assert_eq!(before, after, "a frame that was refused has done something: {text}");
        }
    }
    Some(answer)
}

/// The answer can be sent, and is of the form that PROTOCOL.md has.
fn check_form(answer: &Answer, text: &str) {
    let bytes = serde_json::to_string(answer).unwrap().len();
    assert!(bytes <= API_GATEWAY.max_frame_bytes, "{bytes} bytes are the answer to {} bytes", text.len());
    if let ServerFrame::Error { code, message, .. } = &answer.frame {
        let code = serde_json::to_value(code).unwrap();
        assert!(CODES.iter().any(|known| code == *known), "PROTOCOL.md does not know {code}");
        assert!(!message.is_empty() && message.len() <= MAX_SENTENCE_BYTES, "{} bytes for people", message.len());
    }
    // Another reader, which is stricter, agrees on the reference.
    if let Ok(Value::Object(frame)) = serde_json::from_str(text)
        && let Some(reference) = frame.get("ref").and_then(Value::as_str)
        && reference.chars().count() <= MAX_REF_CHARS
        && !matches!(answer.frame, ServerFrame::Closing { .. })
    {
        assert_eq!(answer.reference.as_deref(), Some(reference), "{text}");
    }
}

/// What was to be done was done, or an error says that it was not.
fn check_action(
    stage: &Stage,
    caller: &Caller,
    action: &ClientAction,
    answer: &ServerFrame<'_>,
    (before, after): (&Effects, &Effects),
) {
    let Effects { enqueued, commands, .. } = *before;
    let is_in = |channel: &Channel| after.channels.contains(channel);
    let mut expected = Effects { enqueued, commands, channels: after.channels.clone() };
    match (action, answer) {
        (
            ClientAction::Join(Join { channel: RoomOrChannel(channel), since, epoch, presence }),
            ServerFrame::Joined { channel: joined, head, recovered, messages, more, presence: there, .. },
        ) => {
            assert_eq!(channel, joined);
            assert!(is_in(channel) && after.channels.len() <= before.channels.len() + 1);
            assert_eq!(recovered.is_some(), since.is_some());
            assert_eq!(there.is_some(), *presence == Some(true));
            if let Some(users) = there.as_ref().and_then(|there| there.users.as_ref()) {
                assert!(users.contains(&caller.user) && users.len() <= MAX_SMALL_ROOM);
            }
            let state = stage.state(channel).unwrap();
            let is_same_epoch = epoch.as_ref().is_none_or(|epoch| *epoch == state.epoch);
            assert!(is_same_epoch || *recovered != Some(true), "recovered from another epoch");
            if let (Some(since), Some(messages), Some(more)) = (since, messages, more) {
                assert_eq!(*recovered, Some(true));
                check_run(messages, *since, *head, *more);
            }
        }
        (ClientAction::Leave(Leave { room }), ServerFrame::Left { channel, reason: None }) => {
            assert_eq!(*channel, Channel::Room(room.clone()));
            assert!(!is_in(channel));
        }
        (
            ClientAction::Publish(Publish { room, body, id, receipt }),
            ServerFrame::Accepted { id: accepted, channel: to },
        ) => {
            expected.enqueued += 1;
            let channel = Channel::Room(room.clone());
            check_enqueued(stage, caller, (&channel, body, id.as_ref(), *receipt), (accepted, to));
            assert!(is_in(&channel), "published by a stranger");
        }
        (
            ClientAction::Direct(Direct { to: user, body, id, receipt }),
            ServerFrame::Accepted { id: accepted, channel: to },
        ) => {
            expected.enqueued += 1;
            let channel = Channel::User(user.clone());
            check_enqueued(stage, caller, (&channel, body, id.as_ref(), *receipt), (accepted, to));
        }
        (
            ClientAction::Signal(Signal { to: RoomOrUser(channel), body: SignalBody(body) }),
            ServerFrame::Signalled { channel: to, delivered },
        ) => {
            assert_eq!(channel, to);
            assert!(!matches!(channel, Channel::Room(_)) || is_in(channel), "signalled by a stranger");
            assert!(body.as_str().len() <= MAX_SIGNAL_BYTES && *delivered <= MAX_SMALL_ROOM as u64);
        }
        (
            ClientAction::History(History { channel: RoomOrChannel(channel), before, limit }),
            ServerFrame::History { messages, channel: read, .. },
        ) => {
            assert!(channel == read && is_in(channel));
            assert!(messages.len() <= limit.map_or(DEFAULT_HISTORY, |limit| limit.get()).min(MAX_HISTORY));
            assert!(messages.is_sorted_by_key(|message| message.seq));
            assert!(messages.iter().all(|message| before.is_none_or(|before| message.seq < before)));
        }
        (ClientAction::Who(Who { room }), ServerFrame::Members { channel, users, .. }) => {
            assert_eq!(*channel, Channel::Room(room.clone()));
            assert!(is_in(channel) && users.contains(&caller.user));
        }
        (action, ServerFrame::CommandAccepted { channel, command, user }) => {
            expected.commands += 1;
            let asked = moderation(caller, action).unwrap_or_else(|| panic!("{action:?} is no moderation command"));
            assert_eq!(
                (&asked.channel, asked.command.name(), asked.command.user()),
                (channel, *command, user.as_ref())
            );
            assert_eq!(stage.ports.services.seen().commands.last(), Some(&asked));
        }
        (ClientAction::Ping(Ping { seen }), ServerFrame::Pong { rejoin, .. }) => {
            let seen = seen.clone().unwrap_or_default();
            for (channel, position) in &seen {
                let state = stage.state(channel);
                let is_new = state.is_some_and(|state| state.epoch == position.epoch && position.seq >= state.head);
                assert_eq!(rejoin.contains(channel), !(is_new && is_in(channel)), "{channel}: {position:?}");
            }
            assert!(rejoin.iter().all(|channel| seen.contains_key(channel)));
        }
        (
            ClientAction::Publish(Publish { id, .. }) | ClientAction::Direct(Direct { id, .. }),
            ServerFrame::Error { id: about, .. },
        ) => assert_eq!(id, about),
        (_, ServerFrame::Error { code, .. }) => assert!(*code != ErrorCode::Unavailable, "nothing has failed"),
        (action, answer) => panic!("{answer:?} is no answer to {action:?}"),
    }
    let has_changed = matches!(answer, ServerFrame::Joined { .. } | ServerFrame::Left { .. });
    assert!(has_changed || before.channels == after.channels, "{action:?} has changed memberships");
    assert_eq!(*after, expected, "{action:?} has done something else");
    for channel in after.channels.difference(&before.channels) {
        check_allowed(caller, channel);
    }
}

/// A message is on the queue as it was published, and the answer names it.
fn check_enqueued(
    stage: &Stage,
    caller: &Caller,
    (channel, body, id, receipt): (&Channel, &Body, Option<&MessageId>, Option<bool>),
    (accepted, to): (&MessageId, &Channel),
) {
    let seen = stage.ports.services.seen();
    let envelope = seen.enqueued.last().unwrap();
    assert_eq!((&envelope.channel, &envelope.from, &envelope.body), (channel, &caller.user, body));
    assert_eq!((&envelope.id, envelope.receipt.is_some(), to), (accepted, receipt == Some(true), channel));
    assert!(id.is_none_or(|id| id == accepted));
}

/// The command that a moderation action asks for, where it must hold.
fn moderation(caller: &Caller, action: &ClientAction) -> Option<ModerationCommand> {
    let in_room = |room: &RoomId| Channel::Room(room.clone());
    let about = |room: &Option<RoomId>, user: &UserId| match room {
        Some(room) => in_room(room),
        None => Channel::User(user.clone()),
    };
    let (channel, command) = match action.clone() {
        ClientAction::Kick(Kick { room, user }) => (about(&room, &user), Command::Kick { user }),
        ClientAction::Ban(Ban { room, user, until }) => (about(&room, &user), Command::Ban { user, until }),
        ClientAction::Unban(Unban { room, user }) => (about(&room, &user), Command::Unban { user }),
        ClientAction::Delete(Delete { room, seq }) => (in_room(&room), Command::Delete { seq }),
        ClientAction::Close(Close { room, erase }) => (in_room(&room), Command::Close { erase: erase == Some(true) }),
        ClientAction::Open(Open { room }) => (in_room(&room), Command::Open),
        _ => return None,
    };
    Some(ModerationCommand { channel, from: caller.user.clone(), command })
}

/// Messages that were missed have no hole, from the last that was seen to the head.
fn check_run(messages: &[Message], since: Seq, head: Seq, more: bool) {
    let seqs: Vec<u64> = messages.iter().map(|message| message.seq.0).collect();
    let last = seqs.last().copied().unwrap_or(since.0);
    assert!(seqs.into_iter().eq(since.0 + 1..=last), "there is a hole after {since}");
    assert_eq!(more, last < head.0, "the head is {head}, and {last} was reached");
}

/// A user is only in channels that its token grants.
fn check_allowed(caller: &Caller, channel: &Channel) {
    let is_allowed = match (caller.user.as_str(), channel) {
        ("root", Channel::Room(_)) => true,
        ("alice", Channel::Room(room)) => room.as_str() == "lobby" || room.as_str().starts_with("team-"),
        (_, Channel::Room(room)) => room.as_str() == "lobby",
        (name, Channel::User(user)) => user.as_str() == name,
        (_, Channel::Everyone) => true,
    };
    assert!(is_allowed, "{} is in {channel}", caller.user);
}

/// What clients have put on the queue is what the queue's readers read, and is delivered.
fn check_queue(stage: &Stage) {
    let seen = stage.ports.services.seen();
    let messages = seen.enqueued.iter().map(|one| (&one.channel, one.to_json().unwrap()));
    let commands = seen.commands.iter().map(|one| (&one.channel, one.to_json().unwrap()));
    let wakes = seen.woken.iter().map(|(channel, _)| (channel, QueueMessage::wake(channel.clone()).to_json().unwrap()));
    let sent: Vec<Sent> = messages
        .chain(commands)
        .chain(wakes)
        .map(|(channel, body)| Sent { group: channel.to_string(), body })
        .collect();
    for Sent { group, body } in &sent {
        check_message(&QueueMessage::parse(body, group, MAX_BODY_BYTES).unwrap(), body, group);
    }
    drop(seen);
    if sent.is_empty() {
        return;
    }
    // On a stage of its own, where nothing is in the logs yet.
    deliver_all(&Stage::new(), &sent, 10);
}
