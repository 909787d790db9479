//! What is deployed, against what the Pulumi program deploys.

use hubbub_aws::operations::{FunctionSetup, Policy, QueueSetup};
use hubbub_core::names::{env, table};
use hubbub_core::settings::TOKEN_ALGORITHM;
use hubbub_infra::functions::Function;
use hubbub_infra::model;
use hubbub_infra::policies::{self, Statement};
use hubbub_infra::settings::Settings;
use serde_json::Value;

use super::finding::Finding;
use super::{Record, Visit};
use crate::console::counted;
use crate::moment::span;
use crate::stack::{Outputs, Stack};

/// What to do where something isn't as the program has it.
const DEPLOY: &str = "deploy it again by `pulumi up`";

/// How many reasons of dead letters are named.
const REASONS: usize = 3;

/// How old a message on the queue may be without a cause for concern, in seconds.
const OLD_SECONDS: u64 = 60;

/// How the name of a stack's table ends; what comes before it is what all of the stack's names begin with.
const TABLE_END: &str = "-table";

/// The outputs.
pub(super) fn outputs(stack: &Stack) -> Finding {
    let missing: Vec<&str> =
        stack.outputs.required().into_iter().filter(|(_, value)| value.is_none()).map(|(name, _)| name).collect();
    if missing.is_empty() {
        let place = stack.outputs.aws_endpoint.as_deref().unwrap_or("AWS");
        return Finding::ok("outputs", format!("complete in {}, on {place}", stack.source));
    }
    let found = format!("there is no `{}`", missing.join("`, no `"));
    Finding::fault("outputs", found, &stack.source, "deploy the stack as it is now, or give what is missing by flags")
}

/// Looks at everything that is deployed.
pub(super) async fn look(visit: &Visit<'_>, record: &mut Record) -> anyhow::Result<()> {
    record.add(table(visit).await)?;
    let deliver = Names::of(visit).and_then(|names| names.function(Function::Deliver));
    let timeout = match &deliver {
        Some(name) => visit.inspector.function(name).await.ok().flatten().map(|function| function.timeout),
        None => None,
    };
    record.add_all(queues(visit, timeout).await)?;
    record.add(dead_letters(visit).await)?;
    record.add_all(machine(visit).await)?;
    match Names::of(visit) {
        Some(names) => {
            record.add_all(functions(visit, &names).await)?;
            for feed in &FEEDS {
                record.add(mapping(visit, &names, feed).await)?;
            }
        }
        None => record.add(Finding::skipped(
            "functions",
            format!("their names are not known: the table's doesn't end with `{TABLE_END}`"),
        ))?,
    }
    record.add(token_key(visit).await)?;
    record.add(quota(visit).await)
}

/// What the stack's parts are called.
struct Names(String);

impl Names {
    fn of(visit: &Visit<'_>) -> Option<Self> {
        let table = visit.stack.outputs.table_name.as_deref()?;
        table.strip_suffix(TABLE_END).map(|prefix| Self(prefix.to_owned()))
    }

    fn function(&self, function: Function) -> Option<String> {
        Some(format!("{}-{}", self.0, function.name()))
    }
}

/// The names of all functions, where they are known.
pub(super) fn function_names(visit: &Visit<'_>) -> Vec<String> {
    let names = Names::of(visit);
    Function::ALL.into_iter().filter_map(|function| names.as_ref()?.function(function)).collect()
}

async fn table(visit: &Visit<'_>) -> Finding {
    const CHECK: &str = "table";
    let name = visit.stack.outputs.table_name.as_deref().unwrap_or_default();
    let setup = match visit.inspector.table(name).await {
        Ok(Some(setup)) => setup,
        Ok(None) => return Finding::fault(CHECK, "it is not there", format!("the table `{name}`"), DEPLOY),
        Err(error) => return Finding::unasked(CHECK, format!("the table `{name}`"), error),
    };
    let wrong = |found: String| Finding::fault(CHECK, found, format!("the table `{name}`"), DEPLOY);
    if setup.status != "ACTIVE" {
        return wrong(format!("its status is `{}`", setup.status));
    }
    let key = [table::PARTITION_KEY, table::SORT_KEY];
    if setup.key != key {
        return wrong(format!("its key is `{}`, not `{}`", setup.key.join("`, `"), key.join("`, `")));
    }
    match setup.ttl.as_deref() {
        Some(table::TTL) => Finding::ok(CHECK, format!("`{name}` is there, and its rows expire")),
        Some(other) => wrong(format!("its rows expire by `{other}`, not by `{}`", table::TTL)),
        None => wrong("its rows don't expire: time to live is off".to_owned()),
    }
}

