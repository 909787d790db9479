//! The guarantee, checked against the record when everything has come to rest.

use futures::executor::block_on;
use hubbub_core::log::state::ChannelState;
use hubbub_core::ports::{Log, ReadLimit, Receipts};
use hubbub_core::wire::channel::Channel;
use hubbub_core::wire::id::Epoch;
use hubbub_core::wire::message::Seq;
use hubbub_core::wire::time::Timestamp;
use hubbub_ledger::Position;
use std::collections::BTreeSet;
use std::rc::Rc;

use crate::actors::device::Device;
use crate::environment::Environment;
use crate::record::Facts;

/// Everything that can be read of a log.
const ALL: ReadLimit = ReadLimit { messages: usize::MAX, bytes: usize::MAX };

/// When faults have stopped and everything that was under way is done, but before any device has asked for what it missed.
pub(crate) fn at_rest(environment: &Environment) -> Result<(), String> {
    let facts = environment.record.facts();
    if environment.queue.len() > 0 {
        return Err(format!("{} messages are left on the queue", environment.queue.len()));
    }
    check_senders(&facts)?;
    check_garbage(&facts)?;
    for (channel, state) in channels(environment, &facts) {
        check_log(environment, &facts, &channel, &state)?;
        if !facts.interrupted.contains(&channel) {
            check_settled(environment, &channel, &state)?;
        }
        check_promises(environment, &facts, &channel, &state)?;
        check_receipts(environment, &facts, &channel, &state)?;
    }
    Ok(())
}

/// A channel that was interrupted and has been mended since must not be found broken again.
pub(crate) fn forgive(environment: &Environment) {
    let interrupted = environment.record.facts().interrupted.clone();
    let mended = interrupted.iter().filter(|channel| {
        state(environment, channel).is_none_or(|state| check_settled(environment, channel, &state).is_ok())
    });
    environment.record.mend(mended);
}

/// When every device has come back, has asked, and has got what it missed.
pub(crate) fn after_recovery(environment: &Environment, devices: &[Rc<Device>]) -> Result<(), String> {
    at_rest(environment)?;
    let facts = environment.record.facts();
    let mut followed = BTreeSet::new();
    for device in devices {
        let name = device.name();
        let Some(line) = device.line() else { return Err(format!("{name} has not come back")) };
        for channel in line.channels() {
            let channel: Channel = channel.parse().map_err(|_| format!("`{channel}` is no channel"))?;
            let Some(state) = state(environment, &channel) else { return Err(format!("`{channel}` was never opened")) };
            let head = Position::new(state.epoch.as_str(), state.head.0);
            let position = facts.ledger.position(name, &channel);
            if position != Some(&head) {
                return Err(format!("{name} is at {position:?} of `{channel}`, which is at {head:?}"));
            }
            followed.insert(channel);
        }
    }
    for (channel, state) in channels(environment, &facts) {
        if followed.contains(&channel) {
            check_settled(environment, &channel, &state)?;
        }
    }
    Ok(())
}

/// The store in memory answers at once.
fn state(environment: &Environment, channel: &Channel) -> Option<ChannelState> {
    block_on(environment.store.state(channel)).ok().flatten()
}

fn channels(environment: &Environment, facts: &Facts) -> Vec<(Channel, ChannelState)> {
    let names: BTreeSet<&Channel> = facts.rows.keys().map(|(channel, _)| channel).collect();
    names.into_iter().filter_map(|channel| Some((channel.clone(), state(environment, channel)?))).collect()
}

/// Accepted messages are in a log, in the order of their sources. That no message is there twice is checked at each append.
fn check_senders(facts: &Facts) -> Result<(), String> {
    if let Some((channel, _, id)) = facts.ledger.lost().next() {
        return Err(format!("{id} was accepted, and is not in the log of `{channel}`"));
    }
    match facts.ledger.misplaced().next() {
        Some((channel, sender, id)) => Err(format!("{id} is not in {sender}'s order in the log of `{channel}`")),
        None => Ok(()),
    }
}

