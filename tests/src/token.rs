//! Tokens that the stack accepts, and some that it must not.

use std::time::Duration;

use anyhow::Context;
use hubbub_aws::system::System;
use hubbub_core::ports::Clock;
use hubbub_functions::authorize::token::{self, Claims};
use serde_json::Value;

use crate::stack::Stack;

/// Signs tokens with a stack's key.
#[derive(Clone)]
pub struct Tokens {
    key: String,
}

impl Tokens {
    /// Reads the stack's key.
    ///
    /// # Errors
    /// Fails if the parameter can't be read.
    pub async fn of(stack: &Stack) -> anyhow::Result<Self> {
        let name = &stack.outputs.token_key_parameter;
        let value =
            stack.parameter(name)?.value().await.with_context(|| format!("the parameter `{name}` can't be read"))?;
        Ok(Self::new(value))
    }

    /// Signs with this key.
    #[must_use]
    pub fn new(key: impl Into<String>) -> Self {
        Self { key: key.into() }
    }

    /// The key, for tokens that are made by hand.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
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
        self.sign_claims(&Claims { sub: user.to_owned(), exp, nbf: None, capabilities: None })
    }

    /// A token for a user that is good for an hour and grants these capabilities.
    ///
    /// # Errors
    /// None that is known; the type is the JWT library's.
    pub fn sign_for(&self, user: &str, capabilities: Value) -> anyhow::Result<String> {
        let exp = System.now().plus(Duration::from_secs(3_600)).as_ttl();
        self.sign_claims(&Claims { sub: user.to_owned(), exp, nbf: None, capabilities: Some(capabilities) })
    }

    fn sign_claims(&self, claims: &Claims) -> anyhow::Result<String> {
        Ok(token::sign(claims, &self.key)?)
    }
}
