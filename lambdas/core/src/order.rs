//! Orders: who is to leave, what is to be gone, and which rooms are closed. They come from services by the publish queue, where IAM is
//! the guard, and from clients with the capability `admin`, by the same queue, in the order of their channel's messages.
//!
//! Every order leaves an audit line when it is carried out. Carrying it out again changes nothing.

use std::time::Duration;

use tracing::field::display;

use crate::append::{Arrival, LookBack, append};
use crate::channel::Channel;
use crate::closure;
use crate::expulsion::{self, Expulsion};
use crate::id::{MessageId, UserId};
use crate::message::{Closure, Content, Seq};
use crate::object::{Malformed, Object};
use crate::ports::{Bans, Clock, Ids, Log, Members, Meter, PortResult, Poster};
use crate::time::Timestamp;

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// A user leaves, or may come back.
    Expel {
        /// The user.
        user: UserId,
        /// How.
        expulsion: Expulsion,
    },
    /// A message's body is gone.
    Delete {
        /// The message.
        seq: Seq,
    },
    /// A room has no members any more, and takes none.
    Close {
        /// What becomes of its log.
        closure: Closure,
    },
    /// A room that was closed takes members again.
    Open,
}

impl Command {
    /// What it may be called.
    const NAMES: &str = "`kick`, `ban`, `unban`, `delete`, `close` or `open`";

    /// Reads it by its name, with the fields that it needs.
    pub(crate) fn read(name: &str, object: &Object) -> Result<Self, Malformed> {
        let expel = |expulsion| Ok(Self::Expel { user: object.id("user", UserId::parse)?, expulsion });
        match name {
            "kick" => expel(Expulsion::Kick),
            "ban" => expel(Expulsion::Ban { until: object.required("until", "a time in milliseconds since 1970")? }),
            "unban" => expel(Expulsion::Unban),
            "delete" => Ok(Self::Delete { seq: object.optional_seq("seq")?.ok_or(Malformed::Missing("seq"))? }),
            "close" => {
                let closure = if object.flag("erase")? { Closure::Erased } else { Closure::Kept };
                Ok(Self::Close { closure })
            }
            "open" => Ok(Self::Open),
            _ => Err(Malformed::Wrong { field: "order", expected: Self::NAMES }),
        }
    }

    /// Its name, as on the wire and in audit lines.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Expel { expulsion, .. } => expulsion.name(),
            Self::Delete { .. } => "delete",
            Self::Close { .. } => "close",
            Self::Open => "open",
        }
    }

    /// The user that it is about, if it is about one.
    #[must_use]
    pub const fn user(&self) -> Option<&UserId> {
        match self {
            Self::Expel { user, .. } => Some(user),
            Self::Delete { .. } | Self::Close { .. } | Self::Open => None,
        }
    }
}

/// A command and where it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Where it holds: for a user, in a room, or everywhere, which is in the user's own channel.
    pub channel: Channel,
    /// What is to be done.
    pub command: Command,
    /// Who gives it.
    pub from: UserId,
}

impl Order {
    /// The channel of an order about a user that holds everywhere.
    #[must_use]
    pub fn everywhere(user: &UserId) -> Channel {
        Channel::User(user.clone())
    }

    /// An order, if its command can hold in the channel.
    pub(crate) fn new(channel: Channel, command: Command, from: UserId) -> Result<Self, Malformed> {
        let expected = match &command {
            Command::Delete { .. } => None,
            Command::Expel { user, .. } if channel == Self::everywhere(user) => None,
            _ if matches!(channel, Channel::Room(_)) => None,
            Command::Expel { .. } => Some("a room, or `user:<id>` of the order's user"),
            Command::Close { .. } | Command::Open => Some("a room"),
        };
        match expected {
            Some(expected) => Err(Malformed::Wrong { field: "channel", expected }),
            None => Ok(Self { channel, command, from }),
        }
    }
}

/// An order as it came from the queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceivedOrder {
    /// The order.
    pub order: Order,
    /// The id of what it leaves in the log: the same whenever the queue delivers the order.
    pub id: MessageId,
    /// When the queue took it.
    pub at: Timestamp,
}

