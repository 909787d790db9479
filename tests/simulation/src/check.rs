//! The guarantee, checked against the books when everything has come to rest.

use futures::executor::block_on;
use hubbub_core::channel::Channel;
use hubbub_core::id::Epoch;
use hubbub_core::message::Seq;
use hubbub_core::ports::{ChannelState, Log, ReadLimit, Receipts};
use hubbub_core::time::Timestamp;
use std::collections::BTreeSet;
use std::rc::Rc;

use crate::actors::device::Device;
use crate::ledger::Books;
use crate::world::World;

/// Everything that can be read of a log.
const ALL: ReadLimit = ReadLimit { messages: usize::MAX, bytes: usize::MAX };

/// When faults have stopped and everything that was under way is done, but before anybody has asked for what it missed.
pub(crate) fn at_rest(world: &World) -> Result<(), String> {
    let books = world.ledger.books();
    if world.queue.len() > 0 {
        return Err(format!("{} messages are left on the queue", world.queue.len()));
    }
    check_publications(&books)?;
    check_order(&books)?;
    check_garbage(&books)?;
    for (channel, state) in channels(world, &books) {
        check_log(world, &books, &channel, &state)?;
        if !books.interrupted.contains(&channel) {
            check_settled(world, &channel, &state)?;
        }
        check_promises(world, &books, &channel, &state)?;
        check_receipts(world, &books, &channel, &state)?;
    }
    Ok(())
}

/// A channel that was interrupted and has been mended since must not be found broken again.
pub(crate) fn forgive(world: &World) {
    let interrupted = world.ledger.books().interrupted.clone();
    let mended = interrupted
        .iter()
        .filter(|channel| state(world, channel).is_none_or(|state| check_settled(world, channel, &state).is_ok()));
    world.ledger.mend(mended);
}

/// When every device has come back, has asked, and has got what it missed.
pub(crate) fn after_recovery(world: &World, devices: &[Rc<Device>]) -> Result<(), String> {
    at_rest(world)?;
    let books = world.ledger.books();
    let mut followed = BTreeSet::new();
    for device in devices {
        let Some(line) = device.line() else { return Err(format!("{} is not at home", device.name())) };
        let positions = line.positions();
        for channel in line.channels() {
            let position = positions.get(&channel);
            let parsed: Channel = channel.parse().map_err(|_| format!("`{channel}` is no channel"))?;
            let Some(state) = state(world, &parsed) else { return Err(format!("`{channel}` was never opened")) };
            if position.is_none_or(|at| at.epoch != state.epoch.as_str() || at.seq != state.head.0) {
                let Seq(head) = state.head;
                return Err(format!(
                    "{} is at {position:?} of `{channel}`, which is at {} {head}",
                    device.name(),
                    state.epoch
                ));
            }
            followed.insert(parsed);
        }
    }
    for (channel, state) in channels(world, &books) {
        if followed.contains(&channel) {
            check_settled(world, &channel, &state)?;
        }
    }
    Ok(())
}

/// What a store in memory says at once.
fn state(world: &World, channel: &Channel) -> Option<ChannelState> {
    block_on(world.store.state(channel)).ok().flatten()
}

fn channels(world: &World, books: &Books) -> Vec<(Channel, ChannelState)> {
    let names: BTreeSet<&Channel> = books.logs.keys().map(|(channel, _)| channel).collect();
    names.into_iter().filter_map(|channel| Some((channel.clone(), state(world, channel)?))).collect()
}

/// What was accepted is in a log; that nothing is twice in one is checked at each append.
fn check_publications(books: &Books) -> Result<(), String> {
    let logged: BTreeSet<_> = books
        .logs
        .iter()
        .flat_map(|((channel, _), log)| log.iter().map(move |row| (channel, &row.from, &row.id)))
        .collect();
    for ((channel, from, id), publication) in &books.publications {
        if publication.is_accepted && !publication.is_dropped && !logged.contains(&(channel, from, id)) {
            return Err(format!("{id} was accepted, and is not in the log of `{channel}`"));
        }
    }
    Ok(())
}

/// What a sender published one after the other is in the log in that order.
fn check_order(books: &Books) -> Result<(), String> {
    for ((sender, channel), keys) in &books.orders {
        let keys: Vec<_> =
            keys.iter().filter(|key| !books.publications.get(*key).is_some_and(|one| one.is_redriven)).collect();
        for ((logged, epoch), log) in &books.logs {
            if logged != channel {
                continue;
            }
            let places =
                keys.iter().filter_map(|(_, from, id)| log.iter().position(|row| row.from == *from && row.id == *id));
            if !places.is_sorted() {
                return Err(format!("the log {epoch} of `{channel}` does not have {sender}'s order"));
            }
        }
    }
    Ok(())
}

