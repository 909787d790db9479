//! The program passes every check in every variant, and no fault passes them all.

use std::collections::BTreeSet;
use std::path::Path;

use hubbub_infra_checks::program::Program;
use hubbub_infra_checks::schema::Schema;
use hubbub_infra_checks::{Check, check, faults, variants};
use serde_json::Value;

#[test]
fn no_variant_has_a_problem() {
    let schema = Schema::committed().unwrap();
    for variant in variants::all() {
        assert_eq!(check(&variant.program().unwrap(), &schema), [], "{}", variant.name);
    }
}

#[test]
fn every_fault_is_found_by_the_check_that_is_for_it() {
    let schema = Schema::committed().unwrap();
    let cloud = variants::all().remove(0).program().unwrap();
    for fault in faults::all() {
        let problems = check(&fault.seed(&cloud).unwrap(), &schema);
        let found: BTreeSet<Check> = problems.iter().map(|problem| problem.check).collect();
        assert!(found.contains(&fault.found_by), "{}: {problems:#?}", fault.name);
    }
}

#[test]
fn a_problem_says_where_it_is_and_what_was_meant() {
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

/// What the schema has and the program doesn't use would hide that it was forgotten.
#[test]
fn the_schema_is_of_what_the_program_uses_and_of_its_provider() {
    let schema = Schema::committed().unwrap();
    let programs = variants::all().into_iter().map(|variant| Program::read(&variant.program().unwrap()).unwrap());
    let used: BTreeSet<String> =
        programs.flat_map(|program| program.resources.into_values().map(|resource| resource.r#type)).collect();
    assert_eq!(used, schema.resources.keys().cloned().collect());
    assert_eq!(schema.version, hubbub_infra::provider::VERSION);
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("package.json");
    let manifest: Value = serde_json::from_str(&std::fs::read_to_string(manifest).unwrap()).unwrap();
    assert_eq!(manifest["devDependencies"]["@pulumi/aws"], hubbub_infra::provider::VERSION);
}