/// A queue that feeds a function.
struct Feed {
    check: &'static str,
    queue: &'static str,
    function: Function,
    url: fn(&Outputs) -> Option<&str>,
    /// What comes of there being no mapping.
    lost: &'static str,
}

const FEEDS: [Feed; 2] = [
    Feed {
        check: "event source mapping",
        queue: "publish queue",
        function: Function::Deliver,
        url: |outputs| outputs.publish_queue_url.as_deref(),
        lost: "what is published stays on the queue",
    },
    Feed {
        check: "presence mapping",
        queue: "presence queue",
        function: Function::Announce,
        url: |outputs| outputs.presence_queue_url.as_deref(),
        lost: "nobody is told who comes and goes",
    },
];

async fn queues(visit: &Visit<'_>, deliver_timeout: Option<u64>) -> Vec<Finding> {
    let outputs = &visit.stack.outputs;
    let publish_url = outputs.publish_queue_url.as_deref().unwrap_or_default();
    let dead_url = outputs.dead_letter_queue_url.as_deref().unwrap_or_default();
    let ask = async |check: &str, url: &str| match visit.inspector.queue(url).await {
        Ok(Some(setup)) => Ok(setup),
        Ok(None) => Err(Finding::fault(check, "it is not there", format!("the queue `{url}`"), DEPLOY)),
        Err(error) => Err(Finding::unasked(check, format!("the queue `{url}`"), error)),
    };
    let dead = ask("dead-letter queue", dead_url).await;
    let mut findings = match ask("publish queue", publish_url).await {
        Ok(setup) => {
            let dead_arn = dead.as_ref().ok().map(|dead| dead.arn.as_str());
            let remedy = "see the errors of the function `deliver`; if there are none, one channel gets more than a writer can append";
            let age = age(visit, "queue age", publish_url, &setup, remedy).await;
            vec![publish_queue(publish_url, &setup, dead_arn, deliver_timeout), age]
        }
        Err(finding) => vec![finding],
    };
    findings.extend(dead.err());
    let presence_url = outputs.presence_queue_url.as_deref().unwrap_or_default();
    match ask("presence queue", presence_url).await {
        Ok(setup) => {
            findings.push(hidden_for_long_enough("presence queue", presence_url, &setup, deliver_timeout));
            let remedy =
                "see the errors of the function `announce`; if there are none, more rooms change than it can announce";
            findings.push(age(visit, "presence queue age", presence_url, &setup, remedy).await);
        }
        Err(finding) => findings.push(finding),
    }
    findings
}

fn publish_queue(url: &str, setup: &QueueSetup, dead_arn: Option<&str>, deliver_timeout: Option<u64>) -> Finding {
    const CHECK: &str = "publish queue";
    let wrong = |found: String| Finding::fault(CHECK, found, format!("the queue `{url}`"), DEPLOY);
    match (setup.dead_letter_arn.as_deref(), dead_arn) {
        (None, _) => {
            return wrong("it has no dead-letter queue: what fails again and again holds up its channel".to_owned());
        }
        (Some(target), Some(expected)) if target != expected => {
            return wrong(format!("its dead-letter queue is `{target}`, not the stack's, `{expected}`"));
        }
        _ => {}
    }
    hidden_for_long_enough(CHECK, url, setup, deliver_timeout)
}

/// Whether a message that `deliver` has under way is hidden from another one.
fn hidden_for_long_enough(check: &str, url: &str, setup: &QueueSetup, deliver_timeout: Option<u64>) -> Finding {
    let visibility = setup.visibility.as_secs();
    match deliver_timeout {
        Some(timeout) if visibility < timeout => {
            let found = format!(
                "a message is hidden for {visibility} s only, while the function `deliver` may take {timeout} s: it would be delivered twice at once"
            );
            Finding::fault(check, found, format!("the queue `{url}`"), DEPLOY)
        }
        _ => Finding::ok(check, format!("`{}`, hidden for {visibility} s", url.rsplit('/').next().unwrap_or(url))),
    }
}

