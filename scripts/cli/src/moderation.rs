//! `hubbub kick`, `ban`, `unban`, `delete`, `close` and `open`: orders by the queue.

use std::time::Duration;

use clap::Subcommand;
use hubbub_aws::system::System;
use hubbub_core::ports::{Clock, Ids, PublishQueue};
use hubbub_core::wire::channel::Channel;
use hubbub_core::wire::command::{Command, ModerationCommand};
use hubbub_core::wire::id::{RoomId, UserId};
use hubbub_core::wire::message::Seq;
use hubbub_core::wire::time::Timestamp;
use serde_json::json;

use crate::body;
use crate::console::{Console, confirm};
use crate::stack::Stack;

/// An order. It takes its place among the channel's messages.
#[derive(Debug, Subcommand)]
pub(crate) enum Arguments {
    /// Has a user leave a room, or closes all of the user's sockets. The user may come back.
    #[command(after_help = "Example: hubbub kick bob --room lobby")]
    Kick {
        #[command(flatten)]
        whom: Whom,
        #[command(flatten)]
        sender: Sender,
    },
    /// Kicks a user, and keeps the user out for a while.
    #[command(after_help = "Example: hubbub ban bob --room lobby --for 2h")]
    Ban {
        #[command(flatten)]
        whom: Whom,
        /// For how long: a number with s, m, h or d.
        #[arg(long = "for", value_name = "TIME", value_parser = read_while)]
        while_: Duration,
        #[command(flatten)]
        sender: Sender,
    },
    /// Ends a ban.
    #[command(after_help = "Example: hubbub unban bob --room lobby")]
    Unban {
        #[command(flatten)]
        whom: Whom,
        #[command(flatten)]
        sender: Sender,
    },
    /// Removes a message's body from a room's log for good, and tells the members.
    #[command(after_help = "Example: hubbub delete lobby 17")]
    Delete {
        /// The room's id.
        #[arg(value_parser = RoomId::parse)]
        room: RoomId,
        /// The message's sequence; `hubbub history` shows it.
        seq: u64,
        #[command(flatten)]
        sender: Sender,
    },
    /// Ends all memberships of a room, and lets nobody join until it is opened.
    #[command(after_help = "Example: hubbub close lobby --erase --yes")]
    Close {
        /// The room's id.
        #[arg(value_parser = RoomId::parse)]
        room: RoomId,
        /// Remove every body of its log as well, for good.
        #[arg(long)]
        erase: bool,
        /// Don't ask.
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        sender: Sender,
    },
    /// Lets users join a room again that was closed.
    #[command(after_help = "Example: hubbub open lobby")]
    Open {
        /// The room's id.
        #[arg(value_parser = RoomId::parse)]
        room: RoomId,
        #[command(flatten)]
        sender: Sender,
    },
}

/// The user that a command is about, and where it holds.
#[derive(Debug, clap::Args)]
pub(crate) struct Whom {
    /// The user's id.
    #[arg(value_parser = UserId::parse)]
    user: UserId,
    /// Only in this room; without it, everywhere.
    #[arg(long, value_name = "ROOM", value_parser = RoomId::parse)]
    room: Option<RoomId>,
}

/// The sender of a moderation command.
#[derive(Debug, clap::Args)]
pub(crate) struct Sender {
    /// The sender, for the audit log of `deliver`.
    #[arg(long, value_name = "SENDER", default_value = "operator", value_parser = UserId::parse)]
    from: UserId,
}

impl Whom {
    fn command(self, command: impl FnOnce(UserId) -> Command, Sender { from }: Sender) -> ModerationCommand {
        let Self { user, room } = self;
        let channel = room.map_or_else(|| ModerationCommand::everywhere(&user), Channel::Room);
        ModerationCommand { channel, command: command(user), from }
    }
}

