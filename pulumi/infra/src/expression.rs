//! Reads a printed string as Pulumi does: text, with `$$` as `$`, and references. [`crate::model`] writes such strings; this module reads
//! them for the checks.

use serde_json::Value;

/// A part of a string.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// Text, without escapes.
    Text(String),
    /// What `${…}` holds.
    Reference(Reference),
}

/// A reference: a name and, mostly, one of the outputs of what has that name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reference {
    /// The name.
    pub root: String,
    /// The output.
    pub output: Option<String>,
}

impl Reference {
    fn parse(target: &str) -> Self {
        match target.split_once('.') {
            None => Self { root: target.to_owned(), output: None },
            Some((root, output)) => Self { root: root.to_owned(), output: Some(output.to_owned()) },
        }
    }

    /// As it is written.
    #[must_use]
    pub fn written(&self) -> String {
        match &self.output {
            None => format!("${{{}}}", self.root),
            Some(output) => format!("${{{}.{output}}}", self.root),
        }
    }
}

/// Reads a string. Neighbouring parts are never both text.
///
/// # Errors
/// When a `$` stands alone, which Pulumi lets pass and which is a forgotten escape, or a reference has no end.
pub fn parse(text: &str) -> Result<Vec<Part>, String> {
    let (mut parts, mut literal, mut rest) = (Vec::new(), String::new(), text);
    while let Some((before, after)) = rest.split_once('$') {
        literal.push_str(before);
        if let Some(reference) = after.strip_prefix('{') {
            let (target, following) =
                reference.split_once('}').ok_or_else(|| format!("the reference at `{reference}` has no end"))?;
            if !literal.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut literal)));
            }
            parts.push(Part::Reference(Reference::parse(target)));
            rest = following;
        } else {
            literal.push('$');
            rest = after.strip_prefix('$').ok_or_else(|| format!("a `$` before `{after}` is not escaped"))?;
        }
    }
    literal.push_str(rest);
    if !literal.is_empty() {
        parts.push(Part::Text(literal));
    }
    Ok(parts)
}

/// A string with its references replaced.
///
/// # Errors
/// As [`parse`].
pub fn evaluate(text: &str, resolve: impl Fn(&Reference) -> String) -> Result<String, String> {
    let parts = parse(text)?.into_iter().map(|part| match part {
        Part::Text(text) => text,
        Part::Reference(reference) => resolve(&reference),
    });
    Ok(parts.collect())
}

/// All references in a value, in its strings at any depth. What can't be read has none.
#[must_use]
pub fn references(value: &Value) -> Vec<Reference> {
    match value {
        Value::String(text) => {
            let references = parse(text).unwrap_or_default().into_iter().filter_map(|part| match part {
                Part::Reference(reference) => Some(reference),
                Part::Text(_) => None,
            });
            references.collect()
        }
        Value::Array(items) => items.iter().flat_map(references).collect(),
        Value::Object(fields) => fields.values().flat_map(references).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn braces_are_references_unless_escaped() {
        let reference = Reference { root: "table".to_owned(), output: Some("arn".to_owned()) };
        let expected = [Part::Text("$a/${b}/".to_owned()), Part::Reference(reference), Part::Text("/$$".to_owned())];
        assert_eq!(parse("$$a/$${b}/${table.arn}/$$$$").unwrap(), expected);
    }

    #[test]
    fn lone_dollar_and_open_brace_are_refused() {
        assert_eq!(parse("$request.body").unwrap_err(), "a `$` before `request.body` is not escaped");
        assert_eq!(parse("${table").unwrap_err(), "the reference at `table` has no end");
    }
}