/// How long messages wait.
async fn age(visit: &Visit<'_>, check: &str, url: &str, setup: &QueueSetup, remedy: &str) -> Finding {
    let waiting = format!("{} waiting, {} being delivered", counted(setup.waiting, "message"), setup.in_flight);
    match visit.inspector.oldest_message(url).await {
        Ok(None) => Finding::ok(check, format!("{waiting}; CloudWatch has no age of the oldest")),
        Ok(Some(age)) if age.as_secs() <= OLD_SECONDS => {
            Finding::ok(check, format!("{waiting}; the oldest was {} old in the last five minutes", span(age)))
        }
        Ok(Some(age)) => Finding::fault(
            check,
            format!("{waiting}; the oldest was {} old in the last five minutes", span(age)),
            format!("the queue `{url}`"),
            remedy,
        ),
        Err(error) => Finding::skipped(check, format!("{waiting}; the age of the oldest can't be asked: {error}")),
    }
}

async fn dead_letters(visit: &Visit<'_>) -> Finding {
    const CHECK: &str = "dead letters";
    let place = "the dead-letter queue";
    let office = match (visit.stack.clients(), visit.stack.dead_letter_queue_url(), visit.stack.publish_queue_url()) {
        (Ok(clients), Ok(dead), Ok(publish)) => clients.dead_letter_office(dead.to_owned(), publish.to_owned()),
        _ => return Finding::skipped(CHECK, "the queues are not known"),
    };
    let letters = match office.hold_all().await {
        Ok(letters) => letters,
        Err(error) => return Finding::unasked(CHECK, place, error),
    };
    if let Err(error) = office.release(&letters).await {
        return Finding::unasked(CHECK, place, error);
    }
    if letters.is_empty() {
        return Finding::ok(CHECK, "none wait");
    }
    let reasons: Vec<String> = letters
        .iter()
        .take(REASONS)
        .map(|letter| format!("`{}` in `{}` ({})", letter.reason, letter.group, letter.detail))
        .collect();
    let count = u64::try_from(letters.len()).unwrap_or(u64::MAX);
    let verb = if count == 1 { "waits" } else { "wait" };
    Finding::fault(
        CHECK,
        format!("{} {verb}: {}", counted(count, "dead letter"), reasons.join("; ")),
        place,
        "see `hubbub dead-letters list`; mend the cause, and then `redrive` or `drop` them",
    )
}

async fn machine(visit: &Visit<'_>) -> Vec<Finding> {
    const CHECK: &str = "state machine";
    let arn = visit.stack.outputs.state_machine_arn.as_deref().unwrap_or_default();
    let place = format!("the state machine `{arn}`");
    let setup = match visit.inspector.machine(arn).await {
        Ok(Some(setup)) => setup,
        Ok(None) => {
            let found = "it is not there: messages to large rooms are in the log, and nobody is told";
            return vec![Finding::fault(CHECK, found, place, DEPLOY)];
        }
        Err(error) => return vec![Finding::unasked(CHECK, place, error)],
    };
    let mut findings = vec![match setup.status.as_str() {
        "ACTIVE" => Finding::ok(CHECK, format!("`{}` is there", arn.rsplit(':').next().unwrap_or(arn))),
        status => Finding::fault(CHECK, format!("its status is `{status}`"), place, DEPLOY),
    }];
    findings.push(
        role(visit, "state machine's permissions", &setup.role, &policies::of_broadcast(&settings(visit.stack))).await,
    );
    findings
}

async fn functions(visit: &Visit<'_>, names: &Names) -> Vec<Finding> {
    let settings = settings(visit.stack);
    let mut findings = Vec::new();
    for function in Function::ALL {
        let check = format!("function {}", function.name());
        let Some(name) = names.function(function) else { continue };
        let place = format!("the function `{name}`");
        let setup = match visit.inspector.function(&name).await {
            Ok(Some(setup)) => setup,
            Ok(None) => {
                findings.push(Finding::fault(check, "it is not there", place, DEPLOY));
                continue;
            }
            Err(error) => {
                findings.push(Finding::unasked(check, place, error));
                continue;
            }
        };
        findings.push(configuration(visit.stack, check, &place, function, &setup));
        let permissions = format!("permissions of {}", function.name());
        findings.push(role(visit, &permissions, &setup.role, &policies::of_function(function, &settings)).await);
    }
    findings
}

/// The settings by which the program gives the stack its permissions.
fn settings(stack: &Stack) -> Settings {
    let settings = Settings::default();
    if stack.outputs.token_key_parameter.is_none() { settings.with(&TOKEN_ALGORITHM, "RS256") } else { settings }
}