/// Reads `90s`, `30m`, `2h` or `7d`.
fn read_while(text: &str) -> Result<Duration, String> {
    let units = [('s', 1), ('m', 60), ('h', 3_600), ('d', 86_400)];
    let unit = units.iter().find_map(|(letter, seconds)| text.strip_suffix(*letter).map(|digits| (digits, seconds)));
    let seconds = unit.and_then(|(digits, seconds)| digits.parse::<u64>().ok()?.checked_mul(*seconds));
    seconds
        .filter(|seconds| *seconds > 0)
        .map(Duration::from_secs)
        .ok_or_else(|| "it takes a whole number and a unit, such as 90s, 30m, 2h or 7d".to_owned())
}

pub(crate) async fn run(stack: &Stack, console: Console, arguments: Arguments) -> anyhow::Result<()> {
    if let Arguments::Close { room, erase: true, yes: false, .. } = &arguments {
        confirm(&format!("erase all messages of the room `{room}` for good?"))?;
    }
    let command = read_command(arguments, System.now());
    body::check(&command.to_json()?, &command.channel)?;
    let queue = stack.clients()?.publish_queue(stack.publish_queue_url()?.to_owned());
    queue.command(&command, &System.fresh()).await?;
    let ModerationCommand { channel, command, from } = &command;
    let name = command.name().as_str();
    if console.json {
        return console.value(&json!({"command": name, "channel": channel, "user": command.user(), "from": from}));
    }
    let whom = command.user().map(|user| format!(" of `{user}`")).unwrap_or_default();
    Ok(console.line(format_args!(
        "on the queue: {name}{whom} in `{channel}`; the function `deliver` logs it when it is done"
    ))?)
}

fn read_command(arguments: Arguments, now: Timestamp) -> ModerationCommand {
    let in_room =
        |room, command, sender: Sender| ModerationCommand { channel: Channel::Room(room), command, from: sender.from };
    match arguments {
        Arguments::Kick { whom, sender } => whom.command(|user| Command::Kick { user }, sender),
        Arguments::Ban { whom, while_, sender } => {
            let until = now.plus(while_);
            whom.command(|user| Command::Ban { user, until }, sender)
        }
        Arguments::Unban { whom, sender } => whom.command(|user| Command::Unban { user }, sender),
        Arguments::Delete { room, seq, sender } => in_room(room, Command::Delete { seq: Seq(seq) }, sender),
        Arguments::Close { room, erase, sender, .. } => in_room(room, Command::Close { erase }, sender),
        Arguments::Open { room, sender } => in_room(room, Command::Open, sender),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(subcommand)]
        arguments: Arguments,
    }

    fn check(line: &str, expected: &str) {
        let line = Line::try_parse_from(line.split(' ')).unwrap();
        let command = read_command(line.arguments, Timestamp(1_000));
        let text = command.to_json().unwrap();
        assert_eq!(text, expected);
        body::check(&text, &command.channel).unwrap();
    }

    #[test]
    fn stack_accepts_every_moderation_command() {
        check("x kick bob", r#"{"v":1,"channel":"user:bob","from":"operator","command":"kick","user":"bob"}"#);
        check("x kick bob --room l", r#"{"v":1,"channel":"room:l","from":"operator","command":"kick","user":"bob"}"#);
        check(
            "x ban bob --for 2h --from mod",
            r#"{"v":1,"channel":"user:bob","from":"mod","command":"ban","user":"bob","until":7201000}"#,
        );
        check("x unban bob", r#"{"v":1,"channel":"user:bob","from":"operator","command":"unban","user":"bob"}"#);
        check("x delete l 17", r#"{"v":1,"channel":"room:l","from":"operator","command":"delete","seq":17}"#);
        check("x close l", r#"{"v":1,"channel":"room:l","from":"operator","command":"close"}"#);
        check("x close l --erase", r#"{"v":1,"channel":"room:l","from":"operator","command":"close","erase":true}"#);
        check("x open l", r#"{"v":1,"channel":"room:l","from":"operator","command":"open"}"#);
    }

    #[test]
    fn a_time_has_a_unit() {
        assert_eq!(read_while("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(read_while("7d"), Ok(Duration::from_secs(604_800)));
        for text in ["", "s", "0s", "5", "5w", "-1h", "999999999999999999d"] {
            assert!(read_while(text).is_err(), "{text}");
        }
    }
}
