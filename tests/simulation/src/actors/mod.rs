//! Devices, services, and an operator.

pub(crate) mod device;
mod line;
pub(crate) mod operator;
pub(crate) mod service;

use crate::environment::Environment;

/// A body: what it says, and now and then enough padding to fill frames.
fn body(environment: &Environment, id: &str) -> serde_json::Value {
    let scheduler = &environment.scheduler;
    let padding = if scheduler.below(4) == 0 { environment.scale.padding } else { 0 };
    serde_json::json!({"text": id, "padding": "x".repeat(usize::try_from(padding).unwrap_or_default())})
}

/// How long a sender repeats a message, in milliseconds: less than SQS knows it by its id, with time to spare for the last try.
const PATIENCE: u64 = 4 * 60_000;
