//! Prints a program as one in TypeScript that asks for the same, for the compiler's types and for Pulumi's mocks.
//!
//! It says what the program says: what the program gets wrong, this gets wrong too, and the compiler finds it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::Value;

use crate::program::{Program, Resource};
use crate::references;
use crate::text::{self, Part, Reference};

/// The program in TypeScript: a module that exports `outputs`.
///
/// # Errors
/// When a string can't be read. What leads nowhere is printed as it is.
pub fn print(program: &Program) -> Result<String, String> {
    let classes = classes(program);
    let provider = program.resources.iter().find(|(_, resource)| resource.default_provider);
    let provider = provider.map(|(name, _)| name.as_str());
    let mut printer = Printer { program, out: String::new() };
    printer.line("import * as pulumi from \"@pulumi/pulumi\";");
    for (kind, class) in &classes {
        let Class { name, file, alias } = class;
        printer.line(&format!("import {{ {name} as {alias} }} from \"@pulumi/aws/{file}\"; // {kind}"));
    }
    for variable in program.variables.values() {
        let function = function_name(&variable.invoke.function);
        printer.line(&format!("import {{ {function}Output }} from \"@pulumi/aws/{function}\";"));
    }
    for (name, key) in &program.configuration {
        let get = if key.secret { "requireSecret" } else { "require" };
        printer.line(&format!("const {name} = new pulumi.Config().{get}({});", quoted(name)));
    }
    // A circle is printed too: the compiler finds a use before the declaration.
    let order = references::order(program).unwrap_or_else(|_| program.resources.keys().map(String::as_str).collect());
    let (providers, others): (Vec<_>, Vec<_>) = order.into_iter().partition(|name| Some(*name) == provider);
    for name in providers {
        printer.resource(name, &classes, None)?;
    }
    for (name, variable) in &program.variables {
        let (function, output) = (function_name(&variable.invoke.function), &variable.invoke.r#return);
        let options = provider.map(|provider| format!("{{ provider: {provider} }}")).unwrap_or_default();
        printer.line(&format!("const {name} = {function}Output({{}}, {options}).{output};"));
    }
    for name in others {
        printer.resource(name, &classes, provider)?;
    }
    let outputs = program.outputs.iter().map(|(name, value)| Ok(format!("{}: {}", quoted(name), expression(value)?)));
    let outputs = outputs.collect::<Result<Vec<_>, String>>()?;
    printer.line(&format!("export const outputs = {{ {} }};", outputs.join(", ")));
    Ok(printer.out)
}

/// What a type of resource is in TypeScript.
struct Class {
    name: String,
    file: String,
    alias: String,
}

fn classes(program: &Program) -> BTreeMap<&str, Class> {
    let kinds = program.resources.values().map(|resource| resource.r#type.as_str());
    kinds.map(|kind| (kind, Class::of(kind))).collect()
}

impl Class {
    fn of(kind: &str) -> Self {
        match kind.split(':').collect::<Vec<_>>().as_slice() {
            ["aws", module, name] => {
                let file = format!("{module}/{}", with_first(name, char::to_ascii_lowercase));
                let alias = format!("{}{name}", with_first(module, char::to_ascii_uppercase));
                Self { name: (*name).to_owned(), file, alias }
            }
            _ => Self { name: "Provider".to_owned(), file: "provider".to_owned(), alias: "Provider".to_owned() },
        }
    }
}

struct Printer<'a> {
    program: &'a Program,
    out: String,
}

impl Printer<'_> {
    fn line(&mut self, line: &str) {
        self.out.push_str(line);
        self.out.push('\n');
    }

    fn resource(&mut self, name: &str, classes: &BTreeMap<&str, Class>, provider: Option<&str>) -> Result<(), String> {
        let Some(resource) = self.program.resources.get(name) else { return Ok(()) };
        let class = classes.get(resource.r#type.as_str()).map_or("", |class| class.alias.as_str());
        let mut line = format!("const {name} = new {class}({}, {{", quoted(name));
        for (property, value) in &resource.properties {
            let _ = write!(line, "\n    {}: {},", quoted(property), expression(value)?);
        }
        let _ = write!(line, "\n}}, {{ {} }});", options(resource, provider)?.join(", "));
        self.line(&line);
        Ok(())
    }
}

fn options(resource: &Resource, provider: Option<&str>) -> Result<Vec<String>, String> {
    let version = resource.options.version.iter().map(|version| Ok(format!("version: {}", quoted(version))));
    let provider = provider.iter().map(|provider| Ok(format!("provider: {provider}")));
    let protect = resource.options.protect.then(|| Ok("protect: true".to_owned()));
    let awaited = resource.options.depends_on.iter().map(|target| string(target));
    let awaited = awaited.collect::<Result<Vec<_>, _>>()?;
    let awaited = Ok(format!("dependsOn: [{}]", awaited.join(", ")));
    version.chain(provider).chain(protect).chain([awaited]).collect()
}

fn expression(value: &Value) -> Result<String, String> {
    match value {
        Value::String(text) => string(text),
        Value::Array(items) => {
            let items = items.iter().map(expression).collect::<Result<Vec<_>, _>>()?;
            Ok(format!("[{}]", items.join(", ")))
        }
        Value::Object(fields) => match (fields.get("fn::toJSON"), fields.get("fn::fileArchive")) {
            (Some(value), _) => Ok(format!("pulumi.jsonStringify({})", expression(value)?)),
            (_, Some(path)) => Ok(format!("new pulumi.asset.FileArchive({})", expression(path)?)),
            _ => {
                let fields = fields.iter().map(|(name, value)| Ok(format!("{}: {}", quoted(name), expression(value)?)));
                Ok(format!("{{ {} }}", fields.collect::<Result<Vec<_>, String>>()?.join(", ")))
            }
        },
        Value::Null | Value::Bool(_) | Value::Number(_) => Ok(value.to_string()),
    }
}

fn string(text: &str) -> Result<String, String> {
    let parts = text::parse(text)?;
    Ok(match parts.as_slice() {
        [] => quoted(""),
        [Part::Text(text)] => quoted(text),
        [Part::Reference(reference)] => target(reference),
        parts => {
            let parts = parts.iter().map(|part| match part {
                Part::Text(text) => text.replace('\\', "\\\\").replace('`', "\\`").replace('$', "\\$"),
                Part::Reference(reference) => format!("${{{}}}", target(reference)),
            });
            format!("pulumi.interpolate`{}`", parts.collect::<String>())
        }
    })
}

fn target(reference: &Reference) -> String {
    match (reference.root.as_str(), reference.output.as_deref()) {
        ("pulumi", Some("stack")) => "pulumi.getStack()".to_owned(),
        ("pulumi", Some("project")) => "pulumi.getProject()".to_owned(),
        (root, None) => root.to_owned(),
        (root, Some(output)) => format!("{root}.{output}"),
    }
}

fn function_name(function: &str) -> &str {
    function.rsplit(':').next().unwrap_or(function)
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

fn with_first(text: &str, change: fn(&char) -> char) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| change(&first)).into_iter().chain(letters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_around_references_is_escaped_for_a_template() {
        assert_eq!(string("$${a}`\\${b.c}").unwrap(), "pulumi.interpolate`\\${a}\\`\\\\${b.c}`");
        assert_eq!(string("$$default").unwrap(), "\"$default\"");
        assert_eq!(string("${b.c}").unwrap(), "b.c");
    }
}
