//! Reading client frames.

use hubbub_core::actions::{ClientFrame, NAMES};
use hubbub_core::wire::codes::ErrorCode;

use hubbub_core::wire::server_frame::*;

fn check(text: &str, expected: &str) {
    let answer = ClientFrame::parse(text, 16, 32_768).map_err(Answer::from).unwrap_err();
    assert_eq!(serde_json::to_string(&answer).unwrap(), expected, "{text}");
}

#[test]
fn bad_frame_gets_a_code_and_what_to_change() {
    check(
        "hello",
        r#"{"type":"error","code":"not_json","message":"the text is not a JSON object: expected value at line 1 column 1"}"#,
    );
    check(
        r#"{"ref":"7"}"#,
        r#"{"type":"error","code":"unknown_action","message":"field `action` must be one of join, leave, publish, direct, signal, history, who, kick, ban, unban, delete, close, open, ping","ref":"7"}"#,
    );
    check(
        r#"{"action":"shout","id":"m"}"#,
        r#"{"type":"error","code":"unknown_action","message":"field `action` must be one of join, leave, publish, direct, signal, history, who, kick, ban, unban, delete, close, open, ping","id":"m"}"#,
    );
    check(r#"{"action":"join"}"#, r#"{"type":"error","code":"missing_field","message":"field `room` is missing"}"#);
    check(
        r#"{"action":"join","room":5}"#,
        r#"{"type":"error","code":"wrong_field","message":"field `room` must be a string"}"#,
    );
    check(
        r#"{"action":"join","room":"a b"}"#,
        r#"{"type":"error","code":"invalid_id","message":"field `room`: `a b` is not an id: use 1 to 64 of the characters A-Z a-z 0-9 . _ : -"}"#,
    );
    check(
        r#"{"action":"join","room":"a","since":-1}"#,
        r#"{"type":"error","code":"wrong_field","message":"field `since` must be a sequence: a whole number from 0"}"#,
    );
    check(
        r#"{"action":"publish","room":"a","id":"m"}"#,
        r#"{"type":"error","code":"missing_field","message":"field `body` is missing","id":"m"}"#,
    );
    check(
        r#"{"action":"direct","to":"bob","body":"fifteen letters"}"#,
        r#"{"type":"error","code":"body_too_large","message":"field `body` has 17 bytes, and may have 16"}"#,
    );
    check(
        r#"{"action":"history","room":"a","limit":201}"#,
        r#"{"type":"error","code":"wrong_field","message":"field `limit` must be a whole number from 1 to 200"}"#,
    );
    check(
        r#"{"action":"ping","seen":{"room:a":{"epoch":"E"}}}"#,
        r#"{"type":"error","code":"wrong_field","message":"field `seen` must be an object of at most 100 channels, each with its `epoch` and `seq`"}"#,
    );
    check(
        r#"{"action":"direct","to":"bob","body":1,"receipt":"yes"}"#,
        r#"{"type":"error","code":"wrong_field","message":"field `receipt` must be `true` or `false`"}"#,
    );
}

#[test]
fn a_frame_that_is_too_large_is_refused_unread() {
    let frame = |bytes: usize| format!(r#"{{"action":"ping","ref":"{}"}}"#, "x".repeat(bytes - 26));
    assert_eq!(ClientFrame::parse(&frame(32_769), 16, 32_768).unwrap_err().code, ErrorCode::FrameTooLarge);
    assert_eq!(ClientFrame::parse(&frame(32_768), 16, 32_768).unwrap_err().code, ErrorCode::WrongField);
}

#[test]
fn every_action_has_a_form_that_is_understood() {
    let fields = r#""room":"a","to":"b","body":1,"user":"c","until":2,"seq":3"#;
    for action in NAMES {
        let frame = ClientFrame::parse(&format!(r#"{{"action":"{action}",{fields},"later":true}}"#), 16, 32_768);
        assert!(frame.is_ok(), "{action}");
    }
}
