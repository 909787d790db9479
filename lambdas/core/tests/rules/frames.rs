//! Packing messages into frames.

use hubbub_core::transport::API_GATEWAY;
use hubbub_core::wire::frame::*;
use proptest::prelude::*;

use hubbub_core::wire::channel::Channel;
use hubbub_core::wire::id::Epoch;
use hubbub_core::wire::message::{Message, Seq};
use hubbub_testkit::fixtures::message;

fn packed(sizes: &[usize]) -> (Vec<Message>, Vec<Frame>) {
    let messages: Vec<Message> = sizes.iter().zip(1..).map(|(size, seq)| message(seq, &"x".repeat(*size))).collect();
    let frames = pack(&Channel::Everyone, &Epoch::new("E"), &messages, API_GATEWAY.max_frame_bytes).unwrap();
    (messages, frames)
}

#[test]
fn one_message_has_the_short_form() {
    let (_, frames) = packed(&[1]);
    assert_eq!(
        frames[0].text,
        r#"{"type":"message","channel":"everyone","epoch":"E","seq":1,"id":"m-1","from":"alice","body":"x","at":1001}"#
    );
}

#[test]
fn several_messages_share_a_frame() {
    let (_, frames) = packed(&[1, 2]);
    assert_eq!(frames.len(), 1);
    assert_eq!(
        frames[0].text,
        r#"{"type":"messages","channel":"everyone","epoch":"E","messages":[{"seq":1,"id":"m-1","from":"alice","body":"x","at":1001},{"seq":2,"id":"m-2","from":"alice","body":"xx","at":1002}]}"#
    );
    assert_eq!(frames[0].last, Seq(2));
}

proptest! {
    #[test]
    fn frames_hold_each_message_once_and_fit(sizes in prop::collection::vec(0usize..24_000, 0..30)) {
        let (messages, frames) = packed(&sizes);
        let mut held = Vec::new();
        for frame in &frames {
            prop_assert!(frame.text.len() <= API_GATEWAY.max_frame_bytes);
            let value: serde_json::Value = serde_json::from_str(&frame.text).unwrap();
            let seqs: Vec<u64> = match value.get("messages") {
                Some(list) => list.as_array().unwrap().iter().map(|one| one["seq"].as_u64().unwrap()).collect(),
                None => vec![value["seq"].as_u64().unwrap()],
            };
            prop_assert_eq!(seqs.last().copied(), Some(frame.last.0));
            held.extend(seqs);
        }
        let expected: Vec<u64> = messages.iter().map(|message| message.seq.0).collect();
        prop_assert_eq!(held, expected);
    }

    #[test]
    fn two_frames_in_a_row_would_not_fit_into_one(sizes in prop::collection::vec(0usize..24_000, 0..30)) {
        let (messages, frames) = packed(&sizes);
        let mut first = 0usize;
        for frame in &frames {
            let end = usize::try_from(frame.last.0).unwrap();
            if let Some(next) = messages.get(end) {
                let with_next: usize = frame.text.len() + serde_json::to_string(next).unwrap().len();
                prop_assert!(with_next + 20 > API_GATEWAY.max_frame_bytes, "{first}..{end}");
            }
            first = end;
        }
    }
}
