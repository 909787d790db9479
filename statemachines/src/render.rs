//! Fills a definition's placeholders.
//!
//! The result comes in pieces where the values are more than text: the Pulumi program has references to put in, and must
//! escape the text around them but not the references.

use std::collections::{BTreeMap, BTreeSet};

use thiserror::Error;

use crate::BROADCAST;

/// What the broadcast state machine calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arns<T> {
    /// The ARN of `plan-broadcast`.
    pub plan_broadcast: T,
    /// The ARN of `deliver-page`.
    pub deliver_page: T,
}

/// A part of a filled definition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece<'a, T> {
    /// Text of the definition, as it stands.
    Text(&'a str),
    /// The value that takes a placeholder's place.
    Value(T),
}

/// Why a definition can't be filled.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RenderError {
    /// The definition has a placeholder that no value is given for.
    #[error("no value is given for the placeholder `{0}`")]
    Unknown(String),
    /// A value is given that the definition has no placeholder for.
    #[error("the definition has no placeholder `{0}`")]
    Missing(String),
    /// A placeholder has no closing brace.
    #[error("the placeholder at `{0}` is not closed")]
    Unclosed(String),
}

/// The broadcast state machine in pieces, with the ARNs in their places.
///
/// # Errors
/// When the definition's placeholders are not exactly those that [`Arns`] has a value for.
pub fn broadcast_pieces<T: Clone>(arns: &Arns<T>) -> Result<Vec<Piece<'static, T>>, RenderError> {
    fill(
        BROADCAST,
        &BTreeMap::from([
            ("PlanBroadcastArn", arns.plan_broadcast.clone()),
            ("DeliverPageArn", arns.deliver_page.clone()),
        ]),
    )
}

/// The broadcast state machine as text, with the ARNs in their places.
///
/// An ARN goes in as it is, and may itself be a reference such as `${deliverPage.arn}`.
///
/// # Errors
/// As [`broadcast_pieces`].
pub fn broadcast(arns: &Arns<&str>) -> Result<String, RenderError> {
    let pieces = broadcast_pieces(arns)?;
    Ok(pieces
        .into_iter()
        .map(|piece| match piece {
            Piece::Text(text) | Piece::Value(text) => text,
        })
        .collect())
}

/// Splits a definition at its placeholders and puts the values there.
///
/// # Errors
/// When a placeholder has no value, a value has no placeholder, or a placeholder has no end.
pub fn fill<'a, T: Clone>(definition: &'a str, values: &BTreeMap<&str, T>) -> Result<Vec<Piece<'a, T>>, RenderError> {
    let mut unused: BTreeSet<&str> = values.keys().copied().collect();
    let mut pieces = Vec::new();
    let mut rest = definition;
    while let Some((before, after)) = rest.split_once("${") {
        let (name, following) =
            after.split_once('}').ok_or_else(|| RenderError::Unclosed(after.chars().take(30).collect()))?;
        let value = values.get(name).ok_or_else(|| RenderError::Unknown(name.to_owned()))?;
        unused.remove(name);
        pieces.push(Piece::Text(before));
        pieces.push(Piece::Value(value.clone()));
        rest = following;
    }
    pieces.push(Piece::Text(rest));
    match unused.first() {
        Some(name) => Err(RenderError::Missing((*name).to_owned())),
        None => Ok(pieces),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check;

    const ARNS: Arns<&str> = Arns {
        plan_broadcast: "arn:aws:lambda:eu-west-1:123456789012:function:plan",
        deliver_page: "arn:aws:lambda:eu-west-1:123456789012:function:page",
    };

    fn fill_one(definition: &str) -> Result<Vec<Piece<'_, u8>>, RenderError> {
        fill(definition, &BTreeMap::from([("A", 1)]))
    }

    #[test]
    fn rendered_broadcast_has_arns_and_no_placeholder() {
        let text = broadcast(&ARNS).unwrap();
        assert!(!text.contains("${"));
        assert_eq!(text.matches(ARNS.plan_broadcast).count(), 1);
        assert_eq!(text.matches(ARNS.deliver_page).count(), 1);
        assert_eq!(check(&text), []);
    }

    #[test]
    fn value_may_be_a_reference() {
        let text = broadcast(&Arns { plan_broadcast: "${planBroadcast.arn}", deliver_page: "${deliverPage.arn}" });
        assert!(text.unwrap().contains(r#""FunctionName": "${deliverPage.arn}""#));
    }

    #[test]
    fn every_placeholder_is_replaced() {
        assert_eq!(
            fill_one("${A}-${A}").unwrap(),
            [Piece::Text(""), Piece::Value(1), Piece::Text("-"), Piece::Value(1), Piece::Text("")]
        );
    }

    #[test]
    fn placeholder_without_value_is_an_error() {
        let error = fill_one("${A} ${B}").unwrap_err();
        assert_eq!(error.to_string(), "no value is given for the placeholder `B`");
    }

    #[test]
    fn value_without_placeholder_is_an_error() {
        let error = fill_one("nothing here").unwrap_err();
        assert_eq!(error.to_string(), "the definition has no placeholder `A`");
    }

    #[test]
    fn placeholder_without_end_is_an_error() {
        let error = fill_one("${A} then ${A").unwrap_err();
        assert_eq!(error.to_string(), "the placeholder at `A` is not closed");
    }
}
