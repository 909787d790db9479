//! TLS for `wss` addresses: rustls with ring, and the certificates that the operating system trusts.

use std::sync::{Arc, OnceLock};

use rustls::{ClientConfig, RootCertStore, crypto};
use tokio_tungstenite::Connector;

use crate::error::Error;

/// Reading the system's certificates takes tens of milliseconds, so it is done once for all connections.
static CONFIG: OnceLock<Arc<ClientConfig>> = OnceLock::new();

/// The connector for an address.
///
/// # Errors
/// Fails if the system trusts no certificates.
pub(crate) fn connector(url: &str) -> Result<Connector, Error> {
    if !url.starts_with("wss:") {
        return Ok(Connector::Plain);
    }
    if let Some(config) = CONFIG.get() {
        return Ok(Connector::Rustls(Arc::clone(config)));
    }
    let config = Arc::new(configure().map_err(Error::Connect)?);
    Ok(Connector::Rustls(Arc::clone(CONFIG.get_or_init(|| config))))
}

fn configure() -> Result<ClientConfig, Box<dyn std::error::Error + Send + Sync>> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(found.certs);
    if added == 0 {
        return Err(format!("no trusted certificates were found on this system: {:?}", found.errors).into());
    }
    // The provider is named here, because an application that links two providers has no default.
    let provider = Arc::new(crypto::ring::default_provider());
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth())
}
