//! Pruning: members whose socket is gone are forgotten.

use futures::stream::{self, StreamExt};

use super::connection::Connection;
use super::membership;
use crate::ports::{Clock, Members, PortResult};
use crate::transport::Transport;
use crate::wire::time::Timestamp;

/// How many connections are forgotten at a time.
pub(crate) const PRUNES_AT_ONCE: usize = 16;

pub(crate) fn log_pruned(member: &Connection, pruned: PortResult<()>) {
    match pruned {
        Ok(()) => tracing::info!(connection.id = %member.id, "pruned"),
        Err(error) => tracing::warn!(connection.id = %member.id, %error, "not pruned"),
    }
}

/// Forgets members whose posts were answered 410, except those that were too young at `posted_at`.
pub(crate) async fn prune<S: Members>(
    store: &S,
    env: &impl Clock,
    transport: &Transport,
    gone: impl Iterator<Item = &Connection>,
    posted_at: Timestamp,
) {
    let gone: Vec<&Connection> = gone.filter(|member| member.may_be_pruned(transport, posted_at)).collect();
    let prunes = gone.into_iter().map(async |member| {
        log_pruned(member, membership::forget(store, &member.id, env.now()).await);
    });
    stream::iter(prunes).buffer_unordered(PRUNES_AT_ONCE).collect::<()>().await;
}
