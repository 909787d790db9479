//! What happens in the demo, in its order.

use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use aws_sdk_sfn::types::ExecutionStatus;
use futures::stream::{self, StreamExt, TryStreamExt};
use hubbub_core::channel::Channel;
use hubbub_core::id::{RoomId, UserId};
use hubbub_core::member::MIN_PRUNE_AGE;
use hubbub_tests::figures::counted;
use hubbub_tests::progress::Progress;
use hubbub_tests::service::{BATCH, Service};
use hubbub_tests::stack::Stack;
use hubbub_tests::{faults, inspect};
use tokio::time::sleep;
use ulid::Ulid;

use crate::Arguments;
use crate::crowd::Crowd;
use crate::executions::{Executions, Summary};
use crate::ledger::Pairs;
use crate::names::{AWAY, ROOM, SERVICE, Topic, user_of};
use crate::report::{Figures, Report};

/// Users who get a direct message, at most, besides the one who is away.
const DIRECT: u32 = 19;
/// Direct messages that are sent at once.
const AT_ONCE: usize = 8;
/// The socket that publishes.
const PUBLISHER: u32 = 0;
/// How long the demo waits while nothing at all happens.
const PATIENCE: Duration = Duration::from_secs(30);
/// Messages that are named, of those that are missing.
const EXAMPLES: usize = 3;
/// How often it looks.
const GLANCE: Duration = Duration::from_millis(200);
/// How often it asks the stack.
const LOOK: Duration = Duration::from_secs(1);

/// Plays it all, and reports.
///
/// # Errors
/// Fails if a step can't be done. What doesn't arrive is not an error but a figure of the report.
pub(crate) async fn play(stack: &Stack, arguments: &Arguments) -> anyhow::Result<Report> {
    let mut progress = Progress::new();
    let crowd = Crowd::new(stack, Ulid::new().to_string()).await?;
    let executions = Executions::from_now(stack).await?;
    let mut play = Play {
        stack,
        arguments,
        service: Service::new(stack, SERVICE),
        room: Channel::Room(RoomId::parse(ROOM)?),
        doomed: last_with_one_device(arguments.clients).context("there's no user with one device to cut off")?,
        pruned: false,
        crowd,
        executions,
        surprises: Vec::new(),
    };
    let played = play.run(&mut progress).await;
    // Whatever happened: the stack may go on living.
    faults::keep_disconnects(stack).await?;
    played?;
    let report = play.report().await;
    progress.begin("closing the sockets", 1);
    play.crowd.close().await;
    progress.finish();
    report
}

/// The last socket, other than the publisher's, whose user has no other.
fn last_with_one_device(clients: u32) -> Option<u32> {
    let is_alone = |socket: &u32| {
        let neighbours = [socket.checked_sub(1), socket.checked_add(1).filter(|next| *next < clients)];
        !neighbours.into_iter().flatten().any(|other| user_of(other) == user_of(*socket))
    };
    (PUBLISHER + 1..clients).rev().find(is_alone)
}

struct Play<'a> {
    stack: &'a Stack,
    arguments: &'a Arguments,
    crowd: Crowd,
    service: Service,
    executions: Executions,
    room: Channel,
    /// The socket that is cut off.
    doomed: u32,
    pruned: bool,
    surprises: Vec<String>,
}

