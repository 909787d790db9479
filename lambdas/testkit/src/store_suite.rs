//! The contract of a store: tests that every implementation of [`Log`] and [`Members`] passes.
//!
//! A backend calls [`check`] with an empty store. Each rule is a function of its own, on channels of its own, so that a failure names
//! the rule.
#![expect(
    clippy::unwrap_used,
    reason = "these are tests, which live outside of `tests/` so that every backend can run them"
)]

use std::collections::BTreeSet;
use std::time::Duration;

use crate::fixtures::{connection, message, room, user};
use hubbub_core::limits::turns::PublishRate;
use hubbub_core::log::lease::Lease;
use hubbub_core::members::connection::Connection;
use hubbub_core::ports::{
    Announced, Append, Appended, Bans, Count, Limits, Log, Members, PortResult, PresenceSnapshot, ReadLimit, Receipts,
    Senders, Watch,
};
use hubbub_core::transport::API_GATEWAY;
use hubbub_core::wire::channel::Channel;
use hubbub_core::wire::id::{ConnectionId, Epoch, LeaseId, MessageId, SenderId, UserId};
use hubbub_core::wire::message::{Closure, Content, Message, ReceiptTo, Seq};
use hubbub_core::wire::server_frame::Receipt;
use hubbub_core::wire::time::Timestamp;

const NOW: Timestamp = Timestamp(1_000_000);
const LATER: Timestamp = Timestamp(2_000_000);
const ALL: ReadLimit = ReadLimit { messages: usize::MAX, bytes: usize::MAX };

/// Runs every rule of the contract.
pub async fn check<S: Bans + Limits + Log + Members + Receipts + Senders>(store: &S) {
    opening_a_channel_makes_it_once(store).await;
    an_append_moves_the_head_and_writes_the_messages(store).await;
    an_append_at_another_head_writes_nothing(store).await;
    a_log_is_read_in_order_within_limits(store).await;
    large_messages_are_all_read(store).await;
    expired_messages_are_not_read(store).await;
    messages_of_another_epoch_are_not_read(store).await;
    sent_never_moves_back_nor_beyond_the_head(store).await;
    a_lease_has_one_holder(store).await;
    an_expired_lease_can_be_taken(store).await;
    a_lease_is_given_back_only_when_everything_is_sent(store).await;
    a_connection_is_known_until_it_is_removed_or_expires(store).await;
    a_membership_keeps_its_first_shard(store).await;
    a_member_is_new_once(store).await;
    counts_follow_members_and_do_not_go_below_zero(store).await;
    a_count_is_corrected_only_if_it_did_not_change(store).await;
    many_shards_are_counted(store).await;
    shards_grow_once(store).await;
    a_shard_is_read_in_parts_without_omission(store).await;
    expired_members_are_not_read(store).await;
    a_message_keeps_its_wish_for_a_receipt(store).await;
    a_deleted_body_is_gone_and_leaves_its_place(store).await;
    an_entry_keeps_what_it_tells(store).await;
    a_closed_channel_stays_closed_until_it_is_opened(store).await;
    a_receipt_is_found_under_its_message_until_it_expires(store).await;
    senders_at_work_are_counted_until_they_rest_or_time_is_up(store).await;
    a_user_has_as_many_turns_as_the_rate_allows(store).await;
    signals_have_so_many_posts_a_second(store).await;
    a_watch_is_seen_by_whoever_changes_the_count(store).await;
    an_announcement_is_claimed_by_one_until_it_begins_or_is_lost(store).await;
    a_roll_has_the_watchers_and_what_was_announced_last(store).await;
    a_ban_holds_in_its_channel_until_its_end(store).await;
}

fn epoch(name: &str) -> Epoch {
    Epoch::new(name)
}

fn numbered(seqs: impl IntoIterator<Item = u64>) -> Vec<Message> {
    seqs.into_iter().map(|seq| message(seq, "")).collect()
}

