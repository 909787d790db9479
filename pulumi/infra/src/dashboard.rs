//! The dashboard. It answers three questions at a glance: is it working, how fast is it, and what does it cost today.

use hubbub_core::metrics::{
    ACCEPTED, AGE, APPENDED, CONNECTION_MINUTES, DEAD_LETTERS, DELIVERED, FAILED, GONE, Metric, POSTS, ROUND_TIME,
    THROTTLED,
};
use hubbub_core::settings::CALLBACK_RPS;

use crate::cloudwatch::Series;
use crate::functions::{Function, InProgram};
use crate::model::{Name, Program, Resource, Value};
use crate::queues::{DEAD_LETTER_QUEUE, PRESENCE_QUEUE, PUBLISH_QUEUE};
use crate::settings::{Architecture, Settings};
use crate::{alarms, names, prices};

pub const DASHBOARD: Name = Name::of("dashboard");

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// The height of a row's heading, in CloudWatch's grid of 24 columns.
const HEADING_HEIGHT: u64 = 1;
/// The height of a widget.
const HEIGHT: u64 = 6;

/// A question, and the widgets that answer it.
struct Row {
    question: &'static str,
    widgets: Vec<Widget>,
}

/// A widget of a width in columns.
struct Widget {
    kind: &'static str,
    width: u64,
    properties: Vec<(&'static str, Value)>,
}

impl Widget {
    /// Lines over time.
    fn lines(title: &'static str, width: u64, period: u64, lines: Vec<Value>) -> Self {
        let properties = vec![
            ("title", title.into()),
            ("region", names::REGION.itself().into()),
            ("view", "timeSeries".into()),
            ("stat", "Sum".into()),
            ("period", period.into()),
            ("metrics", Value::List(lines)),
        ];
        Self { kind: "metric", width, properties }
    }

    /// Sets a property, in the place of an older value.
    fn with(mut self, property: &'static str, value: impl Into<Value>) -> Self {
        self.properties.retain(|(name, _)| *name != property);
        self.properties.push((property, value.into()));
        self
    }

    /// The widget as the dashboard's body has it.
    fn place(self, x: u64, y: u64, height: u64) -> Value {
        Value::map([
            ("type", Value::from(self.kind)),
            ("x", x.into()),
            ("y", y.into()),
            ("width", self.width.into()),
            ("height", height.into()),
            ("properties", Value::map(self.properties)),
        ])
    }
}

/// Declares the dashboard.
pub fn declare(program: &mut Program, settings: &Settings) {
    let rows = [
        Row { question: "Is it working?", widgets: is_it_working(settings) },
        Row { question: "How fast?", widgets: how_fast(settings) },
        Row { question: "What does it cost today?", widgets: what_does_it_cost(settings) },
    ];
    let mut widgets = Vec::new();
    let mut y = 0;
    for Row { question, widgets: answers } in rows {
        let text = format!("## {question}");
        let heading = Widget { kind: "text", width: 24, properties: vec![("markdown", text.into())] };
        widgets.push(heading.place(0, y, HEADING_HEIGHT));
        y += HEADING_HEIGHT;
        let mut x = 0;
        for widget in answers {
            let width = widget.width;
            widgets.push(widget.place(x, y, HEIGHT));
            x += width;
        }
        y += HEIGHT;
    }
    // Each widget keeps its period for every span of time.
    let body = Value::map([
        ("start", Value::from("-PT24H")),
        ("periodOverride", "inherit".into()),
        ("widgets", Value::List(widgets)),
    ]);
    let dashboard = Resource::new("aws:cloudwatch:Dashboard")
        .with("dashboardName", names::of_stack("dashboard"))
        .with("dashboardBody", body.json());
    program.add(&DASHBOARD, dashboard);
}

fn is_it_working(settings: &Settings) -> Vec<Widget> {
    let alarms = vec![("title", Value::from("Alarms")), ("alarms", Value::list(alarms::arns(settings)))];
    let sent = Series::of_queue(&PUBLISH_QUEUE, "NumberOfMessagesSent").row(vec![label("sent to the queue")]);
    let queue = |queue: &Name, name, line, axis: &'static str| {
        let options = vec![label(line), ("stat", "Maximum".into()), ("yAxis", axis.into())];
        Series::of_queue(queue, name).row(options)
    };
    let waiting = "ApproximateNumberOfMessagesVisible";
    let mut errors: Vec<Value> = Function::ALL
        .into_iter()
        .map(|function| Series::of_function(function, "Errors").row(vec![label(function.name())]))
        .collect();
    errors.push(Series::of_broadcasts("ExecutionsFailed").row(vec![label("failed executions")]));
    vec![
        Widget { kind: "alarm", width: 4, properties: alarms },
        Widget::lines("Messages a minute", 5, MINUTE, [vec![sent], counts(&[ACCEPTED, APPENDED])].concat()),
        Widget::lines("Deliveries a minute", 5, MINUTE, counts(&[DELIVERED, GONE, FAILED])),
        Widget::lines(
            "Queues",
            5,
            MINUTE,
            [
                vec![
                    queue(&DEAD_LETTER_QUEUE, waiting, "dead letters", "left"),
                    queue(&PUBLISH_QUEUE, waiting, "messages that wait", "left"),
                    queue(&PUBLISH_QUEUE, "ApproximateAgeOfOldestMessage", "oldest message, s", "right"),
                ],
                counts(&[DEAD_LETTERS]),
            ]
            .concat(),
        ),
        Widget::lines("Errors a minute", 5, MINUTE, errors),
    ]
}

