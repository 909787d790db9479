//! The task that reads a connection's inbox and keeps the socket alive.

use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval_at};

use super::channels::Channels;
use super::event::Event;
use super::lock;
use super::membership::{Shared, close_gap};
use crate::connection::{Inbound, Inbox, Received};
use crate::error::Error;
use crate::frames::ServerFrame;

/// Reads the inbox until the connection ends. It holds no strong reference to the connection, so that the last client closes it.
pub(super) async fn read_inbox(
    shared: Weak<Shared>,
    channels: Arc<Mutex<Channels>>,
    mut inbox: Inbox,
    keep_alive: Duration,
) {
    let mut ping_interval = interval_at(Instant::now() + keep_alive, keep_alive);
    ping_interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let inbound = tokio::select! {
            inbound = inbox.recv() => inbound,
            _ = ping_interval.tick() => {
                if let Some(shared) = shared.upgrade() {
                    tokio::spawn(ping(shared));
                }
                continue;
            }
        };
        match inbound {
            Some(Inbound::Frame(received)) => receive(&shared, &channels, received),
            Some(Inbound::Closed(reason)) => {
                lock(&channels).close(reason);
                return;
            }
            None => return,
        }
    }
}

fn receive(shared: &Weak<Shared>, channels: &Mutex<Channels>, Received { frame, at }: Received) {
    let mut channels = lock(channels);
    match frame {
        ServerFrame::Messages(frame) => {
            let channel = frame.channel.clone();
            let has_gap = channels.receive(frame, at);
            if has_gap && let Some(shared) = shared.upgrade() {
                tokio::spawn(close_gap(shared, channel));
            }
        }
        ServerFrame::Left(left) => {
            // Fails only if the connection has ended.
            let _ = channels.left(left);
        }
        ServerFrame::Receipt(receipt) => channels.emit(Event::Receipt(receipt)),
        ServerFrame::Presence(update) => channels.presence_changed(update),
        ServerFrame::Signal(signal) => channels.emit(Event::Signal(signal)),
        other => channels.emit(Event::Unexpected(other)),
    }
}

async fn ping(shared: Arc<Shared>) {
    let state = lock(&shared.channels).positions();
    if let Err(error) = shared.ping(state).await {
        tracing::debug!(%error, "a ping failed");
        if matches!(error, Error::Timeout { .. }) {
            shared.connection.abandon("a ping was not answered").await;
        }
    }
}
