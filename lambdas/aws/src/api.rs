//! Signed calls of AWS services of which only a few calls are needed.
//!
//! `authorize` reads one parameter from SSM; operators read configuration from Lambda, IAM, CloudWatch and Service Quotas. An SDK crate for
//! each takes up to a minute to compile, this file takes two seconds. Addresses are those of AWS's standard partition.

use std::time::{Duration, UNIX_EPOCH};

use aws_credential_types::provider::ProvideCredentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;
use aws_types::SdkConfig;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hubbub_core::ports::{Clock, PortError, PortResult};
use hyper::{Method, Request};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use tokio::time::timeout;

use crate::error::{BUSY, malformed};
use crate::system::System;

/// The largest answer, in bytes.
const MAX_BYTES: usize = 8 * 1024 * 1024;

/// IAM is the same in all Regions, and its calls are signed for this one.
const IAM_REGION: &str = "us-east-1";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Service {
    Lambda,
    Iam,
    Logs,
    Metrics,
    Quotas,
    Ssm,
}

impl Service {
    const fn name(self) -> &'static str {
        match self {
            Self::Lambda => "lambda",
            Self::Iam => "iam",
            Self::Logs => "logs",
            Self::Metrics => "monitoring",
            Self::Quotas => "servicequotas",
            Self::Ssm => "ssm",
        }
    }

    fn region(self, region: &str) -> &str {
        if self == Self::Iam { IAM_REGION } else { region }
    }

    fn address(self, region: &str) -> String {
        match self {
            Self::Iam => "https://iam.amazonaws.com".to_owned(),
            _ => format!("https://{}.{region}.amazonaws.com", self.name()),
        }
    }
}

/// A call of an operation.
pub(crate) struct Call {
    /// The permission that the call needs, for error messages.
    operation: &'static str,
    service: Service,
    method: Method,
    path: String,
    headers: Vec<(&'static str, &'static str)>,
    body: String,
}

impl Call {
    /// A `GET` of a path and query, both encoded.
    pub(crate) const fn get(operation: &'static str, service: Service, path: String) -> Self {
        Self { operation, service, method: Method::GET, path, headers: Vec::new(), body: String::new() }
    }

    /// An operation that is named in a header and takes a JSON object.
    pub(crate) fn json(operation: &'static str, service: Service, target: &'static str, body: &Value) -> Self {
        let kind =
            if service == Service::Metrics { "application/x-amz-json-1.0" } else { "application/x-amz-json-1.1" };
        let headers = vec![("content-type", kind), ("x-amz-target", target)];
        Self { operation, service, method: Method::POST, path: "/".to_owned(), headers, body: body.to_string() }
    }

    /// An operation that takes a form, as of the older services.
    pub(crate) fn form(operation: &'static str, service: Service, body: String) -> Self {
        let headers = vec![("content-type", "application/x-www-form-urlencoded")];
        Self { operation, service, method: Method::POST, path: "/".to_owned(), headers, body }
    }
}

/// Makes calls. Clones share their connections.
#[derive(Clone, Debug)]
pub(crate) struct Api {
    config: SdkConfig,
    timeout: Duration,
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

impl Api {
    /// With this much time for each call.
    ///
    /// # Errors
    /// When the host has no certificates to trust.
    pub(crate) fn new(config: SdkConfig, timeout: Duration) -> PortResult<Self> {
        let connector = HttpsConnectorBuilder::new()
            .with_provider_and_native_roots(rustls::crypto::ring::default_provider())
            .map_err(|error| malformed("read certificates", error))?
            .https_or_http()
            .enable_http1()
            .build();
        Ok(Self { config, timeout, client: Client::builder(TokioExecutor::new()).build(connector) })
    }

    /// Whether the services are AWS's own, and not those of a local stack.
    pub(crate) fn is_aws(&self) -> bool {
        self.config.endpoint_url().is_none()
    }

    /// The answer's text, or nothing if the resource doesn't exist.
    pub(crate) async fn ask(&self, call: Call) -> PortResult<Option<String>> {
        let operation = call.operation;
        let failure = |detail: String, retryable| PortError { operation, detail, retryable };
        let (status, text) = match timeout(self.timeout, self.exchange(call)).await {
            Ok(answered) => answered?,
            Err(_) => return Err(failure(format!("not answered within {:?}", self.timeout), true)),
        };
        let is_missing = status == 404 || text.contains("ResourceNotFoundException");
        match status {
            200..300 => Ok(Some(text)),
            400..500 if is_missing => Ok(None),
            _ => Err(failure(format!("answered with {status}: {text}"), status >= 500 || is_busy(&text))),
        }
    }

    async fn exchange(&self, call: Call) -> PortResult<(u16, String)> {
        let operation = call.operation;
        let broken = |error: &dyn std::error::Error| {
            let source = error.source().map(|source| format!(": {source}")).unwrap_or_default();
            PortError { operation, detail: format!("{error}{source}"), retryable: true }
        };
        let request = self.sign(call).await?;
        let response = self.client.request(request).await.map_err(|error| broken(&error))?;
        let status = response.status().as_u16();
        let body = Limited::new(response.into_body(), MAX_BYTES).collect().await.map_err(|error| broken(&*error))?;
        Ok((status, String::from_utf8_lossy(&body.to_bytes()).into_owned()))
    }

    async fn sign(&self, call: Call) -> PortResult<Request<Full<Bytes>>> {
        let Call { operation, service, method, path, headers, body } = call;
        let region = self.config.region().map(ToString::to_string).unwrap_or_default();
        let address = self.config.endpoint_url().map_or_else(|| service.address(&region), ToOwned::to_owned);
        let provider = self.config.credentials_provider().ok_or_else(|| malformed(operation, "no credentials"))?;
        let credentials = provider.provide_credentials().await.map_err(|error| malformed(operation, error))?;
        let identity = credentials.into();
        let parameters = SigningParams::builder()
            .identity(&identity)
            .region(service.region(&region))
            .name(service.name())
            .time(UNIX_EPOCH + Duration::from_millis(System.now().0))
            .settings(SigningSettings::default())
            .build()
            .map_err(|error| malformed(operation, error))?
            .into();
        let url = format!("{address}{path}");
        let body_bytes = SignableBody::Bytes(body.as_bytes());
        let signable = SignableRequest::new(method.as_str(), &url, headers.iter().copied(), body_bytes)
            .map_err(|error| malformed(operation, error))?;
        let (instructions, _) = sign(signable, &parameters).map_err(|error| malformed(operation, error))?.into_parts();
        let mut request = Request::builder().method(method).uri(url);
        for (name, value) in headers.into_iter().chain(instructions.headers()) {
            request = request.header(name, value);
        }
        request.body(Full::from(body)).map_err(|error| malformed(operation, error))
    }
}

/// Whether an answer's error is one that passes.
fn is_busy(text: &str) -> bool {
    BUSY.iter().any(|code| text.contains(code))
}
