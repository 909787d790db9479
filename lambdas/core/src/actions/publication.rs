//! What `publish` and `direct` share: a message goes on the publish queue.

use super::caller::Caller;
use super::handler::ClientHandler;
use super::refusal::Refusal;
use crate::metrics::ACCEPTED;
use crate::ports::{ClientStore, Env, Poster, PublishQueue};
use crate::wire::channel::Channel;
use crate::wire::codes::ErrorCode;
use crate::wire::id::MessageId;
use crate::wire::message::{Body, ReceiptTo};
use crate::wire::queue_message::Envelope;
use crate::wire::server_frame::ServerFrame;

/// The part of a message that the client gives.
pub(super) struct Publication {
    pub(super) id: Option<MessageId>,
    pub(super) receipt: Option<bool>,
    pub(super) body: Body,
}

impl<S: ClientStore, Q: PublishQueue, P: Poster, E: Env> ClientHandler<S, Q, P, E> {
    /// Puts a message on the publish queue. When this returns, the message is durable.
    pub(super) async fn publish(
        &self,
        caller: &Caller,
        channel: Channel,
        Publication { id, receipt, body }: Publication,
    ) -> Result<ServerFrame<'static>, Refusal> {
        let id = match id {
            Some(id) => id,
            None => MessageId::parse(&self.env.fresh())
                .map_err(|error| Refusal::new(ErrorCode::Unavailable, error.to_string()))?,
        };
        let receipt = (receipt == Some(true)).then(|| ReceiptTo::Connection(caller.connection.clone()));
        let envelope = Envelope { channel, id, from: caller.user.clone(), body, receipt };
        self.queue.enqueue(&envelope).await?;
        self.env.record(ACCEPTED, 1);
        Ok(ServerFrame::Accepted { id: envelope.id, channel: envelope.channel })
    }
}
