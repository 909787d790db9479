//! Checks the Pulumi program as far as it goes without Pulumi and without an account.
//!
//! A check reads the printed JSON, as Pulumi does, and not the types that it was made from. [`shape`] compares it with the provider's schema,
//! [`references`] follows the references, and [`rules`] knows the rest: which ARN goes where, which resource waits for which, and what a
//! working stack needs. [`faults`] breaks a program on purpose, to show that each fault is found.

pub mod faults;
pub mod program;
pub mod references;
pub mod rules;
pub mod schema;
pub mod shape;
pub mod variants;

use serde_json::Value;

use crate::program::Program;
use crate::schema::Schema;

/// Which check found a problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Check {
    /// The program isn't one: a section or an option that Pulumi doesn't know.
    Program,
    /// A type, a property or a value that isn't in the provider's schema.
    Shape,
    /// A reference that leads nowhere, or in a circle.
    References,
    /// A reference to something of the wrong kind.
    Targets,
    /// A word that AWS doesn't know there.
    Words,
    /// Something that is made before what it needs.
    Waiting,
    /// A stack that would deploy and not work.
    Invariants,
}

/// Something that is wrong with a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Which check found it.
    pub check: Check,
    /// Where: the resource and the property, with dots between.
    pub at: String,
    /// What is wrong, and what is expected.
    pub message: String,
}

/// All problems of a program; none for one that can be previewed.
#[must_use]
pub fn check(program: &Value, schema: &Schema) -> Vec<Problem> {
    let program = match Program::read(program) {
        Ok(program) => program,
        Err(message) => return vec![Problem { check: Check::Program, at: "program".to_owned(), message }],
    };
    let mut problems = shape::check(&program, schema);
    problems.extend(references::check(&program, schema));
    problems.extend(rules::check(&program));
    problems
}

/// A hint at the nearest known name, to put after a message about an unknown one.
fn did_you_mean<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let near = known.into_iter().map(|known| (strsim::damerau_levenshtein(name, known), known));
    match near.min().filter(|(distance, _)| *distance <= 1 + name.len() / 3) {
        Some((_, known)) => format!("; did you mean `{known}`?"),
        None => String::new(),
    }
}
