//! Compares a program with the provider's schema: types, properties, values, and the answers of functions.

use std::collections::BTreeMap;

use hubbub_infra::expression::{self, Part};
use serde_json::Value;

use crate::program::{Program, Resource};
use crate::schema::{Input, Schema, Type};
use crate::{Check, Problem, did_you_mean, references};

/// The problems of a program's shape.
#[must_use]
pub fn check(program: &Program, schema: &Schema) -> Vec<Problem> {
    let mut checker = Checker { program, schema, problems: Vec::new() };
    for (name, resource) in &program.resources {
        checker.resource(name, resource);
    }
    for (name, variable) in &program.variables {
        checker.invoke(name, &variable.invoke.function, &variable.invoke.r#return);
    }
    checker.provider();
    checker.problems
}

struct Checker<'a> {
    program: &'a Program,
    schema: &'a Schema,
    problems: Vec<Problem>,
}

impl Checker<'_> {
    fn report(&mut self, at: &str, message: impl Into<String>) {
        self.problems.push(Problem { check: Check::Shape, at: at.to_owned(), message: message.into() });
    }

    fn resource(&mut self, name: &str, resource: &Resource) {
        let schema = self.schema;
        match schema.resources.get(&resource.r#type) {
            Some(signature) => {
                self.properties(name, &resource.r#type, &signature.inputs, &resource.properties);
            }
            None => {
                let hint = did_you_mean(&resource.r#type, schema.resources.keys().map(String::as_str));
                self.report(name, format!("the type `{}` is unknown{hint}", resource.r#type));
            }
        }
    }

    fn invoke(&mut self, name: &str, function: &str, output: &str) {
        let schema = self.schema;
        match schema.functions.get(function) {
            Some(signature) if signature.outputs.contains_key(output) => {}
            Some(signature) => {
                let hint = did_you_mean(output, signature.outputs.keys().map(String::as_str));
                self.report(name, format!("`{function}` answers no `{output}`{hint}"));
            }
            None => {
                let hint = did_you_mean(function, schema.functions.keys().map(String::as_str));
                self.report(name, format!("the function `{function}` is unknown{hint}"));
            }
        }
    }

    /// There is one provider, the default, in the schema's version. Without a version, Pulumi takes any that it finds.
    fn provider(&mut self) {
        let expected = &self.schema.version;
        let providers: Vec<_> =
            self.program.resources.iter().filter(|(_, it)| it.r#type.starts_with("pulumi:providers:")).collect();
        let is_pinned = matches!(providers.as_slice(), [(_, provider)]
            if provider.default_provider && provider.options.version.as_ref() == Some(expected));
        if !is_pinned {
            let message = format!("one default provider in version {expected} is expected");
            self.report("resources", message);
        }
        let others = self.program.resources.iter().filter(|(_, it)| !it.r#type.starts_with("pulumi:providers:"));
        for (name, resource) in others {
            if resource.default_provider || resource.options.version.is_some() {
                self.report(name, "only the provider is a default and has a version");
            }
        }
    }

    fn properties<'v>(
        &mut self,
        at: &str,
        owner: &str,
        known: &BTreeMap<String, Input>,
        given: impl IntoIterator<Item = (&'v String, &'v Value)>,
    ) {
        let given: BTreeMap<_, _> = given.into_iter().collect();
        for (name, value) in &given {
            let at = format!("{at}.{name}");
            match known.get(*name) {
                Some(input) => self.value(&at, &input.r#type, value),
                None => {
                    let hint = did_you_mean(name, known.keys().map(String::as_str));
                    self.report(&at, format!("`{owner}` has no such property{hint}"));
                }
            }
        }
        for (name, input) in known.iter().filter(|(_, input)| input.required) {
            if !given.contains_key(name) {
                self.report(&format!("{at}.{name}"), format!("is missing; `{owner}` needs {} there", input.r#type));
            }
        }
    }

    fn value(&mut self, at: &str, expected: &Type, value: &Value) {
        match (expected, value) {
            (_, Value::String(text)) => self.text(at, expected, text),
            (Type::Any, _) | (Type::Number, Value::Number(_)) | (Type::Boolean, Value::Bool(_)) => {}
            (Type::List(item), Value::Array(items)) => {
                for (index, value) in items.iter().enumerate() {
                    self.value(&format!("{at}.{index}"), item, value);
                }
            }
            (_, Value::Object(fields)) if fields.keys().any(|name| name.starts_with("fn::")) => {
                self.call(at, expected, fields);
            }
            (Type::Map(item), Value::Object(fields)) => {
                for (name, value) in fields {
                    self.value(&format!("{at}.{name}"), item, value);
                }
            }
            (Type::Object(name), Value::Object(fields)) => match self.schema.types.get(name) {
                Some(known) => {
                    self.properties(at, name, known, fields);
                }
                None => self.report(at, format!("the schema lacks the type `{name}`")),
            },
            _ => self.report(at, format!("is `{value}` where {expected} is expected")),
        }
    }

    fn text(&mut self, at: &str, expected: &Type, text: &str) {
        let parts = match expression::parse(text) {
            Ok(parts) => parts,
            Err(message) => return self.report(at, message),
        };
        match (parts.as_slice(), expected) {
            // What leads nowhere is reported by the check of the references.
            ([Part::Reference(reference)], _) => {
                if let Ok(found) = references::resolve(reference, self.program, self.schema)
                    && !expected.takes(&found)
                {
                    self.report(at, format!("is `{text}`, {found}, where {expected} is expected"));
                }
            }
            ([Part::Text(word)], Type::Enum(name)) => {
                let words = self.schema.enums.get(name).map_or(&[][..], Vec::as_slice);
                if !words.contains(word) {
                    let hint = did_you_mean(word, words.iter().map(String::as_str));
                    self.report(at, format!("is `{word}`, which `{name}` doesn't have{hint}"));
                }
            }
            _ if expected.takes(&Type::String) => {}
            _ => self.report(at, format!("is a string where {expected} is expected")),
        }
    }

    fn call(&mut self, at: &str, expected: &Type, call: &serde_json::Map<String, Value>) {
        let mut entries = call.iter();
        let found = match (entries.next(), entries.next()) {
            (Some((function, _)), None) if function == "fn::toJSON" => Type::String,
            (Some((function, Value::String(_))), None) if function == "fn::fileArchive" => Type::Archive,
            _ => return self.report(at, "only `fn::toJSON` and `fn::fileArchive` may stand here, each alone"),
        };
        if !expected.takes(&found) {
            self.report(at, format!("is {found} where {expected} is expected"));
        }
    }
}
