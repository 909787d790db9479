//! Connecting, and bans from everywhere.

use futures::executor::block_on;

use hubbub_core::members::membership::{Admission, connect};
use hubbub_core::ports::{Bans, Members};
use hubbub_core::wire::channel::Channel;
use hubbub_core::wire::time::Timestamp;
use hubbub_testkit::fixtures::{TestEnv, connection, room};
use hubbub_testkit::memory::MemoryStore;

#[test]
fn banned_user_is_refused_until_the_ban_ends() {
    let (store, env, one) = (MemoryStore::default(), TestEnv::at(10), connection("a1", "alice", 10));
    let own = Channel::User(one.user.clone());
    let connect = || block_on(connect(&store, &env, &one, 2_000)).unwrap();
    block_on(store.put_ban(&one.user, &own, Timestamp(11))).unwrap();
    assert_eq!(connect(), Admission::Banned);
    assert_eq!(block_on(store.connection(&one.id, Timestamp(10))).unwrap(), None);
    assert_eq!(block_on(store.memberships(&one.id)).unwrap(), []);
    env.set(11);
    assert_eq!(connect(), Admission::Connected);
    assert_eq!(block_on(store.memberships(&one.id)).unwrap(), [(own, 0), (Channel::Everyone, 0)]);
}

#[test]
fn ban_from_a_room_does_not_refuse_a_connection() {
    let (store, env, one) = (MemoryStore::default(), TestEnv::at(10), connection("a1", "alice", 10));
    block_on(store.put_ban(&one.user, &room("lobby"), Timestamp(11))).unwrap();
    assert_eq!(block_on(connect(&store, &env, &one, 2_000)).unwrap(), Admission::Connected);
}