impl Play<'_> {
    async fn run(&mut self, progress: &mut Progress) -> anyhow::Result<()> {
        let Arguments { clients, messages, .. } = *self.arguments;
        // A burst is one burst; otherwise half of the messages come after the cut.
        let first = if self.arguments.burst { messages } else { messages / 2 };

        progress.begin("connecting", clients.into());
        // First, so that it is old enough to be pruned by the time that it is cut off.
        self.crowd.connect(std::iter::once(self.doomed), |done| progress.reach(done)).await?;
        let others = (0..clients).filter(|socket| *socket != self.doomed);
        self.crowd.connect(others, |done| progress.reach(done)).await?;

        progress.begin("joining the room", clients.into());
        self.crowd.join_room(|done| progress.reach(done)).await?;
        self.check_members(clients).await?;

        progress.begin("a service sends direct messages", 1);
        let away = self.send_direct_messages().await?;

        if self.arguments.burst {
            progress.begin("a service sends a burst to the room", messages.into());
            self.send_burst(progress).await?;
        } else {
            progress.begin("a client publishes to the room", messages.into());
            self.publish(0..first, progress).await?;
        }

        progress.begin("cutting a client off without a goodbye", 1);
        faults::lose_disconnects(self.stack).await?;
        self.crowd.cut(self.doomed).await?;

        progress.begin("the user who was away connects", 1);
        self.connect_away(away).await?;
        self.wait_for_age(progress).await?;

        if first < messages {
            progress.begin("a client publishes to the room", messages.into());
            self.publish(first..messages, progress).await?;
        }

        progress.begin("a service broadcasts to everyone", 1);
        self.crowd.seen().ledger.expect_everyone();
        let body = serde_json::json!({"text": "the demo is about to close"});
        let id = Topic::Everyone.id(self.crowd.run());
        self.service.send(&Channel::Everyone.to_string(), &id, &body).await?;

        self.wait_for_all(progress).await
    }

    /// The table should know every client that joined.
    async fn check_members(&mut self, clients: u32) -> anyhow::Result<()> {
        let members = inspect::members(self.stack, &self.room).await?;
        let doomed = user_of(self.doomed);
        if !members.iter().any(|member| member.user.as_str() == doomed) {
            bail!("`{doomed}` has joined the room, but the table doesn't have it as a member");
        }
        if members.len() != clients as usize {
            self.surprises
                .push(format!("{clients} clients joined the room, and the table has {} members.", members.len()));
        }
        Ok(())
    }

    /// Sends a message to some users who are there and to one who isn't; gives the number of the last.
    async fn send_direct_messages(&self) -> anyhow::Result<u32> {
        let mut users: Vec<String> = Vec::new();
        for socket in (0..self.arguments.clients).filter(|socket| *socket != self.doomed) {
            let user = user_of(socket);
            let number = users.iter().position(|other| *other == user);
            if number.is_none() && users.len() < DIRECT as usize {
                users.push(user.clone());
            }
            if let Some(number) = users.iter().position(|other| *other == user) {
                self.crowd.seen().ledger.expect(socket, Topic::Direct(u32::try_from(number)?));
            }
        }
        users.push(AWAY.to_owned());
        let away = u32::try_from(users.len() - 1)?;
        let sending = (0..).zip(&users).map(|(number, user)| {
            let id = Topic::Direct(number).id(self.crowd.run());
            async move {
                let body = serde_json::json!({"text": format!("this is for {user} alone")});
                self.service.send(&format!("user:{user}"), &id, &body).await
            }
        });
        stream::iter(sending.collect::<Vec<_>>()).buffer_unordered(AT_ONCE).try_collect::<()>().await?;
        Ok(away)
    }

    /// Puts all of the room's messages on the queue, in their order.
    async fn send_burst(&self, progress: &mut Progress) -> anyhow::Result<()> {
        let numbers: Vec<u32> = (0..self.arguments.messages).collect();
        for batch in numbers.chunks(BATCH) {
            let messages: Vec<_> = batch.iter().map(|number| self.crowd.announce(*number)).collect();
            self.service.send_batch(&self.room.to_string(), &messages).await?;
            progress.reach(batch.last().map_or(0, |number| u64::from(*number) + 1));
        }
        Ok(())
    }

    async fn publish(&self, numbers: std::ops::Range<u32>, progress: &mut Progress) -> anyhow::Result<()> {
        for number in numbers {
            self.crowd
                .publish(PUBLISHER, number)
                .await
                .with_context(|| format!("message {number} can't be published"))?;
            progress.reach(u64::from(number) + 1);
        }
        Ok(())
    }

    /// Waits until the message is in the log, where the user was not, and connects the user.
    async fn connect_away(&mut self, number: u32) -> anyhow::Result<()> {
        let channel = Channel::User(UserId::parse(AWAY)?);
        let deadline = Instant::now() + PATIENCE;
        while inspect::head(self.stack, &channel).await? == 0 {
            if Instant::now() > deadline {
                bail!("the direct message to `{AWAY}` is not in the log after {PATIENCE:?}");
            }
            sleep(GLANCE).await;
        }
        let socket = self.arguments.clients;
        self.crowd.seen().ledger.expect(socket, Topic::Direct(number));
        self.crowd.connect_late(socket, AWAY).await
    }

    /// A member is not pruned while it is young, because a post before the handshake has finished is answered as one to a socket that has
    /// gone. The posts that should prune it must come later.
    async fn wait_for_age(&mut self, progress: &mut Progress) -> anyhow::Result<()> {
        let age = self.crowd.member(self.doomed)?.connected.elapsed();
        let rest = (MIN_PRUNE_AGE + GLANCE).saturating_sub(age);
        if rest > Duration::ZERO {
            progress.begin("waiting until the one cut off may be pruned", 1);
            self.surprises.push(format!(
                "The client that was cut off was {:.1} s old and nobody is pruned before {} s, so the demo waited for {:.1} s.",
                age.as_secs_f64(),
                MIN_PRUNE_AGE.as_secs(),
                rest.as_secs_f64()
            ));
            sleep(rest).await;
        }
        Ok(())
    }

    /// Waits until everything is there, the executions have ended and the one cut off is pruned; or until nothing has happened for long.
    async fn wait_for_all(&mut self, progress: &mut Progress) -> anyhow::Result<()> {
        let Pairs { expected, .. } = self.pairs();
        progress.begin("waiting until everything has arrived", expected);
        let mut last = (Instant::now(), 0);
        let mut next_look = Instant::now();
        loop {
            let Pairs { delivered, missing, .. } = self.pairs();
            progress.reach(delivered);
            let recorded = self.crowd.seen().ledger.recorded();
            if recorded != last.1 {
                last = (Instant::now(), recorded);
            }
            if missing == 0 && Instant::now() >= next_look {
                next_look = Instant::now() + LOOK;
                if self.is_settled().await? {
                    return Ok(());
                }
            }
            if last.0.elapsed() > PATIENCE {
                self.surprises
                    .push(format!("Nothing happened for {} s, so the demo stopped waiting.", PATIENCE.as_secs()));
                self.is_settled().await?;
                return Ok(());
            }
            sleep(GLANCE).await;
        }
    }

    /// All pairs of a message and a socket, whatever kind of message it is.
    fn pairs(&self) -> Pairs {
        let seen = self.crowd.seen();
        let all = [seen.ledger.room(), seen.ledger.direct(), seen.ledger.everyone()];
        Pairs {
            expected: all.iter().map(|pairs| pairs.expected).sum(),
            delivered: all.iter().map(|pairs| pairs.delivered).sum(),
            missing: all.iter().map(|pairs| pairs.missing).sum(),
        }
    }

    async fn is_settled(&mut self) -> anyhow::Result<bool> {
        let doomed = user_of(self.doomed);
        let members = inspect::members(self.stack, &self.room).await?;
        self.pruned = !members.iter().any(|member| member.user.as_str() == doomed);
        let executions = self.executions.read(self.stack).await?;
        Ok(self.pruned && executions.iter().all(|execution| execution.status != ExecutionStatus::Running))
    }

    async fn report(&mut self) -> anyhow::Result<Report> {
        let executions = self.executions.read(self.stack).await?;
        let of_room = Summary::of(&executions, &self.room);
        let counters = self.crowd.counters(&hubbub_client::Channel::room(ROOM));
        let mut figures = {
            let seen = self.crowd.seen();
            let room = seen.ledger.room();
            let mut figures = Figures {
                clients: self.arguments.clients,
                messages: self.arguments.messages,
                expected: room.expected,
                delivered: room.delivered,
                missing: room.missing,
                duplicates: counters.duplicates,
                out_of_order: seen.ledger.out_of_order(),
                executions: of_room.count,
                rounds: of_room.totals.rounds,
                pages: of_room.totals.pages,
                posts: counters.frames,
                posts_per_member: self.crowd.most_frames(&hubbub_client::Channel::room(ROOM)),
                direct: seen.ledger.direct(),
                everyone: seen.ledger.everyone(),
                ..Figures::default()
            };
            figures.set_latencies(&seen.ledger.latencies());
            figures
        };
        figures.pruned = u64::from(self.pruned);

        let mut surprises = std::mem::take(&mut self.surprises);
        surprises.extend(self.ways(&figures));
        surprises.extend(of_room.surprises(&self.room));
        surprises.extend(Summary::of(&executions, &Channel::Everyone).surprises(&Channel::Everyone));
        surprises.extend(self.oddities(&figures, counters));
        let members = inspect::members(self.stack, &self.room).await?.len();
        let staying = self.arguments.clients as usize - 1;
        if self.pruned && members != staying {
            surprises.push(format!("The room should have {staying} members now, and has {members}."));
        }
        let dead = inspect::dead_letters(self.stack).await?;
        if dead > 0 {
            surprises.push(format!("The dead-letter queue holds {}.", counted(dead, "message")));
        }
        Ok(Report { figures, surprises })
    }

    /// Whether the room went the way that its size asks for.
    fn ways(&self, figures: &Figures) -> Vec<String> {
        let Arguments { clients, inline_limit, .. } = *self.arguments;
        let mut sentences = Vec::new();
        if clients <= inline_limit && figures.executions == 0 {
            sentences.push(format!(
                "With {clients} members and a limit of {inline_limit}, `deliver` posted by itself and no execution ran."
            ));
        } else if clients <= inline_limit {
            sentences
                .push(format!("With {clients} members and a limit of {inline_limit}, no execution should have run."));
        } else if figures.executions == 0 {
            sentences.push(format!(
                "With {clients} members and a limit of {inline_limit}, an execution should have run, and none has."
            ));
        } else if figures.pages < 2 {
            sentences.push("The broadcast should have had at least two pages.".to_owned());
        }
        sentences
    }

    /// What the clients met with that a smooth run doesn't have.
    fn oddities(&self, figures: &Figures, counters: hubbub_client::Counters) -> Vec<String> {
        let mut sentences = Vec::new();
        let seen = self.crowd.seen();
        let lacking = seen.ledger.lacking();
        for (number, sockets) in lacking.iter().take(EXAMPLES) {
            sentences.push(format!("Message {number} of the room is missing at {}.", counted(*sockets, "socket")));
        }
        let more = lacking.len().saturating_sub(EXAMPLES) as u64;
        if more > 0 {
            sentences.push(format!("So it is with {} more.", counted(more, "message")));
        }
        if !self.pruned {
            sentences.push("The client that was cut off is still a member of the room.".to_owned());
        }
        if figures.duplicates > 0 {
            let count = counted(figures.duplicates, "message");
            sentences.push(format!("Clients dropped {count} that they had already."));
        }
        if counters.early > 0 {
            let count = counted(counters.early, "message");
            sentences.push(format!("Clients held back {count} that came before an earlier one."));
        }
        if counters.recovered > 0 {
            let count = counted(counters.recovered, "message");
            sentences.push(format!("Clients asked for {count} that had not come by themselves."));
        }
        sentences.extend(seen.oddities.sentences());
        sentences
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_client_that_is_cut_off_has_no_second_device_and_does_not_publish() {
        assert_eq!(last_with_one_device(3), Some(2));
        assert_eq!(last_with_one_device(10), Some(9));
        assert_eq!(last_with_one_device(11), Some(8));
        assert_eq!(last_with_one_device(200), Some(199));
        assert_eq!(last_with_one_device(1), None);
    }
}
