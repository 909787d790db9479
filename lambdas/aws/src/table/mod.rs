//! The log, the members, the watchers, the receipts, the senders, the limits and the bans on DynamoDB, all in one table. `item` has the rows'
//! attributes.

mod bans;
mod channels;
mod item;
mod limits;
mod log;
mod members;
mod presences;
mod receipts;
mod senders;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType, ReturnValue, ScalarAttributeType,
};
use hubbub_core::names::table::{PARTITION_KEY, SORT_KEY};
use hubbub_core::ports::PortResult;

use self::item::{Item, text};
use crate::error::{malformed, port_error};
use crate::queue::SqsAnnouncements;

pub use channels::{ChannelCursor, ChannelPage};
pub use item::shard_key;
pub use members::member_row;

/// Makes a table in a local DynamoDB. On AWS, the Pulumi program makes it.
///
/// # Errors
/// When a table of this name exists, or DynamoDB can't be reached.
pub async fn create_table(client: &Client, name: &str) -> PortResult<()> {
    let mut create = client.create_table().table_name(name).billing_mode(BillingMode::PayPerRequest);
    for (name, kind) in [(PARTITION_KEY, KeyType::Hash), (SORT_KEY, KeyType::Range)] {
        let definition =
            AttributeDefinition::builder().attribute_name(name).attribute_type(ScalarAttributeType::S).build();
        let key = KeySchemaElement::builder().attribute_name(name).key_type(kind).build();
        create = create
            .attribute_definitions(definition.map_err(|error| malformed("dynamodb:CreateTable", error))?)
            .key_schema(key.map_err(|error| malformed("dynamodb:CreateTable", error))?);
    }
    create.send().await.map(drop).map_err(|error| port_error("dynamodb:CreateTable", &error))
}

/// Hubbub's table.
#[derive(Clone, Debug)]
pub struct Table {
    client: Client,
    name: String,
    announcements: Option<SqsAnnouncements>,
}

impl Table {
    #[must_use]
    pub const fn new(client: Client, name: String) -> Self {
        Self { client, name, announcements: None }
    }

    /// With the presence queue. Without it, asking for an announcement is an error.
    #[must_use]
    pub fn announcing(self, announcements: SqsAnnouncements) -> Self {
        Self { announcements: Some(announcements), ..self }
    }

    fn announcements(&self) -> PortResult<&SqsAnnouncements> {
        let missing = || malformed("sqs:SendMessage", "this process was given no presence queue");
        self.announcements.as_ref().ok_or_else(missing)
    }

    /// A consistent read of a row.
    async fn get(&self, pk: String, sk: String) -> PortResult<Option<Item>> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.name)
            .key(PARTITION_KEY, text(pk))
            .key(SORT_KEY, text(sk))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| port_error("dynamodb:GetItem", &error))?;
        Ok(answer.item)
    }

    /// Writes a row, and gives the one that it replaced.
    async fn put(&self, row: Item) -> PortResult<Option<Item>> {
        let answer = self
            .client
            .put_item()
            .table_name(&self.name)
            .set_item(Some(row))
            .return_values(ReturnValue::AllOld)
            .send()
            .await
            .map_err(|error| port_error("dynamodb:PutItem", &error))?;
        Ok(answer.attributes)
    }

    /// Deletes a row, and gives the one that was there.
    async fn delete(&self, pk: String, sk: String) -> PortResult<Option<Item>> {
        let answer = self
            .client
            .delete_item()
            .table_name(&self.name)
            .key(PARTITION_KEY, text(pk))
            .key(SORT_KEY, text(sk))
            .return_values(ReturnValue::AllOld)
            .send()
            .await
            .map_err(|error| port_error("dynamodb:DeleteItem", &error))?;
        Ok(answer.attributes)
    }

    /// A consistent query of a partition.
    fn query(&self, pk: String) -> QueryFluentBuilder {
        self.client
            .query()
            .table_name(&self.name)
            .consistent_read(true)
            .key_condition_expression("#pk = :pk")
            .expression_attribute_names("#pk", PARTITION_KEY)
            .expression_attribute_values(":pk", text(pk))
    }

    fn update(&self, pk: String, sk: &str) -> UpdateItemFluentBuilder {
        self.client
            .update_item()
            .table_name(&self.name)
            .key(PARTITION_KEY, AttributeValue::S(pk))
            .key(SORT_KEY, AttributeValue::S(sk.to_owned()))
    }
}

/// Sends an update that has a condition. True if the condition held.
async fn update_if(update: UpdateItemFluentBuilder) -> PortResult<bool> {
    match update.send().await {
        Ok(_) => Ok(true),
        Err(error) if is_condition_failed(&error) => Ok(false),
        Err(error) => Err(port_error("dynamodb:UpdateItem", &error)),
    }
}

fn is_condition_failed(error: &SdkError<UpdateItemError>) -> bool {
    error.as_service_error().is_some_and(UpdateItemError::is_conditional_check_failed_exception)
}
