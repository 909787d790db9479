//! The log and the members on DynamoDB, all in one table. [`item`] says how rows look.

mod item;
mod log;
mod members;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::AttributeValue;
use hubbub_core::names::table::{PARTITION_KEY, SORT_KEY};
use hubbub_core::ports::PortResult;

use crate::error::port_error;

/// Hubbub's table.
#[derive(Clone, Debug)]
pub struct Table {
    client: Client,
    name: String,
}

impl Table {
    /// The table of this name.
    #[must_use]
    pub const fn new(client: Client, name: String) -> Self {
        Self { client, name }
    }

    fn update(&self, pk: String, sk: &str) -> UpdateItemFluentBuilder {
        self.client
            .update_item()
            .table_name(&self.name)
            .key(PARTITION_KEY, AttributeValue::S(pk))
            .key(SORT_KEY, AttributeValue::S(sk.to_owned()))
    }
}

/// Sends an update that has a condition; whether the condition held.
async fn update_if(update: UpdateItemFluentBuilder) -> PortResult<bool> {
    match update.send().await {
        Ok(_) => Ok(true),
        Err(error) if is_condition_failed(&error) => Ok(false),
        Err(error) => Err(port_error("dynamodb:UpdateItem", &error)),
    }
}

fn is_condition_failed(error: &SdkError<UpdateItemError>) -> bool {
    error
        .as_service_error()
        .is_some_and(UpdateItemError::is_conditional_check_failed_exception)
}
