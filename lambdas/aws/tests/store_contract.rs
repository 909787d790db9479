//! The DynamoDB store keeps the contract of a store, on dynoxide, which follows DynamoDB most closely.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use aws_credential_types::Credentials;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::{BehaviorVersion, Region};
use aws_sdk_dynamodb::types::{AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType};
use hubbub_aws::table::Table;
use hubbub_core::contract;
use hubbub_core::names::table::{PARTITION_KEY, SORT_KEY};

async fn dynamodb() -> Client {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let database = dynoxide::Database::memory().unwrap();
    tokio::spawn(dynoxide::server::serve_on(listener, database));
    let config = aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("test", "test", None, None, "test"))
        .endpoint_url(format!("http://{address}"))
        .build();
    Client::from_conf(config)
}

async fn table(client: &Client) -> Table {
    let mut create = client.create_table().table_name("hubbub").billing_mode(BillingMode::PayPerRequest);
    for (name, kind) in [(PARTITION_KEY, KeyType::Hash), (SORT_KEY, KeyType::Range)] {
        let definition =
            AttributeDefinition::builder().attribute_name(name).attribute_type(ScalarAttributeType::S).build();
        let key = KeySchemaElement::builder().attribute_name(name).key_type(kind).build();
        create = create.attribute_definitions(definition.unwrap()).key_schema(key.unwrap());
    }
    create.send().await.unwrap();
    Table::new(client.clone(), "hubbub".to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_dynamodb_store_keeps_the_contract() {
    let client = dynamodb().await;
    contract::check(&table(&client).await).await;
}
