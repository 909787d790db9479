//! The demo's steps, in their order.

use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use aws_sdk_sfn::types::ExecutionStatus;
use futures::stream::{self, StreamExt, TryStreamExt};
use hubbub_client::{Channel, Counters};
use hubbub_core::transport::API_GATEWAY;
use hubbub_core::wire::channel::Channel as CoreChannel;
use hubbub_core::wire::id::{RoomId, UserId};
use hubbub_ledger::{Balance, Missing};
use hubbub_tests::figures::counted;
use hubbub_tests::progress::Progress;
use hubbub_tests::record::{Ledger, head, read_logs, wait_for_balance};
use hubbub_tests::service::{BATCH, Service};
use hubbub_tests::stack::Stack;
use hubbub_tests::{faults, inspect};
use tokio::time::sleep;
use ulid::Ulid;

use crate::Arguments;
use crate::clients::Clients;
use crate::executions::{Executions, Summary};
use crate::names::{AWAY, ROOM, SERVICE, user_of};
use crate::report::{Figures, Pairs, Report};

/// Connected users who get a direct message, at most.
const DIRECT: usize = 19;
/// Direct messages that are sent at once.
const AT_ONCE: usize = 8;
/// The socket that publishes.
const PUBLISHER: u32 = 0;
/// How long the demo waits while nothing happens.
const PATIENCE: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(200);

/// Runs the demo, and reports.
///
/// # Errors
/// Fails if a step can't be done. A missing message is not an error but a figure of the report.
pub(crate) async fn run(stack: &Stack, arguments: &Arguments) -> anyhow::Result<Report> {
    let mut progress = Progress::new();
    let clients = Clients::new(stack, Ulid::new().to_string()).await?;
    let executions = Executions::from_now(stack).await?;
    let mut demo = Demo {
        stack,
        arguments,
        service: Service::new(stack, SERVICE),
        room: CoreChannel::Room(RoomId::parse(ROOM)?),
        cut: last_with_one_device(arguments.clients).context("there's no user with one device to cut off")?,
        pruned: false,
        clients,
        executions,
        surprises: Vec::new(),
    };
    let outcome = demo.run(&mut progress).await;
    // Also where a step failed: the stack may be used again.
    faults::keep_disconnects(stack).await?;
    outcome?;
    let report = demo.report().await;
    progress.begin("closing the sockets", 1);
    demo.clients.close().await;
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

struct Demo<'a> {
    stack: &'a Stack,
    arguments: &'a Arguments,
    clients: Clients,
    service: Service,
    executions: Executions,
    room: CoreChannel,
    /// The socket that is cut off.
    cut: u32,
    /// Whether its member row is gone.
    pruned: bool,
    surprises: Vec<String>,
}

