//! The seven functions, each with its role, its policy and its log group.

use std::iter;

use hubbub_core::config::{
    AuthorizeConfig, Config, ConnectConfig, DeliverConfig, DeliverPageConfig, DisconnectConfig, PlanBroadcastConfig,
    ReceiveConfig,
};
use hubbub_core::names::env;
use hubbub_statemachines::timeouts;

use crate::model::{Name, Program, Resource, Text, Value};
use crate::provider::LOCAL_ACCESS_KEY;
use crate::queues::{DEAD_LETTER_QUEUE, PRESENCE_QUEUE, PUBLISH_QUEUE};
use crate::settings::Settings;
use crate::table::TABLE;
use crate::tokens::TOKEN_KEY_PARAMETER;
use crate::{ProgramError, names, policies};

/// Where the functions' zips are, in [`Settings::zip_folder`], from the repository's folder.
pub const ZIPS: &str = "target/lambda";

/// A function; [`Function::ALL`] has them all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "ARCHITECTURE.md and each function's crate say what it does")]
pub enum Function {
    Authorize,
    Connect,
    Disconnect,
    Receive,
    Deliver,
    PlanBroadcast,
    DeliverPage,
}

impl Function {
    /// All functions.
    pub const ALL: [Self; 7] = [
        Self::Authorize,
        Self::Connect,
        Self::Disconnect,
        Self::Receive,
        Self::Deliver,
        Self::PlanBroadcast,
        Self::DeliverPage,
    ];

    /// The name of its crate, its binary and its zip.
    #[must_use]
    pub fn crate_name(self) -> &'static str {
        match self {
            Self::Authorize => "authorize",
            Self::Connect => "connect",
            Self::Disconnect => "disconnect",
            Self::Receive => "receive",
            Self::Deliver => "deliver",
            Self::PlanBroadcast => "plan-broadcast",
            Self::DeliverPage => "deliver-page",
        }
    }

    /// Its name in the program.
    #[must_use]
    pub const fn name(self) -> Name {
        match self {
            Self::Authorize => Name::of("authorize"),
            Self::Connect => Name::of("connect"),
            Self::Disconnect => Name::of("disconnect"),
            Self::Receive => Name::of("receive"),
            Self::Deliver => Name::of("deliver"),
            Self::PlanBroadcast => Name::of("planBroadcast"),
            Self::DeliverPage => Name::of("deliverPage"),
        }
    }

    /// Its zip in one of the folders of [`ZIPS`], from the folder of `Pulumi.yaml`.
    #[must_use]
    pub fn zip(self, folder: &str) -> String {
        format!("../{ZIPS}/{folder}/{}.zip", self.crate_name())
    }

    /// Its role's name in the program.
    #[must_use]
    pub fn role_name(self) -> Name {
        self.name().with("Role")
    }

    /// Its policy's name in the program.
    #[must_use]
    pub fn policy_name(self) -> Name {
        self.name().with("Policy")
    }

    /// Its log group's name in the program.
    #[must_use]
    pub fn log_group_name(self) -> Name {
        self.name().with("Logs")
    }

    /// How long an invocation may take.
    #[must_use]
    pub fn timeout_seconds(self, settings: &Settings) -> u64 {
        match self {
            Self::Authorize | Self::Connect | Self::Disconnect | Self::Receive => 10,
            Self::Deliver => settings.deliver_timeout_seconds,
            Self::PlanBroadcast => timeouts::PLAN_BROADCAST_SECONDS - timeouts::MARGIN_SECONDS,
            Self::DeliverPage => timeouts::DELIVER_PAGE_SECONDS - timeouts::MARGIN_SECONDS,
        }
    }

    /// Its memory in MB, by which Lambda gives processor time too.
    #[must_use]
    pub fn memory_mb(self, settings: &Settings) -> u64 {
        match self {
            Self::Deliver | Self::DeliverPage => settings.sender_memory_mb,
            Self::Authorize | Self::Connect | Self::Disconnect | Self::Receive | Self::PlanBroadcast => {
                settings.memory_mb
            }
        }
    }

    /// How many of it may run at once, where that is limited: the senders that the callback budget has room for.
    fn reserved_concurrency(self, settings: &Settings) -> Option<u64> {
        (self == Self::DeliverPage).then(|| settings.budget().page_functions().into())
    }

    /// The variables that its configuration is read from.
    #[must_use]
    pub fn variables(self) -> &'static [&'static str] {
        match self {
            Self::Authorize => AuthorizeConfig::VARIABLES,
            Self::Connect => ConnectConfig::VARIABLES,
            Self::Disconnect => DisconnectConfig::VARIABLES,
            Self::Receive => ReceiveConfig::VARIABLES,
            Self::Deliver => DeliverConfig::VARIABLES,
            Self::PlanBroadcast => PlanBroadcastConfig::VARIABLES,
            Self::DeliverPage => DeliverPageConfig::VARIABLES,
        }
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
    let name = names::of_stack(function.crate_name());
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
        .with("handler", "bootstrap")
        .with("architectures", Value::list([settings.architecture.name()]))
        .with("code", Value::Archive(function.zip(settings.zip_folder())))
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
    program.add(&function.name(), lambda);
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
