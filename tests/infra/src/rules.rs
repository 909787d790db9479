//! Rules beyond the provider's schema, for which every ARN is a string: targets of references, words that AWS accepts, the order in which
//! resources are made, and the needs of a working stack. They come from the documentation of AWS and of the provider.

use std::collections::{BTreeMap, BTreeSet};

use hubbub_core::limits::budget::Budget;
use hubbub_core::names::env;
use hubbub_core::settings;
use hubbub_infra::expression::{self, Reference};
use hubbub_infra::functions::{Function, InProgram};
use serde_json::Value;

use crate::program::{Program, Resource};
use crate::{Check, Problem};

const API: &str = "aws:apigatewayv2:Api";
const AUTHORIZER: &str = "aws:apigatewayv2:Authorizer";
const DEPLOYMENT: &str = "aws:apigatewayv2:Deployment";
const INTEGRATION: &str = "aws:apigatewayv2:Integration";
const LOG_GROUP: &str = "aws:cloudwatch:LogGroup";
const FUNCTION: &str = "aws:lambda:Function";
const MAPPING: &str = "aws:lambda:EventSourceMapping";
const PARAMETER: &str = "aws:ssm:Parameter";
const PERMISSION: &str = "aws:lambda:Permission";
const QUEUE: &str = "aws:sqs:Queue";
const ROLE: &str = "aws:iam:Role";
const ROLE_POLICY: &str = "aws:iam:RolePolicy";
const ROUTE: &str = "aws:apigatewayv2:Route";
const ROUTE_RESPONSE: &str = "aws:apigatewayv2:RouteResponse";
const STAGE: &str = "aws:apigatewayv2:Stage";
const STATE_MACHINE: &str = "aws:sfn:StateMachine";
const TABLE: &str = "aws:dynamodb:Table";

/// An output of a type of resource.
type Output = (&'static str, &'static str);

/// Resource type, property, and the outputs that its references may name; the first reference must name the first output.
const TARGETS: [(&str, &str, &[Output]); 15] = [
    (AUTHORIZER, "authorizerUri", &[(FUNCTION, "invokeArn")]),
    (INTEGRATION, "integrationUri", &[(FUNCTION, "invokeArn")]),
    (ROUTE, "target", &[(INTEGRATION, "id")]),
    (ROUTE, "authorizerId", &[(AUTHORIZER, "id")]),
    (ROUTE_RESPONSE, "routeId", &[(ROUTE, "id")]),
    (STAGE, "deploymentId", &[(DEPLOYMENT, "id")]),
    (ROLE_POLICY, "role", &[(ROLE, "name")]),
    (MAPPING, "eventSourceArn", &[(QUEUE, "arn")]),
    (MAPPING, "functionName", &[(FUNCTION, "arn")]),
    (FUNCTION, "role", &[(ROLE, "arn")]),
    (PERMISSION, "function", &[(FUNCTION, "name")]),
    (PERMISSION, "sourceArn", &[(API, "executionArn"), (AUTHORIZER, "id")]),
    (STATE_MACHINE, "roleArn", &[(ROLE, "arn")]),
    (STATE_MACHINE, "definition", &[(FUNCTION, "arn")]),
    (QUEUE, "redrivePolicy", &[(QUEUE, "arn")]),
];

/// The output that a function's variable must refer to.
const VARIABLES: [(&str, Output); 6] = [
    (env::TABLE, (TABLE, "name")),
    (env::PUBLISH_QUEUE_URL, (QUEUE, "url")),
    (env::DEAD_LETTER_QUEUE_URL, (QUEUE, "url")),
    (env::PRESENCE_QUEUE_URL, (QUEUE, "url")),
    (env::TOKEN_KEY_PARAMETER, (PARAMETER, "name")),
    (env::CALLBACK_URL, (API, "id")),
];