fn seqs(messages: &[Message]) -> Vec<u64> {
    messages.iter().map(|message| message.seq.0).collect()
}

async fn append<S: Log>(
    store: &S,
    channel: &Channel,
    epoch: &str,
    head: u64,
    messages: &[Message],
    expires: Timestamp,
) -> PortResult<Appended> {
    let append = Append { epoch: &self::epoch(epoch), head: Seq(head), messages, now: NOW, expires };
    store.append(channel, &append).await
}

async fn channel_with_log<S: Log>(store: &S, name: &str, messages: u64) -> Channel {
    let channel = room(name);
    store.open(&channel, &epoch("A")).await.unwrap();
    for seq in 0..messages {
        let appended = append(store, &channel, "A", seq, &numbered([seq + 1]), LATER).await.unwrap();
        assert_eq!(appended, Appended::Done);
    }
    channel
}

async fn opening_a_channel_makes_it_once<S: Log>(store: &S) {
    let channel = room("open");
    assert_eq!(store.state(&channel).await.unwrap(), None);
    let first = store.open(&channel, &epoch("A")).await.unwrap();
    assert_eq!((first.epoch.as_str(), first.head, first.sent, first.shards), ("A", Seq(0), Seq(0), 1));
    assert_eq!(first.lease, None);
    let second = store.open(&channel, &epoch("B")).await.unwrap();
    assert_eq!(second, first);
    assert_eq!(store.state(&channel).await.unwrap(), Some(first));
}

async fn an_append_moves_the_head_and_writes_the_messages<S: Log>(store: &S) {
    let channel = channel_with_log(store, "append", 0).await;
    let messages = numbered(1..=10);
    let appended = append(store, &channel, "A", 0, &messages, LATER).await.unwrap();
    assert_eq!(appended, Appended::Done);
    let state = store.state(&channel).await.unwrap().unwrap();
    assert_eq!((state.head, state.sent, state.moved_at), (Seq(10), Seq(0), NOW));
    assert_eq!(store.read(&channel, &epoch("A"), Seq(0), ALL, NOW).await.unwrap(), messages);
}

async fn an_append_at_another_head_writes_nothing<S: Log>(store: &S) {
    let channel = channel_with_log(store, "moved", 2).await;
    for head in [1, 3] {
        let messages = numbered([head + 1, head + 2]);
        let appended = append(store, &channel, "A", head, &messages, LATER).await.unwrap();
        assert_eq!(appended, Appended::HeadMoved);
    }
    let appended = append(store, &channel, "B", 2, &numbered([3]), LATER).await.unwrap();
    assert_eq!(appended, Appended::HeadMoved, "another epoch");
    let appended = append(store, &room("never-opened"), "A", 0, &numbered([1]), LATER).await.unwrap();
    assert_eq!(appended, Appended::HeadMoved, "a channel that is not there");
    assert_eq!(seqs(&store.read(&channel, &epoch("A"), Seq(0), ALL, NOW).await.unwrap()), [1, 2]);
}

async fn a_log_is_read_in_order_within_limits<S: Log>(store: &S) {
    let channel = channel_with_log(store, "read", 12).await;
    let read = async |after, limit| seqs(&store.read(&channel, &epoch("A"), Seq(after), limit, NOW).await.unwrap());
    let back =
        async |before, limit| seqs(&store.read_back(&channel, &epoch("A"), Seq(before), limit, NOW).await.unwrap());
    let three = ReadLimit { messages: 3, bytes: usize::MAX };
    let ten_bytes = ReadLimit { messages: usize::MAX, bytes: 10 };
    assert_eq!(read(9, ALL).await, [10, 11, 12]);
    assert_eq!(read(2, three).await, [3, 4, 5]);
    assert_eq!(read(0, ten_bytes).await, [1, 2], "`\"m-1\"` has five bytes");
    assert_eq!(read(12, ALL).await, [0; 0]);
    assert_eq!(back(13, three).await, [12, 11, 10]);
    assert_eq!(back(3, ALL).await, [2, 1]);
    assert_eq!(back(1, ALL).await, [0; 0]);
}

