//! The program passes every check in every variant, and no fault passes them all.

use std::collections::BTreeSet;

use hubbub_infra_checks::program::Program;
use hubbub_infra_checks::schema::Schema;
use hubbub_infra_checks::{Check, check, faults, variants};

#[test]
fn no_variant_has_a_problem() {
    let schema = Schema::committed().unwrap();
    for variant in variants::all() {
        assert_eq!(check(&variant.program().unwrap(), &schema), [], "{}", variant.name);
    }
}

#[test]
fn every_fault_is_found_by_its_check() {
    let schema = Schema::committed().unwrap();
    let cloud = variants::all().remove(0).program().unwrap();
    for fault in faults::all() {
        let problems = check(&fault.seed(&cloud).unwrap(), &schema);
        let found: BTreeSet<Check> = problems.iter().map(|problem| problem.check).collect();
        assert!(found.contains(&fault.found_by), "{}: {problems:#?}", fault.name);
    }
}

#[test]
fn problem_names_its_place_and_the_nearest_name() {
    let schema = Schema::committed().unwrap();
    let cloud = variants::all().remove(0).program().unwrap();
    let said = |name: &str| {
        let fault = faults::all().into_iter().find(|fault| fault.name == name).unwrap();
        let problems = check(&fault.seed(&cloud).unwrap(), &schema);
        let said: Vec<String> = problems.iter().map(|problem| format!("{}: {}", problem.at, problem.message)).collect();
        said.join("\n")
    };
    assert_eq!(
        said("unknown-property-inside"),
        "table.ttl.atributeName: `dynamodb.TableTtl` has no such property; did you mean `attributeName`?"
    );
    assert_eq!(
        said("unknown-output"),
        "outputs.publishQueueUrl: `${publishQueue.uri}` asks for an output that `aws:sqs:Queue` doesn't have; did you \
         mean `url`?"
    );
    assert_eq!(
        said("arn-for-invoke-arn"),
        "receiveIntegration.integrationUri: is `\"${receive.arn}\"` where `invokeArn` of an `aws:lambda:Function` is expected"
    );
}

#[test]
fn schema_has_what_the_program_uses_and_no_more() {
    let schema = Schema::committed().unwrap();
    let programs = variants::all().into_iter().map(|variant| Program::read(&variant.program().unwrap()).unwrap());
    let used: BTreeSet<String> =
        programs.flat_map(|program| program.resources.into_values().map(|resource| resource.r#type)).collect();
    assert_eq!(used, schema.resources.keys().cloned().collect());
    assert_eq!(schema.version, hubbub_infra::provider::VERSION);
    let installed = format!("@pulumi/aws@{}", hubbub_infra::provider::VERSION);
    assert!(include_str!("../README.md").contains(&installed), "README.md installs another version");
}
