//! The configuration and state of a stack's resources in the account, for operators. No function uses it.

mod policy;

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use aws_sdk_sfn::types::ExecutionStatus;
use aws_sdk_sqs::types::QueueAttributeName;
use aws_types::SdkConfig;
use hubbub_core::broadcast::round::BroadcastInput;
use hubbub_core::ports::{Clock, PortResult};
use hubbub_core::wire::time::Timestamp;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::api::{Api, Call, Service};
use crate::error::{malformed, port_error};
use crate::system::System;

pub use policy::Policy;

/// How long an answer may take.
const TIMEOUT: Duration = Duration::from_secs(20);

/// The pause between two looks at an execution.
const PAUSE: Duration = Duration::from_millis(200);

/// Service Quotas' name for API Gateway's requests a second of an account in a Region.
const REQUESTS_QUOTA: (&str, &str) = ("apigateway", "L-8A5B8E43");

/// The most log lines that are read.
const LINES: u32 = 200;

/// Reads a stack's resources. The error of a call that is refused names the permission that it needs.
#[derive(Clone, Debug)]
pub struct Inspector {
    api: Api,
    dynamodb: aws_sdk_dynamodb::Client,
    sqs: aws_sdk_sqs::Client,
    machines: aws_sdk_sfn::Client,
}

/// A table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableSetup {
    /// `ACTIVE`, when it can be used.
    pub status: String,
    /// The attributes of its key, the partition key first.
    pub key: Vec<String>,
    /// The attribute by which rows expire, if they do.
    pub ttl: Option<String>,
}

/// A queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueSetup {
    /// Its ARN.
    pub arn: String,
    /// How long a message is hidden after it was received.
    pub visibility: Duration,
    /// The approximate number of messages that wait.
    pub waiting: u64,
    /// The approximate number of messages that are being delivered.
    pub in_flight: u64,
    /// The ARN of its dead-letter queue, if it has one.
    pub dead_letter_arn: Option<String>,
}

/// A function.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct FunctionSetup {
    /// The ARN of its role.
    pub role: String,
    /// `Active`, when it can be used.
    #[serde(default)]
    pub state: Option<String>,
    /// How long an invocation may take, in seconds.
    pub timeout: u64,
    #[serde(default)]
    environment: Environment,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Environment {
    variables: BTreeMap<String, String>,
}

impl FunctionSetup {
    /// A variable of its environment.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.environment.variables.get(name).map(String::as_str)
    }
}

/// An event source mapping.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct MappingSetup {
    /// The ARN of the source.
    #[serde(default)]
    pub event_source_arn: String,
    /// `Enabled`, when it works.
    #[serde(default)]
    pub state: String,
    /// The kinds of response that the mapping takes.
    #[serde(default)]
    pub function_response_types: Vec<String>,
}

/// A state machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MachineSetup {
    /// `ACTIVE`, when it can be used.
    pub status: String,
    /// The ARN of its role.
    pub role: String,
}

/// The state of an execution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Run {
    /// It ended well.
    Succeeded,
    /// It ended, with this error.
    Failed(String),
    /// It has not ended in time.
    Running,
}

impl Inspector {
    pub(crate) fn new(config: &SdkConfig) -> PortResult<Self> {
        Ok(Self {
            api: Api::new(config.clone(), TIMEOUT)?,
            dynamodb: aws_sdk_dynamodb::Client::new(config),
            sqs: aws_sdk_sqs::Client::new(config),
            machines: aws_sdk_sfn::Client::new(config),
        })
    }

    /// Whether the account is on AWS, and not a local stack.
    #[must_use]
    pub fn is_aws(&self) -> bool {
        self.api.is_aws()
    }

