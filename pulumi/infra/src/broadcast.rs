//! The broadcast state machine, its role and its policy.

use hubbub_statemachines::{Arns, Piece, RenderError, broadcast_pieces};

use crate::functions::{Function, InProgram};
use crate::model::{Name, Program, Resource, Text, Value};
use crate::settings::Settings;
use crate::{names, policies};

/// The end of the state machine's name.
pub const NAME: &str = "broadcast";

pub const BROADCAST: Name = Name::of("broadcast");

/// Declares the state machine.
///
/// # Errors
/// When the definition's placeholders are not those that there is a value for.
pub fn declare(program: &mut Program, settings: &Settings) -> Result<(), RenderError> {
    let name = names::of_stack(NAME);
    let (role, policy) = (BROADCAST.with("Role"), BROADCAST.with("Policy"));
    program.add(&role, policies::role(name.clone(), "states.amazonaws.com"));
    program.add(&policy, policies::policy(name.clone(), &role, policies::of_broadcast(settings)));
    // Standard: a start by name is idempotent, which Express doesn't have.
    let mut state_machine = Resource::new("aws:sfn:StateMachine")
        .with("name", name)
        .with("type", "STANDARD")
        .with("roleArn", role.get("arn"))
        .with("definition", definition()?)
        .after(&policy);
    if settings.tracing {
        state_machine = state_machine.with("tracingConfiguration", Value::map([("enabled", true)]));
    }
    program.add(&BROADCAST, state_machine);
    Ok(())
}

/// The committed definition, with references in the placeholders' places.
///
/// # Errors
/// As [`declare`].
pub fn definition() -> Result<Text, RenderError> {
    let pieces = broadcast_pieces(&Arns {
        plan_broadcast: Function::PlanBroadcast.resource().get("arn"),
        deliver_page: Function::DeliverPage.resource().get("arn"),
    })?;
    Ok(pieces.into_iter().fold(Text::default(), |definition, piece| match piece {
        Piece::Text(text) => definition.then(text),
        Piece::Value(arn) => definition.then(arn),
    }))
}
