//! What a month costs: by service and by cause, beside API Gateway's charge alone and beside AppSync Events.
//!
//! Units are counted as the ports of `hubbub-core` document them, and as `hubbub-aws` makes its calls. What isn't measured is named where it is used.

use std::collections::BTreeMap;

use hubbub_core::log::append::REDELIVERY_WINDOW;
use hubbub_core::transport::API_GATEWAY;
use serde::Serialize;

use crate::inputs::{Inputs, PING_SECONDS, Tuning};
use crate::prices::{
    API_GATEWAY_CONNECTION_MINUTE, API_GATEWAY_MESSAGE, APPSYNC_CONNECTION_MINUTE, APPSYNC_OPERATION,
    APPSYNC_STEP_BYTES, DYNAMODB_GB_MONTH, DYNAMODB_READ_UNIT, DYNAMODB_WRITE_UNIT, FUNCTION_GB, LAMBDA_GB_SECOND,
    LAMBDA_REQUEST, LOGS_GB, MONTH_HOURS, SENDER_GB, SQS_FIFO_REQUEST, STEP_FUNCTIONS_TRANSITION, TRANSFER_GB,
};
use crate::shape::Shape;
use crate::traffic::Traffic;

/// A service that is paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Service {
    /// Messages and connection-minutes.
    #[serde(rename = "API Gateway")]
    ApiGateway,
    /// Requests and GB-seconds.
    #[serde(rename = "Lambda")]
    Lambda,
    /// Read and write units, and storage.
    #[serde(rename = "DynamoDB")]
    DynamoDb,
    /// Requests.
    #[serde(rename = "SQS")]
    Sqs,
    /// Transitions.
    #[serde(rename = "Step Functions")]
    StepFunctions,
    /// Logs.
    #[serde(rename = "CloudWatch")]
    CloudWatch,
}

impl Service {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::ApiGateway, Self::Lambda, Self::DynamoDb, Self::Sqs, Self::StepFunctions, Self::CloudWatch];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ApiGateway => "API Gateway",
            Self::Lambda => "Lambda",
            Self::DynamoDb => "DynamoDB",
            Self::Sqs => "SQS",
            Self::StepFunctions => "Step Functions",
            Self::CloudWatch => "CloudWatch",
        }
    }
}

/// Why something is paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// Connections, their coming and going, and pings.
    BeingConnected,
    /// A message's way in: until it is in the log.
    Publishing,
    /// A message's way out.
    FanningOut,
    /// Who comes back gets what was missed.
    Recovery,
}

impl Cause {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::BeingConnected, Self::Publishing, Self::FanningOut, Self::Recovery];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::BeingConnected => "being connected",
            Self::Publishing => "publishing",
            Self::FanningOut => "fanning out",
            Self::Recovery => "recovery",
        }
    }
}

/// Dollars for a service and a cause.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Line {
    /// The service.
    pub service: Service,
    /// The cause.
    pub cause: Cause,
    /// In US dollars.
    pub dollars: f64,
}

/// What the planned time costs, in US dollars.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Bill {
    /// Every service and cause that costs something.
    pub lines: Vec<Line>,
    /// All of it.
    pub total: f64,
    /// API Gateway's charge alone, for the same posts and connections: a sender by other means pays it as well.
    pub floor: f64,
    /// AppSync Events for the same messages and connections.
    pub appsync: f64,
    /// `total` by `appsync`.
    pub of_appsync: f64,
    /// Data transfer out to the internet, for the frames as they are: not part of `total`, because any sender pays it.
    pub transfer: f64,
}

/// How long a small function runs, in seconds: some reads and writes, of which [`crate::latency`] assumes five milliseconds each.
const FUNCTION_SECONDS: f64 = 0.025;

/// How long a client is away when its connection is renewed, in seconds. Assumed.
const AWAY_SECONDS: f64 = 2.0;

/// Bytes of log for each run of a function: Lambda's own three lines, and one of the function's. Assumed.
const LOG_BYTES: f64 = 700.0;

/// Bytes of a member's, a connection's and a membership's row, about.
const ROW_BYTES: f64 = 150.0;

/// Bytes of a message's row beside its body, about.
const MESSAGE_ROW_BYTES: f64 = 200.0;

/// Read units for a member's row when a part of them is read: measured, docs/performance.md, "Growth".
const READ_UNITS_PER_ROW: f64 = 0.0202;

/// A connection's channels: its user's, everyone's, and the room.
const CHANNELS: f64 = 3.0;

/// Rows that are written for a connection, and again when it ends: its own, and for each channel the membership, the member and the count.
const WRITES_PER_CONNECTION: f64 = 1.0 + 3.0 * CHANNELS;

/// Requests that Lambda makes to look for messages, a second: five pollers, each waiting for 20 s. Assumed.
const IDLE_POLLS: f64 = 5.0 / 20.0;

