//! Names and addresses in the account.
//!
//! They are made from the stack's name, the Region and the API's id alone. So a function can know the state machine that calls it and the
//! API that it answers, without a circle of references.

use crate::model::{Name, Reference, Text};
use crate::settings::Settings;

/// The API's only stage.
pub const STAGE: &str = "v1";

pub const REGION: Name = Name::of("region");

pub const ACCOUNT: Name = Name::of("accountId");

#[must_use]
pub fn stack() -> Reference {
    Name::of("pulumi").get("stack")
}

/// A name for something of this stack: `hubbub-<stack>-<end>`.
#[must_use]
pub fn of_stack(end: &str) -> Text {
    Text::from("hubbub-").then(stack()).then(format!("-{end}"))
}

/// A path for something of this stack: `/hubbub/<stack>/<end>`.
#[must_use]
pub fn path_of_stack(end: &str) -> Text {
    Text::from("/hubbub/").then(stack()).then(format!("/{end}"))
}

/// The address for clients: the operator's own domain, or the API's stage.
#[must_use]
pub fn web_socket_url(settings: &Settings) -> Text {
    match (&settings.aws_endpoint, settings.domain()) {
        (Some(endpoint), _) => local_stage(&endpoint.replacen("http", "ws", 1)),
        (None, Some(domain)) => Text::from(format!("wss://{}", domain.name)),
        (None, None) => stage("wss"),
    }
}

/// The address of the API's stage for posts to connections, without `/@connections`. A domain doesn't change it: posts need no DNS record of
/// the operator's.
#[must_use]
pub fn callback_url(settings: &Settings) -> Text {
    match &settings.aws_endpoint {
        Some(endpoint) => local_stage(endpoint),
        None => stage("https"),
    }
}

/// The dashboard in AWS's console.
#[must_use]
pub fn dashboard_url() -> Text {
    Text::from("https://")
        .then(REGION.itself())
        .then(".console.aws.amazon.com/cloudwatch/home?region=")
        .then(REGION.itself())
        .then("#dashboards/dashboard/")
        .then(crate::dashboard::DASHBOARD.get("dashboardName"))
}

fn stage(scheme: &str) -> Text {
    Text::from(format!("{scheme}://"))
        .then(crate::api::API.get("id"))
        .then(".execute-api.")
        .then(REGION.itself())
        .then(format!(".amazonaws.com/{STAGE}"))
}

/// The emulator has one address for all APIs, and tells them apart by the path.
fn local_stage(endpoint: &str) -> Text {
    Text::from(format!("{endpoint}/_aws/execute-api/")).then(crate::api::API.get("id")).then(format!("/{STAGE}"))
}

/// The broadcast state machine's ARN, put together rather than referred to: its functions need to know it.
#[must_use]
pub fn broadcast_arn() -> Text {
    Text::from("arn:aws:states:")
        .then(REGION.itself())
        .then(":")
        .then(ACCOUNT.itself())
        .then(":stateMachine:")
        .then(of_stack(crate::broadcast::NAME))
}
