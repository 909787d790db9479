//! AWS's prices, for the dashboard: on demand in us-east-1, in US dollars, from AWS's price pages in November 2026, without free tier or
//! discounts.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Price {
    /// Dollars, written as in CloudWatch's expressions.
    pub dollars: &'static str,
    /// The number of units that cost this much.
    pub units: u64,
}

impl Price {
    const fn per(units: u64, dollars: &'static str) -> Self {
        Self { dollars, units }
    }

    /// A CloudWatch expression of the cost of a quantity, which is an expression itself.
    #[must_use]
    pub fn times(self, quantity: &str) -> String {
        let Self { dollars, units } = self;
        match units {
            1 => format!("({quantity}) * {dollars}"),
            units => format!("({quantity}) * {dollars} / {units}"),
        }
    }
}

const MILLION: u64 = 1_000_000;

/// API Gateway, WebSocket: a message of up to 32 KB, in either direction.
pub const API_GATEWAY_MESSAGE: Price = Price::per(MILLION, "1.00");
/// API Gateway, WebSocket: a connection that is open for a minute.
pub const API_GATEWAY_CONNECTION_MINUTE: Price = Price::per(MILLION, "0.25");
/// Lambda on arm64: a GB-second.
pub const LAMBDA_GB_SECOND: Price = Price::per(1, "0.0000133334");
/// Lambda on x86: a GB-second.
pub const LAMBDA_X86_GB_SECOND: Price = Price::per(1, "0.0000166667");
/// Lambda: a request.
pub const LAMBDA_REQUEST: Price = Price::per(MILLION, "0.20");
/// DynamoDB: a read unit.
pub const DYNAMODB_READ_UNIT: Price = Price::per(MILLION, "0.125");
/// DynamoDB: a write unit.
pub const DYNAMODB_WRITE_UNIT: Price = Price::per(MILLION, "0.625");
/// SQS, FIFO: a request.
pub const SQS_REQUEST: Price = Price::per(MILLION, "0.50");
/// Step Functions, Standard: a transition between states.
pub const STEP_FUNCTIONS_TRANSITION: Price = Price::per(MILLION, "25.00");
/// CloudWatch: a custom metric, a month.
pub const METRIC_MONTH: Price = Price::per(1, "0.30");
/// CloudWatch: a metric that an alarm watches, a month.
pub const ALARM_METRIC_MONTH: Price = Price::per(1, "0.10");

/// All of them, by the names of their constants.
pub const ALL: [(&str, Price); 11] = [
    ("API_GATEWAY_MESSAGE", API_GATEWAY_MESSAGE),
    ("API_GATEWAY_CONNECTION_MINUTE", API_GATEWAY_CONNECTION_MINUTE),
    ("LAMBDA_GB_SECOND", LAMBDA_GB_SECOND),
    ("LAMBDA_X86_GB_SECOND", LAMBDA_X86_GB_SECOND),
    ("LAMBDA_REQUEST", LAMBDA_REQUEST),
    ("DYNAMODB_READ_UNIT", DYNAMODB_READ_UNIT),
    ("DYNAMODB_WRITE_UNIT", DYNAMODB_WRITE_UNIT),
    ("SQS_REQUEST", SQS_REQUEST),
    ("STEP_FUNCTIONS_TRANSITION", STEP_FUNCTIONS_TRANSITION),
    ("METRIC_MONTH", METRIC_MONTH),
    ("ALARM_METRIC_MONTH", ALARM_METRIC_MONTH),
];
