//! Forged tokens, in each of the three places where a token may be.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::book::open;
use crate::field::Field;
use crate::kind::Kind;
use crate::knock::{Reply, handshake, knock};

const KIND: Kind = Kind::ForgedTokens;

pub(super) async fn attack(mut field: Field) -> anyhow::Result<()> {
    loop {
        let user = field.fresh("forger");
        let mut forgeries = field.forge.forgeries(&user, &mut field.dice);
        // In another order each time, so that a short run doesn't always try the same ones.
        field.dice.shuffle(&mut forgeries);
        for (what, token) in forgeries {
            let place = field.dice.u32(..3);
            let (host, path) = field.host()?;
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
            let reply = knock(&field, request.as_bytes()).await?;
            let what = format!("{what}, in {place}");
            {
                let mut book = open(&field.book);
                book.act(KIND, reply.name());
                match reply {
                    Reply::Status(101) => book.breach(KIND, what),
                    Reply::Status(401 | 403) => {}
                    Reply::Status(status) if status >= 500 => book.fail("failed token", what),
                    Reply::Status(_) | Reply::HungUp | Reply::Silence => {
                        book.oddities.note("oddly refused token", format!("{what}: {}", reply.name()));
                    }
                }
            }
            if !field.rest().await {
                return Ok(());
            }
        }
    }
}
