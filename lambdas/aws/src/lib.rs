//! Hubbub's ports on AWS. This is the only crate, besides the tests, that uses `aws-sdk-*`.
//!
//! | port | where |
//! |---|---|
//! | log, members | [`table`] (DynamoDB) |
//! | publish queue, dead letters | [`queue`] (SQS) |
//! | broadcasts | [`state_machine`] (Step Functions) |
//! | poster | [`poster`] (API Gateway's @connections) |
//! | clock, ids | [`system`] |
//! | meter | [`metrics`] (CloudWatch, by the log) |
//!
//! [`runtime`] is what every function's `main` begins with, [`clients`] makes the adapters, [`socket_event`] reads API Gateway's events,
//! [`parameter`] reads secrets (SSM), and [`web`] documents. [`dead_letters`] and [`operations`] are for operators.

pub mod clients;
pub mod dead_letters;
mod error;
pub mod metrics;
pub mod operations;
pub mod parameter;
pub mod poster;
pub mod queue;
pub mod runtime;
pub mod socket_event;
pub mod state_machine;
pub mod system;
pub mod table;
pub mod web;
