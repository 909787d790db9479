//! What AWS asks.
//!
//! Prices on demand in us-east-1, in US dollars, as AWS's price pages had them in November 2026: no free tier and no discount.

/// Where and when these prices were asked.
pub const ASKED: &str = "us-east-1, on demand, November 2026";

/// A million, by which most prices are asked.
const MILLION: f64 = 1e6;

/// API Gateway, WebSocket: for each message of up to 32 KiB, in either direction (aws.amazon.com/api-gateway/pricing).
pub const API_GATEWAY_MESSAGE: f64 = 1.00 / MILLION;
/// API Gateway, WebSocket: for each minute of a connection.
pub const API_GATEWAY_CONNECTION_MINUTE: f64 = 0.25 / MILLION;

/// Lambda on arm64: for each GB-second, where a GB is 1,024 of the MB that memory is set in (aws.amazon.com/lambda/pricing).
pub const LAMBDA_GB_SECOND: f64 = 0.000_013_333_4;
/// Lambda: for each request.
pub const LAMBDA_REQUEST: f64 = 0.20 / MILLION;

/// DynamoDB: for each read unit, 4 KB read as it is at this moment (aws.amazon.com/dynamodb/pricing/on-demand).
pub const DYNAMODB_READ_UNIT: f64 = 0.125 / MILLION;
/// DynamoDB: for each write unit, 1 KB; in a transaction two.
pub const DYNAMODB_WRITE_UNIT: f64 = 0.625 / MILLION;
/// DynamoDB: for each GB that is stored for a month.
pub const DYNAMODB_GB_MONTH: f64 = 0.25;

/// SQS FIFO: for each request, of up to 64 KB (aws.amazon.com/sqs/pricing).
pub const SQS_FIFO_REQUEST: f64 = 0.50 / MILLION;

/// Step Functions, Standard: for each transition between states (aws.amazon.com/step-functions/pricing).
pub const STEP_FUNCTIONS_TRANSITION: f64 = 25.00 / MILLION;

/// CloudWatch: for each GB of logs that is taken (aws.amazon.com/cloudwatch/pricing). Keeping them for two weeks is a fortieth of it.
pub const LOGS_GB: f64 = 0.50;

/// Data transfer out to the internet: for each GB, the first ten TB of a month (aws.amazon.com/ec2/pricing/on-demand).
/// Every sender of the messages pays it, so it stands beside every price and is part of none.
pub const TRANSFER_GB: f64 = 0.09;

/// AppSync Events: for each operation, a message of up to 5 KB in or out (aws.amazon.com/appsync/pricing).
pub const APPSYNC_OPERATION: f64 = 1.00 / MILLION;
/// AppSync Events: for each minute of a connection.
pub const APPSYNC_CONNECTION_MINUTE: f64 = 0.08 / MILLION;
/// The step in which AppSync Events meters a message, in bytes.
pub const APPSYNC_STEP_BYTES: u64 = 5 * 1_024;

/// A month's hours, as AWS's calculator has them.
pub const MONTH_HOURS: f64 = 730.0;

/// The memory of `deliver` and `deliver-page` in GB, which comes with one whole processor; pulumi/infra/src/functions.rs sets it.
pub const SENDER_GB: f64 = 1_769.0 / 1_024.0;
/// The memory of the other functions, in GB.
pub const FUNCTION_GB: f64 = 256.0 / 1_024.0;
