//! The whole program as Pulumi and the local stack read it: its text as snapshots, and what must hold of every such text.
//!
//! The checks read the printed JSON, not the types that it was made from, so that they would also find a type that prints
//! the wrong thing. What holds of references, of the provider's schema and of every variant is in `tests/infra`.

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "clippy.toml allows them in tests, which leaves out the helpers that tests share"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Command, Output};

use hubbub_core::actions;
use hubbub_core::names::outputs;
use hubbub_core::names::outputs::Stacks;
use hubbub_core::names::{env, routes, table};
use hubbub_infra::expression::{Reference, evaluate, references};
use hubbub_infra::functions::{Function, InProgram};
use hubbub_infra::{generated, render};
use hubbub_statemachines::{Arns, broadcast, check};
use serde_json::{Value, json};

const LOCAL: &str = r#"{"hubbub:awsEndpoint": "http://127.0.0.1:4566", "hubbub:architecture": "x86_64"}"#;

/// The only resource types that the local stack knows.
const TYPES: [&str; 22] = [
    "aws:apigatewayv2:Api",
    "aws:apigatewayv2:Authorizer",
    "aws:apigatewayv2:Deployment",
    "aws:apigatewayv2:Integration",
    "aws:apigatewayv2:Route",
    "aws:apigatewayv2:RouteResponse",
    "aws:apigatewayv2:Stage",
    "aws:cloudwatch:Dashboard",
    "aws:cloudwatch:LogGroup",
    "aws:cloudwatch:MetricAlarm",
    "aws:dynamodb:Table",
    "aws:iam:Policy",
    "aws:iam:Role",
    "aws:iam:RolePolicy",
    "aws:lambda:EventSourceMapping",
    "aws:lambda:Function",
    "aws:lambda:Permission",
    "aws:sfn:StateMachine",
    "aws:sqs:Queue",
    "aws:sqs:QueuePolicy",
    "aws:ssm:Parameter",
    "pulumi:providers:aws",
];

fn program(config: Option<&str>) -> Value {
    serde_json::from_str(&render(config).unwrap()).unwrap()
}

/// The program for the cloud and the one for the local stack.
fn both() -> [Value; 2] {
    [program(None), program(Some(LOCAL))]
}

fn resources(program: &Value) -> impl Iterator<Item = (&str, &Value)> {
    let resources = program["resources"].as_object().unwrap();
    resources.iter().map(|(name, resource)| (name.as_str(), resource))
}

fn of_type<'a>(program: &'a Value, kind: &'static str) -> impl Iterator<Item = (&'a str, &'a Value)> {
    resources(program).filter(move |(_, resource)| resource["type"] == kind)
}

fn properties<'a>(program: &'a Value, name: &str) -> &'a Value {
    &program["resources"][name]["properties"]
}

/// The statements of a function's or the state machine's policy.
fn statements<'a>(program: &'a Value, owner: &str) -> &'a Vec<Value> {
    properties(program, &format!("{owner}Policy"))["policy"]["fn::toJSON"]["Statement"].as_array().unwrap()
}

fn actions(statement: &Value) -> impl Iterator<Item = &str> {
    statement["Action"].as_array().unwrap().iter().map(|action| action.as_str().unwrap())
}

#[test]
fn cloud_program_is_as_reviewed() {
    insta::assert_snapshot!("cloud", render(None).unwrap());
}

#[test]
fn local_program_is_as_reviewed() {
    insta::assert_snapshot!("local", render(Some(LOCAL)).unwrap());
}

#[test]
fn same_configuration_gives_the_same_text() {
    for config in [None, Some(LOCAL)] {
        assert_eq!(render(config).unwrap(), render(config).unwrap());
    }
}

#[test]
fn numbers_and_words_leave_the_structure_as_it_is() {
    fn shape(value: &Value) -> Value {
        match value {
            Value::Object(fields) => fields.iter().map(|(key, value)| (key.clone(), shape(value))).collect(),
            Value::Array(items) => items.iter().map(shape).collect(),
            _ => Value::Null,
        }
    }
    let tuned = json!({
        "hubbub:inlineLimit": "5", "hubbub:logLevel": "debug", "hubbub:architecture": "x86_64", "hubbub:roundFrames": "2",
    });
    assert_eq!(shape(&program(Some(&tuned.to_string()))), shape(&program(None)));
}

