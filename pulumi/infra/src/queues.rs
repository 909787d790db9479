//! The publish queue, its dead-letter queue, the presence queue, and the mappings that feed `deliver` and `announce`.

use hubbub_core::names::MAX_RECEIVES;
use hubbub_core::presence::notice::ANNOUNCED_AFTER;

use crate::functions::{Function, InProgram};
use crate::model::{Name, Program, Resource, Value};
use crate::settings::Settings;
use crate::{names, policies};

/// The queue of published messages, for `deliver`.
pub const PUBLISH_QUEUE: Name = Name::of("publishQueue");

/// The queue of messages that can't be delivered.
pub const DEAD_LETTER_QUEUE: Name = Name::of("deadLetterQueue");

/// The queue of rooms to announce, for `announce`.
pub const PRESENCE_QUEUE: Name = Name::of("presenceQueue");

const ANNOUNCE_MAPPING: Name = Name::of("announcePresence");

const DELIVER_MAPPING: Name = Name::of("deliverPublished");

/// The policy that lets a service publish.
pub const PUBLISH_POLICY: Name = Name::of("publishPolicy");

/// The longest that SQS offers: accepted messages must survive an outage, and dead letters wait until an operator looks at them.
const RETENTION_SECONDS: u64 = 14 * 24 * 60 * 60;

/// A later announcement is worthless, because the next membership change asks for another one. So the queue needs no dead-letter queue.
const PRESENCE_RETENTION_SECONDS: u64 = 15 * 60;

/// The largest batch that Lambda takes from a FIFO queue.
const BATCH: u64 = 10;

/// AWS advises a visibility timeout of six times the function's timeout, so that throttled invocations can be repeated before SQS gives the
/// messages out again.
const VISIBILITY_TIMEOUTS: u64 = 6;

pub fn declare(program: &mut Program, settings: &Settings) {
    let kept = |end| queue(end, RETENTION_SECONDS).protected_if(settings.deletion_protection);
    program.add(&DEAD_LETTER_QUEUE, kept("dead-letters.fifo"));
    let redrive = Value::map([
        ("deadLetterTargetArn", Value::from(DEAD_LETTER_QUEUE.get("arn"))),
        ("maxReceiveCount", u64::from(MAX_RECEIVES).into()),
    ]);
    let hidden_from = |function: Function| VISIBILITY_TIMEOUTS * function.timeout_seconds(settings);
    let publish_queue = kept("publish.fifo")
        .with("visibilityTimeoutSeconds", hidden_from(Function::Deliver))
        .with("redrivePolicy", redrive.json());
    program.add(&PUBLISH_QUEUE, publish_queue);
    let presence_queue = queue("presence.fifo", PRESENCE_RETENTION_SECONDS)
        .with("visibilityTimeoutSeconds", hidden_from(Function::Announce))
        .with("delaySeconds", ANNOUNCED_AFTER.as_secs());
    program.add(&PRESENCE_QUEUE, presence_queue);
    for queue in [PUBLISH_QUEUE, PRESENCE_QUEUE, DEAD_LETTER_QUEUE] {
        program.add(&queue.with("Policy"), policies::only_by_tls(&queue));
    }
    let what = "What a service may do that publishes: attach it to the service's role.";
    program.add(&PUBLISH_POLICY, policies::managed(names::of_stack("publish"), what, policies::of_publishers()));
    let budget = settings.budget();
    program.add(&DELIVER_MAPPING, mapping(&PUBLISH_QUEUE, Function::Deliver, budget.deliver_functions()));
    program.add(&ANNOUNCE_MAPPING, mapping(&PRESENCE_QUEUE, Function::Announce, budget.announce_functions()));
}

/// Feeds a function from a queue. At most `concurrency` invocations run at once.
fn mapping(queue: &Name, function: Function, concurrency: u32) -> Resource {
    Resource::new("aws:lambda:EventSourceMapping")
        .with("eventSourceArn", queue.get("arn"))
        .with("functionName", function.resource().get("arn"))
        .with("batchSize", BATCH)
        .with("scalingConfig", Value::map([("maximumConcurrency", u64::from(concurrency))]))
        .with("functionResponseTypes", Value::list(["ReportBatchItemFailures"]))
        // Lambda refuses the mapping of a function that may not yet read the queue.
        .after(&function.policy_name())
}

/// A FIFO queue with throughput and deduplication by message group, which is the channel. It is encrypted with SQS's own key, which costs
/// nothing; a KMS key would cost by the request, and every publishing service would need a grant for it.
fn queue(end: &str, retention_seconds: u64) -> Resource {
    Resource::new("aws:sqs:Queue")
        .with("name", names::of_stack(end))
        .with("fifoQueue", true)
        .with("contentBasedDeduplication", false)
        .with("deduplicationScope", "messageGroup")
        .with("fifoThroughputLimit", "perMessageGroupId")
        .with("messageRetentionSeconds", retention_seconds)
        .with("sqsManagedSseEnabled", true)
}
