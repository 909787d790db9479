//! `deliver-page`: delivers a page of a round, some thousands of a room's members.

use std::time::Duration;

use hubbub_aws::runtime::FunctionError;
use hubbub_core::broadcast::page_delivery::PageDelivery;
use hubbub_core::broadcast::round::{PageInput, PageReport};
use hubbub_core::delivery::fan_out::FanOut;
use hubbub_core::limits::budget::Budget;
use hubbub_core::ports::{Clock, Ids, Log, Members, Meter, Poster, Senders};
use hubbub_core::settings::DeliverPageConfig;
use hubbub_core::transport::API_GATEWAY;
use hubbub_core::wire::time::Timestamp;
use serde_json::Value;

/// Handles the state `DeliverPage`.
#[derive(Clone, Debug)]
pub struct Handler<S, P, E>(PageDelivery<S, P, E>);

/// What `deliver-page` reads, writes and posts to.
#[derive(Clone, Debug)]
pub struct Ports<S, P, E> {
    pub store: S,
    pub poster: P,
    pub env: E,
}

impl<S: Log + Members + Senders, P: Poster, E: Clock + Ids + Meter> Handler<S, P, E> {
    pub fn new(config: &DeliverPageConfig, Ports { store, poster, env }: Ports<S, P, E>) -> Self {
        Self(PageDelivery {
            fan_out: FanOut::of_new_sender(store, poster, env, Budget::of(config.callback_rps), API_GATEWAY),
            lease: Duration::from_secs(config.lease_seconds),
        })
    }

    /// Delivers a page.
    ///
    /// # Errors
    /// `Hubbub.InvalidInput` if the input isn't the state machine's, else as the ports fail.
    pub async fn handle(&self, event: Value, deadline: Timestamp) -> Result<PageReport, FunctionError> {
        let input: PageInput = serde_json::from_value(event)?;
        Ok(self.0.deliver(input, deadline).await?)
    }
}
