//! The functions, each with its role, its policy and its log group. All have the same code: Lambda hands a function's handler, which is its name,
//! to the binary.

use std::iter;

use hubbub_core::names::env;
use hubbub_statemachines::timeouts;

use crate::model::{Name, Program, Resource, Text, Value};
use crate::provider::LOCAL_ACCESS_KEY;
use crate::queues::{DEAD_LETTER_QUEUE, PRESENCE_QUEUE, PUBLISH_QUEUE};
use crate::settings::Settings;
use crate::table::TABLE;
use crate::tokens::TOKEN_KEY_PARAMETER;
use crate::{ProgramError, names, policies};

pub use hubbub_core::functions::Function;

/// The folder of the functions' zips from the repository's. [`Settings::zip_folder`] is below it.
pub const ZIPS: &str = "target/lambda";

/// The binary that all functions share, in the crate `hubbub-functions`.
pub const BINARY: &str = "functions";

/// Its zip.
pub const ZIP: &str = "functions.zip";

/// The zip in one of the folders of [`ZIPS`], from the folder of `Pulumi.yaml`.
#[must_use]
pub fn zip(folder: &str) -> String {
    format!("../{ZIPS}/{folder}/{ZIP}")
}

/// What the program has of a function.
pub trait InProgram: Copy {
    /// Its logical name: `planBroadcast` for `plan-broadcast`.
    fn resource(self) -> Name;

    /// Its role's logical name.
    fn role_name(self) -> Name {
        self.resource().with("Role")
    }

    /// Its policy's logical name.
    fn policy_name(self) -> Name {
        self.resource().with("Policy")
    }

    /// Its log group's logical name.
    fn log_group_name(self) -> Name {
        self.resource().with("Logs")
    }

    /// How long an invocation may take.
    fn timeout_seconds(self, settings: &Settings) -> u64;

    /// Its memory in MB. Lambda gives processor time by memory.
    fn memory_mb(self, settings: &Settings) -> u64;

    /// How many of it may run at once, where that is limited.
    fn reserved_concurrency(self, settings: &Settings) -> Option<u64>;
}

impl InProgram for Function {
    fn resource(self) -> Name {
        let mut words = self.name().split('-');
        let first = Name::from(words.next().unwrap_or_default().to_owned());
        words.fold(first, |name, word| {
            let (initial, rest) = word.split_at(1);
            name.with(&initial.to_uppercase()).with(rest)
        })
    }

    fn timeout_seconds(self, settings: &Settings) -> u64 {
        match self {
            Self::Authorize | Self::Connect | Self::Disconnect | Self::Receive => 10,
            Self::Deliver | Self::Announce => settings.deliver_timeout_seconds,
            Self::PlanBroadcast => timeouts::PLAN_BROADCAST_SECONDS - timeouts::MARGIN_SECONDS,
            Self::DeliverPage => timeouts::DELIVER_PAGE_SECONDS - timeouts::MARGIN_SECONDS,
        }
    }

    fn memory_mb(self, settings: &Settings) -> u64 {
        match self {
            Self::Deliver | Self::DeliverPage => settings.sender_memory_mb,
            // `announce` posts, but a thousand frames at most and slowly.
            Self::Authorize
            | Self::Connect
            | Self::Disconnect
            | Self::Receive
            | Self::Announce
            | Self::PlanBroadcast => settings.memory_mb,
        }
    }

    /// As many pages as the callback budget has room for.
    fn reserved_concurrency(self, settings: &Settings) -> Option<u64> {
        (self == Self::DeliverPage).then(|| settings.budget().page_functions().into())
    }
}

/// Declares all functions.
///
/// # Errors
/// When a function reads a variable that the program has no value for.
pub fn declare(program: &mut Program, settings: &Settings) -> Result<(), ProgramError> {
    for function in Function::ALL {
        declare_function(program, settings, function)?;
    }
    Ok(())
}

fn declare_function(program: &mut Program, settings: &Settings, function: Function) -> Result<(), ProgramError> {
    let name = names::of_stack(function.name());
    let log_group = Resource::new("aws:cloudwatch:LogGroup")
        .with("name", Text::from("/aws/lambda/").then(name.clone()))
        .with("retentionInDays", settings.log_days);
    program.add(&function.log_group_name(), log_group);
    program.add(&function.role_name(), policies::role(name.clone(), "lambda.amazonaws.com"));
    program.add(
        &function.policy_name(),
        policies::policy(name.clone(), &function.role_name(), policies::of_function(function, settings)),
    );
    // The log group comes first, or Lambda makes one that keeps its logs for ever.
    let mut lambda = Resource::new("aws:lambda:Function")
        .with("name", name)
        .with("runtime", "provided.al2023")
        .with("handler", function.name())
        .with("architectures", Value::list([settings.architecture.name()]))
        .with("code", Value::Archive(zip(settings.zip_folder())))
        .with("memorySize", function.memory_mb(settings))
        .with("timeout", function.timeout_seconds(settings))
        .with("role", function.role_name().get("arn"))
        .with("environment", Value::map([("variables", environment(function, settings)?)]))
        .after(&function.log_group_name())
        .after(&function.policy_name());
    if let Some(functions) = function.reserved_concurrency(settings) {
        lambda = lambda.with("reservedConcurrentExecutions", functions);
    }
    if settings.tracing {
        lambda = lambda.with("tracingConfig", Value::map([("mode", "Active")]));
    }
    program.add(&function.resource(), lambda);
    Ok(())
}

/// The variables of a function: those of its configuration, what it logs, and on the local stack where AWS is.
fn environment(function: Function, settings: &Settings) -> Result<Value, ProgramError> {
    let mut variables = Vec::new();
    for variable in iter::once(env::LOG).chain(function.variables().iter().copied()) {
        variables.push((variable, value(variable, settings)?));
    }
    if let Some(endpoint) = &settings.aws_endpoint {
        variables.push(("AWS_ENDPOINT_URL", endpoint.as_str().into()));
        variables.push(("AWS_ACCESS_KEY_ID", LOCAL_ACCESS_KEY.into()));
        variables.push(("AWS_SECRET_ACCESS_KEY", LOCAL_ACCESS_KEY.into()));
    }
    Ok(Value::map(variables))
}

/// The value of a variable, which is the same for every function that reads it.
fn value(variable: &'static str, settings: &Settings) -> Result<Value, ProgramError> {
    match variable {
        env::TABLE => Ok(TABLE.get("name").into()),
        env::PUBLISH_QUEUE_URL => Ok(PUBLISH_QUEUE.get("url").into()),
        env::DEAD_LETTER_QUEUE_URL => Ok(DEAD_LETTER_QUEUE.get("url").into()),
        env::PRESENCE_QUEUE_URL => Ok(PRESENCE_QUEUE.get("url").into()),
        env::STACK => Ok(names::stack().into()),
        env::STATE_MACHINE_ARN => Ok(names::broadcast_arn().into()),
        env::CALLBACK_URL => Ok(names::callback_url(settings).into()),
        env::TOKEN_KEY_PARAMETER if settings.has_public_keys() => Ok("".into()),
        env::TOKEN_KEY_PARAMETER => Ok(TOKEN_KEY_PARAMETER.get("name").into()),
        _ => Ok(settings.of_variable(variable).ok_or(ProgramError::NoValue(variable))?.into()),
    }
}
