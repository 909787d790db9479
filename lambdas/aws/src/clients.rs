//! The adapters, each made from the SDK's configuration and a name.

use std::time::Duration;

use aws_credential_types::Credentials;
use aws_types::SdkConfig;
use aws_types::region::Region;
use hubbub_core::limits::pace::Rate;
use hubbub_core::ports::PortResult;

use crate::dead_letters::DeadLetterOffice;
use crate::operations::Inspector;
use crate::parameter::Parameter;
use crate::poster::{ConnectionsPoster, PosterError, PosterSettings, Trust};
use crate::queue::{SqsAnnouncements, SqsDeadLetters, SqsPublishQueue};
use crate::runtime::{sdk_config, sdk_config_for};
use crate::state_machine::StateMachine;
use crate::table::Table;

/// Makes adapters that share one SDK configuration, and so one pool of connections.
#[derive(Clone, Debug)]
pub struct Clients {
    config: SdkConfig,
}

impl Clients {
    /// From a function's environment.
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

    /// For a local stack, which asks for credentials but doesn't check them.
    #[must_use]
    pub fn local(endpoint: String, region: String) -> Self {
        let credentials = Credentials::new("test", "test", None, None, "local stack");
        Self { config: sdk_config_for(Some(region), Some(endpoint), Some(credentials)) }
    }

    #[must_use]
    pub fn table(&self, name: impl Into<String>) -> Table {
        Table::new(aws_sdk_dynamodb::Client::new(&self.config), name.into())
    }

    /// The table, with the queue on which it asks for announcements.
    #[must_use]
    pub fn announcing_table(&self, name: impl Into<String>, presence_queue_url: impl Into<String>) -> Table {
        let queue = aws_sdk_sqs::Client::new(&self.config);
        self.table(name).announcing(SqsAnnouncements::new(queue, presence_queue_url.into()))
    }

    #[must_use]
    pub fn publish_queue(&self, url: impl Into<String>) -> SqsPublishQueue {
        SqsPublishQueue::new(aws_sdk_sqs::Client::new(&self.config), url.into())
    }

    /// The dead-letter queue, for functions.
    #[must_use]
    pub fn dead_letters(&self, url: impl Into<String>) -> SqsDeadLetters {
        SqsDeadLetters::new(aws_sdk_sqs::Client::new(&self.config), url.into())
    }

    /// The dead-letter queue, for operators.
    #[must_use]
    pub fn dead_letter_office(&self, dead_letter_queue_url: String, publish_queue_url: String) -> DeadLetterOffice {
        DeadLetterOffice::new(aws_sdk_sqs::Client::new(&self.config), dead_letter_queue_url, publish_queue_url)
    }

    /// The stack's resources in the account, for operators.
    ///
    /// # Errors
    /// When the host has no certificates to trust.
    pub fn inspector(&self) -> PortResult<Inspector> {
        Inspector::new(&self.config)
    }

    #[must_use]
    pub fn state_machine(&self, arn: impl Into<String>) -> StateMachine {
        StateMachine::new(aws_sdk_sfn::Client::new(&self.config), arn.into())
    }

    /// The poster to the stage at `callback_url`. It posts at this rate until [`Poster::limit`](hubbub_core::ports::Poster::limit) sets another,
    /// at most `concurrency` posts at once, and gives a post up after `timeout_ms`.
    ///
    /// # Errors
    /// As [`ConnectionsPoster::new`].
    pub fn poster(
        &self,
        callback_url: &str,
        rate: Rate,
        concurrency: u64,
        timeout_ms: u64,
    ) -> Result<ConnectionsPoster, PosterError> {
        let settings = PosterSettings {
            concurrency: usize::try_from(concurrency).unwrap_or(usize::MAX),
            timeout: Duration::from_millis(timeout_ms),
            rate: Some(rate),
            trust: Trust::Native,
        };
        ConnectionsPoster::new(&self.config, callback_url, settings)
    }

    /// A secret.
    ///
    /// # Errors
    /// As [`Parameter::new`].
    pub fn parameter(&self, name: String) -> PortResult<Parameter> {
        Parameter::new(&self.config, name)
    }
}
