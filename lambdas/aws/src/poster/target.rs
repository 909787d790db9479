//! The stage that posts go to: its host, its paths, and TLS with it.

use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::{self, JoinHandle};

use hubbub_core::wire::id::ConnectionId;
use hyper::Uri;
use hyper::header::HeaderValue;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;

use super::{PosterError, Trust};

/// The characters that are encoded in a path: all but letters, digits and the others that RFC 3986 calls unreserved. Signatures rely on it.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The stage that posts go to.
#[derive(Clone)]
pub struct Target {
    /// Without the brackets of an IPv6 address, as the resolver needs it.
    pub(super) host: String,
    pub(super) port: u16,
    /// The `host` header.
    pub(super) authority: HeaderValue,
    pub(super) tls: Option<Arc<Tls>>,
    /// Every post's path up to the connection's id.
    prefix: String,
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target").field("host", &self.host).field("port", &self.port).finish_non_exhaustive()
    }
}

impl Target {
    /// Reads a stage's URL.
    ///
    /// # Errors
    /// When it isn't a stage's, or the certificates that were given can't be used.
    pub fn parse(url: &str, trust: &Trust) -> Result<Self, PosterError> {
        let invalid = |reason: &str| PosterError::InvalidUrl { url: url.to_owned(), reason: reason.to_owned() };
        let uri: Uri = url.parse().map_err(|_| invalid("it can't be parsed"))?;
        let secure = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(invalid("it begins with neither https:// nor http://")),
        };
        let host = uri.host().ok_or_else(|| invalid("it has no host"))?;
        let authority = uri.authority().ok_or_else(|| invalid("it has no host"))?.as_str();
        if uri.query().is_some() || authority.contains('@') {
            return Err(invalid("it has more than a host and a path"));
        }
        let bare_host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let tls = if secure {
            let name = ServerName::try_from(bare_host.clone()).map_err(|_| invalid("its host has no valid name"))?;
            Some(Arc::new(Tls::new(trust, name)?))
        } else {
            None
        };
        Ok(Self {
            host: bare_host,
            port: uri.port_u16().unwrap_or(if secure { 443 } else { 80 }),
            authority: HeaderValue::from_str(authority).map_err(|_| invalid("its host is not ASCII"))?,
            tls,
            prefix: format!("{}/@connections/", uri.path().trim_end_matches('/')),
        })
    }

    /// The path of a connection's posts.
    #[must_use]
    pub fn path(&self, connection: &ConnectionId) -> String {
        let mut path = String::with_capacity(self.prefix.len() + connection.as_str().len() + 8);
        path.push_str(&self.prefix);
        path.extend(utf8_percent_encode(connection.as_str(), ENCODED));
        path
    }
}

/// TLS with the stage. A thread reads the host's certificate authorities while the function starts, because reading them takes longer than the rest
/// of the start.
pub(super) struct Tls {
    /// The name that the certificate must have.
    pub(super) name: ServerName<'static>,
    connector: OnceLock<Result<TlsConnector, String>>,
    reading: Mutex<Option<JoinHandle<Result<TlsConnector, PosterError>>>>,
}

impl Tls {
    fn new(trust: &Trust, name: ServerName<'static>) -> Result<Self, PosterError> {
        let (connector, reading) = match trust {
            Trust::Native => (OnceLock::new(), Some(thread::spawn(|| connector(&Trust::Native)))),
            Trust::Only(_) => (OnceLock::from(Ok(connector(trust)?)), None),
        };
        Ok(Self { name, connector, reading: Mutex::new(reading) })
    }

    /// Waits for the authorities, if they are still being read.
    pub(super) fn connector(&self) -> Result<&TlsConnector, &str> {
        let read = || {
            let reading = self.reading.lock().unwrap_or_else(PoisonError::into_inner).take();
            let read = reading.map(JoinHandle::join);
            match read {
                Some(Ok(read)) => read.map_err(|error| error.to_string()),
                _ => Err("the certificates could not be read".to_owned()),
            }
        };
        self.connector.get_or_init(read).as_ref().map_err(String::as_str)
    }
}

/// Encodes a path once more, as a signature's canonical request has it.
pub(super) fn push_encoded_path(canonical: &mut String, path: &str) {
    const ENCODED_PATH: &AsciiSet = &ENCODED.remove(b'/');
    canonical.extend(utf8_percent_encode(path, ENCODED_PATH));
}

fn connector(trust: &Trust) -> Result<TlsConnector, PosterError> {
    let unusable = |error: &dyn std::fmt::Display| PosterError::Certificates(error.to_string());
    let mut roots = RootCertStore::empty();
    match trust {
        Trust::Native => {
            let found = rustls_native_certs::load_native_certs();
            roots.add_parsable_certificates(found.certs);
            if roots.is_empty() {
                let why = found.errors.first().map_or_else(|| "the machine has none".to_owned(), ToString::to_string);
                return Err(PosterError::Certificates(why));
            }
        }
        Trust::Only(pem) => {
            for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
                let certificate = certificate.map_err(|error| unusable(&error))?;
                roots.add(certificate).map_err(|error| unusable(&error))?;
            }
        }
    }
    let mut config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| unusable(&error))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsConnector::from(Arc::new(config)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(url: &str, expected: Option<(&str, u16, &str, &str)>) {
        let target = Target::parse(url, &Trust::Native).ok();
        let path = target.as_ref().map(|target| target.path(&ConnectionId::new("a=")));
        let seen = target
            .as_ref()
            .zip(path.as_deref())
            .map(|(target, path)| (target.host.as_str(), target.port, target.authority.to_str().unwrap(), path));
        assert_eq!(seen, expected, "{url}");
    }

    #[test]
    fn stage_url_is_a_host_a_port_and_a_path() {
        check("http://127.0.0.1:4566/live", Some(("127.0.0.1", 4566, "127.0.0.1:4566", "/live/@connections/a%3D")));
        check("http://h/a/b/live/", Some(("h", 80, "h", "/a/b/live/@connections/a%3D")));
        check("http://[::1]:9/live", Some(("::1", 9, "[::1]:9", "/live/@connections/a%3D")));
        check("wss://h/live", None);
        check("h/live", None);
        check("http://h/live?a=b", None);
        check("http://user@h/live", None);
    }
}
