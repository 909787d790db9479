//! The publish queue, its dead-letter queue, and the mapping that feeds `deliver`.

use hubbub_core::names::MAX_RECEIVES;

use crate::functions::Function;
use crate::model::{Name, Program, Resource, Value};
use crate::settings::Settings;
use crate::{names, policies};

/// Where everything that is published waits for `deliver`.
pub const PUBLISH_QUEUE: Name = Name::of("publishQueue");

/// Where messages go that can't be delivered.
pub const DEAD_LETTER_QUEUE: Name = Name::of("deadLetterQueue");

const DELIVER_MAPPING: Name = Name::of("deliverPublished");

/// What services take on to publish.
pub const PUBLISH_POLICY: Name = Name::of("publishPolicy");

/// SQS's longest, for both queues: what was accepted must outlast an outage, and a dead letter wait for somebody to look.
const RETENTION_SECONDS: u64 = 14 * 24 * 60 * 60;

/// The most that Lambda takes from a FIFO queue at once.
const BATCH: u64 = 10;

/// AWS's advice: a batch that is being tried stays hidden for six times the function's timeout, so that throttled
/// invocations can be repeated before SQS gives the messages out again.
const VISIBILITY_TIMEOUTS: u64 = 6;

/// Declares both queues and the mapping.
pub fn declare(program: &mut Program, settings: &Settings) {
    let queue = |end| queue(end).protected_if(settings.deletion_protection);
    program.add(&DEAD_LETTER_QUEUE, queue("dead-letters.fifo"));
    let redrive = Value::map([
        ("deadLetterTargetArn", Value::from(DEAD_LETTER_QUEUE.get("arn"))),
        ("maxReceiveCount", u64::from(MAX_RECEIVES).into()),
    ]);
    let publish_queue = queue("publish.fifo")
        .with("visibilityTimeoutSeconds", VISIBILITY_TIMEOUTS * Function::Deliver.timeout_seconds(settings))
        .with("redrivePolicy", redrive.json());
    program.add(&PUBLISH_QUEUE, publish_queue);
    for queue in [PUBLISH_QUEUE, DEAD_LETTER_QUEUE] {
        program.add(&queue.with("Policy"), policies::only_by_tls(&queue));
    }

    let what = "What a service may do that publishes: attach it to the service's role.";
    program.add(&PUBLISH_POLICY, policies::managed(names::of_stack("publish"), what, policies::of_publishers()));

    // Lambda refuses the mapping of a function that may not yet read the queue.
    let mapping = Resource::new("aws:lambda:EventSourceMapping")
        .with("eventSourceArn", PUBLISH_QUEUE.get("arn"))
        .with("functionName", Function::Deliver.name().get("arn"))
        .with("batchSize", BATCH)
        .with("scalingConfig", Value::map([("maximumConcurrency", u64::from(settings.budget().deliver_functions()))]))
        .with("functionResponseTypes", Value::list(["ReportBatchItemFailures"]))
        .after(&Function::Deliver.policy_name());
    program.add(&DELIVER_MAPPING, mapping);
}

/// A FIFO queue, whose throughput and deduplication are by message group: by channel. It is encrypted with SQS's own key, which costs
/// nothing; a key in KMS would cost by the request, and every service that publishes would need a grant for it.
fn queue(end: &str) -> Resource {
    Resource::new("aws:sqs:Queue")
        .with("name", names::of_stack(end))
        .with("fifoQueue", true)
        .with("contentBasedDeduplication", false)
        .with("deduplicationScope", "messageGroup")
        .with("fifoThroughputLimit", "perMessageGroupId")
        .with("messageRetentionSeconds", RETENTION_SECONDS)
        .with("sqsManagedSseEnabled", true)
}
