//! The stack's outputs: what clients, services and tools need to know.

use hubbub_core::names::outputs as named;
use hubbub_core::settings::INLINE_LIMIT;

use crate::broadcast::BROADCAST;
use crate::model::{Program, Value};
use crate::queues::{DEAD_LETTER_QUEUE, PRESENCE_QUEUE, PUBLISH_POLICY, PUBLISH_QUEUE};
use crate::settings::Settings;
use crate::table::TABLE;
use crate::tokens::TOKEN_KEY_PARAMETER;
use crate::{domain, names};

/// Declares the outputs, by the names of `hubbub_core::names::outputs`.
pub fn declare(program: &mut Program, settings: &Settings) {
    let mut add = |output: named::Output, value: Value| {
        program.outputs.insert(output.name, value);
    };
    add(named::REGION, names::REGION.itself().into());
    add(named::WEB_SOCKET_URL, names::web_socket_url(settings).into());
    add(named::CALLBACK_URL, names::callback_url(settings).into());
    add(named::PUBLISH_QUEUE_URL, PUBLISH_QUEUE.get("url").into());
    add(named::PUBLISH_QUEUE_ARN, PUBLISH_QUEUE.get("arn").into());
    add(named::PUBLISH_POLICY_ARN, PUBLISH_POLICY.get("arn").into());
    add(named::PRESENCE_QUEUE_URL, PRESENCE_QUEUE.get("url").into());
    add(named::DEAD_LETTER_QUEUE_URL, DEAD_LETTER_QUEUE.get("url").into());
    add(named::TABLE_NAME, TABLE.get("name").into());
    add(named::STATE_MACHINE_ARN, BROADCAST.get("arn").into());
    add(named::INLINE_LIMIT, settings.get(&INLINE_LIMIT).into());
    // The emulator keeps the dashboard, and has no console to show it.
    if settings.aws_endpoint.is_none() {
        add(named::DASHBOARD_URL, names::dashboard_url().into());
    }
    if settings.domain().is_some() {
        add(named::DOMAIN_TARGET, domain::target().into());
    }
    if !settings.has_public_keys() {
        add(named::TOKEN_KEY_PARAMETER, TOKEN_KEY_PARAMETER.get("name").into());
    }
}
