//! Slow readers: sockets that join busy rooms and don't read.

use std::time::Duration;

use serde_json::Value;
use tokio::net::{TcpSocket, TcpStream, lookup_host};
use tokio::time::sleep;

use anyhow::Context;

use crate::attacker::{Attacker, SERVICE};
use crate::kind::Kind;
use crate::socket::Socket;
use crate::well_behaved::shared_room;

const KIND: Kind = Kind::SlowReaders;
const ROOM: &str = "pen-slow";

/// Sockets that don't read at the same time.
const READERS: usize = 3;
/// How long they are there.
const TIME: Duration = Duration::from_secs(3);
/// The host's buffer for each of them, in bytes: less than what comes.
const BUFFER: u32 = 4_096;
/// Messages to their room, and the bytes of each.
const MESSAGES: usize = 8;
const BYTES: usize = 20_000;

pub(super) async fn attack(mut attacker: Attacker) -> anyhow::Result<()> {
    loop {
        let mut readers = Vec::new();
        for _ in 0..READERS {
            let user = attacker.fresh("slow");
            let stream = narrow(&attacker).await?;
            match Socket::open_on(stream, &attacker, KIND, &user, &attacker.forge.good(&user)).await? {
                Ok(mut socket) => {
                    // In a shared room, too: well-behaved clients must not notice.
                    socket.join(&shared_room(0)).await;
                    socket.join(ROOM).await;
                    readers.push(socket);
                }
                Err(why) => attacker.note("refused attacker", why),
            }
        }
        let (channel, service) = (format!("room:{ROOM}"), attacker.service());
        for _ in 0..MESSAGES {
            let id = attacker.fresh("slow");
            service.send(&channel, &id, &Value::from("s".repeat(BYTES))).await?;
            attacker.accept(&channel.parse()?, SERVICE, 1, &id);
        }
        sleep(TIME).await;
        for mut reader in readers {
            // One of them asks for more, without reading; all are gone without a close frame.
            reader.send(r#"{"action":"history","room":"pen-slow","limit":200}"#).await;
            attacker.record.open().notes.act(KIND, "not read, and dropped");
        }
        if !attacker.goes_on() {
            return Ok(());
        }
    }
}

/// A stream with a small buffer.
async fn narrow(attacker: &Attacker) -> anyhow::Result<TcpStream> {
    let address = lookup_host(attacker.host()?.0).await?.next().context("the stack has no address")?;
    let socket = TcpSocket::new_v4()?;
    socket.set_recv_buffer_size(BUFFER)?;
    Ok(socket.connect(address).await?)
}
