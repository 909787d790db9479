//! `plan-broadcast`: settles a round of a broadcast, and plans the next.

use std::time::Duration;

use hubbub_aws::runtime::FunctionError;
use hubbub_core::broadcast::planner::Planner;
use hubbub_core::broadcast::round::{Plan, PlanInput};
use hubbub_core::limits::budget::Budget;
use hubbub_core::ports::{Broadcasts, Clock, Log, Members, Meter, Poster, Receipts};
use hubbub_core::settings::PlanBroadcastConfig;
use hubbub_core::transport::API_GATEWAY;
use serde_json::Value;

/// Handles the state `PlanBroadcast`.
#[derive(Clone, Debug)]
pub struct Handler<S, B, P, E>(Planner<S, B, P, E>);

/// What `plan-broadcast` reads, writes, starts and posts to.
#[derive(Clone, Debug)]
pub struct Ports<S, B, P, E> {
    pub store: S,
    pub broadcasts: B,
    pub poster: P,
    pub env: E,
}

impl<S: Log + Members + Receipts, B: Broadcasts, P: Poster, E: Clock + Meter> Handler<S, B, P, E> {
    pub fn new(config: &PlanBroadcastConfig, Ports { store, broadcasts, poster, env }: Ports<S, B, P, E>) -> Self {
        Self(Planner {
            store,
            broadcasts,
            poster,
            env,
            lease: Duration::from_secs(config.lease_seconds),
            page_members: config.page_members,
            round_frames: config.round_frames,
            history_events: config.history_events,
            budget: Budget::of(config.callback_rps),
            retention: Duration::from_secs(config.retention_seconds),
            transport: API_GATEWAY,
        })
    }

    /// Plans the next round.
    ///
    /// # Errors
    /// `Hubbub.InvalidInput` if the input isn't the state machine's, else as the ports fail.
    pub async fn handle(&self, event: Value) -> Result<Plan, FunctionError> {
        let input: PlanInput = serde_json::from_value(event)?;
        Ok(self.0.plan(input).await?)
    }
}

#[cfg(test)]
mod tests {
    use futures::executor::block_on;
    use hubbub_testkit::fixtures::{Recorder, TestEnv};
    use hubbub_testkit::memory::MemoryStore;
    use serde_json::json;

    use super::*;
    use crate::testing::config;

    fn plan(event: Value) -> Result<Plan, FunctionError> {
        let recorder = Recorder::default();
        let (store, env) = (MemoryStore::default(), TestEnv::default());
        let ports = Ports { store, broadcasts: recorder.clone(), poster: recorder, env };
        block_on(Handler::new(&config(), ports).handle(event))
    }

    #[test]
    fn execution_of_an_unknown_channel_has_lost_its_lease() {
        let plan = plan(json!({"channel": "room:lobby", "lease": "lease"})).unwrap();
        assert_eq!(serde_json::to_value(plan).unwrap()["outcome"], "lost_lease");
    }

    #[test]
    fn input_that_is_not_the_state_machines_is_refused() {
        let error = plan(json!({"channel": "lobby"})).unwrap_err();
        assert!(matches!(error, FunctionError::InvalidInput(_)), "{error}");
    }
}
