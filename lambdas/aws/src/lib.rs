//! Hubbub's ports on AWS. Only this crate and the tests use `aws-sdk-*`.
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
//! [`runtime`] is a function's process, [`clients`] makes the adapters, [`socket_event`] reads API Gateway's events, [`parameter`] reads secrets
//! (SSM), and [`web`] reads documents. [`dead_letters`] and [`operations`] are for operators.

mod api;
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