fn how_fast(settings: &Settings) -> Vec<Widget> {
    let percentiles = |metric: Metric| {
        let line = |stat: &'static str| Series::of(metric).row(vec![label(stat), ("stat", stat.into())]);
        vec![line("p50"), line("p99")]
    };
    let budget = settings.get(&CALLBACK_RPS);
    let posts = vec![
        expression("posts / PERIOD(posts)", "rate", "posts/s"),
        Series::of(POSTS).row(vec![("id", "posts".into()), ("visible", false.into())]),
    ];
    let limit = |name: &'static str, value: u64| Value::map([label(name), ("value", value.into())]);
    let limits = [limit("callbackRps", budget), limit("alarm", budget * alarms::BUDGET_PERCENT / 100)];
    let throttles = Function::ALL.into_iter().map(|function| {
        Series::of_function(function, "Throttles").row(vec![label(function.name()), ("yAxis", "right".into())])
    });
    vec![
        Widget::lines("From the queue to all members, ms", 6, MINUTE, percentiles(AGE)),
        Widget::lines("A round of a broadcast, ms", 6, MINUTE, percentiles(ROUND_TIME)),
        Widget::lines("Posts a second, and the budget", 6, MINUTE, posts)
            .with("annotations", Value::map([("horizontal", Value::list(limits))])),
        Widget::lines(
            "Throttled a minute: deliveries (left), calls of functions (right)",
            6,
            MINUTE,
            counts(&[THROTTLED]).into_iter().chain(throttles).collect(),
        ),
    ]
}

/// The costs since midnight UTC, and by hours. Each part is computed from AWS's own metrics where there are any.
fn what_does_it_cost(settings: &Settings) -> Vec<Widget> {
    let title = "Dollars since midnight UTC";
    vec![
        Widget::lines(title, 12, DAY, costs(settings)).with("view", "singleValue"),
        Widget::lines("Dollars an hour", 12, HOUR, costs(settings)).with("stacked", true),
    ]
}

/// The metrics of the bill, under the ids that its expressions use.
#[derive(Default)]
struct Bill {
    metrics: Vec<Value>,
}

impl Bill {
    /// A metric's values, or zero where there are none.
    fn count(&mut self, series: Series) -> String {
        let id = format!("m{}", self.metrics.len());
        self.metrics.push(series.row(vec![("id", id.as_str().into()), ("visible", false.into())]));
        format!("FILL({id}, 0)")
    }

    fn sum(&mut self, series: impl IntoIterator<Item = Series>) -> String {
        let counts: Vec<String> = series.into_iter().map(|series| self.count(series)).collect();
        counts.join(" + ")
    }
}

