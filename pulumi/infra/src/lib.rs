//! The Pulumi program that deploys Hubbub.
//!
//! Pulumi runs the binary as its compiler (`Pulumi.yaml`) and deploys what it prints; the local stack applies the same text.
//! The functions' variables, the table's keys and the routes come from the core crate's names, the state machine from the
//! file that ships, so that what is deployed and what runs can't drift. Each module declares one concern's resources.

pub mod alarms;
pub mod api;
pub mod broadcast;
pub mod cloudwatch;
pub mod dashboard;
pub mod domain;
pub mod functions;
pub mod model;
pub mod names;
pub mod outputs;
pub mod policies;
pub mod prices;
pub mod provider;
pub mod queues;
pub mod settings;
pub mod stack;
pub mod table;
pub mod tokens;

use hubbub_statemachines::RenderError;
use thiserror::Error;

use crate::model::Program;
use crate::settings::{PROJECT, Settings, SettingsError};

/// Why there is no program.
#[derive(Debug, Error)]
pub enum ProgramError {
    /// The stack's configuration can't be used.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The state machine can't be rendered.
    #[error("the state machine can't be rendered: {0}")]
    StateMachine(#[from] RenderError),
    /// A function reads a variable that the program has no value for.
    #[error("no value is known for the variable `{0}`")]
    NoValue(&'static str),
    /// The program can't be printed.
    #[error("the program can't be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
}

/// Prints the program for a stack's configuration, `PULUMI_CONFIG`'s value: JSON, the same for the same configuration.
///
/// # Errors
/// When the configuration has a bad value or an unknown key; the message names it.
pub fn render(config: Option<&str>) -> Result<String, ProgramError> {
    let settings = Settings::read(config)?;
    Ok(serde_json::to_string_pretty(&program(&settings)?)?)
}

/// The whole program.
///
/// # Errors
/// When the core crate and the program don't agree: a variable without a value, a placeholder without an ARN.
pub fn program(settings: &Settings) -> Result<Program, ProgramError> {
    let mut program = Program { name: PROJECT, runtime: "yaml", ..Program::default() };
    provider::declare(&mut program, settings);
    table::declare(&mut program, settings);
    queues::declare(&mut program, settings);
    tokens::declare(&mut program, settings);
    functions::declare(&mut program, settings)?;
    broadcast::declare(&mut program, settings)?;
    api::declare(&mut program, settings)?;
    domain::declare(&mut program, settings);
    alarms::declare(&mut program, settings);
    dashboard::declare(&mut program, settings);
    outputs::declare(&mut program, settings);
    Ok(program)
}
