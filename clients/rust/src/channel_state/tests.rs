//! The rules of a channel's state: single cases, and then random interleavings against a model of the server.

use proptest::prelude::*;

use super::*;
use crate::frames::Content;

fn message(epoch: &str, seq: u64) -> Message {
    Message {
        seq,
        id: format!("{epoch}-{seq}"),
        from: "ana".to_owned(),
        content: Content::Body(serde_json::value::to_raw_value(&seq).unwrap()),
        at: 0,
    }
}

fn frame(epoch: &str, seqs: &[u64]) -> Messages {
    Messages {
        channel: Channel::room("a"),
        epoch: epoch.to_owned(),
        messages: seqs.iter().map(|seq| message(epoch, *seq)).collect(),
        kind: if seqs.len() == 1 { FrameKind::Message } else { FrameKind::Messages },
    }
}

fn answer(epoch: &str, head: u64, recovered: Option<bool>, seqs: &[u64], more: bool) -> Joined {
    Joined {
        channel: Channel::room("a"),
        epoch: epoch.to_owned(),
        head,
        recovered,
        messages: seqs.iter().map(|seq| message(epoch, *seq)).collect(),
        more,
        presence: None,
    }
}

/// A state, and its output as text: `1 2 !E2@4 5`, where `!` is a reset.
struct Probe {
    state: ChannelState,
    out: Vec<String>,
}

impl Probe {
    fn new() -> Self {
        Self { state: ChannelState::new(Channel::room("a")), out: Vec::new() }
    }

    /// A member of a channel whose newest sequence is `head`.
    fn joined(head: u64) -> Self {
        let mut probe = Self::new();
        probe.join(Start::Now, "");
        probe.answer(answer("E1", head, None, &[], false), "", false);
        probe
    }

    #[track_caller]
    fn take(&mut self, step: Step, expected: &str, needs_join: bool) {
        let reset = step.reset.map(|reset| format!("!{}@{}", reset.epoch, reset.head));
        let seqs = step.deliveries.iter().map(|delivery| delivery.message.seq.to_string());
        self.out = reset.into_iter().chain(seqs).collect();
        assert_eq!(self.out.join(" "), expected);
        assert_eq!(step.needs_join, needs_join);
    }

    #[track_caller]
    fn receive(&mut self, epoch: &str, seqs: &[u64], expected: &str, needs_join: bool) {
        let step = self.state.receive(frame(epoch, seqs), Instant::now());
        self.take(step, expected, needs_join);
    }

    #[track_caller]
    fn join(&mut self, start: Start, expected: &str) {
        let since = self.state.join(start);
        let text = match (since.seq, since.epoch) {
            (Some(seq), Some(epoch)) => format!("{epoch}@{seq}"),
            (Some(seq), None) => seq.to_string(),
            _ => String::new(),
        };
        assert_eq!(text, expected);
    }

    #[track_caller]
    fn answer(&mut self, answer: Joined, expected: &str, needs_join: bool) {
        let step = self.state.joined(answer, Instant::now());
        self.take(step, expected, needs_join);
    }

    #[track_caller]
    fn is_at(&self, epoch: &str, seq: u64) {
        assert_eq!(self.state.position(), Some(&Position { epoch: epoch.to_owned(), seq }));
    }
}

#[test]
fn messages_are_handed_out_once_and_in_order() {
    let mut probe = Probe::joined(0);
    probe.receive("E1", &[1], "1", false);
    probe.receive("E1", &[1], "", false);
    probe.receive("E1", &[1, 2, 3], "2 3", false);
    probe.is_at("E1", 3);
    assert_eq!(
        probe.state.counters(),
        Counters { frames: 3, messages: 5, duplicates: 2, early: 0, recovered: 0, joins: 1 }
    );
}

#[test]
fn gap_holds_messages_back_and_needs_a_join() {
    let mut probe = Probe::joined(0);
    probe.receive("E1", &[1], "1", false);
    probe.receive("E1", &[4], "", true);
    probe.join(Start::Known, "E1@1");
    probe.receive("E1", &[5], "", false);
    probe.answer(answer("E1", 4, Some(true), &[2, 3, 4], false), "2 3 4 5", false);
    let counters = probe.state.counters();
    assert_eq!((counters.early, counters.recovered, counters.duplicates), (1, 2, 0));
}

#[test]
fn gap_that_closes_by_itself_needs_no_join() {
    let mut probe = Probe::joined(0);
    probe.receive("E1", &[2], "", true);
    probe.receive("E1", &[1], "1 2", false);
}

