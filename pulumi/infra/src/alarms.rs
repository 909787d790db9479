//! Alarms. Each has a section of its name in `docs/operations.md`, which says what to do.
//!
//! CloudWatch charges for each metric that an alarm watches, not for the alarm. One alarm over all functions costs as much as one for each
//! function, and an outage of a service that all of them use is one e-mail.

use hubbub_core::metrics::POSTS;
use hubbub_core::settings::CALLBACK_RPS;

use crate::cloudwatch::Series;
use crate::functions::Function;
use crate::model::{Name, Program, Resource, Text, Value};
use crate::names;
use crate::queues::{DEAD_LETTER_QUEUE, PRESENCE_QUEUE, PUBLISH_QUEUE};
use crate::settings::Settings;

/// The topic of the alarms, if an e-mail address is set.
const TOPIC: Name = Name::of("alarms");

/// The percentage of the callback budget that sets off the alarm.
pub const BUDGET_PERCENT: u64 = 80;

const MINUTE: u64 = 60;

enum Watched {
    /// The largest value of a minute.
    Largest(Series),
    /// All values together, in five minutes.
    Sum(Vec<Series>),
    /// A count a second, in percent of a budget, in a minute.
    PercentOf(u64, Series),
}

/// What missing data means.
#[derive(Clone, Copy)]
enum Silence {
    IsWell,
    /// The alarm stays in its state.
    ChangesNothing,
}

/// An alarm: it goes off when the value is above a threshold for a number of periods.
struct Alarm {
    key: Name,
    name: &'static str,
    says: &'static str,
    watched: Watched,
    above: u64,
    periods: u64,
    silence: Silence,
}

impl Alarm {
    fn all(settings: &Settings) -> Vec<Self> {
        let of_functions = |name: &'static str, are_watched: fn(&Function) -> bool| {
            Watched::Sum(
                Function::ALL.into_iter().filter(are_watched).map(|it| Series::of_function(it, name)).collect(),
            )
        };
        let failed = ["ExecutionsFailed", "ExecutionsTimedOut", "ExecutionsAborted"].map(Series::of_broadcasts);
        vec![
            Self {
                key: Name::of("deadLetters"),
                name: "dead-letters",
                says: "There are messages on the dead-letter queue.",
                watched: Watched::Largest(Series::of_queue(&DEAD_LETTER_QUEUE, "ApproximateNumberOfMessagesVisible")),
                above: 0,
                periods: 1,
                // SQS reports no metrics of a queue without activity for some hours, although the messages are still there.
                silence: Silence::ChangesNothing,
            },
            Self {
                key: Name::of("oldestMessage"),
                name: "oldest-message",
                says: "Messages wait on the publish queue for longer than two deliveries may take.",
                watched: Watched::Largest(Series::of_queue(&PUBLISH_QUEUE, "ApproximateAgeOfOldestMessage")),
                above: 2 * settings.deliver_timeout_seconds,
                periods: 3,
                silence: Silence::IsWell,
            },
            Self {
                key: Name::of("oldestAnnouncement"),
                name: "oldest-announcement",
                says: "Announcements of presence wait for longer than two deliveries may take.",
                watched: Watched::Largest(Series::of_queue(&PRESENCE_QUEUE, "ApproximateAgeOfOldestMessage")),
                above: 2 * settings.deliver_timeout_seconds,
                periods: 3,
                silence: Silence::IsWell,
            },
            Self {
                key: Name::of("functionErrors"),
                name: "function-errors",
                says: "Functions fail.",
                watched: of_functions("Errors", |_| true),
                above: 0,
                periods: 1,
                silence: Silence::IsWell,
            },
            Self {
                key: Name::of("functionThrottles"),
                name: "function-throttles",
                says: "Lambda throttles calls of functions, because too many run at once.",
                // `deliver-page` is limited on purpose: its tasks wait for a free sender.
                watched: of_functions("Throttles", |function| *function != Function::DeliverPage),
                above: 0,
                periods: 1,
                silence: Silence::IsWell,
            },
            Self {
                key: Name::of("failedExecutions"),
                name: "failed-executions",
                says: "Broadcasts ended before everything was sent.",
                watched: Watched::Sum(failed.to_vec()),
                above: 0,
                periods: 1,
                silence: Silence::IsWell,
            },
            Self {
                key: Name::of("callbackBudget"),
                name: "callback-budget",
                says: "Posts have been near the callback budget for five minutes.",
                watched: Watched::PercentOf(settings.get(&CALLBACK_RPS), Series::of(POSTS)),
                above: BUDGET_PERCENT,
                periods: 5,
                silence: Silence::IsWell,
            },
        ]
    }

    fn resource_name(&self) -> Name {
        self.key.with("Alarm")
    }

    fn resource(self, settings: &Settings) -> Resource {
        let says = format!("{} What to do: docs/operations.md#{}", self.says, self.name);
        let mut alarm = Resource::new("aws:cloudwatch:MetricAlarm")
            .with("name", names::of_stack(self.name))
            .with("alarmDescription", says)
            .with("comparisonOperator", "GreaterThanThreshold")
            .with("threshold", self.above)
            .with("evaluationPeriods", self.periods)
            .with(
                "treatMissingData",
                match self.silence {
                    Silence::IsWell => "notBreaching",
                    Silence::ChangesNothing => "ignore",
                },
            );
        alarm = match self.watched {
            Watched::Largest(series) => {
                let properties = series.properties(("statistic", "Maximum"), MINUTE);
                properties.into_iter().fold(alarm, |alarm, (key, value)| alarm.with(key, value))
            }
            Watched::Sum(series) => alarm.with("metricQueries", queries("SUM(METRICS())", series, 5 * MINUTE)),
            Watched::PercentOf(budget, series) => {
                let expression = format!("100 * m0 / PERIOD(m0) / {budget}");
                alarm.with("metricQueries", queries(&expression, vec![series], MINUTE))
            }
        };
        if settings.alarm_email.is_some() {
            let told = || Value::list([TOPIC.get("arn")]);
            alarm = alarm.with("alarmActions", told()).with("okActions", told());
        }
        alarm
    }
}

/// An expression over the sums of `m0`, `m1` and so on.
fn queries(expression: &str, series: Vec<Series>, period: u64) -> Value {
    let result = Value::map([
        ("id", Value::from("result")),
        ("expression", expression.into()),
        ("label", expression.into()),
        ("returnData", true.into()),
    ]);
    let metrics = series.into_iter().enumerate().map(|(index, series)| {
        let metric = Value::map(series.properties(("stat", "Sum"), period));
        Value::map([("id", Value::from(format!("m{index}"))), ("metric", metric), ("returnData", false.into())])
    });
    Value::list([result].into_iter().chain(metrics))
}

/// Declares the alarms, and the topic with its subscription.
pub fn declare(program: &mut Program, settings: &Settings) {
    if let Some(address) = &settings.alarm_email {
        program.add(&TOPIC, Resource::new("aws:sns:Topic").with("name", names::of_stack("alarms")));
        let subscription = Resource::new("aws:sns:TopicSubscription")
            .with("topic", TOPIC.get("arn"))
            .with("protocol", "email")
            .with("endpoint", address.as_str());
        program.add(&TOPIC.with("Email"), subscription);
    }
    for alarm in Alarm::all(settings) {
        program.add(&alarm.resource_name(), alarm.resource(settings));
    }
}

#[must_use]
pub fn arns(settings: &Settings) -> Vec<Text> {
    Alarm::all(settings).iter().map(|alarm| alarm.resource_name().get("arn").into()).collect()
}