/// Carries out orders.
#[derive(Debug)]
pub struct Executive<'a, S, P, E> {
    /// The bans, the logs and the members.
    pub store: &'a S,
    /// The sockets.
    pub poster: &'a P,
    /// Time, fresh ids, and a meter.
    pub world: &'a E,
    /// How long what is told in the log stays there.
    pub retention: Duration,
    /// By when to be done, or to leave the rest to the order's next delivery.
    pub deadline: Timestamp,
}

impl<S: Bans + Log + Members, P: Poster, E: Clock + Ids + Meter> Executive<'_, S, P, E> {
    /// Carries out an order.
    ///
    /// # Errors
    /// When the store can't be reached, or time is up. The queue then delivers the order again.
    pub async fn carry_out(&self, received: &ReceivedOrder) -> PortResult<()> {
        let Order { channel, command, from } = &received.order;
        let affected = match command {
            Command::Expel { user, expulsion } => {
                expulsion::expel(self.store, self.poster, self.world, channel, user, *expulsion).await?
            }
            Command::Delete { seq } => {
                let deleted = closure::delete(self.store, channel, *seq).await?;
                if deleted > 0 {
                    self.tell(received, Content::Deleted(*seq)).await?;
                }
                deleted
            }
            Command::Close { closure } => {
                closure::close(self.store, self.world, channel).await?;
                self.tell(received, Content::Closed(*closure)).await?;
                match closure {
                    Closure::Kept => 0,
                    Closure::Erased => {
                        let notice = (from, &received.id);
                        closure::erase_before(self.store, self.world, channel, notice, self.deadline).await?
                    }
                }
            }
            Command::Open => {
                self.store.set_closed(channel, false).await?;
                0
            }
        };
        let seq = if let Command::Delete { seq } = command { Some(seq.0) } else { None };
        let user = command.user().map(display);
        tracing::warn!(audit = command.name(), %channel, user, seq, %from, affected, "order carried out");
        Ok(())
    }

    /// Puts what has happened into the log, so that every member learns it in its place, also one that is away.
    async fn tell(&self, ReceivedOrder { order, id, at }: &ReceivedOrder, content: Content) -> PortResult<()> {
        let arrival = Arrival { id: id.clone(), from: order.from.clone(), content, receipt: None, at: *at };
        append(self.store, self.world, &order.channel, &[arrival], LookBack::Newest, self.retention).await
    }
}

#[cfg(test)]
mod tests {
    use futures::executor::block_on;

    use super::*;
    use crate::id::Epoch;
    use crate::membership;
    use crate::memory::MemoryStore;
    use crate::ports::ReadLimit;
    use crate::testing::{Recorder, World, arrival, connection, room, user};

    const NOW: u64 = 1_000_000;
    const NEVER: Timestamp = Timestamp(u64::MAX);
    const RETENTION: Duration = Duration::from_secs(60);

    struct Stage {
        store: MemoryStore,
        poster: Recorder,
        world: World,
    }

    /// A room with a member and messages, oldest first.
    fn stage(ids: &[&str]) -> Stage {
        let stage = Stage { store: MemoryStore::default(), poster: Recorder::default(), world: World::at(NOW) };
        block_on(membership::join(&stage.store, &stage.world, &connection("a", "alice", NOW), &room("lobby"), 2_000))
            .unwrap();
        let arrivals: Vec<Arrival> = ids.iter().map(|id| arrival("alice", id)).collect();
        let channel = room("lobby");
        block_on(append(&stage.store, &stage.world, &channel, &arrivals, LookBack::Newest, RETENTION)).unwrap();
        stage
    }

    fn give(stage: &Stage, id: &str, command: Command, deadline: Timestamp) -> PortResult<()> {
        let order = Order::new(room("lobby"), command, user("mod")).unwrap();
        let received = ReceivedOrder { order, id: MessageId::parse(id).unwrap(), at: Timestamp(NOW) };
        let (store, poster, world) = (&stage.store, &stage.poster, &stage.world);
        let executive = Executive { store, poster, world, retention: RETENTION, deadline };
        block_on(executive.carry_out(&received))
    }

