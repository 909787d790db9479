//! Forged tokens, in each of the three places for a token.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::attacker::Attacker;
use crate::http::{Reply, handshake, send};
use crate::kind::Kind;

const KIND: Kind = Kind::ForgedTokens;

pub(super) async fn attack(mut attacker: Attacker) -> anyhow::Result<()> {
    loop {
        let user = attacker.fresh("forger");
        let mut forgeries = attacker.forge.forgeries(&user, &mut attacker.rng);
        // In another order each time, so that a short run doesn't always try the same ones.
        attacker.rng.shuffle(&mut forgeries);
        for (what, token) in forgeries {
            let place = attacker.rng.u32(..3);
            let (host, path) = attacker.host()?;
            // A header is one line of visible characters.
            let line: String = token.chars().filter(char::is_ascii_graphic).collect();
            let query = utf8_percent_encode(&token, NON_ALPHANUMERIC);
            let (place, request) = match place {
                0 => ("the header", handshake(host, path, &format!("Authorization: Bearer {line}\r\n"))),
                1 => {
                    let offer = format!("Sec-WebSocket-Protocol: hubbub.v1, bearer.{line}\r\n");
                    ("the subprotocols", handshake(host, path, &offer))
                }
                _ => ("the address", handshake(host, &format!("{path}?token={query}"), "")),
            };
            let reply = send(&attacker, request.as_bytes()).await?;
            let what = format!("{what}, in {place}");
            {
                let record = &mut *attacker.record.open();
                record.notes.act(KIND, reply.name());
                match reply {
                    Reply::Status(101) => record.notes.breach(KIND, what),
                    Reply::Status(401 | 403) => {}
                    Reply::Status(status) if status >= 500 => record.notes.fail("failed token", what),
                    Reply::Status(_) | Reply::HungUp | Reply::Silence => {
                        record
                            .surprises
                            .note("token that was refused unexpectedly", format!("{what}: {}", reply.name()));
                    }
                }
            }
            if !attacker.rest().await {
                return Ok(());
            }
        }
    }
}