    /// A table, if it exists.
    ///
    /// # Errors
    /// When DynamoDB can't be asked.
    pub async fn table(&self, name: &str) -> PortResult<Option<TableSetup>> {
        let table = match self.dynamodb.describe_table().table_name(name).send().await {
            Ok(answer) => answer.table.unwrap_or_else(|| aws_sdk_dynamodb::types::TableDescription::builder().build()),
            Err(error) if error.as_service_error().is_some_and(|error| error.is_resource_not_found_exception()) => {
                return Ok(None);
            }
            Err(error) => return Err(port_error("dynamodb:DescribeTable", &error)),
        };
        let asking = self.dynamodb.describe_time_to_live().table_name(name).send();
        let answer = asking.await.map_err(|error| port_error("dynamodb:DescribeTimeToLive", &error))?;
        let ttl = answer.time_to_live_description.filter(|ttl| {
            ttl.time_to_live_status().is_some_and(|status| matches!(status.as_str(), "ENABLED" | "ENABLING"))
        });
        Ok(Some(TableSetup {
            status: table.table_status().map(|status| status.as_str().to_owned()).unwrap_or_default(),
            key: table.key_schema().iter().map(|part| part.attribute_name().to_owned()).collect(),
            ttl: ttl.and_then(|ttl| ttl.attribute_name),
        }))
    }

    /// A queue, if it exists.
    ///
    /// # Errors
    /// When SQS can't be asked.
    pub async fn queue(&self, url: &str) -> PortResult<Option<QueueSetup>> {
        let asking = self.sqs.get_queue_attributes().queue_url(url).attribute_names(QueueAttributeName::All).send();
        let attributes = match asking.await {
            Ok(answer) => answer.attributes.unwrap_or_default(),
            Err(error) if error.as_service_error().is_some_and(|error| error.is_queue_does_not_exist()) => {
                return Ok(None);
            }
            Err(error) => return Err(port_error("sqs:GetQueueAttributes", &error)),
        };
        read_queue(&attributes).map(Some)
    }

    /// A function, if it exists.
    ///
    /// # Errors
    /// When Lambda can't be asked.
    pub async fn function(&self, name: &str) -> PortResult<Option<FunctionSetup>> {
        const OPERATION: &str = "lambda:GetFunctionConfiguration";
        let path = format!("/2015-03-31/functions/{}/configuration", encode(name));
        read_found(OPERATION, self.api.ask(Call::get(OPERATION, Service::Lambda, path)).await?)
    }

