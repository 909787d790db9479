//! TLS for `wss` addresses: rustls with ring, and the certificates that the machine trusts.

use std::sync::{Arc, OnceLock};

use rustls::{ClientConfig, RootCertStore, crypto};
use tokio_tungstenite::Connector;

use crate::error::Error;

/// Reading a machine's certificates takes tens of milliseconds, so it is done once for all connections.
static CONFIG: OnceLock<Arc<ClientConfig>> = OnceLock::new();

/// The connector for an address.
///
/// # Errors
/// Fails if the machine has no certificates that it trusts.
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
        return Err(format!("no trusted certificates were found on this machine: {:?}", found.errors).into());
    }
    // The provider is named here, so that nothing depends on which others the application links.
    let provider = Arc::new(crypto::ring::default_provider());
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth())
}