/// The resource of a policy's statement, by the service of its actions.
const SERVICES: [(&str, Output); 6] = [
    ("dynamodb", (TABLE, "arn")),
    ("execute-api", (API, "executionArn")),
    ("lambda", (FUNCTION, "arn")),
    ("logs", (LOG_GROUP, "arn")),
    ("sqs", (QUEUE, "arn")),
    ("ssm", (PARAMETER, "arn")),
];

/// The words that AWS accepts where the schema only says string.
const WORDS: [(&str, &str, &[&str]); 13] = [
    (API, "protocolType", &["WEBSOCKET"]),
    (AUTHORIZER, "authorizerType", &["REQUEST"]),
    (INTEGRATION, "integrationType", &["AWS_PROXY"]),
    (INTEGRATION, "integrationMethod", &["POST"]),
    (ROUTE, "authorizationType", &["NONE", "AWS_IAM", "CUSTOM"]),
    (FUNCTION, "architectures.0", &["arm64", "x86_64"]),
    (MAPPING, "functionResponseTypes.0", &["ReportBatchItemFailures"]),
    (PERMISSION, "principal", &["apigateway.amazonaws.com"]),
    (QUEUE, "deduplicationScope", &["messageGroup", "queue"]),
    (QUEUE, "fifoThroughputLimit", &["perMessageGroupId", "perQueue"]),
    (STATE_MACHINE, "type", &["STANDARD", "EXPRESS"]),
    (TABLE, "attributes.0.type", &["S", "N", "B"]),
    (TABLE, "billingMode", &["PAY_PER_REQUEST", "PROVISIONED"]),
];

/// A queue that keeps its messages for at most this long needs no dead-letter queue: its messages are worthless later.
const SHORT_LIVED_SECONDS: u64 = 900;

/// AWS's advice for a queue's visibility timeout: six times the timeout of the function that takes from it.
const VISIBILITY_TIMEOUTS: u64 = 6;

/// The concurrency that Lambda keeps for functions without a reservation, of an account's 1,000.
const UNRESERVED: u64 = 100;
const CONCURRENCY: u64 = 1_000;

/// Variables that no configuration reads: the log filter, and those of the local stack.
const UNREAD: [&str; 4] = [env::LOG, "AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"];

/// The problems by all rules.
#[must_use]
pub fn check(program: &Program) -> Vec<Problem> {
    let mut rules = Rules { program, problems: Vec::new() };
    rules.targets();
    rules.policies();
    rules.words();
    rules.waiting();
    rules.roles();
    rules.permissions();
    rules.stages();
    rules.queues();
    rules.variables();
    rules.budget();
    rules.problems
}

struct Rules<'a> {
    program: &'a Program,
    problems: Vec<Problem>,
}

impl<'a> Rules<'a> {
    fn report(&mut self, check: Check, at: impl Into<String>, message: impl Into<String>) {
        self.problems.push(Problem { check, at: at.into(), message: message.into() });
    }