    /// What the log says: a body's text, or what has happened.
    fn log(stage: &Stage) -> Vec<String> {
        let limit = ReadLimit { messages: usize::MAX, bytes: usize::MAX };
        let epoch: Epoch = block_on(stage.store.state(&room("lobby"))).unwrap().unwrap().epoch;
        let messages = block_on(stage.store.read(&room("lobby"), &epoch, Seq::ZERO, limit, Timestamp(NOW))).unwrap();
        let content = |content: Content| match content {
            Content::Body(body) => body.as_str().to_owned(),
            Content::Deleted(seq) => format!("deleted {seq}"),
            Content::Closed(closure) => format!("closed {closure:?}"),
        };
        messages.into_iter().map(|message| content(message.content)).collect()
    }

    fn is_closed(stage: &Stage) -> bool {
        block_on(stage.store.state(&room("lobby"))).unwrap().unwrap().closed
    }

    #[test]
    fn a_deleted_messages_body_is_gone_and_members_are_told_in_the_log() {
        let stage = stage(&["m-1", "m-2"]);
        give(&stage, "o-1", Command::Delete { seq: Seq(1) }, NEVER).unwrap();
        assert_eq!(log(&stage), ["deleted 1", "\"m-2\"", "deleted 1"]);
    }

    #[test]
    fn what_is_not_there_is_not_deleted_and_nobody_is_told() {
        let stage = stage(&["m-1"]);
        give(&stage, "o-1", Command::Delete { seq: Seq(1) }, NEVER).unwrap();
        for seq in [0, 2, 3, u64::MAX] {
            give(&stage, "o-2", Command::Delete { seq: Seq(seq) }, NEVER).unwrap();
        }
        assert_eq!(log(&stage), ["deleted 1", "deleted 1"]);
    }

    #[test]
    fn a_closed_room_keeps_its_log_or_has_it_erased_without_a_hole() {
        let kept = stage(&["m-1", "m-2"]);
        give(&kept, "o-1", Command::Close { closure: Closure::Kept }, NEVER).unwrap();
        assert_eq!(log(&kept), ["\"m-1\"", "\"m-2\"", "closed Kept"]);
        assert!(is_closed(&kept));
        give(&kept, "o-2", Command::Open, NEVER).unwrap();
        assert!(!is_closed(&kept));
        let erased = stage(&["m-1", "m-2"]);
        give(&erased, "o-1", Command::Close { closure: Closure::Erased }, NEVER).unwrap();
        assert_eq!(log(&erased), ["deleted 1", "deleted 2", "closed Erased"]);
    }

    #[test]
    fn a_room_may_be_closed_before_anyone_has_used_it() {
        let stage = Stage { store: MemoryStore::default(), poster: Recorder::default(), world: World::at(NOW) };
        give(&stage, "o-1", Command::Close { closure: Closure::Kept }, NEVER).unwrap();
        assert!(is_closed(&stage));
    }

    #[test]
    fn an_order_that_is_repeated_changes_nothing() {
        let stage = stage(&["m-1", "m-2"]);
        for _ in 0..2 {
            give(&stage, "o-1", Command::Delete { seq: Seq(2) }, NEVER).unwrap();
        }
        for _ in 0..2 {
            give(&stage, "o-2", Command::Close { closure: Closure::Erased }, NEVER).unwrap();
        }
        assert_eq!(log(&stage), ["deleted 1", "deleted 2", "deleted 2", "closed Erased"]);
    }

    #[test]
    fn an_erasure_that_has_no_more_time_goes_on_when_it_is_delivered_again() {
        let ids: Vec<String> = (0..300).map(|number| format!("m-{number}")).collect();
        let stage = stage(&ids.iter().map(String::as_str).collect::<Vec<_>>());
        let close = Command::Close { closure: Closure::Erased };
        let error = give(&stage, "o-1", close.clone(), Timestamp(NOW)).unwrap_err();
        assert!(error.is_retryable(), "{error}");
        let gone = |stage: &Stage| log(stage).iter().filter(|entry| entry.starts_with("deleted")).count();
        assert_eq!(
            (gone(&stage), is_closed(&stage)),
            (255, true),
            "the first 256 entries read, one of which is the notice"
        );
        give(&stage, "o-1", close, NEVER).unwrap();
        assert_eq!(gone(&stage), 300);
    }
}