/// What can never be delivered was buried with its reason, and nothing else was.
fn check_garbage(books: &Books) -> Result<(), String> {
    for (body, reason) in &books.garbage {
        if books.buried.get(body) != Some(reason) {
            return Err(format!("`{body}` should be buried as {reason}, and is {:?}", books.buried.get(body)));
        }
    }
    match books.buried.keys().find(|body| body.contains(r#""text""#)) {
        Some(body) => Err(format!("`{body}` was buried, and could be delivered")),
        None => Ok(()),
    }
}

/// The log is what was appended to it.
fn check_log(world: &World, books: &Books, channel: &Channel, state: &ChannelState) -> Result<(), String> {
    let now = Timestamp(world.scheduler.now());
    let kept = block_on(world.store.read(channel, &state.epoch, Seq::ZERO, ALL, now)).unwrap_or_default();
    let appended = books.logs.get(&(channel.clone(), state.epoch.clone())).map_or(&[][..], Vec::as_slice);
    if appended.len() as u64 != state.head.0 {
        return Err(format!("`{channel}` is at {}, and {} messages were appended", state.head, appended.len()));
    }
    let expected = (1..).zip(appended).filter(|(_, row)| now.0 < row.expires);
    if !kept.iter().map(|message| (message.seq.0, &message.id)).eq(expected.map(|(seq, row)| (seq, &row.id))) {
        return Err(format!("the log of `{channel}` is not what was appended to it"));
    }
    Ok(())
}

/// Everything is sent, and nobody holds the lease.
fn check_settled(world: &World, channel: &Channel, state: &ChannelState) -> Result<(), String> {
    if state.sent != state.head {
        return Err(format!("`{channel}` is at {}, and is sent to {}", state.head, state.sent));
    }
    match state.live_lease(Timestamp(world.scheduler.now())) {
        Some(lease) => Err(format!("`{channel}` is sent, and {} still holds its lease", lease.id)),
        None => Ok(()),
    }
}

/// Whoever was told to be a member has had every later message that counts as sent posted to it, or its page has failed.
fn check_promises(world: &World, books: &Books, channel: &Channel, state: &ChannelState) -> Result<(), String> {
    for ((promised, id), (epoch, head)) in &books.promises {
        let socket = world.sockets.get(id).filter(|socket| !socket.is_misjudged.get());
        let is_open = socket.is_some_and(|socket| {
            socket.phase() == crate::sockets::Phase::Open && !socket.is_too_old(world.scheduler.now())
        });
        if promised != channel || !is_open {
            continue;
        }
        let first = if *epoch == state.epoch { head.0 + 1 } else { 1 };
        let missing = (first..=state.sent.0).find(|seq| {
            let key = (channel.clone(), id.clone(), state.epoch.clone(), *seq);
            !books.attempts.contains(&key)
                && !books.has_failed_page(channel, &state.epoch, *seq)
                && !has_expired(world, books, channel, &state.epoch, *seq)
        });
        if let Some(seq) = missing {
            return Err(format!(
                "{id} joined `{channel}` at {head}, and nobody has posted {seq} to it, though all up to {} counts as sent",
                state.sent
            ));
        }
    }
    Ok(())
}

fn has_expired(world: &World, books: &Books, channel: &Channel, epoch: &Epoch, seq: u64) -> bool {
    books.row(channel, epoch, seq).is_none_or(|row| row.expires <= world.scheduler.now())
}

/// Whoever asked for a receipt has one, once the message counts as sent.
fn check_receipts(world: &World, books: &Books, channel: &Channel, state: &ChannelState) -> Result<(), String> {
    let now = Timestamp(world.scheduler.now());
    let log = books.logs.get(&(channel.clone(), state.epoch.clone())).map_or(&[][..], Vec::as_slice);
    for (seq, row) in (1..=state.sent.0).zip(log) {
        if !row.has_receipt || row.expires <= now.0 {
            continue;
        }
        let receipt = block_on(world.store.receipt(channel, &row.from, &row.id, now)).ok().flatten();
        if receipt.is_none_or(|receipt| receipt.seq.0 != seq && books.interrupted.is_empty()) {
            return Err(format!("{} of `{channel}` counts as sent, and has no receipt", row.id));
        }
    }
    Ok(())
}