async fn large_messages_are_all_read<S: Log>(store: &S) {
    // Together more than the megabyte that one query answers.
    let channel = channel_with_log(store, "large", 0).await;
    let text = "x".repeat(24_000);
    for head in (0..60).step_by(10) {
        let messages: Vec<Message> = (head + 1..=head + 10).map(|seq| message(seq, &text)).collect();
        append(store, &channel, "A", head, &messages, LATER).await.unwrap();
    }
    let read = store.read(&channel, &epoch("A"), Seq(0), ALL, NOW).await.unwrap();
    assert_eq!(seqs(&read), (1..=60).collect::<Vec<_>>());
    let budget = ReadLimit { messages: usize::MAX, bytes: 48_000 };
    assert_eq!(seqs(&store.read(&channel, &epoch("A"), Seq(0), budget, NOW).await.unwrap()), [1, 2]);
}

async fn expired_messages_are_not_read<S: Log>(store: &S) {
    let channel = channel_with_log(store, "expired", 0).await;
    append(store, &channel, "A", 0, &numbered([1, 2]), NOW).await.unwrap();
    append(store, &channel, "A", 2, &numbered([3]), LATER).await.unwrap();
    assert_eq!(seqs(&store.read(&channel, &epoch("A"), Seq(0), ALL, NOW).await.unwrap()), [3]);
    assert_eq!(seqs(&store.read_back(&channel, &epoch("A"), Seq(4), ALL, NOW).await.unwrap()), [3]);
}

async fn messages_of_another_epoch_are_not_read<S: Log>(store: &S) {
    let channel = channel_with_log(store, "epochs", 2).await;
    assert_eq!(store.read(&channel, &epoch("B"), Seq(0), ALL, NOW).await.unwrap(), []);
    assert_eq!(store.read_back(&channel, &epoch("B"), Seq(9), ALL, NOW).await.unwrap(), []);
}

async fn sent_never_moves_back_nor_beyond_the_head<S: Log>(store: &S) {
    let channel = channel_with_log(store, "settle", 5).await;
    let sent = async || store.state(&channel).await.unwrap().unwrap().sent.0;
    store.settle(&channel, &epoch("A"), Seq(3)).await.unwrap();
    assert_eq!(sent().await, 3);
    store.settle(&channel, &epoch("A"), Seq(2)).await.unwrap();
    store.settle(&channel, &epoch("B"), Seq(5)).await.unwrap();
    store.settle(&channel, &epoch("A"), Seq(6)).await.unwrap();
    assert_eq!(sent().await, 3);
}

fn lease(id: &str, until: u64) -> Lease {
    Lease { id: LeaseId::new(id), until: Timestamp(until) }
}

async fn a_lease_has_one_holder<S: Log>(store: &S) {
    let channel = channel_with_log(store, "lease", 0).await;
    let until = NOW.0 + 100;
    assert!(store.take_lease(&channel, &lease("first", until), NOW).await.unwrap());
    assert!(store.take_lease(&channel, &lease("first", until), NOW).await.unwrap(), "a repeated call");
    assert!(!store.take_lease(&channel, &lease("second", until), NOW).await.unwrap());
    assert_eq!(store.state(&channel).await.unwrap().unwrap().lease, Some(lease("first", until)));
    assert!(!store.replace_lease(&channel, &LeaseId::new("second"), &lease("third", until)).await.unwrap());
    assert!(store.replace_lease(&channel, &LeaseId::new("first"), &lease("first", until + 1)).await.unwrap());
    assert_eq!(store.state(&channel).await.unwrap().unwrap().lease, Some(lease("first", until + 1)));
    for _ in 0..2 {
        assert!(store.replace_lease(&channel, &LeaseId::new("first"), &lease("next", until)).await.unwrap());
    }
    assert!(!store.take_lease(&room("no-channel"), &lease("first", until), NOW).await.unwrap());
}

