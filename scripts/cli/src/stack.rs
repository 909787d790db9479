//! The stack that a command is about.

use std::path::Path;

use anyhow::Context;
use hubbub_aws::clients::Clients;
use serde::Deserialize;

/// What a stack says of itself: a part of the Pulumi program's outputs, and the local stack's endpoint.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Stack {
    /// The local AWS.
    pub(crate) aws_endpoint: String,
    /// The Region.
    pub(crate) region: String,
    /// Where messages are published.
    pub(crate) publish_queue_url: String,
    /// Where messages go that can't be delivered.
    pub(crate) dead_letter_queue_url: String,
    /// The SSM parameter with the signing key.
    pub(crate) token_key_parameter: String,
}

impl Stack {
    /// Reads the outputs of a running local stack.
    pub(crate) fn read(outputs: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(outputs).with_context(|| {
            format!(
                "no stack's outputs at `{}`: start one by scripts/up, or name the file by --outputs",
                outputs.display()
            )
        })?;
        serde_json::from_str(&text).with_context(|| format!("`{}` is not a stack's outputs", outputs.display()))
    }

    /// The stack's clients.
    pub(crate) fn clients(&self) -> Clients {
        Clients::local(self.aws_endpoint.clone(), self.region.clone())
    }
}
