//! From the authorizer's event to a policy.

use aws_lambda_events::event::apigw::{
    ApiGatewayCustomAuthorizerPolicy, ApiGatewayCustomAuthorizerRequestTypeRequest, ApiGatewayCustomAuthorizerResponse,
};
use aws_lambda_events::event::iam::{IamPolicyEffect, IamPolicyStatement};
use hubbub_aws::runtime::FunctionError;
use hubbub_core::names::{context, subprotocols};
use hubbub_core::ports::Clock;
use hubbub_core::settings::AuthorizeConfig;
use serde_json::{Value, json};

use super::keys::Keys;
use super::token::{Bearer, Rules, TokenError, key_id, verify};

/// Handles the authorizer's requests.
#[derive(Debug)]
pub struct Handler<K, E> {
    keys: K,
    rules: Rules,
    env: E,
}

impl<K: Keys, E: Clock> Handler<K, E> {
    pub fn new(config: &AuthorizeConfig, keys: K, env: E) -> Self {
        let rules = Rules {
            algorithm: config.token_algorithm,
            issuer: config.token_issuer.clone(),
            audience: config.token_audience.clone(),
            default_capabilities: config.default_capabilities.clone(),
        };
        Self { keys, rules, env }
    }

    /// Allows the connection and names its user, or denies it. The client isn't told why; the log is, without the token.
    ///
    /// # Errors
    /// When the key can't be read, or the event isn't an authorizer's.
    pub async fn handle(
        &self,
        event: ApiGatewayCustomAuthorizerRequestTypeRequest,
    ) -> Result<ApiGatewayCustomAuthorizerResponse, FunctionError> {
        let arn =
            event.method_arn.clone().ok_or_else(|| FunctionError::WrongEvent("it has no method ARN".to_owned()))?;
        let Some(token) = token(&event) else {
            tracing::info!(reason = "there is no token", "refused");
            return Ok(deny(arn));
        };
        match self.verify(token).await? {
            Ok(bearer) => allow(&bearer, arn),
            Err(reason) => {
                tracing::info!(%reason, "refused");
                Ok(deny(arn))
            }
        }
    }

    async fn verify(&self, token: &str) -> Result<Result<Bearer, TokenError>, FunctionError> {
        let id = match key_id(token) {
            Ok(id) => id,
            Err(reason) => return Ok(Err(reason)),
        };
        let Some(key) = self.keys.key(id.as_deref()).await? else { return Ok(Err(TokenError::UnknownKey)) };
        Ok(verify(token, &key, &self.rules, self.env.now()))
    }
}

/// The token: from `Authorization: Bearer`, else from the subprotocols, which are all that a browser can set, else from `?token=`.
fn token(event: &ApiGatewayCustomAuthorizerRequestTypeRequest) -> Option<&str> {
    let header = |name: &str| event.headers.get(name).and_then(|value| value.to_str().ok());
    let bearer = header("authorization")
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token.trim());
    let subprotocol = || {
        let mut offered = header(subprotocols::HEADER)?.split(',').map(str::trim);
        offered.find_map(|offer| offer.strip_prefix(subprotocols::BEARER))
    };
    bearer.or_else(subprotocol).or_else(|| event.query_string_parameters.first("token"))
}

fn allow(bearer: &Bearer, arn: String) -> Result<ApiGatewayCustomAuthorizerResponse, FunctionError> {
    let mut response = policy(IamPolicyEffect::Allow, arn);
    response.principal_id = Some(bearer.user.to_string());
    // A context holds texts, numbers and truth values, and no objects.
    let capabilities = serde_json::to_string(&bearer.capabilities)?;
    response.context = json!({
        context::USER: bearer.user,
        context::CAPABILITIES: capabilities,
        context::UNTIL: bearer.until.to_string(),
    });
    Ok(response)
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