#[test]
fn frames_before_the_first_answer_are_held() {
    let mut probe = Probe::new();
    probe.join(Start::Now, "");
    probe.receive("E1", &[8], "", false);
    probe.receive("E1", &[6], "", false);
    probe.receive("E1", &[7], "", false);
    probe.answer(answer("E1", 7, None, &[], false), "6 7 8", false);
}

#[test]
fn join_from_now_starts_at_the_head() {
    let mut probe = Probe::joined(7);
    probe.is_at("E1", 7);
    probe.receive("E1", &[7], "", false);
    probe.receive("E1", &[8], "8", false);
}

#[test]
fn recovery_continues_while_there_is_more() {
    let mut probe = Probe::new();
    probe.join(Start::Beginning, "0");
    probe.answer(answer("E1", 5, Some(true), &[1, 2], true), "1 2", true);
    probe.join(Start::Known, "E1@2");
    probe.answer(answer("E1", 5, Some(true), &[3, 4], true), "3 4", true);
    probe.join(Start::Known, "E1@4");
    probe.answer(answer("E1", 5, Some(true), &[5], false), "5", false);
}

#[test]
fn failed_join_from_the_beginning_skips_nothing() {
    let mut probe = Probe::new();
    probe.join(Start::Beginning, "0");
    probe.receive("E1", &[4], "", false);
    let failed = probe.state.join_failed();
    probe.take(failed, "", true);
    probe.receive("E1", &[5], "", true);
    probe.join(Start::Known, "0");
    probe.answer(answer("E1", 5, Some(true), &[1, 2, 3, 4, 5], false), "1 2 3 4 5", false);
}

#[test]
fn empty_log_is_recovered_from_its_beginning() {
    let mut probe = Probe::new();
    probe.join(Start::Beginning, "0");
    probe.answer(answer("E1", 0, Some(true), &[], false), "", false);
    probe.is_at("E1", 0);
}

#[test]
fn unrecoverable_messages_reset_to_the_head() {
    let mut probe = Probe::new();
    probe.join(Start::After(Position { epoch: "E1".to_owned(), seq: 3 }), "E1@3");
    probe.answer(answer("E1", 90, Some(false), &[], false), "!E1@90", false);
    probe.receive("E1", &[91], "91", false);
}

#[test]
fn position_ahead_of_the_log_resets_to_the_head() {
    let mut probe = Probe::new();
    probe.join(Start::After(Position { epoch: "E1".to_owned(), seq: 30 }), "E1@30");
    probe.answer(answer("E1", 4, Some(false), &[], false), "!E1@4", false);
    probe.receive("E1", &[5], "5", false);
}

#[test]
fn join_finds_a_new_epoch_and_keeps_its_messages() {
    let mut probe = Probe::joined(9);
    probe.receive("E2", &[1], "", true);
    probe.join(Start::Known, "E1@9");
    probe.receive("E2", &[2], "", false);
    probe.answer(answer("E2", 2, Some(false), &[], false), "!E2@2 1 2", false);
}

#[test]
fn late_frame_of_an_old_epoch_is_dropped() {
    let mut probe = Probe::joined(3);
    probe.receive("E0", &[8], "", true);
    probe.join(Start::Known, "E1@3");
    probe.answer(answer("E1", 3, Some(true), &[], false), "", false);
    probe.receive("E1", &[4], "4", false);
}

#[test]
fn newer_epoch_during_a_join_needs_another_join() {
    let mut probe = Probe::joined(3);
    probe.join(Start::Known, "E1@3");
    probe.receive("E2", &[1], "", false);
    probe.answer(answer("E1", 3, Some(true), &[], false), "", true);
    probe.join(Start::Known, "E1@3");
    probe.answer(answer("E2", 1, Some(false), &[], false), "!E2@1 1", false);
}

#[test]
fn failed_join_hands_out_held_messages() {
    let mut probe = Probe::new();
    probe.join(Start::Now, "");
    probe.receive("E1", &[4], "", false);
    probe.receive("E1", &[6], "", false);
    let step = probe.state.join_failed();
    probe.take(step, "4", true);
}

#[test]
fn nothing_is_handed_out_between_leave_and_join() {
    let mut probe = Probe::joined(0);
    probe.state.left();
    probe.receive("E1", &[1], "", false);
    assert_eq!(probe.state.position(), None);
    probe.join(Start::Known, "");
    probe.answer(answer("E1", 2, None, &[], false), "", false);
    probe.receive("E1", &[3], "3", false);
}

