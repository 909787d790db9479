//! The AWS provider in a fixed version, and its lookups.

use crate::model::{Name, Program, Resource, Text, Value};
use crate::names;
use crate::settings::{PROJECT, Settings};

/// The version of pulumi-aws that the program is written for.
pub const VERSION: &str = "7.48.0";

const PROVIDER: Name = Name::of("aws");

/// The services that the program's resources belong to, as the provider's `endpoints` calls them.
const SERVICES: [&str; 11] =
    ["apigatewayv2", "cloudwatch", "dynamodb", "iam", "lambda", "logs", "sfn", "sns", "sqs", "ssm", "sts"];

/// The emulator takes any key.
pub const LOCAL_ACCESS_KEY: &str = "test";

/// The emulator's Region where the configuration names none.
const LOCAL_REGION: &str = "us-east-1";

/// Declares the provider, and the Region and account that it works in.
pub fn declare(program: &mut Program, settings: &Settings) {
    program.add(&PROVIDER, provider(settings).as_default_provider(VERSION));
    let lookups = [("region", "aws:getRegion", "region"), ("accountId", "aws:getCallerIdentity", "accountId")];
    for (name, function, output) in lookups {
        program.variables.insert(name, Value::Invoke { function, output });
    }
}

/// A declared provider doesn't read the stack's `aws:region` and `aws:profile`, so they are passed on.
fn provider(settings: &Settings) -> Resource {
    let mut provider = Resource::new("pulumi:providers:aws");
    if let Some(region) = &settings.region {
        provider = provider.with("region", region.as_str());
    }
    if let Some(profile) = &settings.profile {
        provider = provider.with("profile", profile.as_str());
    }
    // The tags show in bills and in the account which resource belongs to which stack.
    let tags = Value::map([("project", Text::from(PROJECT)), ("stack", names::stack().into())]);
    provider = provider.with("defaultTags", Value::map([("tags", tags)]));
    match &settings.aws_endpoint {
        None => provider,
        Some(endpoint) => provider
            .with("region", settings.region.as_deref().unwrap_or(LOCAL_REGION))
            .with("accessKey", LOCAL_ACCESS_KEY)
            .with("secretKey", LOCAL_ACCESS_KEY)
            .with("skipCredentialsValidation", true)
            .with("skipMetadataApiCheck", true)
            .with("endpoints", Value::list([Value::map(SERVICES.map(|service| (service, endpoint.as_str())))])),
    }
}
