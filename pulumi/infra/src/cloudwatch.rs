//! The stack's metrics in CloudWatch: Hubbub's own, and those of AWS for its resources. Alarms and the dashboard use them.

use hubbub_core::metrics::{Metric, NAMESPACE, STACK};

use crate::api::API;
use crate::broadcast::BROADCAST;
use crate::functions::{Function, InProgram};
use crate::model::{Name, Text, Value};
use crate::names;
use crate::table::TABLE;

/// The values of a metric over time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Series {
    namespace: &'static str,
    name: &'static str,
    dimension: (&'static str, Text),
}

impl Series {
    /// One of Hubbub's own metrics, of the whole stack.
    #[must_use]
    pub fn of(metric: Metric) -> Self {
        Self { namespace: NAMESPACE, name: metric.name, dimension: (STACK, names::stack().into()) }
    }

    /// SQS's metric of a queue.
    #[must_use]
    pub fn of_queue(queue: &Name, name: &'static str) -> Self {
        Self { namespace: "AWS/SQS", name, dimension: ("QueueName", queue.get("name").into()) }
    }

    /// Lambda's metric of a function.
    #[must_use]
    pub fn of_function(function: Function, name: &'static str) -> Self {
        Self { namespace: "AWS/Lambda", name, dimension: ("FunctionName", function.resource().get("name").into()) }
    }

    /// Step Functions' metric of the broadcasts.
    #[must_use]
    pub fn of_broadcasts(name: &'static str) -> Self {
        Self { namespace: "AWS/States", name, dimension: ("StateMachineArn", BROADCAST.get("arn").into()) }
    }

    /// DynamoDB's metric of the table.
    #[must_use]
    pub fn of_table(name: &'static str) -> Self {
        Self { namespace: "AWS/DynamoDB", name, dimension: ("TableName", TABLE.get("name").into()) }
    }

    /// API Gateway's metric of the API.
    #[must_use]
    pub fn of_api(name: &'static str) -> Self {
        Self { namespace: "AWS/ApiGateway", name, dimension: ("ApiId", API.get("id").into()) }
    }

    /// The series as a widget lists it, with the options of its line.
    #[must_use]
    pub fn row(self, options: Vec<(&'static str, Value)>) -> Value {
        let Self { namespace, name, dimension: (dimension, value) } = self;
        Value::List(vec![namespace.into(), name.into(), dimension.into(), value.into(), Value::map(options)])
    }

    /// The series as properties of an alarm, or of one of its queries.
    #[must_use]
    pub fn properties(self, statistic: (&'static str, &'static str), period: u64) -> Vec<(&'static str, Value)> {
        let Self { namespace, name, dimension } = self;
        let (key, statistic) = statistic;
        vec![
            ("namespace", namespace.into()),
            ("metricName", name.into()),
            ("dimensions", Value::map([dimension])),
            ("period", period.into()),
            (key, statistic.into()),
        ]
    }
}
