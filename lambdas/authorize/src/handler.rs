//! From the authorizer's event to a policy.

use aws_lambda_events::event::apigw::{
    ApiGatewayCustomAuthorizerPolicy, ApiGatewayCustomAuthorizerRequestTypeRequest, ApiGatewayCustomAuthorizerResponse,
};
use aws_lambda_events::event::iam::{IamPolicyEffect, IamPolicyStatement};
use hubbub_aws::parameter::Parameter;
use hubbub_aws::runtime::Fault;
use hubbub_core::id::UserId;
use hubbub_core::names::context;
use hubbub_core::ports::{Clock, PortResult};
use serde_json::{Value, json};

use crate::token::verify;

/// Where the key comes from by which tokens are signed.
#[expect(async_fn_in_trait, reason = "callers are generic over it, so that the compiler sees which futures are Send")]
pub trait Keys {
    /// The key.
    async fn key(&self) -> PortResult<String>;
}

impl Keys for Parameter {
    async fn key(&self) -> PortResult<String> {
        self.value().await
    }
}

/// Handles the authorizer's requests.
#[derive(Debug)]
pub struct Handler<K, E> {
    /// The key.
    pub keys: K,
    /// Time.
    pub world: E,
}

impl<K: Keys, E: Clock> Handler<K, E> {
    /// Allows the connection and names its user, or denies it. The client isn't told why; the log is, without the token.
    ///
    /// # Errors
    /// When the key can't be read, or the event isn't an authorizer's.
    pub async fn handle(
        &self,
        event: ApiGatewayCustomAuthorizerRequestTypeRequest,
    ) -> Result<ApiGatewayCustomAuthorizerResponse, Fault> {
        let arn = event.method_arn.clone().ok_or_else(|| Fault::WrongEvent("it has no method ARN".to_owned()))?;
        let Some(token) = token(&event) else {
            tracing::info!(reason = "there is no token", "refused");
            return Ok(deny(arn));
        };
        let key = self.keys.key().await?;
        match verify(token, &key, self.world.now()) {
            Ok(user) => Ok(allow(&user, arn)),
            Err(reason) => {
                tracing::info!(%reason, "refused");
                Ok(deny(arn))
            }
        }
    }
}

/// The token: from `Authorization: Bearer`, else from `?token=`.
fn token(event: &ApiGatewayCustomAuthorizerRequestTypeRequest) -> Option<&str> {
    let header = event.headers.get("authorization").and_then(|value| value.to_str().ok());
    let bearer =
        header.and_then(|value| value.split_once(' ')).filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    match bearer {
        Some((_, token)) => Some(token.trim()),
        None => event.query_string_parameters.first("token"),
    }
}

fn allow(user: &UserId, arn: String) -> ApiGatewayCustomAuthorizerResponse {
    let mut response = policy(IamPolicyEffect::Allow, arn);
    response.principal_id = Some(user.to_string());
    response.context = json!({ context::USER: user });
    response
}

fn deny(arn: String) -> ApiGatewayCustomAuthorizerResponse {
    let mut response = policy(IamPolicyEffect::Deny, arn);
    response.principal_id = Some("unknown".to_owned());
    response
}

fn policy(effect: IamPolicyEffect, arn: String) -> ApiGatewayCustomAuthorizerResponse {
    let mut statement = IamPolicyStatement::default();
    statement.action = vec!["execute-api:Invoke".to_owned()];
    statement.effect = effect;
    statement.resource = vec![arn];
    let mut document = ApiGatewayCustomAuthorizerPolicy::default();
    document.version = Some("2012-10-17".to_owned());
    document.statement = vec![statement];
    let mut response = ApiGatewayCustomAuthorizerResponse::default();
    response.policy_document = document;
    response.context = Value::Object(serde_json::Map::new());
    response
}
