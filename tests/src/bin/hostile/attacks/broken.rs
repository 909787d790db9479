//! Broken frames: not JSON, not objects, of wrong types, out of range, and not text. Each must be answered, and none carried out.

use serde_json::json;
use tokio_tungstenite::tungstenite::Message as WireMessage;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

use crate::attacker::Attacker;
use crate::kind::Kind;
use crate::socket::Socket;

const KIND: Kind = Kind::BrokenFrames;

/// No action of these may be carried out.
///
/// The actions `$connect` and `$disconnect` are left out: the local AWS calls the functions of these routes for a frame, and answers nothing.
const TEXTS: &[&str] = &[
    // Not JSON.
    "",
    " ",
    "hello",
    "{",
    "}",
    "{}}",
    "\"",
    "nul",
    "\u{0}",
    "\u{feff}{\"action\":\"ping\"}",
    "{\"action\":\"ping\"",
    "{\"action\":\"ping\"}{\"action\":\"ping\"}",
    "{\"action\":\"ping\",}",
    "{'action':'ping'}",
    "{action:ping}",
    "{\"action\":\"ping\"} // well",
    "{\"action\":\"pi\nng\"}",
    "{\"action\":\"\\x70ing\"}",
    "{\"action\":\"\\ud800\"}",
    "{\"action\":\"join\",\"room\":\"a\",\"since\":NaN}",
    "{\"action\":\"join\",\"room\":\"a\",\"since\":Infinity}",
    "{\"action\":\"join\",\"room\":\"a\",\"since\":01}",
    // Not objects.
    "null",
    "true",
    "0",
    "1e999",
    "-",
    "\"ping\"",
    "[]",
    "[{\"action\":\"ping\"}]",
    "{}",
    // No action.
    "{\"action\":null}",
    "{\"action\":1}",
    "{\"action\":[\"ping\"]}",
    "{\"action\":{\"$ne\":null}}",
    "{\"action\":\"\"}",
    "{\"action\":\"PING\"}",
    "{\"action\":\"ping \"}",
    "{\"action\":\"fly\"}",
    "{\"action\":\"__proto__\"}",
    "{\"action\":\"constructor\"}",
    "{\"action\":\"$default\"}",
    "{\"__proto__\":{\"action\":\"ping\"}}",
    "{\"Action\":\"ping\"}",
    "{\"action\":\"ping\",\"action\":\"fly\"}",
    // Fields that are missing, of another type or out of range.
    "{\"action\":\"join\"}",
    "{\"action\":\"join\",\"room\":null}",
    "{\"action\":\"join\",\"room\":1}",
    "{\"action\":\"join\",\"room\":[\"a\"]}",
    "{\"action\":\"join\",\"room\":{}}",
    "{\"action\":\"join\",\"room\":\"\"}",
    "{\"action\":\"join\",\"room\":\"two words\"}",
    "{\"action\":\"join\",\"room\":\"a\\u0000b\"}",
    "{\"action\":\"join\",\"room\":\"../a\"}",
    "{\"action\":\"join\",\"room\":\"a#b\"}",
    "{\"action\":\"join\",\"room\":\"ä\"}",
    "{\"action\":\"join\",\"channel\":\"nobody\"}",
    "{\"action\":\"join\",\"channel\":\"room:\"}",
    "{\"action\":\"join\",\"channel\":\"user:\"}",
    "{\"action\":\"join\",\"channel\":\"everyone:a\"}",
    "{\"action\":\"join\",\"channel\":7}",
    "{\"action\":\"join\",\"room\":\"pen-broken\",\"since\":-1}",
    "{\"action\":\"join\",\"room\":\"pen-broken\",\"since\":1.5}",
    "{\"action\":\"join\",\"room\":\"pen-broken\",\"since\":\"5\"}",
    "{\"action\":\"join\",\"room\":\"pen-broken\",\"since\":1e400}",
    "{\"action\":\"join\",\"room\":\"pen-broken\",\"since\":18446744073709551616}",
    "{\"action\":\"join\",\"room\":\"pen-broken\",\"since\":0,\"epoch\":9}",
    "{\"action\":\"leave\"}",
    "{\"action\":\"publish\"}",
    "{\"action\":\"publish\",\"room\":\"pen-broken\"}",
    "{\"action\":\"publish\",\"room\":\"pen-broken\",\"body\":1,\"id\":{}}",
    "{\"action\":\"publish\",\"room\":\"pen-broken\",\"body\":1,\"id\":\"\"}",
    "{\"action\":\"publish\",\"room\":\"pen-broken\",\"body\":1,\"receipt\":\"yes\"}",
    "{\"action\":\"direct\",\"body\":1}",
    "{\"action\":\"direct\",\"to\":5,\"body\":1}",
    "{\"action\":\"direct\",\"to\":\"everyone else\",\"body\":1}",
    "{\"action\":\"history\"}",
    "{\"action\":\"history\",\"room\":\"pen-broken\",\"limit\":0}",
    "{\"action\":\"history\",\"room\":\"pen-broken\",\"limit\":-1}",
    "{\"action\":\"history\",\"room\":\"pen-broken\",\"limit\":99999999999999999999}",
    "{\"action\":\"history\",\"room\":\"pen-broken\",\"before\":-1}",
    "{\"action\":\"who\"}",
    "{\"action\":\"who\",\"room\":true}",
    "{\"action\":\"kick\"}",
    "{\"action\":\"ban\",\"user\":\"a\"}",
    "{\"action\":\"ban\",\"user\":\"a\",\"until\":\"tomorrow\"}",
    "{\"action\":\"ban\",\"user\":\"a\",\"until\":-5}",
    "{\"action\":\"ping\",\"ref\":1}",
    "{\"action\":\"ping\",\"ref\":{}}",
    "{\"action\":\"ping\",\"seen\":[]}",
    "{\"action\":\"ping\",\"seen\":{\"nobody\":{\"epoch\":\"e\",\"seq\":1}}}",
    "{\"action\":\"ping\",\"seen\":{\"room:a\":1}}",
    "{\"action\":\"ping\",\"seen\":{\"room:a\":{\"epoch\":\"e\",\"seq\":-1}}}",
];

