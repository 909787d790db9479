//! From an item of the state machine's Map to the rules.

use hubbub_aws::runtime::Fault;
use hubbub_core::broadcast::{PageDelivery, PageInput, PageReport};
use hubbub_core::ports::{Clock, Log, Members, Meter, Poster, Senders};
use hubbub_core::time::Timestamp;
use serde_json::Value;

/// Handles the state `DeliverPage`.
#[derive(Clone, Debug)]
pub struct Handler<S, P, E>(pub PageDelivery<S, P, E>);

impl<S: Log + Members + Senders, P: Poster, E: Clock + Meter> Handler<S, P, E> {
    /// Delivers a page.
    ///
    /// # Errors
    /// `Hubbub.InvalidInput` where the input isn't the state machine's, else as the ports fail.
    pub async fn handle(&self, event: Value, deadline: Timestamp) -> Result<PageReport, Fault> {
        let input: PageInput = serde_json::from_value(event)?;
        Ok(self.0.deliver(input, deadline).await?)
    }
}
