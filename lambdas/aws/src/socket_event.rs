//! Events of the WebSocket API, and the responses to them.

use aws_lambda_events::event::apigw::{ApiGatewayProxyResponse, ApiGatewayWebsocketProxyRequest};
use hubbub_core::actions::Caller;
use hubbub_core::names::{context, subprotocols};
use hubbub_core::wire::capabilities::Capabilities;
use hubbub_core::wire::id::{ConnectionId, UserId};
use hubbub_core::wire::time::Timestamp;
use hyper::header::{HeaderName, HeaderValue};

use crate::runtime::FunctionError;

/// The id of the event's connection.
///
/// # Errors
/// When the event has none, and so isn't a WebSocket API's.
pub fn connection_id(event: &ApiGatewayWebsocketProxyRequest) -> Result<ConnectionId, FunctionError> {
    let id = event.request_context.connection_id.as_deref();
    id.map(ConnectionId::new).ok_or_else(|| FunctionError::WrongEvent("it has no connection id".to_owned()))
}

/// The event's connection, and what the authorizer said of its user.
///
/// # Errors
/// When the event lacks any of it, as it does if the route `$connect` has no authorizer.
pub fn caller(event: &ApiGatewayWebsocketProxyRequest) -> Result<Caller, FunctionError> {
    let field = |name: &str| event.request_context.authorizer.fields.get(name).and_then(|value| value.as_str());
    let user =
        field(context::USER).ok_or_else(|| FunctionError::WrongEvent("the authorizer named no user".to_owned()))?;
    let capabilities = field(context::CAPABILITIES)
        .ok_or_else(|| FunctionError::WrongEvent("the authorizer named no capabilities".to_owned()))?;
    let until = field(context::UNTIL).and_then(|seconds| seconds.parse::<u64>().ok());
    let until = until.ok_or_else(|| FunctionError::WrongEvent("the authorizer named no end".to_owned()))?;
    Ok(Caller {
        connection: connection_id(event)?,
        until: Timestamp(until.saturating_mul(1_000)),
        user: UserId::parse(user).map_err(|error| FunctionError::WrongEvent(error.to_string()))?,
        capabilities: Capabilities::parse(capabilities)
            .map_err(|error| FunctionError::WrongEvent(error.to_string()))?,
    })
}

/// The response that opens a socket. It answers the subprotocol, because a browser that gets no answer closes the socket.
#[must_use]
pub fn accept(event: &ApiGatewayWebsocketProxyRequest) -> ApiGatewayProxyResponse {
    let mut response = ok();
    let offered = event.headers.get(subprotocols::HEADER).and_then(|value| value.to_str().ok());
    if offered.is_some_and(|offered| offered.split(',').any(|offer| offer.trim() == subprotocols::HUBBUB_V1)) {
        let answer = HeaderValue::from_static(subprotocols::HUBBUB_V1);
        response.headers.insert(HeaderName::from_static(subprotocols::HEADER), answer);
    }
    response
}

/// The response that refuses a socket.
#[must_use]
pub fn refuse() -> ApiGatewayProxyResponse {
    let mut response = ok();
    response.status_code = 403;
    response
}

/// A response without a body.
#[must_use]
pub fn ok() -> ApiGatewayProxyResponse {
    let mut response = ApiGatewayProxyResponse::default();
    response.status_code = 200;
    response
}