#[test]
fn without_a_join_the_first_message_is_the_next() {
    let mut probe = Probe::new();
    probe.receive("E1", &[41, 42], "41 42", false);
    probe.receive("E1", &[40], "", false);
    probe.receive("E1", &[44], "", true);
}

#[test]
fn message_that_never_comes_is_given_up() {
    let mut probe = Probe::joined(1);
    probe.receive("E1", &[3], "", true);
    for _ in 1..MAX_IDLE_JOINS {
        probe.join(Start::Known, "E1@1");
        probe.answer(answer("E1", 3, Some(true), &[], false), "", true);
    }
    probe.join(Start::Known, "E1@1");
    probe.answer(answer("E1", 3, Some(true), &[], false), "!E1@3 3", false);
}

#[test]
fn second_join_from_now_repeats_nothing() {
    let mut probe = Probe::joined(4);
    probe.receive("E1", &[5], "5", false);
    probe.join(Start::Now, "");
    probe.receive("E1", &[5], "", false);
    probe.answer(answer("E1", 5, None, &[], false), "", false);
    probe.is_at("E1", 5);
}

// The model: a log that grows, expires its oldest messages or starts a new epoch; posts that are lost, repeated or overtaken; joins
// that are answered late or never.

#[derive(Clone, Debug)]
enum Op {
    /// Appends `count` messages, and posts them in one frame `posts` times.
    Append { count: u64, posts: usize },
    /// One of the posted frames arrives.
    Arrive { pick: usize },
    /// The server answers the join, or the answer arrives.
    Answer,
    /// The join, or its answer, is lost.
    Lose,
    /// The oldest messages expire.
    Expire { keep: u64 },
    /// The log starts a new epoch.
    NewEpoch,
}

fn any_op() -> impl Strategy<Value = Op> {
    prop_oneof![
        6 => (1..4_u64, 0..3_usize).prop_map(|(count, posts)| Op::Append { count, posts }),
        8 => any::<usize>().prop_map(|pick| Op::Arrive { pick }),
        6 => Just(Op::Answer),
        1 => Just(Op::Lose),
    ]
}

fn any_op_with_losses() -> impl Strategy<Value = Op> {
    prop_oneof![
        12 => any_op(),
        1 => (0..5_u64).prop_map(|keep| Op::Expire { keep }),
        1 => Just(Op::NewEpoch),
    ]
}

fn any_start() -> impl Strategy<Value = Start> {
    prop_oneof![
        Just(Start::Now),
        Just(Start::Beginning),
        (0..4_u64).prop_map(|seq| Start::After(Position { epoch: "E00".to_owned(), seq })),
    ]
}

/// The most messages in an answer.
const LIMIT: u64 = 3;

enum Join {
    Asked(Since),
    Answered(Joined),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Seen {
    Message(String, u64),
    Reset(String, u64),
}

struct Model {
    epoch: u32,
    head: u64,
    /// The oldest sequence that is kept.
    first: u64,
    network: Vec<Messages>,
    join: Option<Join>,
    /// The head in the first answer.
    joined_at: Option<u64>,
    state: ChannelState,
    seen: Vec<Seen>,
}

impl Model {
    /// A log with four messages, and a client that joins it.
    fn new(start: Start) -> Self {
        let mut state = ChannelState::new(Channel::room("a"));
        let since = state.join(start);
        Self {
            epoch: 0,
            head: 4,
            first: 1,
            network: Vec::new(),
            join: Some(Join::Asked(since)),
            joined_at: None,
            state,
            seen: Vec::new(),
        }
    }

    fn epoch(&self) -> String {
        format!("E{:02}", self.epoch)
    }

    fn append(&mut self, count: u64, posts: usize) {
        let seqs: Vec<u64> = (self.head + 1..=self.head + count).collect();
        self.head += count;
        self.network.extend(std::iter::repeat_n(frame(&self.epoch(), &seqs), posts));
    }

    fn apply(&mut self, op: &Op) {
        match op {
            Op::Append { count, posts } => self.append(*count, *posts),
            Op::Arrive { pick } if !self.network.is_empty() => {
                let frame = self.network.remove(pick % self.network.len());
                let step = self.state.receive(frame, Instant::now());
                self.take(step);
            }
            Op::Arrive { .. } => {}
            Op::Answer => self.answer(),
            // The first join is the application's, which sees that it failed.
            Op::Lose if self.joined_at.is_some() => {
                if self.join.take().is_some() {
                    let step = self.state.join_failed();
                    self.take(step);
                }
            }
            Op::Lose => {}
            Op::Expire { keep } => self.first = self.first.max((self.head + 1).saturating_sub(*keep)),
            Op::NewEpoch => (self.epoch, self.head, self.first) = (self.epoch + 1, 0, 1),
        }
    }

