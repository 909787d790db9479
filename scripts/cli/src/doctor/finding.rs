//! What a check finds.

use std::fmt::Display;

use serde::Serialize;

/// A check and what it has found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    /// What was looked at.
    pub(super) check: String,
    #[serde(flatten)]
    pub(super) outcome: Outcome,
}

/// How it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub(super) enum Outcome {
    /// As it should be.
    Ok {
        /// What there is.
        found: String,
    },
    /// Wrong.
    Fault {
        /// What is wrong.
        found: String,
        /// Where it is so.
        place: String,
        /// What to do.
        remedy: String,
    },
    /// Not known.
    Skipped {
        /// Why, and how to look it up.
        found: String,
    },
}

impl Finding {
    pub(super) fn ok(check: impl Into<String>, found: impl Into<String>) -> Self {
        Self { check: check.into(), outcome: Outcome::Ok { found: found.into() } }
    }

    pub(super) fn skipped(check: impl Into<String>, found: impl Into<String>) -> Self {
        Self { check: check.into(), outcome: Outcome::Skipped { found: found.into() } }
    }

    pub(super) fn fault(
        check: impl Into<String>,
        found: impl Into<String>,
        place: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        let outcome = Outcome::Fault { found: found.into(), place: place.into(), remedy: remedy.into() };
        Self { check: check.into(), outcome }
    }

    /// What is to be looked at can't be asked about: the operator may not, or it isn't reachable.
    pub(super) fn unasked(check: impl Into<String>, place: impl Into<String>, error: impl Display) -> Self {
        let remedy = "see that your own credentials allow the action that the error begins with, and that the service is reachable";
        Self::fault(check, format!("it can't be asked: {error}"), place, remedy)
    }

    pub(super) const fn is_fault(&self) -> bool {
        matches!(self.outcome, Outcome::Fault { .. })
    }
}