    /// The references of a value to resources, with the resources' types.
    fn leads_to(&self, value: &Value) -> Vec<(Reference, &'a str)> {
        let program = self.program;
        let found = expression::references(value).into_iter();
        found.filter_map(|it| program.resources.get(&it.root).map(|to| (it, to.r#type.as_str()))).collect()
    }

    /// The name of the resource that a value refers to first.
    fn first(&self, value: &Value) -> Option<String> {
        self.leads_to(value).into_iter().next().map(|(reference, _)| reference.root)
    }

    fn must_lead(&mut self, at: &str, value: &Value, outputs: &[Output]) {
        let is = |(reference, kind): &(Reference, &str), (wanted, output): &Output| {
            kind == wanted && reference.output.as_deref() == Some(output)
        };
        let found = self.leads_to(value);
        let is_first = outputs.first().is_some_and(|output| found.first().is_some_and(|found| is(found, output)));
        let is_known = found.iter().all(|found| outputs.iter().any(|output| is(found, output)));
        if !is_first || !is_known {
            let wanted: Vec<_> = outputs.iter().map(|(kind, output)| format!("`{output}` of an `{kind}`")).collect();
            let message = format!("is `{value}` where {} is expected", wanted.join(" or "));
            self.report(Check::Targets, at, message);
        }
    }

    fn targets(&mut self) {
        let program = self.program;
        for (kind, property, outputs) in TARGETS {
            for (name, resource) in program.of_type(kind) {
                if let Some(value) = resource.properties.get(property) {
                    self.must_lead(&format!("{name}.{property}"), value, outputs);
                }
            }
        }
        for (name, resource) in &program.resources {
            if let Some(api) = resource.properties.get("apiId") {
                self.must_lead(&format!("{name}.apiId"), api, &[(API, "id")]);
            }
        }
        for (name, function) in program.of_type(FUNCTION) {
            for (variable, output) in VARIABLES {
                let value = function.at(&format!("environment.variables.{variable}"));
                if value.as_str().is_some_and(|text| !text.is_empty()) {
                    self.must_lead(&format!("{name}.environment.variables.{variable}"), value, &[output]);
                }
            }
        }
    }

    /// A policy's resources are of the service that its actions are of.
    fn policies(&mut self) {
        let program = self.program;
        for (name, policy) in program.of_type(ROLE_POLICY) {
            let statements = policy.at("policy.fn::toJSON.Statement").as_array().map_or(&[][..], Vec::as_slice);
            for (index, statement) in statements.iter().enumerate() {
                let actions = statement.get("Action").and_then(Value::as_array).into_iter().flatten();
                let services: BTreeSet<_> =
                    actions.filter_map(|action| action.as_str()?.split_once(':').map(|(service, _)| service)).collect();
                for service in services {
                    let Some((_, output)) = SERVICES.iter().find(|(known, _)| *known == service) else { continue };
                    for resource in statement.get("Resource").and_then(Value::as_array).into_iter().flatten() {
                        self.must_lead(&format!("{name}.policy.Statement.{index}"), resource, &[*output]);
                    }
                }
            }
        }
    }

    fn words(&mut self) {
        let program = self.program;
        for (kind, path, words) in WORDS {
            for (name, resource) in program.of_type(kind) {
                let value = resource.at(path);
                if !value.is_null() && !value.as_str().is_some_and(|word| words.contains(&word)) {
                    let message = format!("is `{value}` where one of {} is expected", words.join(", "));
                    self.report(Check::Words, format!("{name}.{path}"), message);
                }
            }
        }
    }

    fn must_wait(&mut self, name: &str, resource: &Resource, need: &str, why: &str) {
        if !crate::references::needs(resource, self.program).contains(need) {
            self.report(Check::Waiting, format!("{name}.dependsOn"), format!("`{need}` is not waited for; {why}"));
        }
    }

    /// Resources must be made after others to which no property refers.
    fn waiting(&mut self) {
        let program = self.program;
        for (name, deployment) in program.of_type(DEPLOYMENT) {
            for kind in [AUTHORIZER, INTEGRATION, ROUTE, ROUTE_RESPONSE] {
                for (part, _) in program.of_type(kind) {
                    self.must_wait(name, deployment, part, "a deployment is a snapshot of the API");
                }
            }
        }
        for (name, stage) in program.of_type(STAGE) {
            for (route, _) in program.of_type(ROUTE) {
                self.must_wait(name, stage, route, "a stage's settings may only name routes that are there");
            }
        }
        for (name, function) in program.of_type(FUNCTION) {
            for policy in self.policies_of(function.at("role")) {
                self.must_wait(name, function, &policy, "until it is there, the function may do nothing");
            }
            let of_function = format!("/aws/lambda/{}", function.at("name").as_str().unwrap_or_default());
            let group = program.of_type(LOG_GROUP).find(|(_, group)| group.at("name") == of_function.as_str());
            match group {
                Some((group, _)) => {
                    self.must_wait(name, function, group, "Lambda makes one that keeps its logs for ever");
                }
                None => self.report(Check::Waiting, name, format!("has no log group `{of_function}`")),
            }
        }
        for (name, state_machine) in program.of_type(STATE_MACHINE) {
            for policy in self.policies_of(state_machine.at("roleArn")) {
                self.must_wait(name, state_machine, &policy, "until it is there, the state machine may do nothing");
            }
        }
        for (name, mapping) in program.of_type(MAPPING) {
            let function = self.first(mapping.at("functionName")).and_then(|name| program.resources.get(&name));
            for policy in function.map(|function| self.policies_of(function.at("role"))).unwrap_or_default() {
                self.must_wait(name, mapping, &policy, "Lambda refuses a mapping to a function that may not read");
            }
        }
    }

    /// The policies of the role that a value refers to.
    fn policies_of(&self, role: &Value) -> Vec<String> {
        let role = self.first(role);
        let policies = self.program.of_type(ROLE_POLICY);
        policies.filter(|(_, it)| self.first(it.at("role")) == role).map(|(name, _)| name.to_owned()).collect()
    }

    /// Each function and each state machine has a role of its own, with a policy, that its service can assume.
    fn roles(&mut self) {
        let program = self.program;
        let functions = program.of_type(FUNCTION).map(|(name, it)| (name, it.at("role"), "lambda.amazonaws.com"));
        let state_machines =
            program.of_type(STATE_MACHINE).map(|(name, it)| (name, it.at("roleArn"), "states.amazonaws.com"));
        let mut owners: BTreeMap<String, &str> = BTreeMap::new();
        for (name, role, service) in functions.chain(state_machines) {
            let Some(role) = self.first(role) else { continue };
            if let Some(other) = owners.insert(role.clone(), name) {
                self.report(Check::Targets, name, format!("has the role `{role}`, which is `{other}`'s"));
            }
            let trusted = program.resources.get(&role).map(|it| it.at("assumeRolePolicy.fn::toJSON.Statement.0"));
            let principal = trusted.and_then(|statement| statement.pointer("/Principal/Service"));
            if principal.and_then(Value::as_str) != Some(service) {
                self.report(Check::Targets, role.clone(), format!("can't be assumed by `{service}`, for `{name}`"));
            }
            let own = Value::from(format!("${{{role}.arn}}"));
            if self.policies_of(&own).is_empty() {
                self.report(Check::Invariants, role, "has no policy");
            }
        }
    }

    /// The API may invoke every function of its integrations and its authorizer.
    fn permissions(&mut self) {
        let program = self.program;
        let permitted: BTreeSet<_> =
            program.of_type(PERMISSION).filter_map(|(_, it)| self.first(it.at("function"))).collect();
        let integrations = program.of_type(INTEGRATION).map(|(name, it)| (name, it.at("integrationUri")));
        let authorizers = program.of_type(AUTHORIZER).map(|(name, it)| (name, it.at("authorizerUri")));
        for (name, uri) in integrations.chain(authorizers) {
            if let Some(function) = self.first(uri).filter(|function| !permitted.contains(function)) {
                self.report(Check::Invariants, name, format!("calls `{function}` without a permission"));
            }
        }
    }

    /// A stage with default settings but without both throttles is closed; only an existing route can have a throttle.
    fn stages(&mut self) {
        let program = self.program;
        let keys: BTreeSet<_> = program.of_type(ROUTE).filter_map(|(_, it)| it.at("routeKey").as_str()).collect();
        for (name, stage) in program.of_type(STAGE) {
            let of_routes = stage.at("routeSettings").as_array().map_or(&[][..], Vec::as_slice);
            let named = of_routes.iter().map(|settings| ("routeSettings", settings));
            for (at, settings) in
                std::iter::once(("defaultRouteSettings", stage.at("defaultRouteSettings"))).chain(named)
            {
                for field in ["throttlingBurstLimit", "throttlingRateLimit"] {
                    if settings.get(field).and_then(Value::as_u64).unwrap_or(0) == 0 {
                        let message = format!("has no `{field}`, which then is 0: every request is refused");
                        self.report(Check::Invariants, format!("{name}.{at}"), message);
                    }
                }
            }
            for key in of_routes.iter().filter_map(|settings| settings.get("routeKey")?.as_str()) {
                if !keys.contains(key) {
                    self.report(
                        Check::Invariants,
                        format!("{name}.routeSettings"),
                        format!("there is no route `{key}`"),
                    );
                }
            }
        }
    }

    /// Every queue has a dead-letter queue, is one, or keeps its messages only for a short time. A mapping reads no dead-letter queue, and its
    /// queue hides messages for long enough.
    fn queues(&mut self) {
        let program = self.program;
        let dead_letters: BTreeSet<_> =
            program.of_type(QUEUE).filter_map(|(_, it)| self.first(it.at("redrivePolicy"))).collect();
        for (name, queue) in program.of_type(QUEUE) {
            let target = self.first(queue.at("redrivePolicy"));
            let target = target.as_deref();
            let is_short_lived =
                queue.at("messageRetentionSeconds").as_u64().is_some_and(|seconds| seconds <= SHORT_LIVED_SECONDS);
            let needs_none = dead_letters.contains(name) || is_short_lived;
            if target == Some(name) || (target.is_none() && !needs_none) {
                self.report(Check::Invariants, name, "has no dead-letter queue, and isn't one");
            }
            let is_fifo = |queue: &Resource| {
                let ends = queue.at("name").as_str().is_some_and(|name| name.ends_with(".fifo"));
                (queue.at("fifoQueue") == true, ends)
            };
            let wanted = (true, true);
            if is_fifo(queue) != wanted {
                self.report(Check::Invariants, name, "is not FIFO, or its name doesn't end in `.fifo`");
            }
        }
        for (name, mapping) in program.of_type(MAPPING) {
            let Some(queue) = self.first(mapping.at("eventSourceArn")) else { continue };
            if dead_letters.contains(&queue) {
                self.report(
                    Check::Targets,
                    format!("{name}.eventSourceArn"),
                    format!("`{queue}` is a dead-letter queue"),
                );
            }
            let function = self.first(mapping.at("functionName")).and_then(|name| program.resources.get(&name));
            let timeout = function.and_then(|function| function.at("timeout").as_u64()).unwrap_or(u64::MAX);
            let queue_of = program.resources.get(&queue);
            let hidden = queue_of.and_then(|queue| queue.at("visibilityTimeoutSeconds").as_u64()).unwrap_or(30);
            if hidden < timeout.saturating_mul(VISIBILITY_TIMEOUTS) {
                let message =
                    format!("{hidden} s are less than {VISIBILITY_TIMEOUTS} times the function's {timeout} s");
                self.report(Check::Invariants, format!("{queue}.visibilityTimeoutSeconds"), message);
            }
        }
        // A function's variables name the right queues.
        for (name, function) in program.of_type(FUNCTION) {
            for (variable, is_dead) in [(env::PUBLISH_QUEUE_URL, false), (env::DEAD_LETTER_QUEUE_URL, true)] {
                let queue = self.first(function.at(&format!("environment.variables.{variable}")));
                if queue.is_some_and(|queue| dead_letters.contains(&queue) != is_dead) {
                    self.report(Check::Targets, format!("{name}.{variable}"), "is the other queue's address");
                }
            }
            // Announcements are delayed, so that many changes make one announcement.
            let is_delayed = |queue: &Resource| queue.at("delaySeconds").as_u64().is_some_and(|seconds| seconds > 0);
            for (variable, delayed) in [(env::PUBLISH_QUEUE_URL, false), (env::PRESENCE_QUEUE_URL, true)] {
                let queue = self.first(function.at(&format!("environment.variables.{variable}")));
                let queue = queue.and_then(|queue| program.resources.get(&queue));
                if queue.is_some_and(|queue| is_delayed(queue) != delayed) {
                    self.report(Check::Targets, format!("{name}.{variable}"), "is the other queue's address");
                }
            }
        }
    }

    /// A function gets the variables that its configuration reads, and no others.
    fn variables(&mut self) {
        let program = self.program;
        for function in Function::ALL {
            let name = function.resource();
            let name = name.as_str();
            let Some(resource) = program.resources.get(name) else {
                self.report(Check::Invariants, name, "is missing");
                continue;
            };
            let set =
                resource.at("environment.variables").as_object().map(|it| it.keys().map(String::as_str).collect());
            let set: BTreeSet<&str> = set.unwrap_or_default();
            let read: BTreeSet<&str> = function.variables().iter().copied().collect();
            for variable in read.difference(&set) {
                self.report(Check::Invariants, name, format!("reads `{variable}`, which is not set"));
            }
            for variable in set.difference(&read).filter(|variable| !UNREAD.contains(variable)) {
                self.report(Check::Invariants, name, format!("doesn't read `{variable}`, which is set"));
            }
        }
    }

    /// Senders of large fan-outs share the budget, those of small ones a quarter of it. All functions have the same budget, and no more of them
    /// run than it was divided by.
    fn budget(&mut self) {
        let program = self.program;
        let of_functions = program.of_type(FUNCTION).filter_map(|(name, it)| {
            let budget = it.at("environment.variables").get(env::CALLBACK_RPS)?.as_str()?.parse::<u64>().ok()?;
            Some((name, budget))
        });
        let budgets: BTreeMap<&str, u64> = of_functions.collect();
        let rps = budgets.values().copied().next().unwrap_or(settings::CALLBACK_RPS.default);
        if budgets.values().any(|other| *other != rps) {
            self.report(Check::Invariants, "resources", format!("functions have different budgets: {budgets:?}"));
        }
        let budget = Budget::of(rps);
        let reserved = program.of_type(FUNCTION).map(|(_, it)| it.at("reservedConcurrentExecutions").as_u64());
        let reserved: u64 = reserved.flatten().sum();
        let pages = program.resources.get(Function::DeliverPage.resource().as_str());
        let pages = pages.and_then(|it| it.at("reservedConcurrentExecutions").as_u64());
        let of = |mapping: &str| {
            program.resources.get(mapping).and_then(|it| it.at("scalingConfig.maximumConcurrency").as_u64())
        };
        let (Some(delivers), Some(announces)) = (of("deliverPublished"), of("announcePresence")) else {
            return self.report(Check::Invariants, "resources", "the mapping of a queue has no maximum concurrency");
        };
        let Some(pages) = pages else {
            return self.report(Check::Invariants, "deliverPage", "reserves no concurrency, and so has no limit");
        };
        let least = u64::from(budget.least_rate().per_second);
        if least * (pages + delivers) > rps {
            let message = format!("{pages} pages and {delivers} deliveries of {least} posts a second are over {rps}");
            self.report(Check::Invariants, "deliverPage.reservedConcurrentExecutions", message);
        }
        let small = u64::from(budget.small_rate().per_second);
        if small * delivers > rps / 4 {
            let message = format!("{delivers} deliveries of {small} posts a second are over a quarter of {rps}");
            self.report(Check::Invariants, "deliverPublished.scalingConfig", message);
        }
        let light = u64::from(budget.announce_rate().per_second);
        if light * announces > rps / 32 {
            let message = format!("{announces} announcers of {light} posts a second are over a thirty-second of {rps}");
            self.report(Check::Invariants, "announcePresence.scalingConfig", message);
        }
        if reserved + UNRESERVED > CONCURRENCY {
            let message = format!("{reserved} reserved functions leave fewer than {UNRESERVED} of {CONCURRENCY}");
            self.report(Check::Invariants, "deliverPage.reservedConcurrentExecutions", message);
        }
    }
}