fn costs(settings: &Settings) -> Vec<Value> {
    let mut bill = Bill::default();
    let parts = [
        ("messages", "API Gateway, messages", {
            prices::API_GATEWAY_MESSAGE.times(&bill.count(Series::of_api("MessageCount")))
        }),
        ("minutes", "API Gateway, sockets that have closed", {
            prices::API_GATEWAY_CONNECTION_MINUTE.times(&bill.count(Series::of(CONNECTION_MINUTES)))
        }),
        ("lambda", "Lambda", lambda_costs(&mut bill, settings)),
        ("table", "DynamoDB", {
            let reads = bill.count(Series::of_table("ConsumedReadCapacityUnits"));
            let writes = bill.count(Series::of_table("ConsumedWriteCapacityUnits"));
            let reads = prices::DYNAMODB_READ_UNIT.times(&reads);
            format!("{reads} + {}", prices::DYNAMODB_WRITE_UNIT.times(&writes))
        }),
        ("queue", "SQS, at most", {
            // As if no two messages shared a request.
            let requests = [
                "NumberOfMessagesSent",
                "NumberOfMessagesReceived",
                "NumberOfMessagesDeleted",
                "NumberOfEmptyReceives",
            ];
            let queues = [PUBLISH_QUEUE, PRESENCE_QUEUE];
            let series = queues.iter().flat_map(|queue| requests.map(|name| Series::of_queue(queue, name)));
            prices::SQS_REQUEST.times(&bill.sum(series))
        }),
        ("states", "Step Functions", {
            // A round goes through PlanBroadcast, IsSettled? and FanOut or the end; DeliverPage runs once for each page.
            let plans = bill.count(Series::of_function(Function::PlanBroadcast, "Invocations"));
            let pages = bill.count(Series::of_function(Function::DeliverPage, "Invocations"));
            prices::STEP_FUNCTIONS_TRANSITION.times(&format!("3 * {plans} + {pages}"))
        }),
    ];
    let ids: Vec<&str> = parts.iter().map(|(id, ..)| *id).collect();
    let total = expression(&format!("SUM([{}])", ids.join(", ")), "total", "all together");
    let parts = parts.into_iter().map(|(id, label, costs)| expression(&costs, id, label));
    [total].into_iter().chain(parts).chain(bill.metrics).collect()
}

/// Duration comes in milliseconds, and memory in MB.
fn lambda_costs(bill: &mut Bill, settings: &Settings) -> String {
    let mut megabytes: Vec<u64> = Function::ALL.map(|function| function.memory_mb(settings)).to_vec();
    megabytes.sort_unstable();
    megabytes.dedup();
    let used = megabytes.into_iter().map(|memory| {
        let functions = Function::ALL.into_iter().filter(|function| function.memory_mb(settings) == memory);
        let durations = bill.sum(functions.map(|function| Series::of_function(function, "Duration")));
        format!("({durations}) * {memory}")
    });
    let used: Vec<String> = used.collect();
    let gigabyte_seconds = format!("({}) / 1024 / 1000", used.join(" + "));
    let requests = bill.sum(Function::ALL.map(|function| Series::of_function(function, "Invocations")));
    let price = match settings.architecture {
        Architecture::Arm64 => prices::LAMBDA_GB_SECOND,
        Architecture::X86_64 => prices::LAMBDA_X86_GB_SECOND,
    };
    format!("{} + {}", price.times(&gigabyte_seconds), prices::LAMBDA_REQUEST.times(&requests))
}

/// A line for each of Hubbub's counts.
fn counts(metrics: &[Metric]) -> Vec<Value> {
    metrics.iter().map(|metric| Series::of(*metric).row(Vec::new())).collect()
}

fn expression(expression: &str, id: &'static str, name: &'static str) -> Value {
    Value::list([Value::map([("expression", Value::from(expression)), ("id", id.into()), label(name)])])
}

fn label(label: &'static str) -> (&'static str, Value) {
    ("label", label.into())
}
