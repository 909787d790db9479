//! Messages' bodies from the command line: JSON, or any other text as a JSON string.

use std::io::Read;

use hubbub_core::settings::MAX_BODY_BYTES;
use hubbub_core::wire::channel::Channel;
use hubbub_core::wire::message::Body;
use hubbub_core::wire::queue_message::QueueMessage;
use serde_json::Value;

use crate::console::WrongCall;

/// Where a body comes from instead of the command line.
const STDIN: &str = "-";

/// Reads a body: `-` is what comes by standard input.
///
/// # Errors
/// When standard input can't be read, or isn't text.
pub(crate) fn read(text: &str) -> anyhow::Result<Body> {
    if text != STDIN {
        return parse(text);
    }
    let mut input = String::new();
    std::io::stdin().lock().read_to_string(&mut input)?;
    parse(input.strip_suffix('\n').unwrap_or(&input))
}

fn parse(text: &str) -> anyhow::Result<Body> {
    let json = match Body::parse(text.to_owned()) {
        Ok(body) => return Ok(body),
        Err(_) => Value::from(text).to_string(),
    };
    Ok(Body::parse(json)?)
}

/// Checks what is to be sent by the rules of the function that takes it, before it is sent.
///
/// # Errors
/// Says what is wrong with it.
pub(crate) fn check(envelope: &str, channel: &Channel) -> Result<(), WrongCall> {
    let max = usize::try_from(MAX_BODY_BYTES.default).unwrap_or(usize::MAX);
    match QueueMessage::parse(envelope, &channel.to_string(), max) {
        Ok(_) => Ok(()),
        Err(error) => Err(WrongCall(format!("nothing was sent: {error}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_json_or_a_text() {
        let check = |text: &str, expected: &str| assert_eq!(parse(text).unwrap().as_str(), expected);
        check(r#"{"n": 1.50}"#, r#"{"n": 1.50}"#);
        check("17", "17");
        check("null", "null");
        check("hello", r#""hello""#);
        check(r#"{"half"#, r#""{\"half""#);
        check("", r#""""#);
    }

    #[test]
    fn what_would_be_a_dead_letter_is_not_sent() {
        let envelope = |body: String| format!(r#"{{"v":1,"channel":"everyone","id":"a","from":"b","body":{body}}}"#);
        let says = |body: String| check(&envelope(body), &Channel::Everyone).unwrap_err().to_string();
        assert!(check(&envelope("1".to_owned()), &Channel::Everyone).is_ok());
        assert!(says(format!("\"{}\"", "x".repeat(25_000))).contains("has 25002 bytes"));
        assert!(says(format!("{}{}", "[".repeat(70), "]".repeat(70))).contains("nothing was sent"));
    }
}
