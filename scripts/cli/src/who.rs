//! `hubbub who`: a room's members, from the table.

use std::collections::BTreeMap;

use anyhow::Context;
use hubbub_aws::system::System;
use hubbub_core::ports::{Clock, Log, Members};
use hubbub_core::wire::channel::Channel;
use hubbub_core::wire::id::{RoomId, UserId};
use hubbub_core::wire::time::Timestamp;
use serde_json::json;

use crate::console::{Console, counted};
use crate::moment::utc;
use crate::stack::Stack;

/// Members that are read at a time.
const PAGE: usize = 1_000;

/// The arguments of `hubbub who`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: hubbub who lobby")]
pub(crate) struct Arguments {
    /// The room's id.
    #[arg(value_parser = RoomId::parse)]
    room: RoomId,
    /// How many sockets to read at most.
    #[arg(long, default_value_t = 10_000)]
    limit: usize,
}

pub(crate) async fn run(stack: &Stack, console: Console, arguments: Arguments) -> anyhow::Result<()> {
    let Arguments { room, limit } = arguments;
    let table = stack.table()?;
    let channel = Channel::Room(room);
    let state = table.state(&channel).await?.with_context(|| format!("the channel `{channel}` was never used"))?;
    let mut users: BTreeMap<UserId, (u64, Timestamp)> = BTreeMap::new();
    let mut sockets = 0;
    'shards: for shard in 0..state.shards {
        let mut after = None;
        loop {
            let page = table.member_page(&channel, shard, after.as_ref(), PAGE, System.now()).await?;
            for member in page.members {
                if sockets == limit {
                    break 'shards;
                }
                sockets += 1;
                let (count, since) = users.entry(member.user).or_insert((0, member.connected_at));
                *count += 1;
                *since = (*since).min(member.connected_at);
            }
            match page.next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
    }
    for (user, (sockets, since)) in &users {
        if console.json {
            console.value(&json!({"user": user, "sockets": sockets, "since": since}))?;
        } else {
            console.line(format_args!("{user:<32} {:>10}  since {}", counted(*sockets, "socket"), utc(since.0)))?;
        }
    }
    if !console.json {
        let (users, sockets) = (u64::try_from(users.len())?, u64::try_from(sockets)?);
        console.line(format_args!("{} with {}", counted(users, "user"), counted(sockets, "socket")))?;
    }
    if sockets == limit {
        eprintln!("there may be more: --limit");
    }
    Ok(())
}