#[test]
fn local_stack_knows_every_resource_type() {
    for program in both() {
        let types: BTreeSet<_> = resources(&program).map(|(_, resource)| resource["type"].as_str().unwrap()).collect();
        assert_eq!(types, BTreeSet::from(TYPES));
    }
}

/// Variables that are set and empty where an operator asks for nothing.
const OPTIONAL: [&str; 3] = [env::TOKEN_JWKS_URL, env::TOKEN_ISSUER, env::TOKEN_AUDIENCE];

#[test]
fn function_gets_only_the_variables_that_it_reads() {
    for (program, extras) in both()
        .iter()
        .zip([vec![env::LOG], vec![env::LOG, "AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]])
    {
        assert_eq!(of_type(program, "aws:lambda:Function").count(), Function::ALL.len());
        for function in Function::ALL {
            let variables =
                properties(program, function.resource().as_str())["environment"]["variables"].as_object().unwrap();
            let names: BTreeSet<_> = variables.keys().map(String::as_str).collect();
            assert_eq!(names, function.variables().iter().copied().chain(extras.clone()).collect(), "{function:?}");
            let is_set = |(name, value): (&String, &Value)| {
                value.as_str().is_some_and(|text| !text.is_empty() || OPTIONAL.contains(&name.as_str()))
            };
            assert!(variables.iter().all(is_set), "{function:?}");
        }
    }
}

#[test]
fn functions_share_a_zip_and_have_their_name_as_handler() {
    for (config, folder) in
        [(None, "arm64"), (Some(r#"{"hubbub:architecture": "x86_64"}"#), "x86_64"), (Some(LOCAL), "local")]
    {
        let program = program(config);
        for function in Function::ALL {
            let properties = properties(&program, function.resource().as_str());
            assert_eq!(properties["code"]["fn::fileArchive"], format!("../target/lambda/{folder}/functions.zip"));
            assert_eq!(properties["handler"], function.name());
        }
    }
}

#[test]
fn policy_names_its_actions_and_resources() {
    let program = program(None);
    assert_eq!(of_type(&program, "aws:iam:RolePolicy").count(), Function::ALL.len() + 1);
    let functions = Function::ALL.map(InProgram::resource);
    for owner in functions.iter().map(|name| name.as_str()).chain(["broadcast"]) {
        for statement in statements(&program, owner) {
            assert!(
                actions(statement).all(|action| !action.contains('*') && action.contains(':')),
                "{owner}: {statement}"
            );
            for resource in statement["Resource"].as_array().unwrap() {
                let resource = resource.as_str().unwrap();
                assert!(resource.starts_with("arn:aws:") || resource.starts_with("${"), "{owner}: {resource}");
            }
        }
    }
}

#[test]
fn function_may_use_the_resources_in_its_variables() {
    let program = program(None);
    for function in Function::ALL {
        let statements = statements(&program, function.resource().as_str());
        // Where there is more than one of its kind, the resource is named too.
        let may = |action: &str, resource: &str| {
            let is_allowed = |statement: &&Value| actions(statement).any(|allowed| allowed.starts_with(action));
            statements.iter().filter(is_allowed).any(|statement| statement["Resource"].to_string().contains(resource))
        };
        for (variable, action, resource) in [
            (env::TABLE, "dynamodb:", ""),
            (env::PUBLISH_QUEUE_URL, "sqs:SendMessage", "${publishQueue.arn}"),
            (env::PRESENCE_QUEUE_URL, "sqs:SendMessage", "${presenceQueue.arn}"),
            (env::DEAD_LETTER_QUEUE_URL, "sqs:SendMessage", "${deadLetterQueue.arn}"),
            (env::STATE_MACHINE_ARN, "states:StartExecution", ""),
            (env::CALLBACK_URL, "execute-api:ManageConnections", ""),
            (env::TOKEN_KEY_PARAMETER, "ssm:GetParameter", ""),
        ] {
            let is_told = function.variables().contains(&variable);
            assert!(may(action, resource) || !is_told, "{function:?} reads {variable} and may not {action}");
        }
        assert!(may("logs:PutLogEvents", ""), "{function:?}");
    }
}

#[test]
fn queues_are_fifo_and_deduplicate_by_channel() {
    let program = program(None);
    for (name, queue) in of_type(&program, "aws:sqs:Queue") {
        let properties = &queue["properties"];
        assert!(properties["name"].as_str().unwrap().ends_with(".fifo"), "{name}");
        assert_eq!(properties["fifoQueue"], true, "{name}");
        assert_eq!(properties["contentBasedDeduplication"], false, "{name}");
        assert_eq!(properties["deduplicationScope"], "messageGroup", "{name}");
    }
    let redrive = &properties(&program, "publishQueue")["redrivePolicy"]["fn::toJSON"];
    assert_eq!(*redrive, json!({"deadLetterTargetArn": "${deadLetterQueue.arn}", "maxReceiveCount": 5}));
}

#[test]
fn presence_announcements_are_delayed() {
    let program = program(None);
    let queue = properties(&program, "presenceQueue");
    assert_eq!((&queue["delaySeconds"], &queue["messageRetentionSeconds"]), (&json!(1), &json!(900)));
    let mapping = properties(&program, "announcePresence");
    assert_eq!(mapping["scalingConfig"]["maximumConcurrency"], 2);
    assert_eq!(
        (&mapping["eventSourceArn"], &mapping["functionName"]),
        (&json!("${presenceQueue.arn}"), &json!("${announce.arn}"))
    );
}

#[test]
fn encryption_keys_cost_nothing() {
    for program in both() {
        for (name, queue) in of_type(&program, "aws:sqs:Queue") {
            assert_eq!(queue["properties"]["sqsManagedSseEnabled"], true, "{name}");
            assert_eq!(queue["properties"]["kmsMasterKeyId"], Value::Null, "{name}");
        }
        // Anything here, `enabled: true` included, would be a key in KMS; DynamoDB never stores a table in the clear.
        assert_eq!(properties(&program, "table")["serverSideEncryption"], Value::Null);
        assert_eq!(properties(&program, "tokenKeyParameter")["type"], "SecureString");
    }
}

#[test]
fn queues_refuse_requests_without_tls() {
    for program in both() {
        let refused: BTreeSet<_> = of_type(&program, "aws:sqs:QueuePolicy")
            .map(|(name, policy)| {
                let queue = policy["properties"]["queueUrl"].as_str().unwrap();
                let statements = &policy["properties"]["policy"]["fn::toJSON"]["Statement"];
                let arn = queue.replace(".id}", ".arn}");
                let condition = json!({"Bool": {"aws:SecureTransport": "false"}});
                assert_eq!(
                    *statements,
                    json!([{"Effect": "Deny", "Principal": "*", "Action": "sqs:*", "Resource": arn, "Condition": condition}]),
                    "{name}"
                );
                queue.to_owned()
            })
            .collect();
        let queues: BTreeSet<_> =
            of_type(&program, "aws:sqs:Queue").map(|(name, _)| format!("${{{name}.id}}")).collect();
        assert_eq!(refused, queues);
    }
}

#[test]
fn every_log_group_expires() {
    for program in both() {
        let mut groups = BTreeMap::new();
        for (name, group) in of_type(&program, "aws:cloudwatch:LogGroup") {
            let days = group["properties"]["retentionInDays"].as_u64();
            assert!(days.is_some_and(|days| days > 0), "{name} keeps its logs for ever");
            groups.insert(group["properties"]["name"].as_str().unwrap(), format!("${{{name}}}"));
        }
        for (name, function) in of_type(&program, "aws:lambda:Function") {
            let group = format!("/aws/lambda/{}", function["properties"]["name"].as_str().unwrap());
            // A group that isn't there at the first invocation is made by Lambda, which keeps it for ever.
            let awaited = function["options"]["dependsOn"].as_array().unwrap();
            let group = groups.get(group.as_str()).unwrap_or_else(|| panic!("{name} has no log group"));
            assert!(awaited.contains(&group.as_str().into()), "{name} does not wait for {group}");
        }
        // What writes no log needs no group. An execution's history ends by itself after 90 days.
        assert_eq!(properties(&program, "broadcast")["loggingConfiguration"], Value::Null);
        assert_eq!(properties(&program, "stage")["accessLogSettings"], Value::Null);
        let settings = properties(&program, "stage");
        let routes = settings["routeSettings"].as_array().unwrap().iter();
        for route in routes.chain([&settings["defaultRouteSettings"]]) {
            assert_eq!(route["loggingLevel"], Value::Null, "{route}");
            assert_eq!(route["dataTraceEnabled"], Value::Null, "{route}");
        }
    }
}

#[test]
fn state_machine_may_invoke_only_its_functions() {
    for program in both() {
        let named = references(&properties(&program, "broadcast")["definition"]);
        let named: BTreeSet<_> = named.iter().map(Reference::written).collect();
        let [statement] = statements(&program, "broadcast").as_slice() else { panic!("more than one statement") };
        let granted: BTreeSet<_> =
            statement["Resource"].as_array().unwrap().iter().map(|arn| arn.as_str().unwrap().to_owned()).collect();
        assert_eq!(actions(statement).collect::<Vec<_>>(), ["lambda:InvokeFunction"]);
        assert_eq!(granted, named);
    }
}

#[test]
fn table_has_the_keys_of_the_store() {
    let program = program(None);
    let properties = properties(&program, "table");
    assert_eq!(properties["hashKey"], table::PARTITION_KEY);
    assert_eq!(properties["rangeKey"], table::SORT_KEY);
    assert_eq!(properties["ttl"], json!({"attributeName": table::TTL, "enabled": true}));
}

#[test]
fn every_action_has_a_route_that_answers() {
    let program = program(None);
    let route = |key: &str| {
        let mut found = of_type(&program, "aws:apigatewayv2:Route").filter(|(_, route)| {
            evaluate(route["properties"]["routeKey"].as_str().unwrap(), Reference::written).unwrap() == key
        });
        found.next().unwrap_or_else(|| panic!("there is no route `{key}`"))
    };
    for key in actions::NAMES.iter().copied().chain([routes::DEFAULT]) {
        let (name, route) = route(key);
        assert_eq!(route["properties"]["target"], "integrations/${receiveIntegration.id}", "{key}");
        assert_eq!(route["properties"]["routeResponseSelectionExpression"], "$$default", "{key}");
        let id = format!("${{{name}.id}}");
        let answers =
            of_type(&program, "aws:apigatewayv2:RouteResponse").filter(|(_, it)| it["properties"]["routeId"] == id);
        assert_eq!(answers.count(), 1, "{key}");
    }
    assert_eq!(route(routes::CONNECT).1["properties"]["authorizationType"], "CUSTOM");
    assert_eq!(route(routes::DISCONNECT).1["properties"]["target"], "integrations/${disconnectIntegration.id}");
}

#[test]
fn deployed_state_machine_is_the_committed_one() {
    let arn = |name: &str| format!("arn:aws:lambda:eu-west-1:123456789012:function:{name}");
    let (plan_broadcast, deliver_page) = (arn("planBroadcast"), arn("deliverPage"));
    let shipped = broadcast(&Arns { plan_broadcast: &plan_broadcast, deliver_page: &deliver_page }).unwrap();
    for program in both() {
        let definition = properties(&program, "broadcast")["definition"].as_str().unwrap();
        let deployed = evaluate(definition, |reference| arn(&reference.root)).unwrap();
        assert_eq!(deployed, shipped);
        assert_eq!(check(&deployed), []);
    }
}

#[test]
fn functions_know_the_state_machines_arn() {
    let program = program(None);
    let name = properties(&program, "broadcast")["name"].as_str().unwrap();
    for function in ["deliver", "planBroadcast"] {
        let variables = &properties(&program, function)["environment"]["variables"];
        let arn = variables[env::STATE_MACHINE_ARN].as_str().unwrap();
        assert_eq!(arn, format!("arn:aws:states:${{region}}:${{accountId}}:stateMachine:{name}"));
    }
}

#[test]
fn addresses_are_of_their_stack() {
    let [cloud, local] = both().map(|program| program["outputs"].clone());
    assert_eq!(cloud["webSocketUrl"], "wss://${api.id}.execute-api.${region}.amazonaws.com/v1");
    assert_eq!(cloud["callbackUrl"], "https://${api.id}.execute-api.${region}.amazonaws.com/v1");
    assert_eq!(local["webSocketUrl"], "ws://127.0.0.1:4566/_aws/execute-api/${api.id}/v1");
    assert_eq!(local["callbackUrl"], "http://127.0.0.1:4566/_aws/execute-api/${api.id}/v1");
}

#[test]
fn token_key_is_never_printed() {
    let key = "a-token-key-that-nobody-may-ever-see";
    let text = render(Some(&json!({"hubbub:tokenKey": key}).to_string())).unwrap();
    assert!(!text.contains(key));
    let program: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(program["configuration"]["tokenKey"], json!({"type": "string", "secret": true}));
    assert_eq!(properties(&program, "tokenKeyParameter")["valueWo"], "${tokenKey}");
}

#[test]
fn settings_reach_the_functions() {
    let config = json!({"hubbub:inlineLimit": "5e1", "hubbub:logLevel": "debug", "aws:region": "eu-west-1"});
    let program = program(Some(&config.to_string()));
    let variables = &properties(&program, "deliver")["environment"]["variables"];
    assert_eq!(variables[env::INLINE_LIMIT], "50");
    assert_eq!(variables[env::LOG], "debug");
    assert_eq!(properties(&program, "aws")["region"], "eu-west-1");
}

/// Runs the compiler as Pulumi does, with this configuration and nothing else in the environment.
fn compile(config: Option<&str>) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hubbub-infra"));
    command.env_clear().envs(config.map(|config| ("PULUMI_CONFIG", config)));
    command.output().unwrap()
}

#[test]
fn compiler_succeeds_without_environment() {
    let output = compile(None);
    assert!(output.status.success());
    assert_eq!(serde_json::from_slice::<Value>(&output.stdout).unwrap(), program(None));
}

#[test]
fn compiler_names_the_key_of_a_bad_value() {
    let output = compile(Some(r#"{"hubbub:pageMembers": "0"}"#));
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty());
    assert_eq!(
        String::from_utf8(output.stderr).unwrap(),
        "config key `hubbub:pageMembers` is `0`, which is not a whole number from 1 to 100000 (members of a broadcast's page, \
         about)\n"
    );
}

#[test]
fn generated_files_are_up_to_date() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let check = |folder: &Path| {
        let mut compiler = Command::new(env!("CARGO_BIN_EXE_hubbub-infra"));
        compiler.env_clear().current_dir(folder).arg("--check").output().unwrap()
    };
    let output = check(&root);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let other = Path::new(env!("CARGO_TARGET_TMPDIR")).join("generated");
    for (path, text) in generated::files().unwrap() {
        let file = other.join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text.replace("256", "257")).unwrap();
    }
    let output = check(&other);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("`pulumi/Main.json`, `pulumi/stack.json`, `docs/settings.md`"), "{said}");
}

#[test]
fn outputs_are_those_of_the_list() {
    let names = |stacks: &[Stacks]| -> BTreeSet<&str> {
        outputs::ALL.iter().filter(|output| stacks.contains(&output.of)).map(|output| output.name).collect()
    };
    let everything = program(Some(
        &json!({
            "hubbub:domainName": "chat.example.com",
            "hubbub:certificateArn": "arn:aws:acm:eu-west-1:123456789012:certificate/0c1d",
        })
        .to_string(),
    ));
    let declared: BTreeSet<_> = everything["outputs"].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(declared, names(&[Stacks::All, Stacks::OnAws, Stacks::WithDomain, Stacks::WithTokenKey]));
    let local = program(Some(LOCAL));
    let declared: BTreeSet<_> = local["outputs"].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(declared, names(&[Stacks::All, Stacks::WithTokenKey]));
}

#[test]
fn public_keys_take_the_place_of_the_secret() {
    let config = r#"{"hubbub:tokenAlgorithm": "ES256", "hubbub:tokenJwksUrl": "https://example.com/jwks.json"}"#;
    let program = program(Some(config));
    let variables = &properties(&program, Function::Authorize.resource().as_str())["environment"]["variables"];
    assert_eq!(variables[env::TOKEN_ALGORITHM], "ES256");
    assert_eq!(variables[env::TOKEN_JWKS_URL], "https://example.com/jwks.json");
    assert_eq!(variables[env::TOKEN_KEY_PARAMETER], "");
    let text = program.to_string();
    assert!(!text.contains("ssm:") && !text.contains("tokenKey"), "{text}");
}

#[test]
fn access_log_is_opt_in_and_holds_no_client_data() {
    assert!(
        both().iter().all(|program| program["resources"]["stage"]["properties"].get("accessLogSettings").is_none())
    );
    let program = program(Some(r#"{"hubbub:accessLog": "true"}"#));
    let format = &program["resources"]["stage"]["properties"]["accessLogSettings"]["format"];
    let text = format.to_string();
    assert!(text.contains("$context.routeKey"), "{text}");
    for secret in ["querystring", "Querystring", "path", "header", "body", "authorizer", "sourceIp", "userAgent"] {
        assert!(!text.contains(secret), "{text}");
    }
}

#[test]
fn protected_stack_keeps_what_cannot_be_made_again() {
    let protected = |program: &Value| -> Vec<String> {
        let protected = resources(program).filter(|(_, resource)| resource["options"]["protect"] == true);
        protected.map(|(name, _)| name.to_owned()).collect()
    };
    let prod = program(Some(r#"{"hubbub:deletionProtection": "true"}"#));
    assert_eq!(protected(&prod), ["api", "deadLetterQueue", "publishQueue", "table"]);
    assert_eq!(properties(&prod, "table")["deletionProtectionEnabled"], true);
    let dev = program(Some(r#"{"hubbub:pointInTimeRecovery": "false"}"#));
    assert_eq!(protected(&dev), Vec::<String>::new());
    assert_eq!(properties(&dev, "table")["pointInTimeRecovery"]["enabled"], false);
}

#[test]
fn traced_resources_may_send_traces() {
    const PERMISSION: &str = "xray:PutTraceSegments";
    let is_traced = |program: &Value, name: &str| {
        let inputs = properties(program, name);
        inputs["tracingConfig"]["mode"] == "Active" || inputs["tracingConfiguration"]["enabled"] == true
    };
    for (program, expected) in [(program(Some(r#"{"hubbub:tracing": "true"}"#)), true), (program(None), false)] {
        let owners = Function::ALL.map(|function| function.resource().as_str().to_owned());
        for owner in owners.iter().map(String::as_str).chain(["broadcast"]) {
            let may = statements(&program, owner).iter().flat_map(actions).any(|action| action == PERMISSION);
            assert_eq!((is_traced(&program, owner), may), (expected, expected), "{owner}");
        }
    }
}

#[test]
fn publish_policy_allows_nothing_else() {
    let statements = statements(&program(None), "publish").clone();
    assert_eq!(
        statements,
        [json!({"Effect": "Allow", "Action": ["sqs:SendMessage"], "Resource": ["${publishQueue.arn}"]})]
    );
}

#[test]
fn domain_is_for_clients_and_not_for_posts() {
    let mut config = json!({
        "hubbub:domainName": "chat.example.com",
        "hubbub:certificateArn": "arn:aws:acm:eu-west-1:123456789012:certificate/0c1d",
    });
    let without_zone = program(Some(&config.to_string()));
    assert_eq!(without_zone["outputs"]["webSocketUrl"], "wss://chat.example.com");
    assert_eq!(without_zone["outputs"]["callbackUrl"], program(None)["outputs"]["callbackUrl"]);
    assert_eq!(without_zone["outputs"]["domainTarget"], "${domain.domainNameConfiguration.targetDomainName}");
    assert_eq!(of_type(&without_zone, "aws:route53:Record").count(), 0);
    config["hubbub:hostedZoneId"] = "Z0123456789ABCDEFGHIJ".into();
    let record = &program(Some(&config.to_string()))["resources"]["domainRecord"]["properties"];
    assert_eq!((&record["zoneId"], &record["name"]), (&json!("Z0123456789ABCDEFGHIJ"), &json!("chat.example.com")));
}
