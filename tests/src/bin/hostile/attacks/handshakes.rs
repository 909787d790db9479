//! Bad handshakes: none of them has a good token, but for the sockets that are opened and dropped at once.

use std::time::Duration;

use futures::future::try_join_all;
use tokio::net::TcpStream;

use crate::attacker::Attacker;
use crate::http::{Reply, handshake, send, send_for};
use crate::kind::Kind;
use crate::socket::Socket;

const KIND: Kind = Kind::BadHandshakes;

/// How long a half request is left standing.
const MOMENT: Duration = Duration::from_millis(100);

/// Sockets that are opened and dropped together.
const CROWD: usize = 5;

pub(super) async fn attack(mut attacker: Attacker) -> anyhow::Result<()> {
    loop {
        let mut requests = whole(&mut attacker)?;
        attacker.rng.shuffle(&mut requests);
        for (what, bytes) in requests {
            judge(&attacker, what, send(&attacker, &bytes).await?);
            if !attacker.rest().await {
                break;
            }
        }
        for bytes in halves(&mut attacker)? {
            // A client that hangs up in the middle waits for no answer.
            let answer = match send_for(&attacker, &bytes, MOMENT).await? {
                Reply::Silence => "left in the middle".to_owned(),
                reply => reply.name(),
            };
            attacker.record.open().notes.act(KIND, answer);
        }
        open_and_drop(&mut attacker).await?;
        if !attacker.goes_on() {
            return Ok(());
        }
        attacker.rest().await;
    }
}

fn judge(attacker: &Attacker, what: &'static str, reply: Reply) {
    let record = &mut *attacker.record.open();
    record.notes.act(KIND, reply.name());
    match reply {
        Reply::Status(101) => record.notes.breach(KIND, what),
        Reply::Status(status) if status >= 500 => record.notes.fail("failed handshake", what),
        Reply::Status(_) | Reply::HungUp | Reply::Silence => {}
    }
}

/// Complete requests, each with its fault.
///
/// One without an upgrade, with an upgrade to HTTP/2 or with another method is left out: the local AWS takes it for a call of an HTTP API
/// and hands it to `receive`, which can't read such an event. API Gateway refuses it, because a WebSocket API takes nothing else.
fn whole(attacker: &mut Attacker) -> anyhow::Result<Vec<(&'static str, Vec<u8>)>> {
    let rng = &mut attacker.rng;
    let mut garbage: Vec<u8> = (0..rng.usize(1..2_000)).map(|_| rng.u8(..)).collect();
    garbage.extend(b"\r\n\r\n");
    let (host, path) = attacker.host()?;
    let with = |more: &str| handshake(host, path, more).into_bytes();
    let good = handshake(host, path, "");
    let mut no_text = good.trim_end().as_bytes().to_vec();
    no_text.extend(b"\r\nAuthorization: Bearer \xff\xfe\x80\r\n\r\n");
    Ok(vec![
        ("garbage", garbage),
        ("no token", with("")),
        ("an empty token", with("Authorization: Bearer \r\n")),
        ("another scheme", with("Authorization: Basic YWRtaW46YWRtaW4=\r\n")),
        ("two tokens", with("Authorization: Bearer a\r\nAuthorization: Bearer b\r\n")),
        ("a token of no text", no_text),
        ("an empty subprotocol", with("Sec-WebSocket-Protocol: hubbub.v1, bearer.\r\n")),
        ("many subprotocols", with(&format!("Sec-WebSocket-Protocol: {}\r\n", vec!["bearer.a"; 500].join(", ")))),
        ("many headers", with(&"X-Many: 1\r\n".repeat(200))),
        ("a header of 48 KB", with(&format!("X-Large: {}\r\n", "a".repeat(48_000)))),
        ("a header of 1 MB", with(&format!("X-Large: {}\r\n", "a".repeat(1_000_000)))),
        ("an address of 20 KB", handshake(host, &format!("{path}?token={}", "a".repeat(20_000)), "").into_bytes()),
        ("an address with broken escapes", handshake(host, &format!("{path}?token=%zz%00&token&&="), "").into_bytes()),
        ("another version", good.replace("Version: 13", "Version: 99").into_bytes()),
        ("no key", good.replace("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", "").into_bytes()),
        ("no host", good.replace(&format!("Host: {host}\r\n"), "").into_bytes()),
        ("HTTP/1.0", good.replace("HTTP/1.1", "HTTP/1.0").into_bytes()),
        ("another stage", handshake(host, &format!("{path}-other"), "").into_bytes()),
    ])
}

/// Beginnings of requests.
fn halves(attacker: &mut Attacker) -> anyhow::Result<Vec<Vec<u8>>> {
    let (host, path) = attacker.host()?;
    let good = handshake(host, path, "").into_bytes();
    let mut half = || good.iter().copied().take(attacker.rng.usize(..good.len() - 2)).collect();
    Ok(vec![Vec::new(), half(), half(), half()])
}

/// Good sockets that are gone as soon as they are there: `connect` and `disconnect` meet.
async fn open_and_drop(attacker: &mut Attacker) -> anyhow::Result<()> {
    let host = attacker.host()?.0.to_owned();
    try_join_all((0..CROWD).map(|_| TcpStream::connect(&host))).await?;
    let user = attacker.fresh("dropper");
    let token = attacker.forge.good(&user);
    let opened = try_join_all((0..CROWD).map(|_| Socket::open(attacker, KIND, &user, &token))).await?;
    for socket in opened {
        let answer = socket.map_or_else(|why| why, |_| "opened and dropped".to_owned());
        attacker.record.open().notes.act(KIND, answer);
    }
    Ok(())
}
