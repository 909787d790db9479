//! What the ledger finds, and what it lets pass.

use super::*;

type TestLedger = Ledger<u32, &'static str>;

const ROOM: &str = "room";

fn entry(seq: u64, id: &str) -> Entry {
    Entry { epoch: "E".to_owned(), seq, from: "ana".to_owned(), id: id.to_owned(), body: Some("1".to_owned()) }
}

/// A room whose log has the messages `a` to `d`, in the places 1 to 4.
fn room() -> TestLedger {
    with_log(&[(1, "a"), (2, "b"), (3, "c"), (4, "d")])
}

fn with_log(log: &[(u64, &str)]) -> TestLedger {
    let mut ledger = TestLedger::default();
    ledger.replace_log(&ROOM, "E", log.iter().map(|(seq, id)| entry(*seq, id)).collect());
    ledger
}

/// As [`room`], with a member who joined after this sequence and received these messages.
fn member(after: Option<u64>, received: &[(u64, &str)]) -> TestLedger {
    let mut ledger = room();
    after.into_iter().for_each(|seq| ledger.join(&1, &ROOM, Position::new("E", seq)));
    for (seq, id) in received {
        ledger.receive(&1, &ROOM, entry(*seq, id));
    }
    ledger
}

fn received(ledger: &TestLedger) -> [u64; 5] {
    let Balance { owed, missing, out_of_order, duplicates, altered, .. } = ledger.balance();
    [owed, missing, out_of_order, duplicates, altered]
}

#[test]
fn accepted_message_must_be_logged_once_in_sender_order() {
    let check = |ids: &[&str], log: &[(u64, &str)], [accepted, lost, repeated, misplaced]: [u64; 4]| {
        let mut ledger = with_log(log);
        ids.iter().for_each(|id| ledger.accept(&ROOM, "ana", "ana", id));
        let found = ledger.balance();
        let found = [found.accepted, found.lost, found.repeated, found.misplaced];
        assert_eq!(found, [accepted, lost, repeated, misplaced], "{ids:?} in {log:?}");
    };
    let log = [(1, "a"), (2, "b"), (3, "c"), (4, "d")];
    check(&["a", "b", "d"], &log, [3, 0, 0, 0]);
    check(&["a", "x"], &log, [2, 1, 0, 0]);
    check(&["b", "a"], &log, [2, 0, 0, 1]);
    check(&["a", "b"], &[(1, "a"), (2, "b"), (3, "a")], [2, 0, 1, 0]);
}

#[test]
fn other_senders_message_is_not_the_accepted_one() {
    let mut ledger = room();
    ledger.accept(&ROOM, "ben", "ben", "a");
    assert_eq!(ledger.lost().collect::<Vec<_>>(), [(&ROOM, "ben", "a")]);
}

#[test]
fn order_is_owed_within_a_source_only() {
    let mut ledger = room();
    ledger.accept(&ROOM, "ana's phone", "ana", "b");
    ledger.accept(&ROOM, "ana's laptop", "ana", "a");
    assert_eq!(ledger.balance().misplaced, 0);
}

#[test]
fn redriven_message_may_lose_its_place_and_dropped_be_lost() {
    let mut ledger = room();
    ["b", "a", "x"].iter().for_each(|id| ledger.accept(&ROOM, "ana", "ana", id));
    ledger.redrive(&ROOM, "ana", "b", false);
    ledger.redrive(&ROOM, "ana", "x", true);
    assert_eq!(ledger.balance().faults(), 0);
}

#[test]
fn member_is_owed_what_follows_its_join_once_in_order() {
    let check = |after, messages: &[(u64, &str)], expected: [u64; 5]| {
        assert_eq!(received(&member(after, messages)), expected, "{messages:?} after {after:?}");
    };
    check(Some(2), &[(3, "c"), (4, "d")], [2, 0, 0, 0, 0]);
    check(Some(2), &[(4, "d")], [2, 1, 0, 0, 0]);
    check(Some(2), &[(3, "c")], [2, 1, 0, 0, 0]);
    check(Some(2), &[], [2, 2, 0, 0, 0]);
    check(Some(2), &[(4, "d"), (3, "c")], [2, 0, 1, 0, 0]);
    check(Some(2), &[(3, "c"), (4, "d"), (4, "d")], [2, 0, 0, 1, 0]);
    check(Some(2), &[(3, "c"), (4, "x")], [2, 0, 0, 0, 1]);
    check(Some(2), &[(3, "c"), (4, "d"), (5, "e")], [2, 0, 0, 0, 1]);
    check(None, &[(3, "c"), (4, "d")], [2, 0, 0, 0, 0]);
    check(Some(4), &[], [0, 0, 0, 0, 0]);
}