    fn answer(&mut self) {
        match self.join.take() {
            None => {}
            Some(Join::Asked(since)) => self.join = Some(Join::Answered(self.answer_to(&since))),
            Some(Join::Answered(answer)) => {
                self.joined_at.get_or_insert(answer.head);
                let step = self.state.joined(answer, Instant::now());
                self.take(step);
            }
        }
    }

    fn answer_to(&self, since: &Since) -> Joined {
        let epoch = self.epoch();
        let Some(seq) = since.seq else {
            return answer(&epoch, self.head, None, &[], false);
        };
        let same_epoch = since.epoch.as_ref().is_none_or(|asked| *asked == epoch);
        if !same_epoch || seq > self.head || seq + 1 < self.first {
            return answer(&epoch, self.head, Some(false), &[], false);
        }
        let last = self.head.min(seq + LIMIT);
        let seqs: Vec<u64> = (seq + 1..=last).collect();
        answer(&epoch, self.head, Some(true), &seqs, last < self.head)
    }

    /// Does what a step says.
    fn take(&mut self, step: Step) {
        self.seen.extend(step.reset.map(|reset| Seen::Reset(reset.epoch, reset.head)));
        self.seen.extend(step.deliveries.into_iter().map(|delivery| {
            assert_eq!(delivery.message.id, format!("{}-{}", delivery.epoch, delivery.message.seq));
            Seen::Message(delivery.epoch, delivery.message.seq)
        }));
        if step.needs_join && self.join.is_none() {
            self.join = Some(Join::Asked(self.state.join(Start::Known)));
        }
    }

    /// All posted frames arrive, and one more message, which shows the client what it has missed.
    fn settle(&mut self) {
        self.append(1, 1);
        while !self.network.is_empty() {
            self.apply(&Op::Arrive { pick: 0 });
        }
        for _ in 0..200 {
            self.answer();
        }
        assert!(self.join.is_none(), "the client never stops joining");
    }
}

/// Each message comes at most once and follows the last one, unless a reset comes between them.
fn check_order(seen: &[Seen]) -> Result<(), TestCaseError> {
    let mut last: Option<(&str, u64)> = None;
    let mut fresh = true;
    for event in seen {
        match event {
            Seen::Message(epoch, seq) => {
                if let Some((last_epoch, last_seq)) = last {
                    let is_later = (epoch.as_str(), *seq) > (last_epoch, last_seq);
                    let is_next = epoch == last_epoch && *seq == last_seq + 1;
                    prop_assert!(
                        is_later && (fresh || is_next),
                        "{epoch}@{seq} follows {last_epoch}@{last_seq} in {seen:?}"
                    );
                }
                last = Some((epoch, *seq));
                fresh = false;
            }
            Seen::Reset(..) => fresh = true,
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn any_interleaving_keeps_order_and_repeats_nothing(
        start in any_start(),
        ops in prop::collection::vec(any_op(), 0..60),
    ) {
        let mut model = Model::new(start.clone());
        for op in &ops {
            model.apply(op);
        }
        model.settle();
        check_order(&model.seen)?;
        let seqs: Vec<u64> = model.seen.iter().map(|seen| match seen {
            Seen::Message(_, seq) => *seq,
            Seen::Reset(..) => 0,
        }).collect();
        let from = match start {
            Start::Beginning => 1,
            Start::After(position) => position.seq + 1,
            _ => seqs.first().copied().unwrap_or_default(),
        };
        prop_assert!(model.joined_at.is_some_and(|head| from <= head + 1), "messages after the join are missing: {seqs:?}");
        prop_assert_eq!(seqs, (from..=model.head).collect::<Vec<u64>>());
    }

    #[test]
    fn lost_messages_and_new_epochs_are_reported(
        start in any_start(),
        ops in prop::collection::vec(any_op_with_losses(), 0..60),
    ) {
        let mut model = Model::new(start);
        for op in &ops {
            model.apply(op);
        }
        model.settle();
        check_order(&model.seen)?;
        let expected = Position { epoch: model.epoch(), seq: model.head };
        prop_assert_eq!(model.state.position(), Some(&expected));
        let last_message = model.seen.iter().rev().find(|seen| matches!(seen, Seen::Message(..)));
        let last = Seen::Message(expected.epoch, expected.seq);
        prop_assert!(last_message == Some(&last) || matches!(model.seen.last(), Some(Seen::Reset(..))), "{:?}", model.seen);
    }
}