    /// A function's event source mappings.
    ///
    /// # Errors
    /// When Lambda can't be asked.
    pub async fn mappings(&self, function: &str) -> PortResult<Vec<MappingSetup>> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Answer {
            event_source_mappings: Vec<MappingSetup>,
        }
        const OPERATION: &str = "lambda:ListEventSourceMappings";
        let path = format!("/2015-03-31/event-source-mappings/?FunctionName={}", encode(function));
        let answer: Option<Answer> =
            read_found(OPERATION, self.api.ask(Call::get(OPERATION, Service::Lambda, path)).await?)?;
        Ok(answer.map(|answer| answer.event_source_mappings).unwrap_or_default())
    }

    /// What a role's inline policies allow, if the role exists. Attached policies and those of the organisation are not read.
    ///
    /// # Errors
    /// When IAM can't be asked.
    pub async fn policy(&self, role_arn: &str) -> PortResult<Option<Policy>> {
        let role = role_arn.rsplit('/').next().unwrap_or(role_arn);
        let ask = async |operation, action: &str, rest: &str| {
            let form = format!("Action={action}&Version=2010-05-08&RoleName={}{rest}", encode(role));
            self.api.ask(Call::form(operation, Service::Iam, form)).await
        };
        let Some(names) = ask("iam:ListRolePolicies", "ListRolePolicies", "").await? else {
            return Ok(None);
        };
        let mut policy = Policy::default();
        for name in policy::elements(&names, "member") {
            let rest = format!("&PolicyName={}", encode(name));
            if let Some(answer) = ask("iam:GetRolePolicy", "GetRolePolicy", &rest).await? {
                policy.read(&answer).map_err(|error| malformed("iam:GetRolePolicy", error))?;
            }
        }
        Ok(Some(policy))
    }

    /// A state machine, if it exists.
    ///
    /// # Errors
    /// When Step Functions can't be asked.
    pub async fn machine(&self, arn: &str) -> PortResult<Option<MachineSetup>> {
        match self.machines.describe_state_machine().state_machine_arn(arn).send().await {
            Ok(answer) => Ok(Some(MachineSetup {
                status: answer.status.map(|status| status.as_str().to_owned()).unwrap_or_default(),
                role: answer.role_arn,
            })),
            Err(error) if error.as_service_error().is_some_and(|error| error.is_state_machine_does_not_exist()) => {
                Ok(None)
            }
            Err(error) => Err(port_error("states:DescribeStateMachine", &error)),
        }
    }

    /// Starts an execution, and waits for its end.
    ///
    /// # Errors
    /// When Step Functions can't be asked.
    pub async fn run_machine(&self, arn: &str, input: &BroadcastInput, patience: Duration) -> PortResult<Run> {
        let text = serde_json::to_string(input).map_err(|error| malformed("write execution input", error))?;
        let start = self.machines.start_execution().state_machine_arn(arn).name(input.lease.as_str()).input(text);
        let started = start.send().await.map_err(|error| port_error("states:StartExecution", &error))?;
        let deadline = System.now().plus(patience);
        loop {
            let asking = self.machines.describe_execution().execution_arn(&started.execution_arn).send();
            let found = asking.await.map_err(|error| port_error("states:DescribeExecution", &error))?;
            match found.status {
                ExecutionStatus::Running if System.now() < deadline => tokio::time::sleep(PAUSE).await,
                ExecutionStatus::Running => return Ok(Run::Running),
                ExecutionStatus::Succeeded => return Ok(Run::Succeeded),
                status => {
                    let said = [Some(status.as_str().to_owned()), found.error, found.cause];
                    return Ok(Run::Failed(said.into_iter().flatten().collect::<Vec<_>>().join(": ")));
                }
            }
        }
    }

    /// A function's log lines since then that contain a word, the oldest first, and at most 200.
    ///
    /// # Errors
    /// When CloudWatch Logs can't be asked.
    pub async fn log_lines(&self, function: &str, since: Timestamp, word: &str) -> PortResult<Vec<String>> {
        #[derive(Deserialize)]
        struct Answer {
            events: Vec<Line>,
        }
        #[derive(Deserialize)]
        struct Line {
            message: String,
        }
        const OPERATION: &str = "logs:FilterLogEvents";
        let request = json!({
            "logGroupName": format!("/aws/lambda/{function}"),
            "startTime": since.0,
            "filterPattern": format!("\"{word}\""),
            "limit": LINES,
        });
        let call = Call::json(OPERATION, Service::Logs, "Logs_20140328.FilterLogEvents", &request);
        let answer: Option<Answer> = read_found(OPERATION, self.api.ask(call).await?)?;
        Ok(answer.into_iter().flat_map(|answer| answer.events).map(|line| line.message).collect())
    }

    /// The largest age of a queue's oldest message in the last five minutes. Nothing on a local stack, which doesn't measure it.
    ///
    /// # Errors
    /// When CloudWatch can't be asked.
    pub async fn oldest_message(&self, queue_url: &str) -> PortResult<Option<Duration>> {
        const OPERATION: &str = "cloudwatch:GetMetricStatistics";
        if !self.is_aws() {
            return Ok(None);
        }
        let now = System.now();
        let name = queue_url.rsplit('/').next().unwrap_or(queue_url);
        let request = json!({
            "Namespace": "AWS/SQS",
            "MetricName": "ApproximateAgeOfOldestMessage",
            "Dimensions": [{"Name": "QueueName", "Value": name}],
            "StartTime": now.minus(Duration::from_secs(300)).0 / 1_000,
            "EndTime": now.0 / 1_000,
            "Period": 60,
            "Statistics": ["Maximum"],
        });
        let target = "GraniteServiceVersion20100801.GetMetricStatistics";
        let call = Call::json(OPERATION, Service::Metrics, target, &request);
        let answer: Option<Value> = read_found(OPERATION, self.api.ask(call).await?)?;
        Ok(answer.as_ref().and_then(largest_age))
    }

    /// The requests a second that API Gateway takes from the account in the Region, posts included. Nothing on a local stack, which has no quota.
    ///
    /// # Errors
    /// When Service Quotas can't be asked.
    pub async fn requests_quota(&self) -> PortResult<Option<f64>> {
        const OPERATION: &str = "servicequotas:GetServiceQuota";
        if !self.is_aws() {
            return Ok(None);
        }
        let (service, quota) = REQUESTS_QUOTA;
        let request = json!({"ServiceCode": service, "QuotaCode": quota});
        let call = Call::json(OPERATION, Service::Quotas, "ServiceQuotasV20190624.GetServiceQuota", &request);
        let answer: Option<Value> = read_found(OPERATION, self.api.ask(call).await?)?;
        Ok(answer.and_then(|answer| answer.pointer("/Quota/Value").and_then(Value::as_f64)))
    }
}

