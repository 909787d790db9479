//! Secrets from SSM's parameter store.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use aws_types::SdkConfig;
use hubbub_core::ports::{Clock, PortResult};
use hubbub_core::wire::time::Timestamp;
use serde::Deserialize;
use serde_json::json;
use tokio::time::sleep;

use crate::api::{Api, Call, Service};
use crate::error::malformed;
use crate::system::System;

const OPERATION: &str = "ssm:GetParameter";

/// How long a value is used before it is read again, so that a new one needs no deployment.
const CACHED: Duration = Duration::from_secs(300);

/// How long a try may take. With three of them, an authorizer has the value before its ten seconds are over.
const TIMEOUT: Duration = Duration::from_millis(2_500);
const TRIES: u32 = 3;

/// The longest pause before the second try; it doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// A parameter that is read when it is needed and kept for a while.
#[derive(Debug)]
pub struct Parameter {
    api: Api,
    name: String,
    cached: Mutex<Option<(Timestamp, String)>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    parameter: Read,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Read {
    value: String,
}

impl Parameter {
    /// The parameter of this name.
    ///
    /// # Errors
    /// When the host has no certificates to trust.
    pub fn new(config: &SdkConfig, name: String) -> PortResult<Self> {
        Ok(Self { api: Api::new(config.clone(), TIMEOUT)?, name, cached: Mutex::new(None) })
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
        let value = self.read().await?;
        *self.cached.lock().unwrap_or_else(PoisonError::into_inner) = Some((now, value.clone()));
        Ok(value)
    }

    async fn read(&self) -> PortResult<String> {
        let mut attempt = 1;
        loop {
            match self.read_once().await {
                Err(error) if error.is_retryable() && attempt < TRIES => {
                    tracing::warn!(%error, attempt, "parameter not read");
                    sleep((FIRST_PAUSE * 2_u32.pow(attempt - 1)).mul_f64(fastrand::f64())).await;
                    attempt += 1;
                }
                read => return read,
            }
        }
    }

    async fn read_once(&self) -> PortResult<String> {
        let request = json!({ "Name": self.name, "WithDecryption": true });
        let call = Call::json(OPERATION, Service::Ssm, "AmazonSSM.GetParameter", &request);
        let answer = self.api.ask(call).await?.ok_or_else(|| malformed(OPERATION, "it isn't there"))?;
        let answer: Answer = serde_json::from_str(&answer).map_err(|error| malformed(OPERATION, error))?;
        Ok(answer.parameter.value)
    }
}
