//! The WebSocket API: its authorizer, routes, deployment and stage, and its right to invoke the functions.

use std::collections::BTreeMap;

use hubbub_core::actions;
use hubbub_core::names::routes;
use sha2::{Digest, Sha256};

use crate::functions::{Function, InProgram};
use crate::model::{Name, Program, Resource, Text, Value};
use crate::settings::Settings;
use crate::{ProgramError, names};

pub const API: Name = Name::of("api");

const AUTHORIZER: Name = Name::of("authorizer");
const DEPLOYMENT: Name = Name::of("deployment");
pub const STAGE: Name = Name::of("stage");
const ACCESS_LOG: Name = Name::of("accessLog");

type Throttle = [(&'static str, u64); 2];

/// The stage's throttle, for all routes together. A stage with default settings but without both of its fields is closed: the provider sends
/// 0.
fn stage_throttle(settings: &Settings) -> Throttle {
    throttle(settings.request_rps / 2, settings.request_rps)
}

/// Routes that may not use up what the others need: a call of `history`, `who` or `signal` reads many rows, and `$connect` has a quota of its
/// own. The others share what is left of the account's quota beside `callbackRps`.
fn route_throttles(settings: &Settings) -> [(&'static str, Throttle); 4] {
    [
        (routes::CONNECT, throttle(settings.connect_rps, settings.connect_rps)),
        ("history", throttle(250, 500)),
        ("who", throttle(100, 200)),
        ("signal", throttle(500, 1_000)),
    ]
}

/// Requests at once, and requests a second.
const fn throttle(burst: u64, rate: u64) -> Throttle {
    [("throttlingBurstLimit", burst), ("throttlingRateLimit", rate)]
}

const ROUTED: [Function; 3] = [Function::Connect, Function::Disconnect, Function::Receive];

struct Route {
    name: Name,
    key: &'static str,
    function: Function,
}

impl Route {
    /// All routes. Each action has its own, so that it can be throttled and measured by itself.
    fn all() -> Vec<Self> {
        let route = |name: Name, key, function| Self { name: name.with("Route"), key, function };
        let fixed = [
            route(Name::of("connect"), routes::CONNECT, Function::Connect),
            route(Name::of("disconnect"), routes::DISCONNECT, Function::Disconnect),
            route(Name::of("default"), routes::DEFAULT, Function::Receive),
        ];
        let actions = actions::NAMES.iter().map(|action| route(Name::of(action), action, Function::Receive));
        fixed.into_iter().chain(actions).collect()
    }

    /// Whether the function's answer goes back to the client, which takes a route response.
    fn is_answered(&self) -> bool {
        self.function == Function::Receive
    }
}

/// Declares the API, its routes and its stage.
///
/// # Errors
/// When the hash of what is deployed can't be made.
pub fn declare(program: &mut Program, settings: &Settings) -> Result<(), ProgramError> {
    let api = Resource::new("aws:apigatewayv2:Api")
        .with("name", names::of_stack("api"))
        .with("protocolType", "WEBSOCKET")
        .with("routeSelectionExpression", routes::SELECTION)
        .protected_if(settings.deletion_protection);
    program.add(&API, api);
    let parts = deployed_parts();
    let trigger = fingerprint(&parts, routes::SELECTION)?;
    let mut deployment = of_api("aws:apigatewayv2:Deployment").with("triggers", Value::map([("parts", trigger)]));
    for (name, part) in parts {
        deployment = deployment.after(&name);
        program.add(&name, part);
    }
    program.add(&DEPLOYMENT, deployment);
    let stage = of_api("aws:apigatewayv2:Stage")
        .with("name", names::STAGE)
        .with("deploymentId", DEPLOYMENT.get("id"))
        .with("defaultRouteSettings", Value::map(stage_throttle(settings)))
        .with("routeSettings", route_settings(settings));
    let stage = if settings.access_log { log_access(program, settings, stage) } else { stage };
    // A stage's settings may only name routes that are there.
    let stage = Route::all().iter().fold(stage, |stage, route| stage.after(&route.name));
    program.add(&STAGE, stage);
    declare_permissions(program);
    Ok(())
}

/// The fields of the access log. None holds data of a client but the route's name: the query may hold a token, and addresses are personal data.
const ACCESS_LOG_FIELDS: [(&str, &str); 8] = [
    ("time", "requestTimeEpoch"),
    ("request.id", "requestId"),
    ("connection.id", "connectionId"),
    ("event", "eventType"),
    ("route", "routeKey"),
    ("status", "status"),
    ("integration.status", "integrationStatus"),
    ("integration.latency_ms", "integrationLatency"),
];

/// Adds an access log to the stage. It needs an account-wide role, which the operator sets up.
fn log_access(program: &mut Program, settings: &Settings, stage: Resource) -> Resource {
    let log_group = Resource::new("aws:cloudwatch:LogGroup")
        .with("name", Text::from("/aws/apigateway/").then(names::of_stack("access")))
        .with("retentionInDays", settings.log_days);
    program.add(&ACCESS_LOG, log_group);
    let fields: BTreeMap<_, _> =
        ACCESS_LOG_FIELDS.map(|(name, variable)| (name, format!("$context.{variable}"))).into();
    let format = Value::map(fields).json();
    let access_log = Value::map([("destinationArn", Value::from(ACCESS_LOG.get("arn"))), ("format", format)]);
    stage.with("accessLogSettings", access_log)
}

fn route_settings(settings: &Settings) -> Value {
    Value::list(route_throttles(settings).map(|(key, throttle)| {
        let settings = throttle.map(|(name, value)| (name, Value::from(value)));
        Value::map(settings.into_iter().chain([("routeKey", Value::from(key))]))
    }))
}

fn of_api(kind: &'static str) -> Resource {
    Resource::new(kind).with("apiId", API.get("id"))
}

fn integration_name(function: Function) -> Name {
    function.resource().with("Integration")
}

/// The resources in the deployment's snapshot.
fn deployed_parts() -> Vec<(Name, Resource)> {
    let mut parts = vec![(AUTHORIZER, authorizer())];
    for function in ROUTED {
        let integration = of_api("aws:apigatewayv2:Integration")
            .with("integrationType", "AWS_PROXY")
            .with("integrationMethod", "POST")
            .with("integrationUri", function.resource().get("invokeArn"));
        parts.push((integration_name(function), integration));
    }
    for route in Route::all() {
        let target = Text::from("integrations/").then(integration_name(route.function).get("id"));
        let mut resource = of_api("aws:apigatewayv2:Route").with("routeKey", route.key).with("target", target);
        if route.key == routes::CONNECT {
            resource = resource.with("authorizationType", "CUSTOM").with("authorizerId", AUTHORIZER.get("id"));
        }
        if route.is_answered() {
            resource = resource.with("routeResponseSelectionExpression", routes::DEFAULT);
            let response = of_api("aws:apigatewayv2:RouteResponse")
                .with("routeId", route.name.get("id"))
                .with("routeResponseKey", routes::DEFAULT);
            parts.push((route.name.with("Response"), response));
        }
        parts.push((route.name, resource));
    }
    parts
}

/// The token comes in a header or in the query, so neither can be an identity source: API Gateway requires all identity sources before it
/// calls the authorizer. The list is empty instead of missing, because the call that creates an authorizer requires one.
fn authorizer() -> Resource {
    of_api("aws:apigatewayv2:Authorizer")
        .with("name", names::of_stack("authorizer"))
        .with("authorizerType", "REQUEST")
        .with("authorizerUri", Function::Authorize.resource().get("invokeArn"))
        .with("identitySources", Value::List(Vec::new()))
}

/// A hash of the snapshot's resources and of the route selection. When it changes, Pulumi makes a new deployment; without one, API Gateway
/// serves the old snapshot.
fn fingerprint(parts: &[(Name, Resource)], selection: &str) -> Result<String, ProgramError> {
    let parts: BTreeMap<_, _> = parts.iter().map(|(name, part)| (name.as_str(), part)).collect();
    let digest = Sha256::digest(serde_json::to_vec(&(parts, selection))?);
    Ok(digest.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn declare_permissions(program: &mut Program) {
    let source = || Text::from(API.get("executionArn"));
    let authorizer = source().then("/authorizers/").then(AUTHORIZER.get("id"));
    let mut permit = |function: Function, source: Text| {
        let permission = Resource::new("aws:lambda:Permission")
            .with("action", "lambda:InvokeFunction")
            .with("function", function.resource().get("name"))
            .with("principal", "apigateway.amazonaws.com")
            .with("sourceArn", source);
        program.add(&function.resource().with("Permission"), permission);
    };
    permit(Function::Authorize, authorizer);
    for function in ROUTED {
        permit(function, source().then("/*"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_existing_routes_have_throttles() {
        let keys: Vec<&str> = Route::all().iter().map(|route| route.key).collect();
        assert!(route_throttles(&Settings::default()).iter().all(|(key, _)| keys.contains(key)), "{keys:?}");
    }

    #[test]
    fn throttles_follow_the_settings() {
        let config = r#"{"hubbub:requestRps": "40000", "hubbub:connectRps": "2000"}"#;
        let settings = Settings::read(Some(config)).unwrap();
        assert_eq!(stage_throttle(&settings), throttle(20_000, 40_000));
        assert_eq!(route_throttles(&settings)[0], (routes::CONNECT, throttle(2_000, 2_000)));
    }

    #[test]
    fn changed_route_makes_a_new_deployment() {
        let before = fingerprint(&deployed_parts(), "a").unwrap();
        assert_eq!(before, fingerprint(&deployed_parts(), "a").unwrap());
        assert_ne!(before, fingerprint(&deployed_parts(), "b").unwrap());
        for index in 0..deployed_parts().len() {
            let mut parts = deployed_parts();
            let (name, part) = parts.remove(index);
            assert_ne!(before, fingerprint(&parts, "a").unwrap(), "without {name:?}");
            parts.insert(index, (name.clone(), part.with("description", "changed")));
            assert_ne!(before, fingerprint(&parts, "a").unwrap(), "with another {name:?}");
        }
    }
}
