//! The poster's credentials, renewed before they expire, and the signer that is made from them.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use hubbub_core::ports::Clock;
use hubbub_core::wire::time::Timestamp;
use thiserror::Error;

use super::sign::{SignError, Signer};
use super::target::Target;

/// How long a signer's date is used. A signature is valid for five minutes from its date.
const SIGNER_AGE: Duration = Duration::from_secs(30);

/// Credentials are renewed this long before they expire.
const RENEWED_BEFORE: Duration = Duration::from_secs(5 * 60);

/// The pause after a renewal that failed. The old credentials are used meanwhile.
const RENEWAL_PAUSE: Duration = Duration::from_secs(10);

/// Posts can't be signed.
#[derive(Debug, Error)]
pub(super) enum IdentityError {
    #[error("no credentials: {0}")]
    Credentials(#[from] CredentialsError),
    #[error(transparent)]
    Sign(#[from] SignError),
}

/// Makes signers with a fresh date and valid credentials.
pub(super) struct Identity<C> {
    provider: SharedCredentialsProvider,
    region: String,
    clock: C,
    current: Mutex<Option<Current>>,
    /// Held while credentials are asked for, so that only one of many posts asks.
    renewal: tokio::sync::Mutex<()>,
}

#[derive(Clone)]
struct Current {
    signer: Arc<Signer>,
    credentials: Credentials,
    /// When the signer is too old.
    until: Timestamp,
    /// When the credentials must be renewed.
    renew_at: Option<Timestamp>,
}

impl<C: Clock> Identity<C> {
    pub(super) fn new(provider: SharedCredentialsProvider, region: String, clock: C) -> Self {
        Self { provider, region, clock, current: Mutex::new(None), renewal: tokio::sync::Mutex::new(()) }
    }

    /// A signer for posts that leave now.
    pub(super) async fn signer(&self, target: &Target) -> Result<Arc<Signer>, IdentityError> {
        if let Some(signer) = self.fresh() {
            return Ok(signer);
        }
        let _one_at_a_time = self.renewal.lock().await;
        if let Some(signer) = self.fresh() {
            return Ok(signer);
        }
        let now = self.clock.now();
        let (credentials, renew_at) = self.credentials(now).await?;
        let signer = Arc::new(Signer::new(&credentials, &self.region, target, now)?);
        let current = Current { signer: Arc::clone(&signer), credentials, until: now.plus(SIGNER_AGE), renew_at };
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = Some(current);
        Ok(signer)
    }

    fn current(&self) -> Option<Current> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn fresh(&self) -> Option<Arc<Signer>> {
        let now = self.clock.now();
        let current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        current.as_ref().filter(|current| now < current.until).map(|current| Arc::clone(&current.signer))
    }

    /// The credentials in use, or the provider's if it is time to renew. If the provider fails, valid credentials stay in use.
    async fn credentials(&self, now: Timestamp) -> Result<(Credentials, Option<Timestamp>), IdentityError> {
        let held = self.current().map(|current| (current.credentials, current.renew_at));
        if let Some((credentials, renew_at)) = &held
            && renew_at.is_none_or(|renew_at| now < renew_at)
        {
            return Ok((credentials.clone(), *renew_at));
        }
        match self.provider.provide_credentials().await {
            Ok(credentials) => {
                let renew_at = expiry(&credentials).map(|at| at.minus(RENEWED_BEFORE));
                Ok((credentials, renew_at))
            }
            Err(error) => match held {
                Some((credentials, _)) if expiry(&credentials).is_some_and(|at| now < at) => {
                    tracing::warn!(%error, "credentials not renewed");
                    Ok((credentials, Some(now.plus(RENEWAL_PAUSE))))
                }
                _ => Err(error.into()),
            },
        }
    }
}

fn expiry(credentials: &Credentials) -> Option<Timestamp> {
    let since_1970 = credentials.expiry()?.duration_since(UNIX_EPOCH).unwrap_or_default();
    Some(Timestamp(u64::try_from(since_1970.as_millis()).unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::SystemTime;

    use aws_credential_types::provider::future::ProvideCredentials as Provided;
    use hubbub_testkit::fixtures::TestEnv;

    use super::super::Trust;
    use super::*;

    /// Gives out credentials that last for an hour from `NOW` and then for another, and no more.
    #[derive(Debug, Default)]
    struct Hours(AtomicU64);

    const NOW: u64 = 1_767_323_045_000;
    const HOUR: u64 = 3_600_000;

    impl ProvideCredentials for Hours {
        fn provide_credentials<'a>(&'a self) -> Provided<'a>
        where
            Self: 'a,
        {
            let hour = self.0.fetch_add(1, Ordering::Relaxed) + 1;
            let until: SystemTime = UNIX_EPOCH + Duration::from_millis(NOW + hour * HOUR);
            Provided::ready(if hour <= 2 {
                Ok(Credentials::new(format!("hour{hour}"), "secret", None, Some(until), "test"))
            } else {
                Err(CredentialsError::not_loaded("no more"))
            })
        }
    }

    /// The key id that posts are signed with at each of these times after `NOW`, in milliseconds.
    async fn check(times: &[u64], expected: &[Option<&str>]) {
        let target = Target::parse("http://h/live", &Trust::Native).unwrap();
        let provider = SharedCredentialsProvider::new(Hours::default());
        let env = TestEnv::at(NOW);
        let identity = Identity::new(provider, "eu-west-1".to_owned(), env.clone());
        let mut seen = Vec::new();
        for time in times {
            env.set(NOW + time);
            seen.push(identity.signer(&target).await.ok().map(|signer| signer.key_id()));
        }
        let seen: Vec<Option<&str>> = seen.iter().map(Option::as_deref).collect();
        assert_eq!(seen, expected, "{times:?}");
    }

    #[tokio::test]
    async fn credentials_are_renewed_before_they_expire() {
        let minute = HOUR / 60;
        check(&[0, 54 * minute, 56 * minute], &[Some("hour1"), Some("hour1"), Some("hour2")]).await;
    }

    #[tokio::test]
    async fn credentials_are_used_while_valid_if_not_renewed() {
        let minute = HOUR / 60;
        let times = [0, 56 * minute, 116 * minute, 119 * minute, 121 * minute];
        check(&times, &[Some("hour1"), Some("hour2"), Some("hour2"), Some("hour2"), None]).await;
    }
}
