//! Fetching a document from the web.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hubbub_core::ports::{PortError, PortResult};
use hyper::{StatusCode, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::time::timeout;

/// How long a document may take.
const TIMEOUT: Duration = Duration::from_secs(3);

/// The largest document, in bytes.
const MAX_BYTES: usize = 256 * 1024;

/// A document at a URL.
#[derive(Clone, Debug)]
pub struct Document {
    url: Uri,
    client: Client<HttpsConnector<HttpConnector>, Empty<Bytes>>,
}

impl Document {
    /// # Errors
    /// When the URL is neither `https://…` nor `http://` to this host, or the host has no certificates to trust.
    pub fn new(url: &str) -> PortResult<Self> {
        let url: Uri = url.parse().map_err(|_| failure(&url, "it is not a URL", false))?;
        let is_here = matches!(url.host(), Some("127.0.0.1" | "localhost" | "[::1]"));
        match url.scheme_str() {
            Some("https") => {}
            Some("http") if is_here => {}
            _ => return Err(failure(&url, "it must begin with https://", false)),
        }
        let connector = HttpsConnectorBuilder::new()
            .with_provider_and_native_roots(rustls::crypto::ring::default_provider())
            .map_err(|error| failure(&url, &error.to_string(), false))?
            .https_or_http()
            .enable_http1()
            .build();
        Ok(Self { url, client: Client::builder(TokioExecutor::new()).build(connector) })
    }

    /// Reads the document.
    ///
    /// # Errors
    /// When the answer is late, too large, not text, or not a 200.
    pub async fn fetch(&self) -> PortResult<String> {
        match timeout(TIMEOUT, self.get()).await {
            Ok(fetched) => fetched,
            Err(_) => Err(failure(&self.url, "it was not answered in time", true)),
        }
    }

    async fn get(&self) -> PortResult<String> {
        let broken = |error: &dyn std::error::Error| failure(&self.url, &error.to_string(), true);
        let response = self.client.get(self.url.clone()).await.map_err(|error| broken(&error))?;
        if response.status() != StatusCode::OK {
            return Err(failure(&self.url, &format!("it was answered {}", response.status()), true));
        }
        let body = Limited::new(response.into_body(), MAX_BYTES).collect().await.map_err(|error| broken(&*error))?;
        String::from_utf8(body.to_bytes().into()).map_err(|error| broken(&error))
    }
}

fn failure(url: &dyn std::fmt::Display, why: &str, retryable: bool) -> PortError {
    PortError { operation: "fetch", detail: format!("`{url}`: {why}"), retryable }
}
