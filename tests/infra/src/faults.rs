//! Faults that are put into a sound program, one at a time, and the check that has to find each.

use serde_json::{Value, json};

use crate::Check;

/// A fault.
#[derive(Clone, Debug)]
pub struct Fault {
    /// What is wrong, as a file's name.
    pub name: &'static str,
    /// Where in the program, as a JSON pointer, and what is put there; nothing takes away what is there.
    change: (&'static str, Option<Value>),
    /// The check that has to find it.
    pub found_by: Check,
    /// What else has to find it.
    pub also: Option<Also>,
}

/// What finds faults in the program that is printed in TypeScript.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Also {
    /// The compiler, by the provider's types.
    Types,
    /// The forms of resolved inputs, under Pulumi's mocks.
    Mocks,
}

impl Fault {
    /// The resource that the fault is in, unless it is elsewhere.
    #[must_use]
    pub fn resource(&self) -> Option<&'static str> {
        self.change.0.strip_prefix("/resources/")?.split('/').next()
    }

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
    let fault = |name, pointer, value: Value, found_by, also| Fault {
        name,
        change: (pointer, (!value.is_null()).then_some(value)),
        found_by,
        also,
    };
    let plain = |name, pointer, value, found_by| fault(name, pointer, value, found_by, None);
    let typed = |name, pointer, value, found_by| fault(name, pointer, value, found_by, Some(Also::Types));
    let mocked = |name, pointer, value, found_by| fault(name, pointer, value, found_by, Some(Also::Mocks));
    let gone = || Value::Null;
    vec![
        plain("unknown-section", "/output", json!({}), Check::Program),
        plain("unknown-option", "/resources/stage/options/dependson", json!([]), Check::Program),
        plain("unknown-type", "/resources/table/type", json!("aws:dynamodb:Tabel"), Check::Shape),
        typed("unknown-property", "/resources/publishQueue/properties/fifo", json!(true), Check::Shape),
        typed("unknown-property-inside", "/resources/table/properties/ttl/atributeName", json!("ttl"), Check::Shape),
        typed("property-of-another-type", "/resources/receive/properties/memory", json!(256), Check::Shape),
        typed("string-for-number", "/resources/receive/properties/timeout", json!("10"), Check::Shape),
        typed("string-for-boolean", "/resources/publishQueue/properties/fifoQueue", json!("true"), Check::Shape),
        typed("string-for-list", "/resources/receive/properties/architectures", json!("arm64"), Check::Shape),
        typed("list-for-object", "/resources/receive/properties/environment", json!([{}]), Check::Shape),
        typed(
            "number-for-string",
            "/resources/receive/properties/environment/variables/HUBBUB_USER_RATE",
            json!(20),
            Check::Shape,
        ),
        typed(
            "object-for-json-text",
            "/resources/publishQueue/properties/redrivePolicy",
            json!({"maxReceiveCount": 5}),
            Check::Shape,
        ),
        plain("string-for-archive", "/resources/receive/properties/code", json!("../target"), Check::Shape),
        typed("missing-property", "/resources/receiveIntegration/properties/integrationType", gone(), Check::Shape),
        typed("missing-property-inside", "/resources/table/properties/attributes/0/name", gone(), Check::Shape),
        typed("number-refers-to-string", "/resources/receive/properties/timeout", json!("${table.name}"), Check::Shape),
        plain("unknown-function", "/variables/region/fn::invoke/function", json!("aws:getRegions"), Check::Shape),
        typed("unknown-answer", "/variables/region/fn::invoke/return", json!("regionName"), Check::Shape),
        plain("unknown-runtime", "/resources/receive/properties/runtime", json!("provided.al2032"), Check::Shape),
        plain("other-provider-version", "/resources/aws/options/version", json!("7.47.0"), Check::Shape),
        plain("no-default-provider", "/resources/aws/defaultProvider", gone(), Check::Shape),
        plain(
            "lone-dollar",
            "/resources/api/properties/routeSelectionExpression",
            json!("$request.body.action"),
            Check::Shape,
        ),
        typed(
            "unknown-resource",
            "/resources/stage/properties/deploymentId",
            json!("${deploiment.id}"),
            Check::References,
        ),
        typed("unknown-output", "/outputs/publishQueueUrl", json!("${publishQueue.uri}"), Check::References),
        typed(
            "unknown-output-in-policy",
            "/resources/connectPolicy/properties/policy/fn::toJSON/Statement/1/Resource/0",
            json!("${table.tableArn}"),
            Check::References,
        ),
        typed("whole-resource", "/resources/receive/properties/role", json!("${receiveRole}"), Check::References),
        typed("unknown-dependency", "/resources/stage/options/dependsOn/0", json!("${conectRoute}"), Check::References),
        typed("circle", "/resources/receiveRole/properties/description", json!("${receive.arn}"), Check::References),
        mocked(
            "arn-for-invoke-arn",
            "/resources/receiveIntegration/properties/integrationUri",
            json!("${receive.arn}"),
            Check::Targets,
        ),
        mocked("role-name-for-arn", "/resources/receive/properties/role", json!("${receiveRole.name}"), Check::Targets),
        plain("role-of-another", "/resources/receive/properties/role", json!("${connectRole.arn}"), Check::Targets),
        plain(
            "role-of-another-service",
            "/resources/broadcast/properties/roleArn",
            json!("${deliverRole.arn}"),
            Check::Targets,
        ),
        mocked("escaped-twice", "/resources/connectRoute/properties/routeKey", json!("$$$$connect"), Check::Invariants),
        mocked(
            "policy-that-is-not-json",
            "/resources/receiveRole/properties/assumeRolePolicy",
            json!("{"),
            Check::Targets,
        ),
        mocked(
            "state-that-is-not-there",
            "/resources/broadcast/properties/definition",
            json!(r#"{"StartAt": "Nowhere", "States": {"Plan": {"Type": "Succeed"}}}"#),
            Check::Targets,
        ),
        plain(
            "dead-letter-queue-as-source",
            "/resources/deliverPublished/properties/eventSourceArn",
            json!("${deadLetterQueue.arn}"),
            Check::Targets,
        ),
        mocked(
            "table-as-source",
            "/resources/deliverPublished/properties/eventSourceArn",
            json!("${table.arn}"),
            Check::Targets,
        ),
        plain("route-to-a-function", "/resources/joinRoute/properties/target", json!("${receive.id}"), Check::Targets),
        plain(
            "queue-in-a-policy-of-the-table",
            "/resources/connectPolicy/properties/policy/fn::toJSON/Statement/1/Resource/0",
            json!("${publishQueue.arn}"),
            Check::Targets,
        ),
        plain(
            "name-for-url",
            "/resources/receive/properties/environment/variables/HUBBUB_PUBLISH_QUEUE_URL",
            json!("${publishQueue.name}"),
            Check::Targets,
        ),
        plain(
            "other-queue",
            "/resources/receive/properties/environment/variables/HUBBUB_PUBLISH_QUEUE_URL",
            json!("${deadLetterQueue.url}"),
            Check::Targets,
        ),
        plain(
            "unknown-word",
            "/resources/receiveIntegration/properties/integrationType",
            json!("LAMBDA_PROXY"),
            Check::Words,
        ),
        plain("http-api", "/resources/api/properties/protocolType", json!("HTTP"), Check::Words),
        plain("deployment-before-a-route", "/resources/deployment/options/dependsOn/5", gone(), Check::Waiting),
        plain("function-before-its-policy", "/resources/receive/options/dependsOn/1", gone(), Check::Waiting),
        plain("function-before-its-log-group", "/resources/receive/options/dependsOn/0", gone(), Check::Waiting),
        plain("mapping-before-the-policy", "/resources/deliverPublished/options", gone(), Check::Waiting),
        plain(
            "one-throttle",
            "/resources/stage/properties/defaultRouteSettings/throttlingBurstLimit",
            gone(),
            Check::Invariants,
        ),
        plain(
            "throttle-of-no-route",
            "/resources/stage/properties/routeSettings/1/routeKey",
            json!("histroy"),
            Check::Invariants,
        ),
        plain("no-dead-letter-queue", "/resources/publishQueue/properties/redrivePolicy", gone(), Check::Invariants),
        plain(
            "short-visibility",
            "/resources/publishQueue/properties/visibilityTimeoutSeconds",
            json!(359),
            Check::Invariants,
        ),
        plain("not-fifo", "/resources/publishQueue/properties/name", json!("publish"), Check::Invariants),
        plain("no-permission", "/resources/receivePermission", gone(), Check::Invariants),
        plain("no-policy", "/resources/receivePolicy", gone(), Check::Invariants),
        plain(
            "variable-not-set",
            "/resources/receive/properties/environment/variables/HUBBUB_TABLE",
            gone(),
            Check::Invariants,
        ),
        plain(
            "variable-not-read",
            "/resources/connect/properties/environment/variables/HUBBUB_USER_RATE",
            json!("20"),
            Check::Invariants,
        ),
        plain(
            "no-limit-of-pages",
            "/resources/deliverPage/properties/reservedConcurrentExecutions",
            gone(),
            Check::Invariants,
        ),
        plain(
            "too-many-pages",
            "/resources/deliverPage/properties/reservedConcurrentExecutions",
            json!(80),
            Check::Invariants,
        ),
        plain(
            "too-many-deliveries",
            "/resources/deliverPublished/properties/scalingConfig/maximumConcurrency",
            json!(11),
            Check::Invariants,
        ),
        plain(
            "different-budgets",
            "/resources/deliver/properties/environment/variables/HUBBUB_CALLBACK_RPS",
            json!("10000"),
            Check::Invariants,
        ),
    ]
}