/// These are odd, and may be carried out.
const ODD: &[&str] = &[
    " \n{ \"action\" : \"ping\" } \t",
    "{\"action\":\"fly\",\"action\":\"ping\"}",
    "{\"\\u0061ction\":\"ping\"}",
    "{\"action\":\"ping\",\"__proto__\":{\"admin\":true}}",
    "{\"action\":\"ping\",\"\":null,\"\\u0000\":0}",
    "{\"action\":\"ping\",\"ref\":null,\"seen\":null}",
    "{\"action\":\"join\",\"room\":\"pen-broken\",\"since\":9007199254740991}",
    "{\"action\":\"join\",\"room\":\"pen-broken\",\"since\":18446744073709551615}",
    "{\"action\":\"join\",\"room\":\"pen-broken\",\"since\":1,\"epoch\":\"\"}",
    "{\"action\":\"history\",\"room\":\"pen-broken\",\"before\":0}",
    "{\"action\":\"history\",\"room\":\"pen-broken\",\"before\":18446744073709551615}",
    "{\"action\":\"join\",\"room\":\"...\"}",
    "{\"action\":\"join\",\"room\":\"user:client-0\"}",
    "{\"action\":\"ping\",\"seen\":{\"room:a\":{\"epoch\":\"\\u0000\",\"seq\":18446744073709551615}}}",
    "{\"action\":\"publish\",\"room\":\"pen-broken\",\"body\":null}",
    "{\"action\":\"publish\",\"room\":\"pen-broken\",\"body\":\"\\u0000\\ud83d\\ude00\\ud800\"}",
    "{\"action\":\"publish\",\"room\":\"pen-broken\",\"body\":1e999}",
    "{\"action\":\"publish\",\"room\":\"pen-broken\",\"body\":{\"__proto__\":1,\"a\":1,\"a\":2}}",
    "{\"action\":\"publish\",\"room\":\"pen-broken\",\"body\":0.1000000000000000055511151231257827}",
];

pub(super) async fn attack(mut attacker: Attacker) -> anyhow::Result<()> {
    loop {
        let user = attacker.fresh("breaker");
        let never = TEXTS.iter().map(|text| (WireMessage::text(*text), true));
        let odd = ODD.iter().map(|text| (WireMessage::text(*text), false));
        let no_texts = no_texts(&mut attacker).into_iter().map(|frame| (frame, true));
        let mut frames: Vec<(WireMessage, bool)> = never.chain(odd).chain(no_texts).collect();
        attacker.rng.shuffle(&mut frames);
        let mut frames = frames.into_iter().peekable();
        // A socket that is closed for a frame is replaced.
        while frames.peek().is_some() {
            let Some(mut socket) = enter(&attacker, &user).await? else { break };
            for (frame, expect_refusal) in frames.by_ref() {
                let what = frame.to_text().map_or_else(|_| format!("{frame:?}"), ToOwned::to_owned);
                let answer = socket.ask(frame).await;
                if expect_refusal {
                    attacker.expect_refusal(KIND, &what, &answer);
                } else {
                    attacker.expect_answer(KIND, &what, &answer);
                }
                if !attacker.rest().await {
                    return Ok(());
                }
                if socket.is_closed {
                    break;
                }
            }
        }
        if !attacker.rest().await {
            return Ok(());
        }
    }
}

async fn enter(attacker: &Attacker, user: &str) -> anyhow::Result<Option<Socket>> {
    match Socket::open(attacker, KIND, user, &attacker.forge.good(user)).await? {
        Ok(mut socket) => Ok(socket.join("pen-broken").await.then_some(socket)),
        Err(why) => {
            attacker.note("refused attacker", why);
            Ok(None)
        }
    }
}

/// Frames that are not texts, or say that they are and are not.
fn no_texts(attacker: &mut Attacker) -> Vec<WireMessage> {
    let rng = &mut attacker.rng;
    let noise: Vec<u8> = (0..rng.usize(1..2_000)).map(|_| rng.u8(..)).collect();
    let as_text = |bytes: Vec<u8>| WireMessage::Frame(Frame::message(bytes, OpCode::Data(Data::Text), true));
    let mut cut = json!({"action": "ping", "ref": "ä"}).to_string().into_bytes();
    cut.truncate(cut.len() - 3);
    vec![
        WireMessage::binary(noise.clone()),
        WireMessage::binary(b"\x00".as_slice()),
        WireMessage::binary(b"\xff\xfe{\"action\":\"ping\"}".as_slice()),
        as_text(noise),
        as_text(b"{\"action\":\"ping\",\"ref\":\"\xc3\x28\"}".to_vec()),
        as_text(b"\xed\xa0\x80".to_vec()),
        as_text(cut),
        WireMessage::Frame(Frame::message(Vec::new(), OpCode::Data(Data::Reserved(5)), true)),
        WireMessage::Frame(Frame::message(b"more".to_vec(), OpCode::Data(Data::Continue), true)),
    ]
}
