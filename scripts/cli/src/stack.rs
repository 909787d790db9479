//! The stack that a command is about: where it is looked for, and what is known of it.

use std::ffi::OsStr;
use std::fmt::Write;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};
use hubbub_aws::clients::Clients;
use hubbub_aws::system::System;
use hubbub_aws::table::Table;
use hubbub_core::ports::Clock;
use hubbub_core::wire::id::UserId;
use hubbub_functions::authorize::token::{Claims, sign};
use serde::Deserialize;
use serde_json::Value;

use crate::console::WrongCall;

/// Where a running local stack leaves its outputs.
const LOCAL_OUTPUTS: &str = "target/local/outputs.json";

/// How long a token is good that a command makes for itself.
const TOKEN_SECONDS: u64 = 3_600;

const HEADING: &str = "Which stack";

/// Where the stack is looked for.
#[derive(Debug, clap::Args)]
pub(crate) struct Place {
    /// A file with the stack's outputs, as `scripts/up` and `pulumi stack output --json` write them.
    #[arg(long, global = true, value_name = "FILE", env = "HUBBUB_OUTPUTS", help_heading = HEADING)]
    outputs: Option<PathBuf>,
    /// A stack of Pulumi's, whatever other stacks there are.
    #[arg(long, global = true, value_name = "NAME", help_heading = HEADING)]
    stack: Option<String>,
    /// The folder of the Pulumi program.
    #[arg(
        long,
        global = true,
        value_name = "FOLDER",
        env = "HUBBUB_PROGRAM",
        default_value = "pulumi",
        hide_env_values = true,
        help_heading = HEADING
    )]
    program: PathBuf,
    #[command(flatten)]
    given: Outputs,
}

/// What a stack says of itself. Each of a command's own flags comes before what was found.
#[derive(Clone, Debug, Default, PartialEq, Eq, clap::Args, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[command(next_help_heading = "Single outputs, before what the stack says")]
pub(crate) struct Outputs {
    /// A local AWS; without it, AWS itself.
    #[arg(long, global = true, value_name = "URL", hide_short_help = true)]
    pub(crate) aws_endpoint: Option<String>,
    /// The Region.
    #[arg(long, global = true, value_name = "REGION", hide_short_help = true)]
    pub(crate) region: Option<String>,
    /// Where clients connect.
    #[arg(long, global = true, value_name = "URL", hide_short_help = true)]
    pub(crate) web_socket_url: Option<String>,
    /// Where posts to connections go.
    #[arg(long, global = true, value_name = "URL", hide_short_help = true)]
    pub(crate) callback_url: Option<String>,
    /// Where services send messages.
    #[arg(long, global = true, value_name = "URL", hide_short_help = true)]
    pub(crate) publish_queue_url: Option<String>,
    /// Where announcements of who comes and goes are asked for.
    #[arg(long, global = true, value_name = "URL", hide_short_help = true)]
    pub(crate) presence_queue_url: Option<String>,
    /// Where messages go that can't be delivered.
    #[arg(long, global = true, value_name = "URL", hide_short_help = true)]
    pub(crate) dead_letter_queue_url: Option<String>,
    /// The table.
    #[arg(long, global = true, value_name = "NAME", hide_short_help = true)]
    pub(crate) table_name: Option<String>,
    /// The broadcast state machine.
    #[arg(long, global = true, value_name = "ARN", hide_short_help = true)]
    pub(crate) state_machine_arn: Option<String>,
    /// The SSM parameter with the key that signs tokens; there is none where public keys do.
    #[arg(long, global = true, value_name = "NAME", hide_short_help = true)]
    pub(crate) token_key_parameter: Option<String>,
}

impl Outputs {
    /// What is said here, and else what `other` says.
    fn or(self, other: Self) -> Self {
        Self {
            aws_endpoint: self.aws_endpoint.or(other.aws_endpoint),
            region: self.region.or(other.region),
            web_socket_url: self.web_socket_url.or(other.web_socket_url),
            callback_url: self.callback_url.or(other.callback_url),
            publish_queue_url: self.publish_queue_url.or(other.publish_queue_url),
            presence_queue_url: self.presence_queue_url.or(other.presence_queue_url),
            dead_letter_queue_url: self.dead_letter_queue_url.or(other.dead_letter_queue_url),
            table_name: self.table_name.or(other.table_name),
            state_machine_arn: self.state_machine_arn.or(other.state_machine_arn),
            token_key_parameter: self.token_key_parameter.or(other.token_key_parameter),
        }
    }

