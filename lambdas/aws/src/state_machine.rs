//! The broadcast state machine on Step Functions.

use aws_sdk_sfn::Client;
use hubbub_core::broadcast::round::BroadcastInput;
use hubbub_core::ports::{Broadcasts, PortResult};
use hubbub_core::wire::channel::Channel;
use hubbub_core::wire::id::LeaseId;

use crate::error::{malformed, port_error};

/// The state machine.
#[derive(Clone, Debug)]
pub struct StateMachine {
    client: Client,
    arn: String,
}

impl StateMachine {
    /// The state machine of this ARN.
    #[must_use]
    pub const fn new(client: Client, arn: String) -> Self {
        Self { client, arn }
    }
}

impl Broadcasts for StateMachine {
    async fn start(&self, channel: &Channel, lease: &LeaseId) -> PortResult<()> {
        let input = BroadcastInput { channel: channel.clone(), lease: lease.clone() };
        let input = serde_json::to_string(&input).map_err(|error| malformed("write execution input", error))?;
        let started =
            self.client.start_execution().state_machine_arn(&self.arn).name(lease.as_str()).input(input).send().await;
        match started {
            Ok(_) => Ok(()),
            // The name was used within the last 90 days: this very broadcast was started before.
            Err(error) if error.as_service_error().is_some_and(|error| error.is_execution_already_exists()) => Ok(()),
            Err(error) => Err(port_error("states:StartExecution", &error)),
        }
    }
}