fn encode(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

fn read_found<T: DeserializeOwned>(operation: &'static str, answer: Option<String>) -> PortResult<Option<T>> {
    answer.map(|text| serde_json::from_str(&text).map_err(|error| malformed(operation, error))).transpose()
}

fn read_queue(attributes: &HashMap<QueueAttributeName, String>) -> PortResult<QueueSetup> {
    let number = |name: QueueAttributeName| attributes.get(&name).and_then(|digits| digits.parse().ok()).unwrap_or(0);
    let redrive = attributes.get(&QueueAttributeName::RedrivePolicy);
    let redrive: Option<Value> = redrive.and_then(|policy| serde_json::from_str(policy).ok());
    let target = redrive.as_ref().and_then(|policy| policy.get("deadLetterTargetArn")).and_then(Value::as_str);
    Ok(QueueSetup {
        arn: attributes
            .get(&QueueAttributeName::QueueArn)
            .cloned()
            .ok_or_else(|| malformed("sqs:GetQueueAttributes", "the queue has no `QueueArn`"))?,
        visibility: Duration::from_secs(number(QueueAttributeName::VisibilityTimeout)),
        waiting: number(QueueAttributeName::ApproximateNumberOfMessages),
        in_flight: number(QueueAttributeName::ApproximateNumberOfMessagesNotVisible),
        dead_letter_arn: target.map(ToOwned::to_owned),
    })
}

fn largest_age(answer: &Value) -> Option<Duration> {
    let points = answer.get("Datapoints")?.as_array()?;
    let seconds = points.iter().filter_map(|point| point.get("Maximum")?.as_f64()).reduce(f64::max)?;
    Duration::try_from_secs_f64(seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn largest_age_counts() {
        let check = |points: &str, expected: Option<u64>| {
            let answer = serde_json::from_str(&format!(r#"{{"Datapoints": {points}}}"#)).unwrap();
            assert_eq!(largest_age(&answer), expected.map(Duration::from_secs), "{points}");
        };
        check(r#"[{"Maximum": 3.0}, {"Maximum": 12.0}, {"Maximum": 7.0}]"#, Some(12));
        check("[]", None);
    }

    #[test]
    fn missing_fields_of_a_function_are_defaults() {
        let text = r#"{"Role": "arn:aws:iam::1:role/r", "Timeout": 30, "State": "Active",
            "Environment": {"Variables": {"HUBBUB_TABLE": "t"}}, "MemorySize": 256}"#;
        let function: FunctionSetup = serde_json::from_str(text).unwrap();
        assert_eq!(
            (function.variable("HUBBUB_TABLE"), function.variable("OTHER"), function.timeout),
            (Some("t"), None, 30)
        );
        let bare: FunctionSetup = serde_json::from_str(r#"{"Role": "r", "Timeout": 3}"#).unwrap();
        assert_eq!(bare.variable("HUBBUB_TABLE"), None);
    }
}