async fn an_expired_lease_can_be_taken<S: Log>(store: &S) {
    let channel = channel_with_log(store, "lease-expired", 0).await;
    assert!(store.take_lease(&channel, &lease("first", NOW.0 + 100), NOW).await.unwrap());
    let end = Timestamp(NOW.0 + 100);
    assert!(store.take_lease(&channel, &lease("second", end.0 + 100), end).await.unwrap());
    assert!(!store.release_lease(&channel, &LeaseId::new("first")).await.unwrap());
}

async fn a_lease_is_given_back_only_when_everything_is_sent<S: Log>(store: &S) {
    let channel = channel_with_log(store, "release", 1).await;
    let held = LeaseId::new("first");
    assert!(store.take_lease(&channel, &lease("first", LATER.0), NOW).await.unwrap());
    assert!(!store.release_lease(&channel, &held).await.unwrap(), "a message is unsent");
    store.settle(&channel, &epoch("A"), Seq(1)).await.unwrap();
    assert!(!store.release_lease(&channel, &LeaseId::new("other")).await.unwrap());
    assert!(store.release_lease(&channel, &held).await.unwrap());
    assert_eq!(store.state(&channel).await.unwrap().unwrap().lease, None);
    assert!(!store.release_lease(&channel, &held).await.unwrap(), "it is given back already");
}

async fn a_connection_is_known_until_it_is_removed_or_expires<S: Members>(store: &S) {
    let one = connection("known=", "alice", NOW.0);
    assert_eq!(store.connection(&one.id, NOW).await.unwrap(), None);
    store.put_connection(&one).await.unwrap();
    assert_eq!(store.connection(&one.id, NOW).await.unwrap(), Some(one.clone()));
    // Rows end by whole seconds.
    let end = Timestamp(one.expires(&API_GATEWAY).0 + 1_000);
    assert_eq!(store.connection(&one.id, end).await.unwrap(), None);
    store.remove_connection(&one.id).await.unwrap();
    assert_eq!(store.connection(&one.id, NOW).await.unwrap(), None);
}

async fn a_membership_keeps_its_first_shard<S: Members>(store: &S) {
    let one = connection("membership", "alice", NOW.0);
    let (a, b) = (room("membership-a"), room("membership-b"));
    assert_eq!(store.membership(&one.id, &a).await.unwrap(), None);
    assert_eq!(store.put_membership(&one, &a, 3).await.unwrap(), 3);
    assert_eq!(store.put_membership(&one, &a, 5).await.unwrap(), 3);
    assert_eq!(store.put_membership(&one, &b, 0).await.unwrap(), 0);
    assert_eq!(store.membership(&one.id, &a).await.unwrap(), Some(3));
    // A connection's record is not a membership.
    store.put_connection(&one).await.unwrap();
    let all: BTreeSet<_> = store.memberships(&one.id).await.unwrap().into_iter().collect();
    assert_eq!(all, BTreeSet::from([(a.clone(), 3), (b.clone(), 0)]));
    store.remove_membership(&one.id, &a).await.unwrap();
    assert_eq!(store.memberships(&one.id).await.unwrap(), [(b, 0)]);
}

async fn a_member_is_new_once<S: Members>(store: &S) {
    let channel = room("member");
    let one = connection("member", "alice", NOW.0);
    assert!(store.put_member(&channel, 0, &one).await.unwrap());
    assert!(!store.put_member(&channel, 0, &one).await.unwrap());
    assert!(store.remove_member(&channel, 0, &one.id).await.unwrap());
    assert!(!store.remove_member(&channel, 0, &one.id).await.unwrap());
}

async fn counts_follow_members_and_do_not_go_below_zero<S: Members>(store: &S) {
    let channel = room("counts");
    assert_eq!(store.add_to_count(&channel, 1, 1).await.unwrap().members, 1);
    assert_eq!(store.add_to_count(&channel, 1, 1).await.unwrap().members, 2);
    assert_eq!(store.add_to_count(&channel, 0, -1).await.unwrap().members, 0);
    assert_eq!(store.counts(&channel, 3).await.unwrap(), [0, 2, 0]);
}

