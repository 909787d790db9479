//! CloudWatch's metrics of the stack: Hubbub's own, and what AWS counts of its parts. Alarms watch them and the dashboard shows them.

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
    /// A metric of Hubbub's, of the whole stack.
    #[must_use]
    pub fn of(metric: Metric) -> Self {
        Self { namespace: NAMESPACE, name: metric.name, dimension: (STACK, names::stack().into()) }
    }

    /// What SQS counts of a queue.
    #[must_use]
    pub fn of_queue(queue: &Name, name: &'static str) -> Self {
        Self { namespace: "AWS/SQS", name, dimension: ("QueueName", queue.get("name").into()) }
    }

    /// What Lambda counts of a function.
    #[must_use]
    pub fn of_function(function: Function, name: &'static str) -> Self {
        Self { namespace: "AWS/Lambda", name, dimension: ("FunctionName", function.resource().get("name").into()) }
    }

    /// What Step Functions counts of the broadcasts.
    #[must_use]
    pub fn of_broadcasts(name: &'static str) -> Self {
        Self { namespace: "AWS/States", name, dimension: ("StateMachineArn", BROADCAST.get("arn").into()) }
    }

    /// What DynamoDB counts of the table.
    #[must_use]
    pub fn of_table(name: &'static str) -> Self {
        Self { namespace: "AWS/DynamoDB", name, dimension: ("TableName", TABLE.get("name").into()) }
    }

    /// What API Gateway counts of the API.
    #[must_use]
    pub fn of_api(name: &'static str) -> Self {
        Self { namespace: "AWS/ApiGateway", name, dimension: ("ApiId", API.get("id").into()) }
    }

    /// As a widget of a dashboard lists it, with what it says of the line.
    #[must_use]
    pub fn row(self, options: Vec<(&'static str, Value)>) -> Value {
        let Self { namespace, name, dimension: (dimension, value) } = self;
        Value::List(vec![namespace.into(), name.into(), dimension.into(), value.into(), Value::map(options)])
    }

    /// As an alarm asks for it: by the properties of its resource, or of one of its queries.
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
