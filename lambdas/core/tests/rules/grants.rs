//! What a token grants.

use hubbub_core::actions::Caller;
use hubbub_core::actions::ClientFrame;
use hubbub_core::wire::capabilities::*;

use hubbub_testkit::fixtures::caller;

fn allows(capabilities: &str, frame: &str) -> bool {
    let caller = Caller { capabilities: Capabilities::parse(capabilities).unwrap(), ..caller("alice") };
    ClientFrame::parse(frame, 1_000, 32_768).unwrap().action.authorize(&caller).is_ok()
}

#[test]
fn action_needs_its_grant() {
    const TEAM: &str =
        r#"{"join":["lobby","team-*"],"publish":["team-*"],"history":["lobby"],"who":["*"],"direct":["bob"]}"#;
    const MEMBER: &str = r#"{"join":["*"],"publish":["*"],"history":["*"],"who":["*"],"direct":["*"]}"#;
    // What a token grants, what is asked for, and whether it is allowed.
    for (capabilities, frame, allowed) in [
        (TEAM, r#"{"action":"join","room":"lobby"}"#, true),
        (TEAM, r#"{"action":"join","room":"team-red"}"#, true),
        (TEAM, r#"{"action":"join","room":"team-"}"#, true),
        (TEAM, r#"{"action":"join","room":"lobby2"}"#, false),
        (TEAM, r#"{"action":"join","room":"Lobby"}"#, false),
        (TEAM, r#"{"action":"publish","room":"team-red","body":1}"#, true),
        (TEAM, r#"{"action":"publish","room":"lobby","body":1}"#, false),
        (TEAM, r#"{"action":"signal","room":"team-red","body":1}"#, true),
        (TEAM, r#"{"action":"signal","room":"lobby","body":1}"#, false),
        (TEAM, r#"{"action":"signal","to":"bob","body":1}"#, true),
        (TEAM, r#"{"action":"signal","to":"bobby","body":1}"#, false),
        (TEAM, r#"{"action":"join","room":"lobby","presence":true}"#, true),
        (r#"{"join":["*"]}"#, r#"{"action":"join","room":"lobby","presence":true}"#, false),
        (r#"{"join":["*"]}"#, r#"{"action":"join","room":"lobby","presence":false}"#, true),
        (TEAM, r#"{"action":"history","room":"lobby"}"#, true),
        (TEAM, r#"{"action":"history","room":"team-red"}"#, false),
        (TEAM, r#"{"action":"who","room":"anything"}"#, true),
        (TEAM, r#"{"action":"direct","to":"bob","body":1}"#, true),
        (TEAM, r#"{"action":"direct","to":"bobby","body":1}"#, false),
        (MEMBER, r#"{"action":"join","room":"lobby"}"#, true),
        (MEMBER, r#"{"action":"publish","room":"lobby","body":1}"#, true),
        (MEMBER, r#"{"action":"direct","to":"anyone","body":1}"#, true),
        ("{}", r#"{"action":"join","room":"lobby"}"#, false),
        ("{}", r#"{"action":"publish","room":"lobby","body":1}"#, false),
        ("{}", r#"{"action":"history","room":"lobby"}"#, false),
        ("{}", r#"{"action":"who","room":"lobby"}"#, false),
        ("{}", r#"{"action":"direct","to":"alice","body":1}"#, false),
        (r#"{"admin":["team-*"]}"#, r#"{"action":"kick","room":"team-red","user":"bob"}"#, true),
        (r#"{"admin":["team-*"]}"#, r#"{"action":"ban","room":"team-red","user":"bob","until":1}"#, true),
        (r#"{"admin":["team-*"]}"#, r#"{"action":"unban","room":"lobby","user":"bob"}"#, false),
        (r#"{"admin":["team-*"]}"#, r#"{"action":"kick","user":"bob"}"#, false),
        (r#"{"admin":["*"]}"#, r#"{"action":"kick","user":"bob"}"#, true),
        (MEMBER, r#"{"action":"kick","room":"lobby","user":"bob"}"#, false),
        (r#"{"admin":["team-*"]}"#, r#"{"action":"delete","room":"team-red","seq":1}"#, true),
        (r#"{"admin":["team-*"]}"#, r#"{"action":"close","room":"lobby"}"#, false),
        (r#"{"admin":["lobby"]}"#, r#"{"action":"open","room":"lobby"}"#, true),
        (MEMBER, r#"{"action":"delete","room":"lobby","seq":1}"#, false),
        (MEMBER, r#"{"action":"close","room":"lobby","erase":true}"#, false),
        // One's own channel and everyone's need no capability, another user's is out of reach.
        ("{}", r#"{"action":"join","channel":"user:alice"}"#, true),
        ("{}", r#"{"action":"history","channel":"user:alice"}"#, true),
        ("{}", r#"{"action":"join","channel":"everyone"}"#, true),
        (MEMBER, r#"{"action":"join","channel":"user:bob"}"#, false),
        (MEMBER, r#"{"action":"history","channel":"user:bob"}"#, false),
        ("{}", r#"{"action":"leave","room":"lobby"}"#, true),
        ("{}", r#"{"action":"ping"}"#, true),
    ] {
        assert_eq!(allows(capabilities, frame), allowed, "{capabilities} {frame}");
    }
}
