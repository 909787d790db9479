//! The requests of a page: one for each connection and frame, made on one thread or on all.
//!
//! Making a request takes about two microseconds, less than handing it to another thread. Only a page of many requests is worth waking the other
//! threads for. `scripts/bench --only signing` measures from which size on.

use bytes::Bytes;
use hubbub_core::wire::id::ConnectionId;
use hyper::header::HeaderValue;
use hyper::{Method, Uri};
use rayon::iter::{IndexedParallelIterator, IntoParallelRefIterator, ParallelIterator};

use super::sign::{Body, SignError, Signer};
use super::target::Target;

/// From this many requests on, all threads make them. docs/performance.md has the measurement.
const SHARED_FROM: usize = 512;

/// The fewest connections that are handed to a thread.
const SHARE: usize = 64;

/// Where a page's requests are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Threads {
    /// On this thread.
    One,
    /// On all threads of the process.
    All,
}

impl Threads {
    /// The faster choice for this many requests.
    #[must_use]
    pub fn for_requests(count: usize) -> Self {
        if count >= SHARED_FROM && rayon::current_num_threads() > 1 { Self::All } else { Self::One }
    }
}

/// What a connection's requests need besides what all requests share.
#[derive(Debug)]
pub struct Prepared {
    pub(super) uri: Uri,
    /// The `authorization` header for each of the frames, in their order.
    pub(super) authorizations: Vec<HeaderValue>,
}

/// Makes the requests of all bodies to all connections, in the connections' order.
///
/// # Errors
/// When something can't be signed or sent as a header.
pub fn prepare(
    threads: Threads,
    signer: &Signer,
    target: &Target,
    bodies: &[Body],
    connections: &[ConnectionId],
) -> Result<Vec<Prepared>, SignError> {
    let one = |connection: &ConnectionId| {
        let path = target.path(connection);
        let authorizations =
            bodies.iter().map(|body| signer.sign(&Method::POST, &path, body)).collect::<Result<_, _>>()?;
        let uri = Uri::from_maybe_shared(Bytes::from(path)).map_err(|_| SignError::Path)?;
        Ok(Prepared { uri, authorizations })
    };
    match threads {
        Threads::One => connections.iter().map(one).collect(),
        Threads::All => connections.par_iter().with_min_len(SHARE).map(one).collect(),
    }
}

#[cfg(test)]
mod tests {
    use aws_credential_types::Credentials;
    use hubbub_core::wire::time::Timestamp;

    use super::super::Trust;
    use super::*;

    #[test]
    fn all_threads_make_the_same_requests_as_one() {
        let target = Target::parse("http://127.0.0.1:1/live", &Trust::Native).unwrap();
        let credentials = Credentials::new("id", "secret", None, None, "test");
        let signer = Signer::new(&credentials, "eu-west-1", &target, Timestamp(1_767_323_045_000)).unwrap();
        let bodies = ["one", "two"].map(|text| Body::new(Bytes::from_static(text.as_bytes())));
        let connections: Vec<_> = (0..1_000).map(|number| ConnectionId::new(format!("c{number}="))).collect();
        let [one, all] = [Threads::One, Threads::All]
            .map(|threads| prepare(threads, &signer, &target, &bodies, &connections).unwrap());
        assert_eq!(one.len(), 1_000);
        for ((one, all), connection) in one.iter().zip(&all).zip(&connections) {
            assert_eq!((&one.uri, &one.authorizations), (&all.uri, &all.authorizations));
            assert_eq!(one.uri.path(), target.path(connection));
            assert_eq!(one.authorizations.len(), 2);
        }
    }
}
