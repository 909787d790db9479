//! The task of a session: it opens sockets, forwards their events, and decides when to open the next one.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::{mpsc, watch};
use tokio::time::sleep;

use super::Status;
use super::dial::OpenedSocket;
use super::forward::{EventForwarder, drain};
use super::shared::{Connectivity, Shared};
use crate::client::{Event, lock};
use crate::connection::CloseReason;
use crate::error::Error;

/// After a socket that lived this long, the pauses begin at the shortest again.
const STABLE: Duration = Duration::from_secs(10);

/// The outcome of using a socket.
enum SocketEnd {
    /// The socket is gone.
    Lost(String),
    /// Another socket replaces it.
    Replaced(OpenedSocket),
    /// The session ends.
    SessionEnded(CloseReason),
}

/// Keeps a session connected until it is closed or the server says not to connect again.
pub(super) async fn run(shared: Arc<Shared>, events: mpsc::UnboundedSender<Event>, stop: watch::Receiver<bool>) {
    let _guard = EndOnPanic(&shared);
    let reason = stay_connected(&shared, &events, stop).await;
    let text = match &reason {
        CloseReason::Lost(text) => text.clone(),
        other => other.to_string(),
    };
    shared.set_connectivity(Connectivity::Ended(text.clone()));
    shared.set_status(Status::Closed(text));
    // Fails only if nobody reads the events.
    let _ = events.send(Event::Closed(reason));
}

/// Ends the session if its task panics, perhaps in the application's token source. Otherwise calls would wait for ever.
struct EndOnPanic<'a>(&'a Shared);

impl Drop for EndOnPanic<'_> {
    fn drop(&mut self) {
        if !matches!(*self.0.connectivity.borrow(), Connectivity::Ended(_)) {
            self.0.set_connectivity(Connectivity::Ended("its task has stopped".to_owned()));
        }
    }
}

/// Returns the reason when the session ends.
async fn stay_connected(
    shared: &Arc<Shared>,
    events: &mpsc::UnboundedSender<Event>,
    mut stop: watch::Receiver<bool>,
) -> CloseReason {
    let mut failures = 0;
    let mut next: Option<OpenedSocket> = None;
    loop {
        let opened = match next.take() {
            Some(socket) => Ok(socket),
            None => tokio::select! {
                opened = shared.dial() => opened,
                () = stopped(&mut stop) => return CloseReason::ByApplication,
            },
        };
        let reason = match opened {
            Ok(socket) => {
                let opened_at = Instant::now();
                let end = use_socket(shared, events, &mut stop, socket).await;
                if opened_at.elapsed() >= STABLE {
                    failures = 0;
                }
                match end {
                    SocketEnd::Replaced(socket) => {
                        next = Some(socket);
                        continue;
                    }
                    SocketEnd::Lost(reason) => reason,
                    SocketEnd::SessionEnded(reason) => return reason,
                }
            }
            Err(error) if shared.is_fatal(&error) => return CloseReason::Lost(error.to_string()),
            Err(error) => error.to_string(),
        };
        shared.set_status(Status::Offline(reason));
        tokio::select! {
            () = sleep(shared.options.pause(failures)) => failures = failures.saturating_add(1),
            () = stopped(&mut stop) => return CloseReason::ByApplication,
        }
    }
}

/// Waits until the session is closed or dropped.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    // Fails only if the last handle is dropped.
    let _ = stop.wait_for(|stop| *stop).await;
}

/// Forwards the events of a socket until it ends or another one replaces it.
async fn use_socket(
    shared: &Arc<Shared>,
    out: &mpsc::UnboundedSender<Event>,
    stop: &mut watch::Receiver<bool>,
    OpenedSocket { live, mut events, lifetime, presence_updates, refused, membership_guard }: OpenedSocket,
) -> SocketEnd {
    shared.set_connectivity(Connectivity::Online(Arc::clone(&live)));
    drop(membership_guard);
    shared.set_status(Status::Live);
    let mut forwarder = EventForwarder::new(shared, &live, out);
    for (channel, error) in refused {
        forwarder.forward(Event::Dropped { channel, error });
    }
    for update in presence_updates {
        forwarder.forward(Event::Presence(update));
    }
    let mut dialing: Option<BoxFuture<'_, Result<OpenedSocket, Error>>> = None;
    let mut move_at = Box::pin(sleep(lifetime));
    let mut failed_moves = 0;
    loop {
        let may_move = dialing.is_none() && forwarder.lost.is_none() && forwarder.ends_session.is_none();
        let dialed = async {
            match &mut dialing {
                Some(dialing) => dialing.await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            event = events.next(), if forwarder.lost.is_none() => match event {
                Some(event) => forwarder.forward(event),
                None => forwarder.lost = Some("its task has stopped".to_owned()),
            },
            dialed = dialed => {
                dialing = None;
                match dialed {
                    Ok(next) => {
                        forwarder.forward_pending(&mut events);
                        if forwarder.has_lost_channel {
                            // The new socket may be a member of a channel that this one was expelled from. Dial again.
                            move_at.set(sleep(shared.options.pause(0)));
                        } else if forwarder.ends_session.is_none() {
                            // All that has come by now is handed out. The rest comes on the new socket, too.
                            let mut handed_out = lock(&live.handed_out).clone();
                            handed_out.0.append(&mut forwarder.handed_out.0);
                            *lock(&next.live.handed_out) = handed_out;
                            let timeout = shared.options.socket.connection.request_timeout;
                            let ended = shared.ended();
                            tokio::spawn(drain(live, events, out.clone(), timeout, ended));
                            return SocketEnd::Replaced(next);
                        }
                    }
                    Err(error) => {
                        tracing::debug!(%error, "the session could not move to a new socket");
                        move_at.set(sleep(shared.options.pause(failed_moves)));
                        failed_moves = failed_moves.saturating_add(1);
                    }
                }
            }
            () = &mut move_at, if may_move => {
                forwarder.has_lost_channel = false;
                dialing = Some(shared.dial().boxed());
            }
            () = stopped(stop), if forwarder.ends_session.is_none() => forwarder.close(),
        }
        if let Some(reason) = &forwarder.lost
            && (dialing.is_none() || forwarder.ends_session.is_some())
        {
            shared.save_positions(&live);
            shared.set_connectivity(Connectivity::Offline);
            let lost = SocketEnd::Lost(reason.clone());
            return forwarder.ends_session.map_or(lost, SocketEnd::SessionEnded);
        }
    }
}
