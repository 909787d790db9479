//! Faults that are put into a correct program, one at a time, and the check that must find each.

use serde_json::{Value, json};

use crate::Check;

/// A fault.
#[derive(Clone, Debug)]
pub struct Fault {
    /// A few words, for messages.
    pub name: &'static str,
    /// A JSON pointer into the program, and the value to put there; without a value, the place is removed.
    change: (&'static str, Option<Value>),
    /// The check that has to find it.
    pub found_by: Check,
}

impl Fault {
    /// The program with the fault.
    ///
    /// # Errors
    /// When the program isn't such that the fault can be put into it.
    pub fn seed(&self, program: &Value) -> Result<Value, String> {
        let mut program = program.clone();
        let (pointer, value) = &self.change;
        let lost = || format!("there is nothing at `{pointer}`");
        let (parent, name) = pointer.rsplit_once('/').ok_or_else(lost)?;
        let name = name.replace("~1", "/");
        match (program.pointer_mut(parent).ok_or_else(lost)?, value) {
            (Value::Object(fields), Some(value)) => {
                fields.insert(name, value.clone());
            }
            (Value::Object(fields), None) => {
                fields.remove(&name).ok_or_else(lost)?;
            }
            (Value::Array(items), change) => {
                let index = name.parse::<usize>().map_err(|_| lost())?;
                let item = items.get_mut(index).ok_or_else(lost)?;
                match change {
                    Some(value) => *item = value.clone(),
                    None => drop(items.remove(index)),
                }
            }
            _ => return Err(lost()),
        }
        Ok(program)
    }
}

/// All faults, for the program of the cloud.
#[must_use]
pub fn all() -> Vec<Fault> {
    let fault = |name, pointer, value: Value, found_by| Fault {
        name,
        change: (pointer, (!value.is_null()).then_some(value)),
        found_by,
    };
    let removed = || Value::Null;
    vec![
        fault("unknown-section", "/output", json!({}), Check::Program),
        fault("unknown-option", "/resources/stage/options/dependson", json!([]), Check::Program),
        fault("unknown-type", "/resources/table/type", json!("aws:dynamodb:Tabel"), Check::Shape),
        fault("unknown-property", "/resources/publishQueue/properties/fifo", json!(true), Check::Shape),
        fault("unknown-property-inside", "/resources/table/properties/ttl/atributeName", json!("ttl"), Check::Shape),
        fault("property-of-another-type", "/resources/receive/properties/memory", json!(256), Check::Shape),
        fault("string-for-number", "/resources/receive/properties/timeout", json!("10"), Check::Shape),
        fault("string-for-boolean", "/resources/publishQueue/properties/fifoQueue", json!("true"), Check::Shape),
        fault("string-for-list", "/resources/receive/properties/architectures", json!("arm64"), Check::Shape),
        fault("list-for-object", "/resources/receive/properties/environment", json!([{}]), Check::Shape),
        fault(
            "number-for-string",
            "/resources/receive/properties/environment/variables/HUBBUB_USER_RATE",
            json!(20),
            Check::Shape,
        ),
        fault(
            "object-for-json-text",
            "/resources/publishQueue/properties/redrivePolicy",
            json!({"maxReceiveCount": 5}),
            Check::Shape,
        ),
        fault("string-for-archive", "/resources/receive/properties/code", json!("../target"), Check::Shape),
        fault("missing-property", "/resources/receiveIntegration/properties/integrationType", removed(), Check::Shape),
        fault("missing-property-inside", "/resources/table/properties/attributes/0/name", removed(), Check::Shape),
        fault("number-refers-to-string", "/resources/receive/properties/timeout", json!("${table.name}"), Check::Shape),
        fault("unknown-function", "/variables/region/fn::invoke/function", json!("aws:getRegions"), Check::Shape),
        fault("unknown-answer", "/variables/region/fn::invoke/return", json!("regionName"), Check::Shape),
        fault("unknown-runtime", "/resources/receive/properties/runtime", json!("provided.al2032"), Check::Shape),
        fault("other-provider-version", "/resources/aws/options/version", json!("7.47.0"), Check::Shape),
        fault("no-default-provider", "/resources/aws/defaultProvider", removed(), Check::Shape),
        fault(
            "lone-dollar",
            "/resources/api/properties/routeSelectionExpression",
            json!("$request.body.action"),
            Check::Shape,
        ),
        fault(
            "unknown-resource",
            "/resources/stage/properties/deploymentId",
            json!("${deploiment.id}"),
            Check::References,
        ),
        fault("unknown-output", "/outputs/publishQueueUrl", json!("${publishQueue.uri}"), Check::References),
        fault(
            "unknown-output-in-policy",
            "/resources/connectPolicy/properties/policy/fn::toJSON/Statement/1/Resource/0",
            json!("${table.tableArn}"),
            Check::References,
        ),
        fault("whole-resource", "/resources/receive/properties/role", json!("${receiveRole}"), Check::References),
        fault("unknown-dependency", "/resources/stage/options/dependsOn/0", json!("${conectRoute}"), Check::References),
        fault("circle", "/resources/receiveRole/properties/description", json!("${receive.arn}"), Check::References),
        fault(
            "arn-for-invoke-arn",
            "/resources/receiveIntegration/properties/integrationUri",
            json!("${receive.arn}"),
            Check::Targets,
        ),
        fault("role-name-for-arn", "/resources/receive/properties/role", json!("${receiveRole.name}"), Check::Targets),
        fault("role-of-another", "/resources/receive/properties/role", json!("${connectRole.arn}"), Check::Targets),
        fault(
            "role-of-another-service",
            "/resources/broadcast/properties/roleArn",
            json!("${deliverRole.arn}"),
            Check::Targets,
        ),
        fault("escaped-twice", "/resources/connectRoute/properties/routeKey", json!("$$$$connect"), Check::Invariants),
        fault(
            "policy-that-is-not-json",
            "/resources/receiveRole/properties/assumeRolePolicy",
            json!("{"),
            Check::Targets,
        ),
        fault(
            "state-that-is-not-there",
            "/resources/broadcast/properties/definition",
            json!(r#"{"StartAt": "Nowhere", "States": {"Plan": {"Type": "Succeed"}}}"#),
            Check::Targets,
        ),
        fault(
            "dead-letter-queue-as-source",
            "/resources/deliverPublished/properties/eventSourceArn",
            json!("${deadLetterQueue.arn}"),
            Check::Targets,
        ),
        fault(
            "table-as-source",
            "/resources/deliverPublished/properties/eventSourceArn",
            json!("${table.arn}"),
            Check::Targets,
        ),
        fault("route-to-a-function", "/resources/joinRoute/properties/target", json!("${receive.id}"), Check::Targets),
        fault(
            "queue-in-a-policy-of-the-table",
            "/resources/connectPolicy/properties/policy/fn::toJSON/Statement/1/Resource/0",
            json!("${publishQueue.arn}"),
            Check::Targets,
        ),
        fault(
            "name-for-url",
            "/resources/receive/properties/environment/variables/HUBBUB_PUBLISH_QUEUE_URL",
            json!("${publishQueue.name}"),
            Check::Targets,
        ),
        fault(
            "other-queue",
            "/resources/receive/properties/environment/variables/HUBBUB_PUBLISH_QUEUE_URL",
            json!("${deadLetterQueue.url}"),
            Check::Targets,
        ),
        fault(
            "unknown-word",
            "/resources/receiveIntegration/properties/integrationType",
            json!("LAMBDA_PROXY"),
            Check::Words,
        ),
        fault("http-api", "/resources/api/properties/protocolType", json!("HTTP"), Check::Words),
        fault("deployment-before-a-route", "/resources/deployment/options/dependsOn/5", removed(), Check::Waiting),
        fault("function-before-its-policy", "/resources/receive/options/dependsOn/1", removed(), Check::Waiting),
        fault("function-before-its-log-group", "/resources/receive/options/dependsOn/0", removed(), Check::Waiting),
        fault("mapping-before-the-policy", "/resources/deliverPublished/options", removed(), Check::Waiting),
        fault(
            "one-throttle",
            "/resources/stage/properties/defaultRouteSettings/throttlingBurstLimit",
            removed(),
            Check::Invariants,
        ),
        fault(
            "throttle-of-no-route",
            "/resources/stage/properties/routeSettings/1/routeKey",
            json!("histroy"),
            Check::Invariants,
        ),
        fault("no-dead-letter-queue", "/resources/publishQueue/properties/redrivePolicy", removed(), Check::Invariants),
        fault(
            "short-visibility",
            "/resources/publishQueue/properties/visibilityTimeoutSeconds",
            json!(359),
            Check::Invariants,
        ),
        fault("not-fifo", "/resources/publishQueue/properties/name", json!("publish"), Check::Invariants),
        fault("no-permission", "/resources/receivePermission", removed(), Check::Invariants),
        fault("no-policy", "/resources/receivePolicy", removed(), Check::Invariants),
        fault(
            "variable-not-set",
            "/resources/receive/properties/environment/variables/HUBBUB_TABLE",
            removed(),
            Check::Invariants,
        ),
        fault(
            "variable-not-read",
            "/resources/connect/properties/environment/variables/HUBBUB_USER_RATE",
            json!("20"),
            Check::Invariants,
        ),
        fault(
            "no-limit-of-pages",
            "/resources/deliverPage/properties/reservedConcurrentExecutions",
            removed(),
            Check::Invariants,
        ),
        fault(
            "too-many-pages",
            "/resources/deliverPage/properties/reservedConcurrentExecutions",
            json!(80),
            Check::Invariants,
        ),
        fault(
            "too-many-deliveries",
            "/resources/deliverPublished/properties/scalingConfig/maximumConcurrency",
            json!(11),
            Check::Invariants,
        ),
        fault(
            "different-budgets",
            "/resources/deliver/properties/environment/variables/HUBBUB_CALLBACK_RPS",
            json!("10000"),
            Check::Invariants,
        ),
    ]
}