    /// The outputs that every stack has, by their names.
    pub(crate) fn required(&self) -> [(&'static str, Option<&str>); 8] {
        [
            ("region", self.region.as_deref()),
            ("webSocketUrl", self.web_socket_url.as_deref()),
            ("callbackUrl", self.callback_url.as_deref()),
            ("publishQueueUrl", self.publish_queue_url.as_deref()),
            ("presenceQueueUrl", self.presence_queue_url.as_deref()),
            ("deadLetterQueueUrl", self.dead_letter_queue_url.as_deref()),
            ("tableName", self.table_name.as_deref()),
            ("stateMachineArn", self.state_machine_arn.as_deref()),
        ]
    }
}

/// A stack.
#[derive(Clone, Debug)]
pub(crate) struct Stack {
    /// Where it was found, for messages.
    pub(crate) source: String,
    /// What it says.
    pub(crate) outputs: Outputs,
}

impl Stack {
    /// Looks for the stack: by `--stack` in Pulumi; else in the file that is named; else in the running local stack's; else in Pulumi.
    ///
    /// # Errors
    /// Says everything that was tried, and what to do.
    pub(crate) fn find(place: Place) -> anyhow::Result<Self> {
        let Place { outputs: file, stack, program, given } = place;
        let found = match (&stack, file) {
            (Some(name), _) => Some(Self::ask_pulumi(&program, Some(name))?),
            (None, Some(file)) => Some(Self::read(&file)?),
            (None, None) => Self::search(&program, given == Outputs::default())?,
        };
        Ok(match found {
            Some(found) => Self { outputs: given.or(found.outputs), ..found },
            None => Self { source: "the command's flags".to_owned(), outputs: given },
        })
    }

    fn search(program: &Path, must_be: bool) -> anyhow::Result<Option<Self>> {
        let local = Path::new(LOCAL_OUTPUTS);
        if local.exists() {
            return Self::read(local).map(Some);
        }
        let error = match Self::ask_pulumi(program, None) {
            Ok(found) => return Ok(Some(found)),
            Err(error) => error,
        };
        if !must_be {
            return Ok(None);
        }
        let mut message = "no stack was found, of those that were looked for:\n".to_owned();
        writeln!(message, "  --outputs, HUBBUB_OUTPUTS  not given")?;
        writeln!(message, "  {LOCAL_OUTPUTS}  not there: no local stack runs")?;
        writeln!(message, "  pulumi stack output  {error:#}")?;
        write!(
            message,
            "start one by `scripts/up`, name its outputs by --outputs FILE, or choose one of Pulumi's by --stack NAME"
        )?;
        bail!(message)
    }

    /// Reads a file of outputs.
    fn read(file: &Path) -> anyhow::Result<Self> {
        let name = file.display();
        let text = std::fs::read_to_string(file).with_context(|| {
            format!("the stack's outputs `{name}` can't be read: start a stack by `scripts/up`, or name another file by --outputs")
        })?;
        let outputs = serde_json::from_str(&text).with_context(|| format!("`{name}` is not a stack's outputs"))?;
        Ok(Self { source: format!("`{name}`"), outputs })
    }

    /// Asks Pulumi for the outputs of the stack of this name, or of the one that is selected.
    fn ask_pulumi(program: &Path, name: Option<&str>) -> anyhow::Result<Self> {
        let mut command = Command::new("pulumi");
        command.args(["stack", "output", "--json", "--non-interactive"]).arg("--cwd").arg(program);
        command.args(name.map(|name| ["--stack", name]).iter().flatten().map(OsStr::new));
        let answer = match command.output() {
            Ok(answer) => answer,
            Err(error) if error.kind() == io::ErrorKind::NotFound => bail!("`pulumi` isn't installed"),
            Err(error) => return Err(error).context("`pulumi` can't be run"),
        };
        if !answer.status.success() {
            let said = String::from_utf8_lossy(&answer.stderr);
            bail!("`pulumi stack output` in `{}` failed: {}", program.display(), said.trim());
        }
        let outputs = serde_json::from_slice(&answer.stdout).context("`pulumi stack output` didn't print outputs")?;
        let source =
            name.map_or_else(|| "Pulumi's selected stack".to_owned(), |name| format!("Pulumi's stack `{name}`"));
        Ok(Self { source, outputs })
    }