/// Collects lines.
struct Ledger {
    seconds: f64,
    lines: BTreeMap<(Service, Cause), f64>,
}

impl Ledger {
    /// Adds what costs so much a second.
    fn add(&mut self, service: Service, cause: Cause, dollars_per_second: f64) {
        *self.lines.entry((service, cause)).or_default() += dollars_per_second * self.seconds;
    }

    fn add_function(&mut self, cause: Cause, runs: f64, seconds: f64, gb: f64) {
        self.add(Service::Lambda, cause, runs * LAMBDA_REQUEST + seconds * gb * LAMBDA_GB_SECOND);
        self.add(Service::CloudWatch, cause, runs * LOG_BYTES / 1e9 * LOGS_GB);
    }

    fn add_units(&mut self, cause: Cause, reads: f64, writes: f64) {
        self.add(Service::DynamoDb, cause, reads * DYNAMODB_READ_UNIT + writes * DYNAMODB_WRITE_UNIT);
    }
}

impl Bill {
    /// What a stack costs that does this in a second, while its members are there.
    #[must_use]
    pub fn of(inputs: &Inputs, tuning: &Tuning, shape: &Shape, traffic: Traffic) -> Self {
        let seconds = MONTH_HOURS * 3_600.0 * inputs.months * inputs.online;
        let mut ledger = Ledger { seconds, lines: BTreeMap::new() };
        connect(&mut ledger, inputs);
        publish(&mut ledger, inputs, tuning, shape, traffic);
        fan_out(&mut ledger, inputs, shape, traffic);
        recover(&mut ledger, inputs, shape, traffic);
        let lines: Vec<Line> =
            ledger.lines.into_iter().map(|((service, cause), dollars)| Line { service, cause, dollars }).collect();
        let total = lines.iter().map(|line| line.dollars).sum();
        let minutes = inputs.all_members() as f64 / 60.0 * seconds;
        let floor =
            minutes * API_GATEWAY_CONNECTION_MINUTE + (traffic.posts + inputs.direct) * API_GATEWAY_MESSAGE * seconds;
        let appsync = appsync(inputs) * seconds;
        let transfer = traffic.bytes / 1e9 * TRANSFER_GB * seconds;
        Self { lines, total, floor, appsync, of_appsync: total / appsync, transfer }
    }

    /// Dollars for a service.
    #[must_use]
    pub fn by_service(&self, service: Service) -> f64 {
        self.lines.iter().filter(|line| line.service == service).map(|line| line.dollars).sum()
    }

    /// Dollars for a cause.
    #[must_use]
    pub fn by_cause(&self, cause: Cause) -> f64 {
        self.lines.iter().filter(|line| line.cause == cause).map(|line| line.dollars).sum()
    }

    /// Dollars for a service and a cause.
    #[must_use]
    pub fn line(&self, service: Service, cause: Cause) -> f64 {
        let lines = self.lines.iter().filter(|line| line.service == service && line.cause == cause);
        lines.map(|line| line.dollars).sum()
    }
}

/// AppSync Events, a second: each message in, and out to each member, in steps of 5 KB. It has no pings to pay.
fn appsync(inputs: &Inputs) -> f64 {
    let steps = inputs.size.div_ceil(APPSYNC_STEP_BYTES) as f64;
    let messages = inputs.rate * inputs.rooms as f64;
    let operations = (messages * (1.0 + inputs.members as f64) + 2.0 * inputs.direct) * steps;
    operations * APPSYNC_OPERATION + inputs.all_members() as f64 / 60.0 * APPSYNC_CONNECTION_MINUTE
}

fn connect(ledger: &mut Ledger, inputs: &Inputs) {
    const CAUSE: Cause = Cause::BeingConnected;
    let members = inputs.all_members() as f64;
    let connects = members / (inputs.session_hours * 3_600.0);
    let pings = members / PING_SECONDS;
    ledger.add(Service::ApiGateway, CAUSE, members / 60.0 * API_GATEWAY_CONNECTION_MINUTE);
    // A join and a ping, each with its answer.
    ledger.add(Service::ApiGateway, CAUSE, 2.0 * (connects + pings) * API_GATEWAY_MESSAGE);
    // authorize, connect, receive and disconnect.
    let runs = 4.0 * connects + pings;
    ledger.add_function(CAUSE, runs, runs * FUNCTION_SECONDS, FUNCTION_GB);
    // A ping reads its channels; a connection's end reads its memberships.
    ledger.add_units(
        CAUSE,
        pings * CHANNELS + connects * (2.0 * CHANNELS + 2.0),
        connects * 2.0 * WRITES_PER_CONNECTION,
    );
    let stored = members * (1.0 + 2.0 * CHANNELS) * ROW_BYTES / 1e9;
    ledger.add(Service::DynamoDb, CAUSE, stored * DYNAMODB_GB_MONTH / (MONTH_HOURS * 3_600.0));
}

