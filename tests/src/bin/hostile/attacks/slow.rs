//! Slow readers: sockets that join where much is said, and don't read.

use std::time::Duration;

use serde_json::Value;
use tokio::net::{TcpSocket, TcpStream, lookup_host};
use tokio::time::sleep;

use anyhow::Context;

use crate::book::open;
use crate::field::Field;
use crate::honest::hall;
use crate::kind::Kind;
use crate::socket::Socket;

const KIND: Kind = Kind::SlowReaders;
const ROOM: &str = "pen-slow";

/// Sockets that don't read at the same time.
const READERS: usize = 3;
/// How long they are there.
const TIME: Duration = Duration::from_secs(3);
/// The machine's buffer for each of them, in bytes: less than what comes.
const BUFFER: u32 = 4_096;
/// Messages to their room, and the bytes of each.
const MESSAGES: usize = 8;
const BYTES: usize = 20_000;

pub(super) async fn attack(mut field: Field) -> anyhow::Result<()> {
    loop {
        let mut readers = Vec::new();
        for _ in 0..READERS {
            let user = field.fresh("slow");
            let stream = narrow(&field).await?;
            match Socket::open_on(stream, &field, KIND, &user, &field.forge.good(&user)).await? {
                Ok(mut socket) => {
                    // In a hall, too: honest people must not notice.
                    socket.join(&hall(0)).await;
                    socket.join(ROOM).await;
                    readers.push(socket);
                }
                Err(why) => field.note("refused attacker", why),
            }
        }
        let (channel, warden) = (format!("room:{ROOM}"), field.warden());
        for _ in 0..MESSAGES {
            let id = field.fresh("slow");
            warden.send(&channel, &id, &Value::from("s".repeat(BYTES))).await?;
            open(&field.book).accept(&channel.parse()?, "warden", 1, &id);
        }
        sleep(TIME).await;
        for mut reader in readers {
            // One of them asks for more, without reading; all are gone without a goodbye.
            reader.send(r#"{"action":"history","room":"pen-slow","limit":200}"#).await;
            open(&field.book).act(KIND, "not read, and dropped");
        }
        if !field.goes_on() {
            return Ok(());
        }
    }
}

/// A stream with a small buffer.
async fn narrow(field: &Field) -> anyhow::Result<TcpStream> {
    let address = lookup_host(field.host()?.0).await?.next().context("the stack has no address")?;
    let socket = TcpSocket::new_v4()?;
    socket.set_recv_buffer_size(BUFFER)?;
    Ok(socket.connect(address).await?)
}