/// Messages that can never be delivered were buried with their reasons, and no others were.
fn check_garbage(facts: &Facts) -> Result<(), String> {
    for (body, reason) in &facts.garbage {
        if facts.buried.get(body) != Some(reason) {
            return Err(format!("`{body}` should be buried as {reason}, and is {:?}", facts.buried.get(body)));
        }
    }
    match facts.buried.keys().find(|body| body.contains(r#""text""#)) {
        Some(body) => Err(format!("`{body}` was buried, and could be delivered")),
        None => Ok(()),
    }
}

/// The log is what was appended to it.
fn check_log(environment: &Environment, facts: &Facts, channel: &Channel, state: &ChannelState) -> Result<(), String> {
    let now = Timestamp(environment.scheduler.now());
    let kept = block_on(environment.store.read(channel, &state.epoch, Seq::ZERO, ALL, now)).unwrap_or_default();
    let appended = facts.rows(channel, &state.epoch);
    if appended.len() as u64 != state.head.0 {
        return Err(format!("`{channel}` is at {}, and {} messages were appended", state.head, appended.len()));
    }
    let expected = (1..).zip(appended).filter(|(_, row)| now.0 < row.expires);
    if !kept.iter().map(|message| (message.seq.0, &message.id)).eq(expected.map(|(seq, row)| (seq, &row.id))) {
        return Err(format!("the log of `{channel}` is not what was appended to it"));
    }
    Ok(())
}

/// Everything is sent, and the lease is free.
fn check_settled(environment: &Environment, channel: &Channel, state: &ChannelState) -> Result<(), String> {
    if state.sent != state.head {
        return Err(format!("`{channel}` is at {}, and is sent to {}", state.head, state.sent));
    }
    match state.live_lease(Timestamp(environment.scheduler.now())) {
        Some(lease) => Err(format!("`{channel}` is sent, and {} still holds its lease", lease.id)),
        None => Ok(()),
    }
}

/// Every later message that counts as sent was posted to each connection that was told to be a member, or its page has failed.
fn check_promises(
    environment: &Environment,
    facts: &Facts,
    channel: &Channel,
    state: &ChannelState,
) -> Result<(), String> {
    for ((promised, id), (epoch, head)) in &facts.promises {
        let socket = environment.sockets.get(id).filter(|socket| !socket.is_misjudged.get());
        let is_open = socket.is_some_and(|socket| {
            socket.phase() == crate::sockets::Phase::Open && !socket.is_too_old(environment.scheduler.now())
        });
        if promised != channel || !is_open {
            continue;
        }
        let first = if *epoch == state.epoch { head.0 + 1 } else { 1 };
        let missing = (first..=state.sent.0).find(|seq| {
            let key = (channel.clone(), id.clone(), state.epoch.clone(), *seq);
            !facts.attempts.contains(&key)
                && !facts.has_failed_page(channel, &state.epoch, *seq)
                && !has_expired(environment, facts, channel, &state.epoch, *seq)
        });
        if let Some(seq) = missing {
            return Err(format!(
                "{id} joined `{channel}` at {head}, and {seq} was not posted to it, though all up to {} counts as sent",
                state.sent
            ));
        }
    }
    Ok(())
}

fn has_expired(environment: &Environment, facts: &Facts, channel: &Channel, epoch: &Epoch, seq: u64) -> bool {
    facts.row(channel, epoch, seq).is_none_or(|row| row.expires <= environment.scheduler.now())
}

/// A message that counts as sent has its receipt, where one was asked for.
fn check_receipts(
    environment: &Environment,
    facts: &Facts,
    channel: &Channel,
    state: &ChannelState,
) -> Result<(), String> {
    let now = Timestamp(environment.scheduler.now());
    let log = facts.rows(channel, &state.epoch);
    for (seq, row) in (1..=state.sent.0).zip(log) {
        if !row.has_receipt || row.expires <= now.0 {
            continue;
        }
        let receipt = block_on(environment.store.receipt(channel, &row.from, &row.id, now)).ok().flatten();
        if receipt.is_none_or(|receipt| receipt.seq.0 != seq && facts.interrupted.is_empty()) {
            return Err(format!("{} of `{channel}` counts as sent, and has no receipt", row.id));
        }
    }
    Ok(())
}
