//! `hubbub kick`, `ban`, `unban`, `delete`, `close` and `open`: orders by the queue.

use std::time::Duration;

use clap::Subcommand;
use hubbub_aws::system::System;
use hubbub_core::channel::Channel;
use hubbub_core::envelope::order_to_json;
use hubbub_core::expulsion::Expulsion;
use hubbub_core::id::{RoomId, UserId};
use hubbub_core::message::{Closure, Seq};
use hubbub_core::order::{Command, Order};
use hubbub_core::ports::{Clock, Ids, PublishQueue};
use hubbub_core::time::Timestamp;
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

/// Whom an order is about, and where it holds.
#[derive(Debug, clap::Args)]
pub(crate) struct Whom {
    /// The user's id.
    #[arg(value_parser = UserId::parse)]
    user: UserId,
    /// Only in this room; everywhere, without.
    #[arg(long, value_name = "ROOM", value_parser = RoomId::parse)]
    room: Option<RoomId>,
}

/// Who gives an order.
#[derive(Debug, clap::Args)]
pub(crate) struct Sender {
    /// Who it is from, for the log of the function `deliver`.
    #[arg(long, value_name = "SENDER", default_value = "operator", value_parser = UserId::parse)]
    from: UserId,
}

impl Whom {
    fn order(self, expulsion: Expulsion, from: UserId) -> Order {
        let Self { user, room } = self;
        let channel = room.map_or_else(|| Order::everywhere(&user), Channel::Room);
        Order { channel, command: Command::Expel { user, expulsion }, from }
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
    let order = to_order(arguments, System.now());
    body::check(&order_to_json(&order)?, &order.channel)?;
    let queue = stack.clients()?.publish_queue(stack.publish_queue_url()?.to_owned());
    queue.order(&order, &System.fresh()).await?;
    let Order { channel, command, from } = &order;
    let name = command.name();
    if console.json {
        return console.value(&json!({"command": name, "channel": channel, "user": command.user(), "from": from}));
    }
    let whom = command.user().map(|user| format!(" of `{user}`")).unwrap_or_default();
    Ok(console.line(format_args!(
        "on the queue: {name}{whom} in `{channel}`; the function `deliver` logs it when it is done"
    ))?)
}

fn to_order(arguments: Arguments, now: Timestamp) -> Order {
    let in_room = |room, command, sender: Sender| Order { channel: Channel::Room(room), command, from: sender.from };
    match arguments {
        Arguments::Kick { whom, sender } => whom.order(Expulsion::Kick, sender.from),
        Arguments::Ban { whom, while_, sender } => whom.order(Expulsion::Ban { until: now.plus(while_) }, sender.from),
        Arguments::Unban { whom, sender } => whom.order(Expulsion::Unban, sender.from),
        Arguments::Delete { room, seq, sender } => in_room(room, Command::Delete { seq: Seq(seq) }, sender),
        Arguments::Close { room, erase, sender, .. } => {
            let closure = if erase { Closure::Erased } else { Closure::Kept };
            in_room(room, Command::Close { closure }, sender)
        }
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
        let order = to_order(line.arguments, Timestamp(1_000));
        let text = order_to_json(&order).unwrap();
        assert_eq!(text, expected);
        body::check(&text, &order.channel).unwrap();
    }

    #[test]
    fn every_order_is_one_that_the_stack_takes() {
        check("x kick bob", r#"{"v":1,"channel":"user:bob","from":"operator","order":"kick","user":"bob"}"#);
        check("x kick bob --room l", r#"{"v":1,"channel":"room:l","from":"operator","order":"kick","user":"bob"}"#);
        check(
            "x ban bob --for 2h --from mod",
            r#"{"v":1,"channel":"user:bob","from":"mod","order":"ban","user":"bob","until":7201000}"#,
        );
        check("x unban bob", r#"{"v":1,"channel":"user:bob","from":"operator","order":"unban","user":"bob"}"#);
        check("x delete l 17", r#"{"v":1,"channel":"room:l","from":"operator","order":"delete","seq":17}"#);
        check("x close l", r#"{"v":1,"channel":"room:l","from":"operator","order":"close"}"#);
        check("x close l --erase", r#"{"v":1,"channel":"room:l","from":"operator","order":"close","erase":true}"#);
        check("x open l", r#"{"v":1,"channel":"room:l","from":"operator","order":"open"}"#);
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
