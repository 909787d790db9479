//! What a WebSocket API's event says of the socket.

use aws_lambda_events::event::apigw::{ApiGatewayProxyResponse, ApiGatewayWebsocketProxyRequest};
use hubbub_core::id::{ConnectionId, UserId};
use hubbub_core::names::context;
use hubbub_core::protocol::Caller;

use crate::runtime::Fault;

/// The event's connection.
///
/// # Errors
/// When the event has none: it isn't a WebSocket API's.
pub fn connection_id(event: &ApiGatewayWebsocketProxyRequest) -> Result<ConnectionId, Fault> {
    let id = event.request_context.connection_id.as_deref();
    id.map(ConnectionId::new).ok_or_else(|| Fault::WrongEvent("it has no connection id".to_owned()))
}

/// The event's connection and its user, as the authorizer named it.
///
/// # Errors
/// When the event lacks one of them: the route `$connect` has no authorizer.
pub fn caller(event: &ApiGatewayWebsocketProxyRequest) -> Result<Caller, Fault> {
    let user = event.request_context.authorizer.fields.get(context::USER).and_then(|user| user.as_str());
    let user = user.ok_or_else(|| Fault::WrongEvent("the authorizer named no user".to_owned()))?;
    Ok(Caller {
        connection: connection_id(event)?,
        user: UserId::parse(user).map_err(|error| Fault::WrongEvent(error.to_string()))?,
    })
}

/// A response without a body: the socket may open, or has closed.
#[must_use]
pub fn ok() -> ApiGatewayProxyResponse {
    let mut response = ApiGatewayProxyResponse::default();
    response.status_code = 200;
    response
}
