//! Closing a socket from the server's side.

use super::membership;
use crate::ports::{Clock, Members, PortResult, Poster};
use crate::wire::codes::ClosingCode;
use crate::wire::frame::Frame;
use crate::wire::id::ConnectionId;
use crate::wire::server_frame::ServerFrame;

/// Closes a socket after a last frame, and forgets its connection.
///
/// # Errors
/// As [`membership::forget`]. The socket is closed, or as good as closed, all the same.
pub async fn dismiss<S: Members, P: Poster, E: Clock>(
    store: &S,
    poster: &P,
    env: &E,
    connection: &ConnectionId,
    code: ClosingCode,
) -> PortResult<()> {
    poster.close(connection, &Frame::beside_the_log(&ServerFrame::closing(code))?).await;
    membership::forget(store, connection, env.now()).await
}
