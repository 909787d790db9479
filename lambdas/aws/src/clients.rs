//! The adapters, each from the SDK's configuration and a name.

use std::time::Duration;

use aws_credential_types::Credentials;
use aws_types::SdkConfig;
use aws_types::region::Region;
use hubbub_core::ports::PortResult;
use hubbub_core::rate::Rate;

use crate::dead_letters::DeadLetterOffice;
use crate::operations::Inspector;
use crate::parameter::Parameter;
use crate::poster::{FastPoster, PosterError, PosterSettings, Trust};
use crate::queue::{SqsAnnouncements, SqsDeadLetters, SqsPublishQueue};
use crate::runtime::{sdk_config, sdk_config_for};
use crate::state_machine::StateMachine;
use crate::table::Table;

/// Makes adapters that share one SDK configuration, and with it one pool of connections.
#[derive(Clone, Debug)]
pub struct Clients {
    config: SdkConfig,
}

impl Clients {
    /// From what Lambda puts into a function's environment.
    #[must_use]
    pub fn from_environment() -> Self {
        Self { config: sdk_config() }
    }

    /// For a stack in a Region of AWS, with the credentials that the environment holds.
    #[must_use]
    pub fn in_region(region: String) -> Self {
        let config = sdk_config().into_builder().region(Region::new(region)).build();
        Self { config }
    }

    /// Whether there are credentials to call AWS with.
    #[must_use]
    pub fn has_credentials(&self) -> bool {
        self.config.credentials_provider().is_some()
    }

    /// For a stack on this machine, which asks for credentials but doesn't check them.
    #[must_use]
    pub fn local(endpoint: String, region: String) -> Self {
        let credentials = Credentials::new("test", "test", None, None, "local stack");
        Self { config: sdk_config_for(Some(region), Some(endpoint), Some(credentials)) }
    }

    /// The store.
    #[must_use]
    pub fn table(&self, name: String) -> Table {
        Table::new(aws_sdk_dynamodb::Client::new(&self.config), name)
    }

    /// The store of a function that has rooms announced: with the queue for it.
    #[must_use]
    pub fn announcing_table(&self, name: String, presence_queue_url: String) -> Table {
        let queue = aws_sdk_sqs::Client::new(&self.config);
        self.table(name).announcing(SqsAnnouncements::new(queue, presence_queue_url))
    }

    /// The publish queue.
    #[must_use]
    pub fn publish_queue(&self, url: String) -> SqsPublishQueue {
        SqsPublishQueue::new(aws_sdk_sqs::Client::new(&self.config), url)
    }

    /// The dead-letter queue.
    #[must_use]
    pub fn dead_letters(&self, url: String) -> SqsDeadLetters {
        SqsDeadLetters::new(aws_sdk_sqs::Client::new(&self.config), url)
    }

    /// The dead-letter queue, for operators.
    #[must_use]
    pub fn dead_letter_office(&self, dead_letter_queue_url: String, publish_queue_url: String) -> DeadLetterOffice {
        DeadLetterOffice::new(aws_sdk_sqs::Client::new(&self.config), dead_letter_queue_url, publish_queue_url)
    }

    /// What the account says of a stack, for operators.
    ///
    /// # Errors
    /// When the machine has no certificates to believe.
    pub fn inspector(&self) -> PortResult<Inspector> {
        Inspector::new(&self.config)
    }

    /// The broadcast state machine.
    #[must_use]
    pub fn state_machine(&self, arn: String) -> StateMachine {
        StateMachine::new(aws_sdk_sfn::Client::new(&self.config), arn)
    }

    /// The poster to the stage at `callback_url`: at this rate until it is told another, at most `concurrency` posts at once, each given up
    /// after `timeout_ms`.
    ///
    /// # Errors
    /// As [`FastPoster::new`].
    pub fn poster(
        &self,
        callback_url: &str,
        rate: Rate,
        concurrency: u64,
        timeout_ms: u64,
    ) -> Result<FastPoster, PosterError> {
        let settings = PosterSettings {
            concurrency: usize::try_from(concurrency).unwrap_or(usize::MAX),
            timeout: Duration::from_millis(timeout_ms),
            rate: Some(rate),
            trust: Trust::Native,
        };
        FastPoster::new(&self.config, callback_url, settings)
    }

    /// A secret.
    #[must_use]
    pub fn parameter(&self, name: String) -> Parameter {
        Parameter::new(aws_sdk_ssm::Client::new(&self.config), name)
    }
}