/// A function's variables against the stack's outputs.
fn configuration(stack: &Stack, check: String, place: &str, function: Function, setup: &FunctionSetup) -> Finding {
    let outputs = &stack.outputs;
    let expected = [
        (env::TABLE, &outputs.table_name),
        (env::PUBLISH_QUEUE_URL, &outputs.publish_queue_url),
        (env::PRESENCE_QUEUE_URL, &outputs.presence_queue_url),
        (env::DEAD_LETTER_QUEUE_URL, &outputs.dead_letter_queue_url),
        (env::STATE_MACHINE_ARN, &outputs.state_machine_arn),
        (env::CALLBACK_URL, &outputs.callback_url),
        (env::TOKEN_KEY_PARAMETER, &outputs.token_key_parameter),
    ];
    let mut wrong = Vec::new();
    if let Some(state) = setup.state.as_deref().filter(|state| *state != "Active") {
        wrong.push(format!("its state is `{state}`"));
    }
    for variable in function.variables() {
        let value = setup.variable(variable);
        let expected = expected.iter().find(|(name, _)| name == variable).and_then(|(_, output)| output.as_deref());
        match (value, expected) {
            (None, _) => wrong.push(format!("`{variable}` is not set")),
            (Some(value), Some(expected)) if value != expected => {
                wrong.push(format!("`{variable}` is `{value}`, and the stack's is `{expected}`"));
            }
            _ => {}
        }
    }
    if wrong.is_empty() {
        let count = u64::try_from(function.variables().len()).unwrap_or(u64::MAX);
        return Finding::ok(check, format!("is there, with its {}", counted(count, "variable")));
    }
    Finding::fault(check, wrong.join("; "), format!("{place}, in its configuration"), DEPLOY)
}

/// Whether a role may do what the program gives it.
async fn role(visit: &Visit<'_>, check: &str, arn: &str, statements: &[Statement]) -> Finding {
    match visit.inspector.policy(arn).await {
        Ok(Some(policy)) => permissions(check, arn, statements, &policy),
        Ok(None) => Finding::fault(check, "the role is not there", format!("the role `{arn}`"), DEPLOY),
        Err(error) => Finding::unasked(check, format!("the role `{arn}`"), error),
    }
}

fn permissions(check: &str, arn: &str, statements: &[Statement], policy: &Policy) -> Finding {
    let actions: Vec<String> = statements.iter().flat_map(actions).collect();
    let missing: Vec<&str> = actions.iter().map(String::as_str).filter(|action| !policy.allows(action)).collect();
    if missing.is_empty() {
        let count = u64::try_from(actions.len()).unwrap_or(u64::MAX);
        return Finding::ok(check, format!("its role has its {}", counted(count, "action")));
    }
    Finding::fault(
        check,
        format!("its role doesn't allow `{}`", missing.join("`, `")),
        format!("the policies of the role `{}`", arn.rsplit('/').next().unwrap_or(arn)),
        DEPLOY,
    )
}

/// The actions of a statement, as they stand in the policy that is deployed.
fn actions(statement: &Statement) -> Vec<String> {
    let written = serde_json::to_value(model::Value::from(statement.clone())).unwrap_or_default();
    let actions = written.get("Action").and_then(Value::as_array).cloned().unwrap_or_default();
    actions.into_iter().filter_map(|action| action.as_str().map(ToOwned::to_owned)).collect()
}

async fn mapping(visit: &Visit<'_>, names: &Names, feed: &Feed) -> Finding {
    let Feed { check, queue, function, url, lost } = feed;
    const ANSWER: &str = "ReportBatchItemFailures";
    let function = names.function(*function).unwrap_or_default();
    let place = format!("between the {queue} and the function `{function}`");
    let mappings = match visit.inspector.mappings(&function).await {
        Ok(mappings) => mappings,
        Err(error) => return Finding::unasked(*check, place, error),
    };
    let url = url(&visit.stack.outputs).unwrap_or_default();
    let queue = url.rsplit('/').next().unwrap_or(url);
    let of_queue = mappings.iter().find(|mapping| mapping.event_source_arn.rsplit(':').next() == Some(queue));
    let Some(mapping) = of_queue else {
        let found = format!("there is none: {lost}");
        return Finding::fault(*check, found, place, DEPLOY);
    };
    if mapping.state != "Enabled" {
        let remedy = "enable it by `aws lambda update-event-source-mapping --enabled --uuid …`, or deploy it again by `pulumi up`";
        return Finding::fault(*check, format!("its state is `{}`, not `Enabled`", mapping.state), place, remedy);
    }
    if !mapping.function_response_types.iter().any(|kind| kind == ANSWER) {
        return Finding::fault(
            *check,
            format!("it doesn't have `{ANSWER}`: one bad message repeats its batch"),
            place,
            DEPLOY,
        );
    }
    Finding::ok(*check, format!("feeds `{function}`, and takes partial failures"))
}