#[test]
fn early_message_moves_the_begin_of_what_is_owed() {
    assert_eq!(received(&member(Some(3), &[(2, "b"), (4, "d")])), [3, 1, 0, 0, 0]);
}

#[test]
fn first_answer_of_a_membership_says_what_is_owed() {
    let mut ledger = member(Some(1), &[]);
    ledger.join(&1, &ROOM, Position::new("E", 4));
    assert_eq!(ledger.balance().owed, 3);
    ledger.leave(&1, &ROOM);
    assert!(ledger.channels_of(&1).is_empty());
    ledger.join(&1, &ROOM, Position::new("E", 4));
    assert_eq!((ledger.balance().owed, ledger.channels_of(&1)), (0, vec![ROOM]));
}

#[test]
fn member_that_left_is_owed_up_to_its_last_message() {
    let left = |messages: &[(u64, &str)]| {
        let (mut left, mut cut) = (member(Some(0), messages), member(Some(0), messages));
        left.leave(&1, &ROOM);
        cut.cut(&1);
        assert_eq!(left.balance(), cut.balance());
        left.balance().missing
    };
    assert_eq!(left(&[(1, "a"), (2, "b")]), 0);
    assert_eq!(left(&[(1, "a"), (3, "c")]), 1);
    assert_eq!(left(&[]), 0);
}

#[test]
fn erased_log_is_owed_no_more_and_its_successor_is_from_the_start() {
    let mut ledger = member(Some(2), &[(3, "c")]);
    let entry = |seq| Entry { epoch: "F".to_owned(), ..entry(seq, "e") };
    ledger.replace_log(&ROOM, "F", vec![entry(1)]);
    assert_eq!(received(&ledger), [1, 1, 0, 0, 0]);
    ledger.receive(&1, &ROOM, entry(1));
    assert_eq!(received(&ledger), [1, 0, 0, 0, 0]);
}

#[test]
fn missing_names_who_lacks_what() {
    let ledger = member(Some(1), &[(3, "c")]);
    let [missing] = &ledger.missing()[..] else { panic!("one member lacks something") };
    assert_eq!((missing.client, missing.channel, &missing.seqs[..]), (1, ROOM, &[2, 4][..]));
    assert_eq!((&missing.after, &missing.last), (&Some(Position::new("E", 1)), &Some(Position::new("E", 3))));
}

#[test]
fn holes_are_places_without_a_message() {
    let holes = |log: &[(u64, &str)]| with_log(log).balance().holes;
    assert_eq!(holes(&[(1, "a"), (2, "b")]), 0);
    assert_eq!(holes(&[(2, "b"), (4, "d")]), 2);
    assert_eq!(holes(&[]), 0);
}

#[test]
fn append_is_refused_if_unpublished_repeated_or_after_a_hole() {
    let check = |seq, id: &str, expected: Vec<Violation>| {
        let mut ledger = room();
        ["a", "e"].iter().for_each(|id| ledger.publish(&ROOM, "ana", id));
        assert_eq!(ledger.append(&ROOM, entry(seq, id)), expected);
    };
    check(5, "e", vec![]);
    check(6, "e", vec![Violation::Hole { seq: 6, last: 4 }]);
    check(5, "a", vec![Violation::Repeated { id: "a".to_owned(), seq: 5 }]);
    check(5, "z", vec![Violation::Unpublished { id: "z".to_owned() }]);
}

#[test]
fn delivery_is_judged_at_once_where_the_log_is_known() {
    let check = |messages: &[(u64, &str)], expected: Option<Violation>| {
        let mut ledger = room();
        ledger.begin(&1, &ROOM, Position::new("E", 1));
        let judged = messages.iter().filter_map(|(seq, id)| ledger.receive(&1, &ROOM, entry(*seq, id)));
        assert_eq!(judged.last(), expected, "{messages:?}");
    };
    check(&[(2, "b"), (3, "c")], None);
    check(&[(2, "x")], Some(Violation::Altered { id: "x".to_owned(), seq: 2 }));
    check(&[(3, "c")], Some(Violation::OutOfOrder { seq: 3, last: Some(Position::new("E", 1)) }));
    let again = Violation::OutOfOrder { seq: 2, last: Some(Position::new("E", 2)) };
    check(&[(2, "b"), (2, "b")], Some(again));
}

#[test]
fn reset_is_a_fault_and_a_new_begin() {
    let mut ledger = member(Some(0), &[]);
    ledger.reset(&1, &ROOM);
    ledger.begin(&1, &ROOM, Position::new("E", 4));
    let balance = ledger.balance();
    assert_eq!((balance.resets, balance.missing, balance.faults()), (1, 0, 1));
    assert_eq!(ledger.position(&1, &ROOM), Some(&Position::new("E", 4)));
}
