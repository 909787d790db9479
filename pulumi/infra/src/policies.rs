//! Who may do what: one role and one policy for each function and for the state machine.
//!
//! [`of_function`] is the one place to change when a function calls something new, or something no longer: `scripts/audit`
//! compares it with what the function calls. A policy names its actions and its resources; no action has a `*`.

use std::iter;

use crate::api::API;
use crate::functions::{Function, InProgram};
use crate::model::{Name, Resource, Text, Value};
use crate::names;
use crate::queues::{DEAD_LETTER_QUEUE, PRESENCE_QUEUE, PUBLISH_QUEUE};
use crate::settings::Settings;
use crate::table::TABLE;
use crate::tokens::TOKEN_KEY_PARAMETER;

/// The version of IAM's policy language, not of the policy.
const LANGUAGE_VERSION: &str = "2012-10-17";

/// All that any function does to the table.
const EVERYTHING: [&str; 6] = [
    "dynamodb:BatchGetItem",
    "dynamodb:DeleteItem",
    "dynamodb:GetItem",
    "dynamodb:PutItem",
    "dynamodb:Query",
    "dynamodb:UpdateItem",
];

/// Something that is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    actions: Vec<&'static str>,
    resources: Vec<Text>,
}

fn allow(actions: &[&'static str], resource: impl Into<Text>) -> Statement {
    Statement { actions: actions.to_vec(), resources: vec![resource.into()] }
}

/// What a function may do.
#[must_use]
pub fn of_function(function: Function, settings: &Settings) -> Vec<Statement> {
    let mut statements = vec![write_logs(function)];
    if settings.tracing {
        statements.push(trace());
    }
    statements.extend(match function {
        // Public keys are read from the web, which takes no permission.
        Function::Authorize if settings.has_public_keys() => Vec::new(),
        Function::Authorize => vec![allow(&["ssm:GetParameter"], TOKEN_KEY_PARAMETER.get("arn"))],
        Function::Connect => vec![use_table(&EVERYTHING)],
        Function::Disconnect => {
            vec![use_table(&["dynamodb:DeleteItem", "dynamodb:Query", "dynamodb:UpdateItem"]), ask_for_announcements()]
        }
        Function::Receive => vec![
            use_table(&EVERYTHING),
            allow(&["sqs:SendMessage"], PUBLISH_QUEUE.get("arn")),
            ask_for_announcements(),
            post_to_connections(),
            close_connections(),
        ],
        Function::Deliver => vec![
            use_table(&EVERYTHING),
            take_from(&PUBLISH_QUEUE),
            ask_for_announcements(),
            allow(&["sqs:SendMessage"], DEAD_LETTER_QUEUE.get("arn")),
            start_broadcast(),
            post_to_connections(),
            close_connections(),
        ],
        Function::Announce => {
            vec![use_table(&EVERYTHING), take_from(&PRESENCE_QUEUE), ask_for_announcements(), post_to_connections()]
        }
        Function::PlanBroadcast => vec![
            use_table(&[
                "dynamodb:BatchGetItem",
                "dynamodb:GetItem",
                "dynamodb:PutItem",
                "dynamodb:Query",
                "dynamodb:UpdateItem",
            ]),
            start_broadcast(),
            post_to_connections(),
        ],
        Function::DeliverPage => {
            vec![
                use_table(&[
                    "dynamodb:DeleteItem",
                    "dynamodb:GetItem",
                    "dynamodb:PutItem",
                    "dynamodb:Query",
                    "dynamodb:UpdateItem",
                ]),
                ask_for_announcements(),
                post_to_connections(),
                close_connections(),
            ]
        }
    });
    statements
}

/// What the broadcast state machine may do.
#[must_use]
pub fn of_broadcast(settings: &Settings) -> Vec<Statement> {
    let invoke = Statement {
        actions: vec!["lambda:InvokeFunction"],
        resources: [Function::PlanBroadcast, Function::DeliverPage]
            .map(|function| function.resource().get("arn").into())
            .to_vec(),
    };
    let trace = settings.tracing.then(trace);
    iter::once(invoke).chain(trace).collect()
}

/// What a service may do that publishes.
#[must_use]
pub fn of_publishers() -> Vec<Statement> {
    vec![allow(&["sqs:SendMessage"], PUBLISH_QUEUE.get("arn"))]
}

/// X-Ray has no resources to name.
fn trace() -> Statement {
    allow(
        &["xray:GetSamplingRules", "xray:GetSamplingTargets", "xray:PutTelemetryRecords", "xray:PutTraceSegments"],
        "*",
    )
}

fn write_logs(function: Function) -> Statement {
    allow(&["logs:CreateLogStream", "logs:PutLogEvents"], Text::from(function.log_group_name().get("arn")).then(":*"))
}

/// A transaction needs the actions of what it does, and none of its own.
fn use_table(actions: &[&'static str]) -> Statement {
    allow(actions, TABLE.get("arn"))
}

/// Lambda takes messages off the queue in the function's name.
fn take_from(queue: &Name) -> Statement {
    allow(&["sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"], queue.get("arn"))
}

/// A function that removes members asks for an announcement of it.
fn ask_for_announcements() -> Statement {
    allow(&["sqs:SendMessage"], PRESENCE_QUEUE.get("arn"))
}

fn start_broadcast() -> Statement {
    allow(&["states:StartExecution"], names::broadcast_arn())
}

fn post_to_connections() -> Statement {
    manage_connections("POST")
}

fn close_connections() -> Statement {
    manage_connections("DELETE")
}

fn manage_connections(method: &str) -> Statement {
    let connections = format!("/{}/{method}/@connections/*", names::STAGE);
    allow(&["execute-api:ManageConnections"], Text::from(API.get("executionArn")).then(connections))
}

/// A role that a service takes on.
#[must_use]
pub fn role(name: Text, service: &str) -> Resource {
    let trust = Value::map([
        ("Effect", Value::from("Allow")),
        ("Action", "sts:AssumeRole".into()),
        ("Principal", Value::map([("Service", service)])),
    ]);
    Resource::new("aws:iam:Role").with("name", name).with("assumeRolePolicy", document([trust]))
}

/// Refuses whoever speaks to a queue without TLS. It grants nothing: who may do what, the roles' policies say.
#[must_use]
pub fn only_by_tls(queue: &Name) -> Resource {
    let plain = Value::map([("Bool", Value::map([("aws:SecureTransport", "false")]))]);
    let refusal = Value::map([
        ("Effect", Value::from("Deny")),
        ("Principal", "*".into()),
        ("Action", "sqs:*".into()),
        ("Resource", queue.get("arn").into()),
        ("Condition", plain),
    ]);
    Resource::new("aws:sqs:QueuePolicy").with("queueUrl", queue.get("id")).with("policy", document([refusal]))
}

/// A role's policy.
#[must_use]
pub fn policy(name: Text, role: &Name, statements: Vec<Statement>) -> Resource {
    Resource::new("aws:iam:RolePolicy")
        .with("name", name)
        .with("role", role.get("name"))
        .with("policy", document(statements.into_iter().map(Value::from)))
}

/// A policy that others attach to their roles.
#[must_use]
pub fn managed(name: Text, description: &str, statements: Vec<Statement>) -> Resource {
    Resource::new("aws:iam:Policy")
        .with("name", name)
        .with("description", description)
        .with("policy", document(statements.into_iter().map(Value::from)))
}

fn document(statements: impl IntoIterator<Item = Value>) -> Value {
    let statements = Value::list(statements);
    Value::map([("Version", Value::from(LANGUAGE_VERSION)), ("Statement", statements)]).json()
}

impl From<Statement> for Value {
    fn from(statement: Statement) -> Self {
        Self::map([
            ("Effect", Self::from("Allow")),
            ("Action", Self::list(statement.actions)),
            ("Resource", Self::list(statement.resources)),
        ])
    }
}