async fn token_key(visit: &Visit<'_>) -> Finding {
    const CHECK: &str = "token key";
    let Some(name) = &visit.stack.outputs.token_key_parameter else {
        return Finding::skipped(CHECK, "tokens are signed elsewhere, and checked by public keys");
    };
    match visit.stack.signing_key().await {
        Ok(_) => Finding::ok(CHECK, format!("`{name}` can be read")),
        Err(error) => {
            let remedy = "put the key there: `pulumi config set --secret tokenKey …`, and `pulumi up`";
            Finding::fault(CHECK, format!("it can't be read: {error:#}"), format!("the parameter `{name}`"), remedy)
        }
    }
}

/// Whether the account lets the stack post as fast as it is set to.
async fn quota(visit: &Visit<'_>) -> Finding {
    const CHECK: &str = "quota";
    const LOOK_UP: &str =
        "`aws service-quotas get-service-quota --service-code apigateway --quota-code L-8A5B8E43` shows it";
    let names = Names::of(visit).and_then(|names| names.function(Function::Deliver));
    let rate =
        match names {
            Some(name) => visit.inspector.function(&name).await.ok().flatten().and_then(|function| {
                function.variable(env::CALLBACK_RPS).and_then(|digits| digits.parse::<u32>().ok())
            }),
            None => None,
        };
    let rate_text = rate.map_or_else(|| "unknown".to_owned(), |rate| rate.to_string());
    match visit.inspector.requests_quota().await {
        Ok(None) if !visit.inspector.is_aws() => {
            Finding::skipped(CHECK, format!("the local stack has none; `callbackRps` is {rate_text}"))
        }
        Ok(Some(quota)) if rate.is_some_and(|rate| f64::from(rate) < quota) => {
            Finding::ok(CHECK, format!("the account's is {quota} requests a second, and `callbackRps` {rate_text}"))
        }
        Ok(Some(quota)) if rate.is_some() => Finding::fault(
            CHECK,
            format!(
                "`callbackRps` is {rate_text}, and the account's quota is {quota} requests a second, incoming frames among them"
            ),
            "API Gateway's quota of the account in the Region",
            "ask AWS for more, or set `hubbub:callbackRps` to four fifths of it",
        ),
        Ok(_) => Finding::skipped(CHECK, format!("not known; {LOOK_UP}")),
        Err(error) => Finding::skipped(CHECK, format!("it can't be asked ({error}); {LOOK_UP}")),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn queue(dead_letter_arn: Option<&str>) -> QueueSetup {
        QueueSetup {
            arn: "arn:q".to_owned(),
            visibility: Duration::from_secs(180),
            waiting: 0,
            in_flight: 0,
            dead_letter_arn: dead_letter_arn.map(ToOwned::to_owned),
        }
    }

    #[test]
    fn publish_queue_has_dead_letters_and_visibility_timeout() {
        let check = |setup: &QueueSetup, timeout, is_fault: bool| {
            let finding = publish_queue("http://q/publish.fifo", setup, Some("arn:dead"), timeout);
            assert_eq!(finding.is_fault(), is_fault, "{finding:?}");
        };
        check(&queue(Some("arn:dead")), Some(30), false);
        check(&queue(Some("arn:dead")), None, false);
        check(&queue(Some("arn:dead")), Some(181), true);
        check(&queue(Some("arn:other")), Some(30), true);
        check(&queue(None), Some(30), true);
    }

    #[test]
    fn the_actions_are_those_that_the_program_gives() {
        let statements = policies::of_function(Function::Deliver, &Settings::default());
        let actions: Vec<String> = statements.iter().flat_map(actions).collect();
        for action in
            ["states:StartExecution", "dynamodb:PutItem", "execute-api:ManageConnections", "sqs:ReceiveMessage"]
        {
            assert!(actions.iter().any(|other| other == action), "{action}");
        }
        let finding = permissions("x", "arn:aws:iam::1:role/r", &statements, &Policy::default());
        assert!(finding.is_fault());
    }

    #[test]
    fn outputs_that_are_missing_are_named() {
        let stack = Stack { source: "`x`".to_owned(), outputs: crate::stack::Outputs::default() };
        assert!(format!("{:?}", outputs(&stack)).contains("no `callbackUrl`"));
    }
}