impl Demo<'_> {
    async fn run(&mut self, progress: &mut Progress) -> anyhow::Result<()> {
        let Arguments { clients, messages, .. } = *self.arguments;
        // A burst is one burst; otherwise half of the messages come after the cut.
        let first = if self.arguments.burst { messages } else { messages / 2 };

        progress.begin("connecting", clients.into());
        // First, so that it is old enough to be pruned by the time that it is cut off.
        self.clients.connect(std::iter::once(self.cut), |done| progress.reach(done)).await?;
        let others = (0..clients).filter(|socket| *socket != self.cut);
        self.clients.connect(others, |done| progress.reach(done)).await?;

        progress.begin("joining the room", clients.into());
        self.clients.join_room(|done| progress.reach(done)).await?;
        self.check_members(clients).await?;

        progress.begin("a service sends direct messages", 1);
        self.send_direct_messages().await?;

        if self.arguments.burst {
            progress.begin("a service sends a burst to the room", messages.into());
            self.send_burst(progress).await?;
        } else {
            progress.begin("a client publishes to the room", messages.into());
            self.publish(0..first, progress).await?;
        }

        progress.begin("cutting a client off without a close frame", 1);
        faults::lose_disconnects(self.stack).await?;
        self.clients.cut(self.cut).await?;

        progress.begin("the offline user connects", 1);
        self.connect_offline_user().await?;
        self.wait_for_age(progress).await?;

        if first < messages {
            progress.begin("a client publishes to the room", messages.into());
            self.publish(first..messages, progress).await?;
        }

        progress.begin("a service broadcasts to everyone", 1);
        self.broadcast_to_everyone().await?;

        self.wait_for_all(progress).await
    }

    /// The table should know every client that joined.
    async fn check_members(&mut self, clients: u32) -> anyhow::Result<()> {
        let members = inspect::members(self.stack, &self.room).await?;
        let cut = user_of(self.cut);
        if !members.iter().any(|member| member.user.as_str() == cut) {
            bail!("`{cut}` has joined the room, but the table doesn't have it as a member");
        }
        if members.len() != clients as usize {
            self.surprises
                .push(format!("{clients} clients joined the room, and the table has {} members.", members.len()));
        }
        Ok(())
    }

    /// Sends a message to some connected users and to one who isn't.
    async fn send_direct_messages(&self) -> anyhow::Result<()> {
        let mut users: Vec<String> = Vec::new();
        for socket in (0..self.arguments.clients).filter(|socket| *socket != self.cut) {
            let user = user_of(socket);
            let is_known = users.contains(&user);
            if is_known || users.len() < DIRECT {
                // What comes after this is owed to the socket.
                let channel = Channel::user(&user);
                let after = head(self.stack, &channel).await?;
                self.clients.record.open().ledger.join(&socket, &channel, after);
                users.extend((!is_known).then_some(user));
            }
        }
        users.push(AWAY.to_owned());
        let sending = (0..).zip(&users).map(|(number, user)| async move {
            let body = serde_json::json!({"text": format!("this is for {user} alone")});
            self.send(&Channel::user(user), &self.clients.id("direct", number), &body).await
        });
        stream::iter(sending.collect::<Vec<_>>()).buffer_unordered(AT_ONCE).try_collect().await
    }

    async fn broadcast_to_everyone(&self) -> anyhow::Result<()> {
        let after = head(self.stack, &Channel::Everyone).await?;
        for socket in (0..=self.arguments.clients).filter(|socket| *socket != self.cut) {
            self.clients.record.open().ledger.join(&socket, &Channel::Everyone, after.clone());
        }
        let body = serde_json::json!({"text": "the demo is about to close"});
        self.send(&Channel::Everyone, &self.clients.id("everyone", 0), &body).await
    }

    /// The service sends a message. Several may be under way at the same time, so that each is a source of its own.
    async fn send(&self, channel: &Channel, id: &str, body: &serde_json::Value) -> anyhow::Result<()> {
        self.service.send(&channel.to_string(), id, body).await?;
        self.clients.record.open().ledger.accept(channel, id, SERVICE, id);
        Ok(())
    }

    /// Puts all of the room's messages on the queue, in their order.
    async fn send_burst(&self, progress: &mut Progress) -> anyhow::Result<()> {
        let numbers: Vec<u32> = (0..self.arguments.messages).collect();
        for batch in numbers.chunks(BATCH) {
            let messages: Vec<_> = batch.iter().map(|number| self.clients.announce(*number)).collect();
            self.service.send_batch(&self.room.to_string(), &messages).await?;
            for (id, _) in &messages {
                self.clients.record.open().ledger.accept(&Channel::room(ROOM), SERVICE, SERVICE, id);
            }
            progress.reach(batch.last().map_or(0, |number| u64::from(*number) + 1));
        }
        Ok(())
    }

    async fn publish(&self, numbers: std::ops::Range<u32>, progress: &mut Progress) -> anyhow::Result<()> {
        for number in numbers {
            self.clients
                .publish(PUBLISHER, number)
                .await
                .with_context(|| format!("message {number} can't be published"))?;
            progress.reach(u64::from(number) + 1);
        }
        Ok(())
    }

    /// Waits until the message to the offline user is in the log, and connects the user.
    async fn connect_offline_user(&mut self) -> anyhow::Result<()> {
        let channel = CoreChannel::User(UserId::parse(AWAY)?);
        let deadline = Instant::now() + PATIENCE;
        while inspect::head(self.stack, &channel).await? == 0 {
            if Instant::now() > deadline {
                bail!("the direct message to `{AWAY}` is not in the log after {PATIENCE:?}");
            }
            sleep(LOOK).await;
        }
        self.clients.connect_late(self.arguments.clients, AWAY).await
    }

    /// A young member is not pruned, because a post before the end of the handshake is answered like one to a closed socket. The posts that
    /// should prune it must come later.
    async fn wait_for_age(&mut self, progress: &mut Progress) -> anyhow::Result<()> {
        let age = self.clients.get(self.cut)?.since.elapsed();
        let rest = (API_GATEWAY.min_prune_age + LOOK).saturating_sub(age);
        if rest > Duration::ZERO {
            progress.begin("waiting until the cut client may be pruned", 1);
            self.surprises.push(format!(
                "The client that was cut off was {:.1} s old. None is pruned before {} s, so the demo waited for {:.1} s.",
                age.as_secs_f64(),
                API_GATEWAY.min_prune_age.as_secs(),
                rest.as_secs_f64()
            ));
            sleep(rest).await;
        }
        Ok(())
    }

    /// Waits until everything has arrived, the executions have ended and the cut client is pruned; or until nothing has happened for long.
    async fn wait_for_all(&mut self, progress: &mut Progress) -> anyhow::Result<()> {
        let (stack, record) = (self.stack, self.clients.record.clone());
        let channels = record.open().ledger.channels();
        read_logs(stack, &record, channels).await?;
        let total = record.open().ledger.balance().owed;
        progress.begin("waiting until everything has arrived", total);
        let is_done = async |balance: &Balance, is_complete: bool| {
            progress.reach(balance.owed - balance.missing);
            Ok(is_complete && self.is_settled().await?)
        };
        let channels = |ledger: &Ledger<u32>| ledger.channels();
        wait_for_balance(stack, &record, PATIENCE, channels, is_done).await?;
        self.is_settled().await?;
        Ok(())
    }

    async fn is_settled(&mut self) -> anyhow::Result<bool> {
        let cut = user_of(self.cut);
        let members = inspect::members(self.stack, &self.room).await?;
        self.pruned = !members.iter().any(|member| member.user.as_str() == cut);
        let executions = self.executions.read(self.stack).await?;
        Ok(self.pruned && executions.iter().all(|execution| execution.status != ExecutionStatus::Running))
    }

    async fn report(&mut self) -> anyhow::Result<Report> {
        let executions = self.executions.read(self.stack).await?;
        let of_room = Summary::of(&executions, &self.room);
        let room_channel = Channel::room(ROOM);
        let counters = self.clients.counters(&room_channel);
        let mut figures = {
            let record = self.clients.record.open();
            let room = record.ledger.balance_where(|channel| *channel == room_channel);
            let pairs = Pairs::of(&room);
            let mut figures = Figures {
                clients: self.arguments.clients,
                messages: self.arguments.messages,
                expected: pairs.expected,
                delivered: pairs.delivered,
                missing: pairs.missing,
                duplicates: counters.duplicates,
                out_of_order: room.out_of_order + room.duplicates + room.misplaced,
                executions: of_room.count,
                rounds: of_room.totals.rounds,
                pages: of_room.totals.pages,
                posts: counters.frames,
                posts_per_member: self.clients.most_frames(&room_channel),
                direct: Pairs::of(&record.ledger.balance_where(|channel| matches!(channel, Channel::User(_)))),
                everyone: Pairs::of(&record.ledger.balance_where(|channel| *channel == Channel::Everyone)),
                ..Figures::default()
            };
            figures.set_latencies(&record.notes.latencies());
            figures
        };
        figures.pruned = u64::from(self.pruned);

        let mut surprises = std::mem::take(&mut self.surprises);
        surprises.extend(self.delivery_path(&figures));
        surprises.extend(of_room.surprises(&self.room));
        surprises.extend(Summary::of(&executions, &CoreChannel::Everyone).surprises(&CoreChannel::Everyone));
        surprises.extend(self.notes(&figures, counters));
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

    /// Whether the room was delivered in the way that its size asks for.
    fn delivery_path(&self, figures: &Figures) -> Vec<String> {
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

    /// Events that a smooth run doesn't have.
    fn notes(&self, figures: &Figures, counters: Counters) -> Vec<String> {
        let mut sentences = Vec::new();
        let record = &mut *self.clients.record.open();
        for Missing { client, channel, seqs, .. } in record.ledger.missing() {
            record.surprises.note("member without a message", format!("socket {client} lacks {seqs:?} of `{channel}`"));
        }
        if !self.pruned {
            sentences.push("The client that was cut off is still a member of the room.".to_owned());
        }
        if figures.duplicates > 0 {
            let count = counted(figures.duplicates, "message");
            sentences.push(format!("Clients dropped {count} that they already had."));
        }
        if counters.early > 0 {
            let count = counted(counters.early, "message");
            sentences.push(format!("Clients held back {count} that came before an earlier one."));
        }
        if counters.recovered > 0 {
            let count = counted(counters.recovered, "message");
            sentences.push(format!("Clients asked for {count} that had not been posted to them."));
        }
        sentences.extend(record.surprises.sentences());
        sentences
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cut_client_has_no_second_device_and_is_not_the_publisher() {
        assert_eq!(last_with_one_device(3), Some(2));
        assert_eq!(last_with_one_device(10), Some(9));
        assert_eq!(last_with_one_device(11), Some(8));
        assert_eq!(last_with_one_device(200), Some(199));
        assert_eq!(last_with_one_device(1), None);
    }
}
