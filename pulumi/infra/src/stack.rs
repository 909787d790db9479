//! `pulumi/stack.json`: what tools that are not written in Rust need to know of a stack.

use hubbub_core::names::table;
use serde::Serialize;

use crate::functions::{BINARY, Function, ZIP};
use crate::settings::{Domain, Settings};
use crate::{ProgramError, program};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Stack {
    /// The binary of all functions, and its zip.
    binary: &'static str,
    zip: &'static str,
    /// The functions' names. In an account, a function is `hubbub-STACK-NAME`.
    functions: [&'static str; Function::ALL.len()],
    /// The stack's outputs. Some stacks don't have all of them.
    outputs: Vec<&'static str>,
    table: Table,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Table {
    partition_key: &'static str,
    sort_key: &'static str,
    ttl: &'static str,
}

/// The file's text.
///
/// # Errors
/// As [`program`].
pub fn json() -> Result<String, ProgramError> {
    // With a domain, so that every output is there.
    let domain = Domain { name: String::new(), certificate_arn: String::new(), hosted_zone_id: None };
    let mut settings = Settings::default();
    settings.domain = Some(domain);
    let stack = Stack {
        binary: BINARY,
        zip: ZIP,
        functions: Function::ALL.map(Function::name),
        outputs: program(&settings)?.outputs.into_keys().collect(),
        table: Table { partition_key: table::PARTITION_KEY, sort_key: table::SORT_KEY, ttl: table::TTL },
    };
    Ok(serde_json::to_string_pretty(&stack)? + "\n")
}