async fn a_count_is_corrected_only_if_it_did_not_change<S: Members>(store: &S) {
    let channel = room("correct");
    store.correct_count(&channel, 0, 0, 7).await.unwrap();
    assert_eq!(store.counts(&channel, 1).await.unwrap(), [7], "a count that was never written is zero");
    store.correct_count(&channel, 0, 6, 3).await.unwrap();
    assert_eq!(store.counts(&channel, 1).await.unwrap(), [7]);
    store.correct_count(&channel, 0, 7, 3).await.unwrap();
    assert_eq!(store.counts(&channel, 1).await.unwrap(), [3]);
}

async fn many_shards_are_counted<S: Members>(store: &S) {
    // More than one batch of 100 gets.
    let channel = room("many-shards");
    for shard in [0, 99, 100, 255] {
        store.add_to_count(&channel, shard, 1).await.unwrap();
    }
    let counts = store.counts(&channel, 256).await.unwrap();
    let counted: Vec<usize> = (0..counts.len()).filter(|shard| counts.get(*shard) == Some(&1)).collect();
    assert_eq!((counts.len(), counted), (256, vec![0, 99, 100, 255]));
}

async fn shards_grow_once<S: Log + Members>(store: &S) {
    let channel = channel_with_log(store, "grow", 0).await;
    store.grow(&channel, 1, 2).await.unwrap();
    store.grow(&channel, 1, 2).await.unwrap();
    store.grow(&channel, 1, 4).await.unwrap();
    assert_eq!(store.state(&channel).await.unwrap().unwrap().shards, 2);
}

