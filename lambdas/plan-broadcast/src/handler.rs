//! From the state machine's input to the rules.

use hubbub_aws::runtime::Fault;
use hubbub_core::broadcast::{Plan, PlanInput, Planner};
use hubbub_core::ports::{Broadcasts, Clock, Log, Members, Meter, Poster, Receipts};
use serde_json::Value;

/// Handles the state `PlanBroadcast`.
#[derive(Clone, Debug)]
pub struct Handler<S, B, P, E>(pub Planner<S, B, P, E>);

impl<S: Log + Members + Receipts, B: Broadcasts, P: Poster, E: Clock + Meter> Handler<S, B, P, E> {
    /// Plans the next round.
    ///
    /// # Errors
    /// `Hubbub.InvalidInput` where the input isn't the state machine's, else as the ports fail.
    pub async fn handle(&self, event: Value) -> Result<Plan, Fault> {
        let input: PlanInput = serde_json::from_value(event)?;
        Ok(self.0.plan(input).await?)
    }
}
