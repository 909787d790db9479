//! A domain of the operator's own for the API.

use crate::api::{API, STAGE};
use crate::model::{Name, Program, Reference, Resource, Value};
use crate::settings::Settings;

const DOMAIN: Name = Name::of("domain");
const MAPPING: Name = Name::of("domainMapping");
const RECORD: Name = Name::of("domainRecord");

/// Declares the domain, if there is one. Connections on the API's own address stay open.
pub fn declare(program: &mut Program, settings: &Settings) {
    let Some(domain) = settings.domain() else { return };
    let configuration = Value::map([
        ("certificateArn", domain.certificate_arn),
        ("endpointType", "REGIONAL"),
        ("securityPolicy", "TLS_1_2"),
    ]);
    let resource = Resource::new("aws:apigatewayv2:DomainName")
        .with("domainName", domain.name)
        .with("domainNameConfiguration", configuration);
    program.add(&DOMAIN, resource);
    let mapping = Resource::new("aws:apigatewayv2:ApiMapping")
        .with("apiId", API.get("id"))
        .with("domainName", DOMAIN.get("domainName"))
        .with("stage", STAGE.get("name"));
    program.add(&MAPPING, mapping);
    if let Some(zone) = domain.hosted_zone_id {
        let alias = Value::map([
            ("name", Value::from(target())),
            ("zoneId", of_target("hostedZoneId").into()),
            ("evaluateTargetHealth", false.into()),
        ]);
        let record = Resource::new("aws:route53:Record")
            .with("zoneId", zone)
            .with("name", domain.name)
            .with("type", "A")
            .with("aliases", Value::list([alias]));
        program.add(&RECORD, record);
    }
}

/// The name to which the domain's record must point.
#[must_use]
pub fn target() -> Reference {
    of_target("targetDomainName")
}

fn of_target(output: &str) -> Reference {
    DOMAIN.get(&format!("domainNameConfiguration.{output}"))
}