async fn a_shard_is_read_in_parts_without_omission<S: Members>(store: &S) {
    let channel = room("parts");
    // Ids as API Gateway makes them, some of which sort before the shard's own row and some behind it.
    let ids: BTreeSet<String> =
        (0..25u8).map(|number| format!("{}{number}cIhw=", char::from(b'0' + number * 3))).collect();
    for id in &ids {
        let member = connection(id, "alice", NOW.0);
        store.put_member(&channel, 4, &member).await.unwrap();
        store.add_to_count(&channel, 4, 1).await.unwrap();
    }
    for limit in [1, 7, 24, 25, 26, 1_000] {
        let (mut read, mut count, mut after) = (Vec::new(), None, None::<ConnectionId>);
        loop {
            let page = store.member_page(&channel, 4, after.as_ref(), limit, NOW).await.unwrap();
            assert!(page.members.len() <= limit);
            count = count.or(page.count);
            read.extend(page.members.into_iter().map(|member: Connection| member.id.to_string()));
            match page.next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
        assert_eq!(read, ids.iter().cloned().collect::<Vec<_>>(), "limit {limit}");
        assert_eq!(count, Some(25), "limit {limit}");
    }
    let empty = store.member_page(&channel, 5, None, 10, NOW).await.unwrap();
    assert_eq!((empty.members.len(), empty.next), (0, None));
}

async fn expired_members_are_not_read<S: Members>(store: &S) {
    let channel = room("expired-members");
    let one = connection("one", "alice", NOW.0);
    store.put_member(&channel, 0, &one).await.unwrap();
    let end = Timestamp(one.expires(&API_GATEWAY).0 + 1_000);
    assert_eq!(store.member_page(&channel, 0, None, 10, end).await.unwrap().members, []);
    assert_eq!(store.member_page(&channel, 0, None, 10, NOW).await.unwrap().members, [one]);
}

async fn a_message_keeps_its_wish_for_a_receipt<S: Log>(store: &S) {
    let channel = channel_with_log(store, "wishes", 0).await;
    let wishes = [None, Some(ReceiptTo::Service), Some(ReceiptTo::Connection(ConnectionId::new("c=")))];
    let messages: Vec<Message> =
        (1..).zip(wishes).map(|(seq, receipt)| Message { receipt, ..message(seq, "") }).collect();
    append(store, &channel, "A", 0, &messages, LATER).await.unwrap();
    assert_eq!(store.read(&channel, &epoch("A"), Seq(0), ALL, NOW).await.unwrap(), messages);
}

async fn a_deleted_body_is_gone_and_leaves_its_place<S: Log>(store: &S) {
    let channel = channel_with_log(store, "redact", 3).await;
    assert!(!store.redact(&channel, &epoch("B"), Seq(2)).await.unwrap(), "another epoch");
    assert!(!store.redact(&channel, &epoch("A"), Seq(4)).await.unwrap(), "no such message");
    for _ in 0..2 {
        assert!(store.redact(&channel, &epoch("A"), Seq(2)).await.unwrap(), "also when it is repeated");
    }
    let read = store.read(&channel, &epoch("A"), Seq(0), ALL, NOW).await.unwrap();
    let expected = [message(1, ""), Message { content: Content::Deleted(Seq(2)), ..message(2, "") }, message(3, "")];
    assert_eq!(read, expected);
}

async fn an_entry_keeps_what_it_tells<S: Log>(store: &S) {
    let channel = channel_with_log(store, "entries", 1).await;
    let contents = [Content::Deleted(Seq(1)), Content::Closed(Closure::Kept), Content::Closed(Closure::Erased)];
    let entries: Vec<Message> =
        (2..).zip(contents).map(|(seq, content)| Message { content, ..message(seq, "") }).collect();
    append(store, &channel, "A", 1, &entries, LATER).await.unwrap();
    assert_eq!(store.read(&channel, &epoch("A"), Seq(1), ALL, NOW).await.unwrap(), entries);
    for seq in 2..=4 {
        assert!(!store.redact(&channel, &epoch("A"), Seq(seq)).await.unwrap(), "it never had a body");
    }
}

async fn a_closed_channel_stays_closed_until_it_is_opened<S: Log>(store: &S) {
    let channel = channel_with_log(store, "closed", 1).await;
    let closed = async || store.state(&channel).await.unwrap().unwrap().closed;
    assert!(!closed().await);
    store.set_closed(&channel, true).await.unwrap();
    assert!(closed().await);
    append(store, &channel, "A", 1, &numbered([2]), LATER).await.unwrap();
    assert!(closed().await, "an append changes nothing about it");
    store.set_closed(&channel, false).await.unwrap();
    assert!(!closed().await);
    store.set_closed(&room("never-used"), true).await.unwrap();
    assert_eq!(store.state(&room("never-used")).await.unwrap(), None);
}

async fn a_receipt_is_found_under_its_message_until_it_expires<S: Receipts>(store: &S) {
    let (channel, from) = (room("receipts"), user("alice"));
    let id = MessageId::parse("m-1").unwrap();
    let receipt = |seq: u64| Receipt {
        channel: channel.clone(),
        id: id.clone(),
        seq: Seq(seq),
        members: 4,
        delivered: 3,
        gone: 1,
        failed: 0,
        ms: 12,
    };
    let find = async |from: &UserId, now| store.receipt(&channel, from, &id, now).await.unwrap();
    assert_eq!(find(&from, NOW).await, None);
    store.put_receipt(&from, &receipt(1), LATER).await.unwrap();
    store.put_receipt(&from, &receipt(2), LATER).await.unwrap();
    assert_eq!(find(&from, NOW).await, Some(receipt(2)));
    assert_eq!(find(&user("bob"), NOW).await, None, "another sender's message of the same id");
    assert_eq!(find(&from, LATER).await, None);
}

async fn senders_at_work_are_counted_until_they_rest_or_time_is_up<S: Senders>(store: &S) {
    let [one, other] = ["one", "other"].map(SenderId::new);
    let at = |ms: u64| Timestamp(NOW.0 + ms);
    assert_eq!(store.at_work(&one, at(5_000), at(0)).await.unwrap(), 1);
    assert_eq!(store.at_work(&one, at(6_000), at(1_000)).await.unwrap(), 1, "to say it again changes nothing");
    assert_eq!(store.at_work(&other, at(6_000), at(1_000)).await.unwrap(), 2);
    store.at_rest(&other).await.unwrap();
    store.at_rest(&other).await.unwrap();
    assert_eq!(store.at_work(&one, at(7_000), at(2_000)).await.unwrap(), 1);
    assert_eq!(store.at_work(&other, at(12_000), at(7_000)).await.unwrap(), 1, "one's time is up");
    store.at_rest(&other).await.unwrap();
}

async fn a_user_has_as_many_turns_as_the_rate_allows<S: Limits>(store: &S) {
    let rate = PublishRate { per_second: 10, burst: 2 };
    let [alice, bob] = ["alice", "bob"].map(user);
    let take = async |user, ms: u64| store.take_turn(user, rate.turn(Timestamp(NOW.0 + ms))).await.unwrap();
    assert_eq!(take(&alice, 0).await, Ok(()));
    assert_eq!(take(&alice, 0).await, Ok(()));
    assert_eq!(take(&alice, 0).await, Err(Duration::from_millis(100)));
    assert_eq!(take(&bob, 0).await, Ok(()), "another user's turns are others");
    assert_eq!(take(&alice, 40).await, Err(Duration::from_millis(60)), "what was refused used up nothing");
    assert_eq!(take(&alice, 100).await, Ok(()));
    assert!(take(&alice, 100).await.is_err());
    assert_eq!(take(&alice, 10_000).await, Ok(()));
    assert_eq!(take(&alice, 10_000).await, Ok(()), "a rest saves a burst");
    assert!(take(&alice, 10_000).await.is_err());
}

async fn signals_have_so_many_posts_a_second<S: Limits>(store: &S) {
    assert!(store.take_posts(1, 60, 100).await.unwrap());
    assert!(!store.take_posts(1, 41, 100).await.unwrap());
    assert!(store.take_posts(1, 40, 100).await.unwrap(), "what did not fit was not taken");
    assert!(!store.take_posts(1, 1, 100).await.unwrap());
    assert!(store.take_posts(2, 100, 100).await.unwrap(), "the next second");
    assert!(!store.take_posts(3, 101, 100).await.unwrap());
}

async fn a_watch_is_seen_by_whoever_changes_the_count<S: Members>(store: &S) {
    let channel = room("watched");
    assert_eq!(store.add_to_count(&channel, 0, 1).await.unwrap(), Count { members: 1, watch: None });
    let (old, new) = (connection("w-1", "alice", NOW.0), connection("w-2", "bob", LATER.0));
    for watcher in [&new, &old] {
        store.watch_shards(&channel, 0..1, watcher.expires(&API_GATEWAY)).await.unwrap();
    }
    let watch = Watch { until: new.expires(&API_GATEWAY), due: None };
    assert_eq!(store.add_to_count(&channel, 0, 1).await.unwrap(), Count { members: 2, watch: Some(watch) });
    assert_eq!(store.add_to_count(&channel, 1, 1).await.unwrap().watch, None, "another shard");
    store.watch_shards(&channel, 1..3, new.expires(&API_GATEWAY)).await.unwrap();
    assert_eq!(store.add_to_count(&channel, 2, 1).await.unwrap(), Count { members: 1, watch: Some(watch) });
    assert_eq!(store.add_to_count(&channel, 0, -1).await.unwrap(), Count { members: 1, watch: Some(watch) });
}

async fn an_announcement_is_claimed_by_one_until_it_begins_or_is_lost<S: Members>(store: &S) {
    let channel = room("claimed");
    store.watch_shards(&channel, 0..1, LATER).await.unwrap();
    let claim = async |due: u64| {
        let due = Timestamp(due);
        store.claim_announcement(&channel, due, due.minus(Duration::from_secs(30))).await.unwrap()
    };
    assert!(claim(100_000).await);
    assert!(!claim(100_000).await);
    assert!(!claim(129_999).await);
    assert_eq!(store.add_to_count(&channel, 0, 1).await.unwrap().watch.unwrap().due, Some(Timestamp(100_000)));
    assert!(claim(130_000).await, "the first one is lost");
    store.begin_announcement(&channel).await.unwrap();
    store.begin_announcement(&channel).await.unwrap();
    assert!(claim(130_001).await);
}

async fn a_roll_has_the_watchers_and_what_was_announced_last<S: Members>(store: &S) {
    let channel = room("roll");
    assert_eq!(store.presence_snapshot(&channel, NOW).await.unwrap(), PresenceSnapshot::default());
    let (old, new) = (connection("w-1", "alice", NOW.0), connection("w-2", "bob", LATER.0));
    for watcher in [&old, &new, &new] {
        store.put_watcher(&channel, watcher).await.unwrap();
    }
    let roll = store.presence_snapshot(&channel, NOW).await.unwrap();
    assert_eq!(roll, PresenceSnapshot { announced: None, watchers: vec![old.id.clone(), new.id.clone()] });
    assert_eq!(
        store.presence_snapshot(&channel, old.expires(&API_GATEWAY)).await.unwrap().watchers,
        std::slice::from_ref(&new.id)
    );
    let first = Announced { at: Timestamp(5), paused: false, expires: LATER };
    assert!(store.put_announced(&channel, None, &first).await.unwrap());
    let second = Announced { at: Timestamp(6), paused: true, expires: LATER };
    assert!(!store.put_announced(&channel, Some(Timestamp(4)), &second).await.unwrap());
    assert_eq!(store.presence_snapshot(&channel, NOW).await.unwrap().announced.as_ref(), Some(&first));
    assert!(store.put_announced(&channel, Some(Timestamp(5)), &second).await.unwrap());
    store.remove_watcher(&channel, &old.id).await.unwrap();
    store.remove_watcher(&channel, &old.id).await.unwrap();
    let roll = PresenceSnapshot { announced: Some(second), watchers: vec![new.id.clone()] };
    assert_eq!(store.presence_snapshot(&channel, NOW).await.unwrap(), roll);
    assert_eq!(store.presence_snapshot(&channel, LATER).await.unwrap().announced, None, "it is forgotten");
    let empty = Announced { at: Timestamp(7), paused: false, expires: LATER };
    assert!(store.put_announced(&channel, None, &empty).await.unwrap(), "what is forgotten is replaced");
    assert_eq!(store.presence_snapshot(&channel, NOW).await.unwrap().announced, Some(empty));
}

async fn a_ban_holds_in_its_channel_until_its_end<S: Bans>(store: &S) {
    let (alice, lobby) = (user("alice"), room("bans"));
    let ban = async |user: &UserId, channel: &Channel, now| store.ban(user, channel, now).await.unwrap();
    assert_eq!(ban(&alice, &lobby, NOW).await, None);
    store.put_ban(&alice, &lobby, NOW).await.unwrap();
    assert_eq!(ban(&alice, &lobby, NOW).await, None, "it has ended");
    store.put_ban(&alice, &lobby, LATER).await.unwrap();
    assert_eq!(ban(&alice, &lobby, NOW).await, Some(LATER));
    assert_eq!(ban(&user("bob"), &lobby, NOW).await, None);
    assert_eq!(ban(&alice, &room("other"), NOW).await, None);
    store.remove_ban(&alice, &lobby).await.unwrap();
    store.remove_ban(&alice, &lobby).await.unwrap();
    assert_eq!(ban(&alice, &lobby, NOW).await, None);
}

#[cfg(test)]
mod tests {
    use crate::memory::MemoryStore;

    #[test]
    fn the_memory_store_keeps_the_contract() {
        futures::executor::block_on(super::check(&MemoryStore::default()));
    }
}
