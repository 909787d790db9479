//! The actions that a role's policies allow. Resources are not compared: a wrong one shows when the doctor tries the call.

use percent_encoding::percent_decode_str;
use serde_json::Value;

/// The allowed actions, and the denied ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    allowed: Vec<String>,
    denied: Vec<String>,
}

impl Policy {
    /// Adds what an answer of `iam:GetRolePolicy` allows.
    pub(super) fn read(&mut self, answer: &str) -> Result<(), String> {
        let document = elements(answer, "PolicyDocument").next().ok_or("it has no policy document")?;
        let document = percent_decode_str(document).decode_utf8().map_err(|error| error.to_string())?;
        let document: Value = serde_json::from_str(&document).map_err(|error| error.to_string())?;
        for statement in one_or_many(document.get("Statement")) {
            let actions = one_or_many(statement.get("Action"));
            let actions = actions.iter().filter_map(|action| action.as_str()).map(ToOwned::to_owned);
            match statement.get("Effect").and_then(Value::as_str) {
                Some("Allow") => self.allowed.extend(actions),
                _ => self.denied.extend(actions),
            }
        }
        Ok(())
    }

    /// Whether an action is allowed on something, and denied on nothing.
    #[must_use]
    pub fn allows(&self, action: &str) -> bool {
        let names = |pattern: &String| match pattern.strip_suffix('*') {
            Some(beginning) => action.starts_with(beginning),
            None => action == pattern,
        };
        self.allowed.iter().any(names) && !self.denied.iter().any(names)
    }
}

/// IAM may write a list of one element as the element alone.
fn one_or_many(value: Option<&Value>) -> Vec<&Value> {
    match value {
        Some(Value::Array(values)) => values.iter().collect(),
        Some(value) => vec![value],
        None => Vec::new(),
    }
}

/// The texts of all elements of this name. Names and encoded documents have no characters that XML would escape.
pub(super) fn elements<'a>(xml: &'a str, name: &str) -> impl Iterator<Item = &'a str> {
    let end = format!("</{name}>");
    let begin = format!("<{name}>");
    xml.split(&begin)
        .skip(1)
        .filter_map(move |rest| rest.split_once(&end))
        .map(|(text, _)| text)
        .collect::<Vec<_>>()
        .into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(document: &str, action: &str, expected: bool) {
        let encoded = document.replace('"', "%22").replace(' ', "%20");
        let mut policy = Policy::default();
        policy.read(&format!("<R><PolicyDocument>{encoded}</PolicyDocument></R>")).unwrap();
        assert_eq!(policy.allows(action), expected, "{document}");
    }

    #[test]
    fn action_that_a_statement_names_is_allowed() {
        let many =
            r#"{"Statement": [{"Effect": "Allow", "Action": ["sqs:SendMessage", "dynamodb:Get*"], "Resource": "*"}]}"#;
        check(many, "sqs:SendMessage", true);
        check(many, "dynamodb:GetItem", true);
        check(many, "dynamodb:PutItem", false);
        check(r#"{"Statement": {"Effect": "Allow", "Action": "sqs:SendMessage"}}"#, "sqs:SendMessage", true);
    }

    #[test]
    fn denied_action_is_not_allowed() {
        let both = r#"{"Statement": [{"Effect": "Allow", "Action": "sqs:*"}, {"Effect": "Deny", "Action": "sqs:SendMessage"}]}"#;
        check(both, "sqs:SendMessage", false);
        check(both, "sqs:ReceiveMessage", true);
    }

    #[test]
    fn answer_without_a_policy_is_refused() {
        for answer in ["", "<PolicyDocument>", "<PolicyDocument>no</PolicyDocument>"] {
            assert!(Policy::default().read(answer).is_err(), "{answer}");
        }
    }

    #[test]
    fn elements_are_found_by_name() {
        let names: Vec<&str> = elements("<a><member>x</member><member>y</member></a>", "member").collect();
        assert_eq!(names, ["x", "y"]);
    }
}
