//! The DynamoDB table.

use hubbub_core::names::table;

use crate::model::{Name, Program, Resource, Value};
use crate::names;
use crate::settings::Settings;

pub const TABLE: Name = Name::of("table");

/// Declares the table: on demand, so that an idle stack costs nothing and a busy one isn't throttled by a wrong guess.
///
/// DynamoDB encrypts every table, and left to itself does so with a key that AWS owns, which costs nothing. Pulumi's
/// `serverSideEncryption` would choose a key in KMS, which costs by the request and adds no more than its uses in CloudTrail.
pub fn declare(program: &mut Program, settings: &Settings) {
    let attribute = |name: &str| Value::map([("name", name), ("type", "S")]);
    let enabled = |value: bool| ("enabled", Value::from(value));
    let table = Resource::new("aws:dynamodb:Table")
        .with("name", names::of_stack("table"))
        .with("billingMode", "PAY_PER_REQUEST")
        .with("hashKey", table::PARTITION_KEY)
        .with("rangeKey", table::SORT_KEY)
        .with("attributes", Value::list([attribute(table::PARTITION_KEY), attribute(table::SORT_KEY)]))
        .with("ttl", Value::map([("attributeName", table::TTL.into()), enabled(true)]))
        .with("pointInTimeRecovery", Value::map([enabled(settings.point_in_time_recovery)]))
        .with("deletionProtectionEnabled", settings.deletion_protection)
        .protected_if(settings.deletion_protection);
    program.add(&TABLE, table);
}
