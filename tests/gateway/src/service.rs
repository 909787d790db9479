//! Answers one request.

use std::convert::Infallible;
use std::future::pending;
use std::time::Instant;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{CONNECTION, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use tokio::time::sleep;

use crate::account::{Account, Admission};
use crate::fault::Fault;
use crate::request::{MAX_BODY_BYTES, connection_id, missing_of_signature};
use crate::settings::Settings;

/// The connection is to be closed in the place of an answer.
#[derive(Debug)]
pub(crate) struct Cut;

impl std::fmt::Display for Cut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("cut by a fault")
    }
}

impl std::error::Error for Cut {}

/// A status, with the exception's name and its sentence where it isn't a success.
type Answer = (StatusCode, &'static str, &'static str);

const TAKEN: Answer = (StatusCode::OK, "", "");
const DELETED: Answer = (StatusCode::NO_CONTENT, "", "");
const GONE: Answer = (StatusCode::GONE, "GoneException", "the connection is not there");
const FORBIDDEN: Answer = (StatusCode::FORBIDDEN, "ForbiddenException", "the connection is not this stage's");
const TOO_LARGE: Answer = (StatusCode::PAYLOAD_TOO_LARGE, "PayloadTooLargeException", "the body is over the limit");
const THROTTLED: Answer = (StatusCode::TOO_MANY_REQUESTS, "LimitExceededException", "the client's buffer is full");
const OVER_QUOTA: Answer = (StatusCode::TOO_MANY_REQUESTS, "LimitExceededException", "the account's quota is used up");
const BROKEN: Answer =
    (StatusCode::INTERNAL_SERVER_ERROR, "InternalServerErrorException", "a fault that was asked for");
const NOT_FOUND: Answer = (StatusCode::NOT_FOUND, "NotFoundException", "the path is not a connection's");
const WRONG_METHOD: Answer = (StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowedException", "use POST or DELETE");
const BROKEN_BODY: Answer = (StatusCode::BAD_REQUEST, "BadRequestException", "the body did not arrive");

/// Counts a request as under way until it is answered or given up.
struct UnderWay<'a> {
    account: &'a Account,
    status: Option<u16>,
}

impl<'a> UnderWay<'a> {
    fn begin(account: &'a Account) -> Self {
        account.begun();
        Self { account, status: None }
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.account.ended(self.status);
    }
}

/// Answers a request; `last` says that the connection is to be closed after it.
pub(crate) async fn answer(
    settings: &Settings,
    account: &Account,
    request: Request<Incoming>,
    last: bool,
) -> Result<Response<Full<Bytes>>, Cut> {
    let mut under_way = UnderWay::begin(account);
    let answer = match decide(settings, account, request).await? {
        Ok(answer) | Err(answer) => answer,
    };
    under_way.status = Some(answer.0.as_u16());
    Ok(response(answer, last))
}

/// The answer: `Err` is only the short way out.
async fn decide(
    settings: &Settings,
    account: &Account,
    request: Request<Incoming>,
) -> Result<Result<Answer, Answer>, Cut> {
    let is_over_quota = account.admit_request(Instant::now()) != Admission::Taken;
    let Some(id) = connection_id(request.uri().path(), &settings.stage) else { return Ok(Err(NOT_FOUND)) };
    if let Some(missing) = missing_of_signature(request.headers()) {
        return Ok(Err((StatusCode::FORBIDDEN, "MissingAuthenticationTokenException", missing)));
    }
    let (method, body) = (request.method().clone(), request.into_body());
    if method != Method::POST && method != Method::DELETE {
        return Ok(Err(WRONG_METHOD));
    }
    // The body is read before any answer, so that the connection can be used again.
    let body = match Limited::new(body, MAX_BODY_BYTES).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => return Ok(Err(TOO_LARGE)),
        Err(_) => return Ok(Err(BROKEN_BODY)),
    };
    if let Some(latency) = settings.latency {
        sleep(latency.draw()).await;
    }
    if is_over_quota {
        return Ok(Err(OVER_QUOTA));
    }
    match account.fault(&id) {
        Some(Fault::Gone) => return Ok(Err(GONE)),
        Some(Fault::Forbidden) => return Ok(Err(FORBIDDEN)),
        Some(Fault::TooLarge) => return Ok(Err(TOO_LARGE)),
        Some(Fault::Throttled) => return Ok(Err(THROTTLED)),
        Some(Fault::Broken) => return Ok(Err(BROKEN)),
        Some(Fault::Hang) => match pending::<Infallible>().await {},
        Some(Fault::Cut) => return Err(Cut),
        Some(Fault::Slow(more)) => sleep(more).await,
        None => {}
    }
    if method == Method::DELETE {
        account.set_fault(&id, Some(Fault::Gone));
        return Ok(Ok(DELETED));
    }
    Ok(match account.admit_body(&id, &body, Instant::now()) {
        Admission::Taken => Ok(TAKEN),
        Admission::OverQuota | Admission::BufferFull => Err(THROTTLED),
    })
}

fn response((status, exception, sentence): Answer, last: bool) -> Response<Full<Bytes>> {
    let body = if exception.is_empty() {
        Bytes::new()
    } else {
        Bytes::from(serde_json::json!({ "message": sentence }).to_string())
    };
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    if !exception.is_empty() {
        response.headers_mut().insert("x-amzn-errortype", HeaderValue::from_static(exception));
    }
    if last {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}
