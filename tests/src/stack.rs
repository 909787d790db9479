//! Where the local stack is, and clients of its AWS services.

use std::path::{Path, PathBuf};

use anyhow::Context;
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_sqs::config::{BehaviorVersion, Region};
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use aws_smithy_http_client::Builder;
use aws_smithy_types::retry::RetryConfig;
use aws_types::SdkConfig;
use hubbub_aws::parameter::Parameter;
use hubbub_aws::table::Table;
use serde::Deserialize;

/// The environment variable with the path of `outputs.json`.
pub const OUTPUTS: &str = "HUBBUB_OUTPUTS";

/// The local AWS checks no signature; it only reads the account and the Region out of it.
pub(crate) const ACCESS_KEY_ID: &str = "test";

/// What `outputs.json` of a running stack says.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Outputs {
    /// The local AWS.
    pub aws_endpoint: String,
    /// The Region.
    pub region: String,
    /// Where clients connect.
    pub web_socket_url: String,
    /// Where posts to connections go.
    pub callback_url: String,
    /// Where services send messages.
    pub publish_queue_url: String,
    /// Where announcements are asked for.
    pub presence_queue_url: String,
    /// Where messages go that can't be delivered.
    pub dead_letter_queue_url: String,
    /// The table.
    pub table_name: String,
    /// The broadcast state machine.
    pub state_machine_arn: String,
    /// The SSM parameter with the key that signs tokens.
    pub token_key_parameter: String,
    /// Members up to which a channel is delivered without the state machine.
    pub inline_limit: u64,
}

impl Outputs {
    /// Reads a file.
    ///
    /// # Errors
    /// Names the file if it can't be read or isn't a stack's outputs.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| format!("`{}` can't be read", path.display()))?;
        serde_json::from_str(&text).with_context(|| format!("`{}` doesn't hold a stack's outputs", path.display()))
    }
}

/// A running stack.
#[derive(Clone, Debug)]
pub struct Stack {
    /// Where its parts are.
    pub outputs: Outputs,
    /// The folder that its files are in; no other stack uses it.
    pub(crate) folder: PathBuf,
    config: SdkConfig,
}

impl Stack {
    /// The stack of these outputs, which has its files in this folder.
    #[must_use]
    pub fn new(outputs: Outputs, folder: PathBuf) -> Self {
        let credentials = Credentials::new(ACCESS_KEY_ID, "test", None, None, "local");
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(outputs.region.clone()))
            .endpoint_url(&outputs.aws_endpoint)
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .http_client(Builder::new().build_http())
            .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
            .retry_config(RetryConfig::standard())
            .build();
        Self { outputs, folder, config }
    }

    /// The stack whose outputs `HUBBUB_OUTPUTS` names.
    ///
    /// # Errors
    /// Fails if the variable isn't set, and as [`Outputs::read`].
    #[expect(clippy::disallowed_methods, reason = "this is where the tests' environment comes in")]
    pub fn from_environment() -> anyhow::Result<Self> {
        let path = std::env::var_os(OUTPUTS).map(PathBuf::from).with_context(|| {
            format!("environment variable `{OUTPUTS}` is missing: it names a running stack's outputs.json")
        })?;
        let folder = path.parent().map(Path::to_owned).unwrap_or_default();
        Ok(Self::new(Outputs::read(&path)?, folder))
    }

    /// A client of SQS.
    #[must_use]
    pub fn sqs(&self) -> aws_sdk_sqs::Client {
        aws_sdk_sqs::Client::new(&self.config)
    }

    /// A client of Step Functions.
    #[must_use]
    pub fn step_functions(&self) -> aws_sdk_sfn::Client {
        aws_sdk_sfn::Client::new(&self.config)
    }

    /// A parameter of SSM.
    ///
    /// # Errors
    /// When the host has no certificates to trust.
    pub fn parameter(&self, name: &str) -> anyhow::Result<Parameter> {
        Ok(Parameter::new(&self.config, name.to_owned())?)
    }

    /// The stack's table, by the functions' own ports.
    #[must_use]
    pub fn table(&self) -> Table {
        Table::new(aws_sdk_dynamodb::Client::new(&self.config), self.outputs.table_name.clone())
    }
}
