//! Follows references: each names something that exists and has that output, and no resource waits for itself.

use std::collections::{BTreeMap, BTreeSet};

use hubbub_infra::expression::{self, Part, Reference};
use serde_json::Value;

use crate::program::{Program, Resource};
use crate::schema::{Schema, Type};
use crate::{Check, Problem, did_you_mean};

/// The outputs of `${pulumi.…}`.
const OF_PULUMI: [&str; 5] = ["cwd", "organization", "project", "rootDirectory", "stack"];

/// The problems of a program's references.
#[must_use]
pub fn check(program: &Program, schema: &Schema) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut report =
        |at: &str, message: String| problems.push(Problem { check: Check::References, at: at.to_owned(), message });
    for name in doubles(program) {
        report(name, "the name stands for two things".to_owned());
    }
    let of_resources = program.resources.iter().flat_map(|(name, resource)| {
        resource.properties.iter().map(move |(property, value)| (format!("{name}.{property}"), value))
    });
    let of_outputs = program.outputs.iter().map(|(name, value)| (format!("outputs.{name}"), value));
    for (at, value) in of_resources.chain(of_outputs) {
        for reference in expression::references(value) {
            if let Err(message) = resolve(&reference, program, schema) {
                report(&at, message);
            }
        }
    }
    for (name, value) in &program.outputs {
        for message in unreadable(value) {
            report(&format!("outputs.{name}"), message);
        }
    }
    for (name, resource) in &program.resources {
        for target in &resource.options.depends_on {
            if let Err(message) = awaited(target, program) {
                report(&format!("{name}.dependsOn"), message);
            }
        }
        for message in resource.properties.values().flat_map(in_json) {
            report(name, message);
        }
    }
    let circle: Vec<_> = circle(program).into_iter().collect();
    if !circle.is_empty() {
        report("resources", format!("there is a circle among {}", circle.join(", ")));
    }
    problems
}

/// Names that are given in more than one section.
fn doubles(program: &Program) -> Vec<&str> {
    let names = program.resources.keys().chain(program.variables.keys()).chain(program.configuration.keys());
    let mut seen = BTreeSet::new();
    names.map(String::as_str).filter(|name| !seen.insert(*name)).collect()
}

/// The errors in the strings of a value.
fn unreadable(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => expression::parse(text).err().into_iter().collect(),
        Value::Array(items) => items.iter().flat_map(unreadable).collect(),
        Value::Object(fields) => fields.values().flat_map(unreadable).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => Vec::new(),
    }
}

/// The errors in the strings of JSON texts, which the check of the schema leaves out.
fn in_json(value: &Value) -> Vec<String> {
    value.get("fn::toJSON").map(unreadable).unwrap_or_default()
}

/// The type of a reference's target.
///
/// # Errors
/// When it leads nowhere.
pub fn resolve(reference: &Reference, program: &Program, schema: &Schema) -> Result<Type, String> {
    let written = reference.written();
    match (reference.root.as_str(), reference.output.as_deref()) {
        ("pulumi", Some(output)) if OF_PULUMI.contains(&output) => Ok(Type::String),
        (root, None) if program.configuration.get(root).is_some_and(|key| key.r#type == "string") => Ok(Type::String),
        (root, None) if program.variables.contains_key(root) => {
            let invoke = program.variables.get(root).map(|variable| &variable.invoke);
            let output = invoke.and_then(|it| schema.functions.get(&it.function)?.outputs.get(&it.r#return));
            Ok(output.cloned().unwrap_or(Type::Any))
        }
        (root, None) if program.resources.contains_key(root) => {
            Err(format!("`{written}` is a whole resource, where one of its outputs is expected"))
        }
        (root, Some(output)) => output_of(root, output, program, schema).map_err(|why| format!("`{written}` {why}")),
        (root, None) => Err(format!("`{written}` leads nowhere{}", nearest(root, program))),
    }
}

fn output_of(root: &str, output: &str, program: &Program, schema: &Schema) -> Result<Type, String> {
    let resource = program.resources.get(root).ok_or_else(|| format!("leads nowhere{}", nearest(root, program)))?;
    // An unknown type is reported by the check of the shape.
    let Some(signature) = schema.resources.get(&resource.r#type) else { return Ok(Type::Any) };
    let none = |name: &str, names: Vec<&String>| {
        let hint = did_you_mean(name, names.into_iter().map(String::as_str));
        format!("asks for an output that `{}` doesn't have{hint}", resource.r#type)
    };
    let (output, inner) = output.split_once('.').map_or((output, None), |(output, inner)| (output, Some(inner)));
    let found = signature.outputs.get(output).ok_or_else(|| none(output, signature.outputs.keys().collect()))?;
    // The provider's types say what is in an object only where it goes in.
    let object = signature.inputs.get(output).and_then(|input| match &input.r#type {
        Type::Object(name) => schema.types.get(name),
        _ => None,
    });
    match (inner, object) {
        (None, _) => Ok(found.clone()),
        (Some(inner), Some(fields)) => {
            fields.get(inner).map(|field| field.r#type.clone()).ok_or_else(|| none(inner, fields.keys().collect()))
        }
        (Some(inner), None) => Err(none(inner, Vec::new())),
    }
}

fn nearest(root: &str, program: &Program) -> String {
    let names = program.resources.keys().chain(program.variables.keys()).chain(program.configuration.keys());
    did_you_mean(root, names.map(String::as_str))
}

/// The resource that an entry of `dependsOn` waits for.
fn awaited<'a>(target: &str, program: &'a Program) -> Result<&'a str, String> {
    match expression::parse(target)?.as_slice() {
        [Part::Reference(Reference { root, output: None })] => {
            let found = program.resources.get_key_value(root);
            found
                .map(|(name, _)| name.as_str())
                .ok_or_else(|| format!("`{target}` leads nowhere{}", nearest(root, program)))
        }
        _ => Err(format!("`{target}` is not a resource")),
    }
}

/// The resources that must be made before a resource.
#[must_use]
pub fn needs<'a>(resource: &Resource, program: &'a Program) -> BTreeSet<&'a str> {
    let referred = resource.properties.values().flat_map(expression::references).map(|reference| reference.root);
    let referred = referred.filter_map(|root| program.resources.get_key_value(&root)).map(|(name, _)| name.as_str());
    let waited = resource.options.depends_on.iter().filter_map(|target| awaited(target, program).ok());
    referred.chain(waited).collect()
}

/// The resources that can't be made in any order: those in a circle, and those that wait for them.
fn circle(program: &Program) -> BTreeSet<&str> {
    let mut waiting: BTreeMap<&str, BTreeSet<&str>> =
        program.resources.iter().map(|(name, resource)| (name.as_str(), needs(resource, program))).collect();
    loop {
        let is_ready = |needs: &BTreeSet<&str>| needs.iter().all(|need| !waiting.contains_key(need));
        let ready: Vec<&str> = waiting.iter().filter(|(_, needs)| is_ready(needs)).map(|(name, _)| *name).collect();
        if ready.is_empty() {
            return waiting.into_keys().collect();
        }
        waiting.retain(|name, _| !ready.contains(name));
    }
}
