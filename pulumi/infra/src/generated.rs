//! The files that are made from the program and its tables, and committed: for operators without Rust, for readers, and for Python and
//! JavaScript.

use std::fmt::Write as _;

use hubbub_core::names::outputs;
use hubbub_core::names::outputs::Stacks;
use hubbub_core::names::table;
use hubbub_core::settings::Row;
use serde_json::{Value, json};

use crate::functions::{BINARY, Function, InProgram, ZIP};
use crate::{ProgramError, render, settings};

/// The files, by their paths from the repository's folder, with what has to be in them.
///
/// # Errors
/// When there is no program.
pub fn files() -> Result<[(&'static str, String); 3], ProgramError> {
    Ok([
        ("pulumi/Main.json", format!("{}\n", render(None)?)),
        ("pulumi/stack.json", format!("{}\n", serde_json::to_string_pretty(&stack())?)),
        ("docs/settings.md", settings_page()),
    ])
}

/// The lists that other languages read: the functions, the outputs, the settings and the names in the table.
#[must_use]
pub fn stack() -> Value {
    let functions = Function::ALL.map(|function| {
        json!({
            "name": function.name(),
            "resource": function.resource().as_str(),
            "variables": function.variables(),
        })
    });
    let outputs = outputs::ALL.iter().map(|output| {
        let of = match output.of {
            Stacks::All => "all",
            Stacks::OnAws => "onAws",
            Stacks::Local => "local",
            Stacks::WithDomain => "withDomain",
            Stacks::WithTokenKey => "withTokenKey",
        };
        json!({"name": output.name, "meaning": output.meaning, "of": of})
    });
    let settings = settings::rows().into_iter().map(|row| {
        json!({
            "key": row.key,
            "variable": Some(row.variable).filter(|variable| !variable.is_empty()),
            "meaning": row.meaning,
            "allowed": row.allowed,
            "range": row.range.clone().map(|range| [*range.start(), *range.end()]),
            "default": Some(&row.default).filter(|default| !default.is_empty()),
            "readBy": readers(&row),
        })
    });
    let names = |names: &[(&str, &str)]| {
        names.iter().map(|(name, text)| (camel(name), Value::from(*text))).collect::<serde_json::Map<_, _>>()
    };
    json!({
        "binary": BINARY,
        "zip": ZIP,
        "functions": functions,
        "outputs": outputs.collect::<Value>(),
        "settings": settings.collect::<Value>(),
        "tableKeys": {
            "partition": table::PARTITION_KEY,
            "sort": table::SORT_KEY,
            "ttl": table::TTL,
            "self": table::SELF,
            "prefixes": names(table::prefix::ALL),
            "attributes": names(table::attribute::ALL),
        },
    })
}

/// `leaseUntil` for `LEASE_UNTIL`.
fn camel(constant: &str) -> String {
    let mut words = constant.split('_').map(str::to_lowercase);
    let first = words.next().unwrap_or_default();
    words.fold(first, |name, word| {
        let (initial, rest) = word.split_at(word.len().min(1));
        name + &initial.to_uppercase() + rest
    })
}

/// The functions that read a setting.
fn readers(row: &Row) -> Vec<&'static str> {
    let reads = |function: &Function| {
        row.variable == hubbub_core::names::env::LOG || function.variables().contains(&row.variable)
    };
    Function::ALL.into_iter().filter(reads).map(Function::name).collect()
}

fn settings_page() -> String {
    let mut page = PREFACE.to_owned();
    for row in settings::rows() {
        let default = match row.default.as_str() {
            "" => "–".to_owned(),
            default => format!("`{default}`"),
        };
        let readers = match readers(&row).as_slice() {
            [] => "–".to_owned(),
            readers if readers.len() == Function::ALL.len() => "all".to_owned(),
            readers => readers.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "),
        };
        let _ = writeln!(page, "| `{}` | {} | {} | {default} | {readers} |", row.key, row.meaning, row.allowed);
    }
    page
}

const PREFACE: &str = "\
# Settings

An operator sets these with `pulumi config set KEY VALUE` in [`pulumi/`](../pulumi). An unknown key or a value that isn't allowed stops the preview
with an error that names the key, the value and the allowed values. Start from [`Pulumi.dev.yaml`](../pulumi/Pulumi.dev.yaml) or
[`Pulumi.prod.yaml`](../pulumi/Pulumi.prod.yaml). For rooms of a given size, `hubbub plan` suggests values ([command-line.md](command-line.md)).

`aws:region` and `aws:profile` say where to deploy, and with which credentials.

Look at `callbackRps` first. API Gateway allows most accounts 10,000 requests a second in a Region, and 8,000 is four fifths of that. Set it lower in
Regions that allow 2,500, or where other APIs share the account; set it higher when AWS has raised your quota. The number and the speed of the
senders follow from it. `deliver-page` reserves concurrency: 8 of the account's 1,000 by default. An account with a quota of 10 can't deploy it
before AWS raises the quota.

The last column names the functions that read a setting; with `–`, only the program does. This page is generated from the settings' tables:
[lambdas/core/src/settings.rs](../lambdas/core/src/settings.rs) for the functions, and
[pulumi/infra/src/settings/table.rs](../pulumi/infra/src/settings/table.rs) for the rest. `cargo run -q -p hubbub-infra -- --write` writes it.

| key | meaning | allowed | default | read by |
|---|---|---|---|---|
";
