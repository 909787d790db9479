//! Secrets from SSM's parameter store.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use aws_sdk_ssm::Client;
use hubbub_core::ports::{Clock, PortResult};
use hubbub_core::time::Timestamp;

use crate::error::{malformed, port_error};
use crate::system::System;

/// How long a value is used before it is read again, so that a new one needs no deployment.
const CACHED: Duration = Duration::from_secs(300);

/// A parameter that is read when it is needed and kept for a while.
#[derive(Debug)]
pub struct Parameter {
    client: Client,
    name: String,
    cached: Mutex<Option<(Timestamp, String)>>,
}

impl Parameter {
    /// The parameter of this name.
    #[must_use]
    pub fn new(client: Client, name: String) -> Self {
        Self { client, name, cached: Mutex::new(None) }
    }

    /// The value, decrypted.
    ///
    /// # Errors
    /// When it can't be read and none was read within the last five minutes.
    pub async fn value(&self) -> PortResult<String> {
        let now = System.now();
        if let Some((read, value)) = &*self.cached.lock().unwrap_or_else(PoisonError::into_inner)
            && now.since(*read) < CACHED
        {
            return Ok(value.clone());
        }
        let answer = self
            .client
            .get_parameter()
            .name(&self.name)
            .with_decryption(true)
            .send()
            .await
            .map_err(|error| port_error("ssm:GetParameter", &error))?;
        let value = answer
            .parameter
            .and_then(|parameter| parameter.value)
            .ok_or_else(|| malformed("ssm:GetParameter", "the parameter has no value"))?;
        *self.cached.lock().unwrap_or_else(PoisonError::into_inner) = Some((now, value.clone()));
        Ok(value)
    }
}
