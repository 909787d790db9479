//! The DynamoDB store passes the store suite on dynoxide, which follows DynamoDB closely.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use aws_credential_types::Credentials;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::{BehaviorVersion, Region};
use hubbub_aws::queue::SqsAnnouncements;
use hubbub_aws::table::{Table, create_table};
use hubbub_testkit::store_suite as contract;

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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dynamodb_store_passes_the_store_suite() {
    let client = dynamodb().await;
    create_table(&client, "hubbub").await.unwrap();
    // The suite asks for no announcement, but claims some.
    let nowhere =
        aws_sdk_sqs::Config::builder().behavior_version(aws_sdk_sqs::config::BehaviorVersion::latest()).build();
    let announcements = SqsAnnouncements::new(aws_sdk_sqs::Client::from_conf(nowhere), String::new());
    contract::check(&Table::new(client, "hubbub".to_owned()).announcing(announcements)).await;
}
