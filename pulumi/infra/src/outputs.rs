//! The stack's outputs: what clients, services and tools need to know.

use hubbub_core::names::env;

use crate::broadcast::BROADCAST;
use crate::model::{Program, Value};
use crate::queues::{DEAD_LETTER_QUEUE, PRESENCE_QUEUE, PUBLISH_POLICY, PUBLISH_QUEUE};
use crate::settings::Settings;
use crate::table::TABLE;
use crate::tokens::TOKEN_KEY_PARAMETER;
use crate::{domain, names};

/// Declares the outputs.
pub fn declare(program: &mut Program, settings: &Settings) {
    let outputs: [(_, Value); 11] = [
        ("region", names::REGION.itself().into()),
        ("webSocketUrl", names::web_socket_url(settings).into()),
        ("callbackUrl", names::callback_url(settings).into()),
        ("publishQueueUrl", PUBLISH_QUEUE.get("url").into()),
        ("publishQueueArn", PUBLISH_QUEUE.get("arn").into()),
        ("publishPolicyArn", PUBLISH_POLICY.get("arn").into()),
        ("presenceQueueUrl", PRESENCE_QUEUE.get("url").into()),
        ("deadLetterQueueUrl", DEAD_LETTER_QUEUE.get("url").into()),
        ("tableName", TABLE.get("name").into()),
        ("stateMachineArn", BROADCAST.get("arn").into()),
        ("inlineLimit", settings.number(env::INLINE_LIMIT).unwrap_or_default().into()),
    ];
    program.outputs.extend(outputs);
    // The emulator keeps the dashboard, and has no console to show it.
    if settings.aws_endpoint.is_none() {
        program.outputs.insert("dashboardUrl", names::dashboard_url().into());
    }
    if settings.domain.is_some() {
        program.outputs.insert("domainTarget", domain::target().into());
    }
    if !settings.tokens.algorithm.has_public_keys() {
        program.outputs.insert("tokenKeyParameter", TOKEN_KEY_PARAMETER.get("name").into());
    }
}
