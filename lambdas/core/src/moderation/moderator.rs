//! Carrying out moderation commands. They come from services by the publish queue, where IAM is the guard, and from clients with the grant
//! `admin` by the same queue, in the order of their channel's messages.

use std::time::Duration;

use tracing::field::display;

use super::closure;
use super::expulsion::{self, Expulsion};
use crate::log::append::{LookBack, NewMessage, append};
use crate::ports::{Bans, Clock, Ids, Log, Members, Meter, PortResult, Poster};
use crate::wire::channel::Channel;
use crate::wire::command::{Command, ModerationCommand};
use crate::wire::id::{MessageId, UserId};
use crate::wire::message::{Closure, Content};
use crate::wire::time::Timestamp;

/// A moderation command as it came from the queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceivedCommand {
    /// The command.
    pub command: ModerationCommand,
    /// The id of the notice that it leaves in the log: the same at each delivery of the command.
    pub id: MessageId,
    /// When the queue took it.
    pub at: Timestamp,
}

/// Carries out moderation commands.
#[derive(Debug)]
pub struct Moderator<'a, S, P, E> {
    /// The bans, the logs and the members.
    pub store: &'a S,
    /// The sockets.
    pub poster: &'a P,
    /// Time, fresh ids, and a meter.
    pub env: &'a E,
    /// How long a notice is kept.
    pub retention: Duration,
    /// When to stop, and leave the rest to the command's next delivery.
    pub deadline: Timestamp,
}

impl<S: Bans + Log + Members, P: Poster, E: Clock + Ids + Meter> Moderator<'_, S, P, E> {
    /// Carries out a command. Carrying it out again changes nothing. Each time leaves an audit line.
    ///
    /// # Errors
    /// When the store can't be reached, or time is up. The queue then delivers the command again.
    pub async fn carry_out(&self, received: &ReceivedCommand) -> PortResult<()> {
        let ModerationCommand { channel, command, from } = &received.command;
        let affected = match command {
            Command::Kick { user } => self.expel(channel, user, Expulsion::Kick).await?,
            Command::Ban { user, until } => self.expel(channel, user, Expulsion::Ban { until: *until }).await?,
            Command::Unban { user } => self.expel(channel, user, Expulsion::Unban).await?,
            Command::Delete { seq } => {
                let deleted = closure::delete(self.store, channel, *seq).await?;
                if deleted > 0 {
                    self.tell(received, Content::Deleted(*seq)).await?;
                }
                deleted
            }
            Command::Close { erase } => {
                closure::close(self.store, self.env, channel).await?;
                let closure = if *erase { Closure::Erased } else { Closure::Kept };
                self.tell(received, Content::Closed(closure)).await?;
                match closure {
                    Closure::Kept => 0,
                    Closure::Erased => {
                        let notice = (from, &received.id);
                        closure::erase_before(self.store, self.env, channel, notice, self.deadline).await?
                    }
                }
            }
            Command::Open => {
                self.store.set_closed(channel, false).await?;
                0
            }
        };
        let seq = if let Command::Delete { seq } = command { Some(seq.0) } else { None };
        let (audit, user) = (command.name().as_str(), command.user().map(display));
        tracing::warn!(audit, %channel, user, seq, %from, affected, "moderation command carried out");
        Ok(())
    }

    async fn expel(&self, channel: &Channel, user: &UserId, expulsion: Expulsion) -> PortResult<u64> {
        expulsion::expel(self.store, self.poster, self.env, channel, user, expulsion).await
    }

    /// Appends a notice to the log, so that every member learns in order what happened, also one that is away.
    async fn tell(&self, ReceivedCommand { command, id, at }: &ReceivedCommand, content: Content) -> PortResult<()> {
        let notice = NewMessage { id: id.clone(), from: command.from.clone(), content, receipt: None, at: *at };
        append(self.store, self.env, &command.channel, &[notice], LookBack::Newest, self.retention).await
    }
}
