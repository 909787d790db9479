//! Tokens that the stack accepts, and some that it must not.

use std::time::Duration;

use anyhow::Context;
use hubbub_aws::system::System;
use hubbub_core::ports::Clock;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde::Serialize;

use crate::stack::Stack;

#[derive(Serialize)]
struct Claims<'a> {
    sub: &'a str,
    exp: u64,
}

/// Signs tokens with a stack's key.
#[derive(Clone)]
pub struct Tokens {
    key: EncodingKey,
}

impl Tokens {
    /// Reads the stack's key.
    ///
    /// # Errors
    /// Fails if the parameter can't be read.
    pub async fn of(stack: &Stack) -> anyhow::Result<Self> {
        let name = &stack.outputs.token_key_parameter;
        let answer = stack
            .ssm()
            .get_parameter()
            .name(name)
            .with_decryption(true)
            .send()
            .await
            .with_context(|| format!("the parameter `{name}` can't be read"))?;
        let value = answer
            .parameter
            .and_then(|parameter| parameter.value)
            .with_context(|| format!("the parameter `{name}` has no value"))?;
        Ok(Self::new(&value))
    }

    /// Signs with this key.
    #[must_use]
    pub fn new(key: &str) -> Self {
        Self {
            key: EncodingKey::from_secret(key.as_bytes()),
        }
    }

    /// A token for a user that is good for an hour.
    ///
    /// # Errors
    /// None that is known; the type is the JWT library's.
    pub fn sign(&self, user: &str) -> anyhow::Result<String> {
        self.sign_until(user, System.now().plus(Duration::from_secs(3_600)).as_ttl())
    }

    /// A token for a user that expires at a time in seconds since 1970, which may be over.
    ///
    /// # Errors
    /// None that is known; the type is the JWT library's.
    pub fn sign_until(&self, user: &str, exp: u64) -> anyhow::Result<String> {
        let token = encode(&Header::new(Algorithm::HS256), &Claims { sub: user, exp }, &self.key)?;
        Ok(token)
    }
}