fn publish(ledger: &mut Ledger, inputs: &Inputs, tuning: &Tuning, shape: &Shape, traffic: Traffic) {
    const CAUSE: Cause = Cause::Publishing;
    let messages = inputs.rate * inputs.rooms as f64 + inputs.direct;
    ledger.add(Service::ApiGateway, CAUSE, 2.0 * messages * API_GATEWAY_MESSAGE);
    ledger.add_function(CAUSE, messages, messages * FUNCTION_SECONDS, FUNCTION_GB);
    // One request puts it on the queue; one takes a batch off it, and one deletes it.
    let batches = traffic.delivers + inputs.direct;
    ledger.add(Service::Sqs, CAUSE, (messages + 2.0 * batches + IDLE_POLLS) * SQS_FIFO_REQUEST);
    // `deliver`, as far as it appends: what it posts is fanning out.
    let appends = if shape.inline { 0.05 } else { traffic.deliver_seconds / traffic.delivers.max(1e-9) };
    ledger.add_function(CAUSE, batches, batches * appends, SENDER_GB);
    let row_bytes = inputs.size as f64 + MESSAGE_ROW_BYTES;
    let looked_back = (REDELIVERY_WINDOW as f64 * row_bytes / 4_096.0).ceil();
    // The user's turn, the head in a transaction, and each row in one.
    let writes = messages + 2.0 * batches + messages * 2.0 * (row_bytes / 1_024.0).ceil();
    ledger.add_units(CAUSE, batches * (2.0 + looked_back), writes);
    let retention_months = tuning.retention_seconds as f64 / (MONTH_HOURS * 3_600.0);
    ledger.add(Service::DynamoDb, CAUSE, messages * row_bytes / 1e9 * retention_months * DYNAMODB_GB_MONTH);
}

fn fan_out(ledger: &mut Ledger, inputs: &Inputs, shape: &Shape, traffic: Traffic) {
    const CAUSE: Cause = Cause::FanningOut;
    let metered = (API_GATEWAY.max_frame_bytes as f64 / 32_768.0).ceil();
    ledger.add(Service::ApiGateway, CAUSE, (traffic.posts + inputs.direct) * metered * API_GATEWAY_MESSAGE);
    ledger.add_function(CAUSE, traffic.pages, traffic.page_seconds, SENDER_GB);
    ledger.add_function(CAUSE, traffic.plans, traffic.plan_seconds, FUNCTION_GB);
    if shape.inline {
        let posting = (traffic.deliver_seconds - 0.05 * traffic.delivers).max(0.0);
        ledger.add(Service::Lambda, CAUSE, posting * SENDER_GB * LAMBDA_GB_SECOND);
    }
    ledger.add(Service::StepFunctions, CAUSE, traffic.transitions * STEP_FUNCTIONS_TRANSITION);
    let shards = shape.counts.len() as f64;
    let bytes_of_a_round = traffic.messages / traffic.rounds.max(1e-9) * (inputs.size as f64 + MESSAGE_ROW_BYTES);
    let log_reads = (traffic.pages + traffic.plans) * (bytes_of_a_round / 4_096.0).ceil();
    let wakes = if shape.inline { traffic.rounds } else { traffic.plans + traffic.delivers };
    let reads = traffic.rows * READ_UNITS_PER_ROW + log_reads + wakes * (1.0 + shards) + traffic.parts;
    // A page renews the lease and notes its rest; a part notes that it is at work; a round settles, and renews or gives back the lease.
    let writes = 2.0 * traffic.pages + traffic.parts + 2.0 * traffic.plans + traffic.rounds + 2.0 * traffic.broadcasts;
    ledger.add_units(CAUSE, reads, writes);
}

fn recover(ledger: &mut Ledger, inputs: &Inputs, shape: &Shape, traffic: Traffic) {
    const CAUSE: Cause = Cause::Recovery;
    // Who renews the connection missed what was said meanwhile, and so did whose post was given up.
    let returns = inputs.all_members() as f64 / (inputs.session_hours * 3_600.0);
    let missed = inputs.rate * AWAY_SECONDS;
    let with_missed = returns * missed.min(1.0) + traffic.failed;
    let bytes = missed.max(1.0) * (inputs.size as f64 + MESSAGE_ROW_BYTES);
    let frames = (missed / shape.frame_messages as f64).ceil().max(1.0);
    ledger.add(Service::ApiGateway, CAUSE, (with_missed * frames + traffic.failed) * API_GATEWAY_MESSAGE);
    ledger.add_function(CAUSE, traffic.failed, traffic.failed * FUNCTION_SECONDS, FUNCTION_GB);
    ledger.add_units(CAUSE, returns * CHANNELS + with_missed * (bytes / 4_096.0).ceil(), 0.0);
}