    /// An output that the command can't do without.
    pub(crate) fn need<'a>(&self, output: Option<&'a String>, name: &str, flag: &str) -> anyhow::Result<&'a str> {
        let missing =
            || format!("{} has no output `{name}`: deploy the stack as it is now, or give {flag}", self.source);
        output.map(String::as_str).with_context(missing)
    }

    /// The stack's clients.
    pub(crate) fn clients(&self) -> anyhow::Result<Clients> {
        let region = self.need(self.outputs.region.as_ref(), "region", "--region")?.to_owned();
        if let Some(endpoint) = &self.outputs.aws_endpoint {
            return Ok(Clients::local(endpoint.clone(), region));
        }
        let clients = Clients::in_region(region);
        if !clients.has_credentials() {
            bail!(
                "there are no AWS credentials in the environment: put them there, for example by `eval \"$(aws configure \
                 export-credentials --format env)\"`"
            );
        }
        Ok(clients)
    }

    /// The stack's table.
    pub(crate) fn table(&self) -> anyhow::Result<Table> {
        let name = self.need(self.outputs.table_name.as_ref(), "tableName", "--table-name")?.to_owned();
        Ok(self.clients()?.table(name))
    }

    /// The URL of the publish queue.
    pub(crate) fn publish_queue_url(&self) -> anyhow::Result<&str> {
        self.need(self.outputs.publish_queue_url.as_ref(), "publishQueueUrl", "--publish-queue-url")
    }

    /// The URL of the dead-letter queue.
    pub(crate) fn dead_letter_queue_url(&self) -> anyhow::Result<&str> {
        self.need(self.outputs.dead_letter_queue_url.as_ref(), "deadLetterQueueUrl", "--dead-letter-queue-url")
    }

    /// Where clients connect.
    pub(crate) fn web_socket_url(&self) -> anyhow::Result<&str> {
        self.need(self.outputs.web_socket_url.as_ref(), "webSocketUrl", "--web-socket-url")
    }

    /// The key that signs tokens.
    pub(crate) async fn signing_key(&self) -> anyhow::Result<SigningKey> {
        let Some(name) = &self.outputs.token_key_parameter else {
            return Err(WrongCall(format!(
                "{} has no output `tokenKeyParameter`, so its tokens are signed elsewhere: give one by --token where the command takes one",
                self.source
            ))
            .into());
        };
        Ok(SigningKey(self.clients()?.parameter(name.clone())?.value().await?))
    }
}

/// The key that signs tokens.
pub(crate) struct SigningKey(String);

impl SigningKey {
    /// A token that is good for so many seconds, and grants this or what the stack grants by default.
    pub(crate) fn sign(&self, user: &UserId, seconds: u64, grant: Option<Value>) -> anyhow::Result<String> {
        let exp = System.now().0 / 1_000 + seconds;
        let claims = Claims { sub: user.to_string(), exp, nbf: None, capabilities: grant };
        Ok(sign(&claims, &self.0)?)
    }

    /// A token for a command's own socket.
    pub(crate) fn sign_briefly(&self, user: &UserId, grant: Value) -> anyhow::Result<String> {
        self.sign(user, TOKEN_SECONDS, Some(grant))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pulumis_outputs_are_read_with_whatever_else_there_is() {
        let text = r#"{"region": "eu-west-1", "inlineLimit": 1000, "tableName": "hubbub-dev-table"}"#;
        let outputs: Outputs = serde_json::from_str(text).unwrap();
        assert_eq!(outputs.table_name.as_deref(), Some("hubbub-dev-table"));
        let missing = outputs.required().iter().filter(|(_, value)| value.is_none()).count();
        assert_eq!((missing, outputs.aws_endpoint), (6, None));
    }

    #[test]
    fn a_flag_comes_before_what_was_found() {
        let region = |region: &str| Outputs { region: Some(region.to_owned()), ..Outputs::default() };
        assert_eq!(region("a").or(region("b")), region("a"));
        assert_eq!(Outputs::default().or(region("b")), region("b"));
    }

    #[test]
    fn an_output_that_is_missing_is_named_with_its_flag() {
        let stack = Stack { source: "`x.json`".to_owned(), outputs: Outputs::default() };
        let error = stack.publish_queue_url().unwrap_err().to_string();
        assert!(
            error.contains("`x.json`") && error.contains("`publishQueueUrl`") && error.contains("--publish-queue-url")
        );
    }
}
