//! Ports around other ports: a [`Hook`] sees each call before and after its effect, and may delay it, fail it, lose its answer or change it.
//!
//! A new port's method needs one line in the table below. A test that needs faults writes a hook, and no ports.

use std::any::Any;
use std::fmt;
use std::ops::Range;
use std::time::Duration;

use hubbub_core::delivery::outcome::Outcome;
use hubbub_core::limits::pace::Rate;
use hubbub_core::limits::turns::Turn;
use hubbub_core::log::lease::Lease;
use hubbub_core::log::state::ChannelState;
use hubbub_core::members::connection::Connection;
use hubbub_core::members::shard::Shard;
use hubbub_core::metrics::Metric;
use hubbub_core::ports::{
    Announced, Append, Appended, Bans, Broadcasts, Clock, Count, DeadLetter, DeadLetters, Ids, Limits, Log, MemberPage,
    Members, Meter, PortError, PortResult, Poster, PresenceSnapshot, Presences, PublishQueue, ReadLimit, Receipts,
    Senders,
};
use hubbub_core::wire::channel::Channel;
use hubbub_core::wire::command::ModerationCommand;
use hubbub_core::wire::frame::Frame;
use hubbub_core::wire::id::{ConnectionId, Epoch, LeaseId, MessageId, SenderId, UserId};
use hubbub_core::wire::message::{Message, Seq};
use hubbub_core::wire::queue_message::Envelope;
use hubbub_core::wire::server_frame::Receipt;
use hubbub_core::wire::time::Timestamp;

/// Sees each call of the ports. Without a method of its own it changes nothing.
#[expect(async_fn_in_trait, reason = "as for the ports: callers are generic over concrete hooks")]
pub trait Hook {
    /// Before the effect. An error is the call's answer, and the effect does not happen.
    async fn before(&self, call: &Call<'_>) -> PortResult<()> {
        let _ = call;
        Ok(())
    }

    /// After the effect, at once. The reply is the method's own (`bool` of [`Log::redact`], `Vec<Outcome>` of [`Poster::post`], …), and may
    /// be changed. An error is the call's answer, although the effect has happened.
    async fn after(&self, call: &Call<'_>, reply: &mut dyn Any) -> PortResult<()> {
        let _ = (call, reply);
        Ok(())
    }
}

/// All ports, with a hook between them and their caller.
#[derive(Clone, Debug)]
pub struct Intercepted<Store, Services, Env, H> {
    /// The store's ports. Calls of its own methods bypass the hook.
    pub store: Store,
    /// The queue, the dead letters, the broadcasts and the poster.
    pub services: Services,
    /// Time, ids and metrics, which the hook does not see: they can't fail.
    pub env: Env,
    pub hook: H,
}

impl<Store, Services, Env, H: Hook> Intercepted<Store, Services, Env, H> {
    async fn call<T: 'static>(&self, call: &Call<'_>, effect: impl Future<Output = PortResult<T>>) -> PortResult<T> {
        self.hook.before(call).await?;
        let mut reply = effect.await?;
        self.hook.after(call, &mut reply).await?;
        Ok(reply)
    }

    /// A poster has no errors: to its caller, a post that the hook fails has failed, and so has one whose answer it loses.
    async fn post(&self, call: &Call<'_>, count: usize, effect: impl Future<Output = Vec<Outcome>>) -> Vec<Outcome> {
        let outcomes = self.call(call, async { Ok::<_, PortError>(effect.await) }).await;
        outcomes.unwrap_or_else(|_| vec![Outcome::Failed; count])
    }
}

/// The table of calls: for each port its methods, by variant, name, arguments, key and reply. The key says, in a trace, what the call is
/// about. `@ref T` is `&T`, `@option T` is `Option<&T>`, and `@append` is `&Append`: a method elides the lifetimes that [`Call`] names.
macro_rules! calls {
    (
        posts {
            $($post:ident $post_name:ident($($post_argument:ident: $(@$post_kind:ident)? $($post_type:ty)?),*)
                $post_key:tt;)*
        }
        $($part:ident { $($port:ident {
            $($variant:ident $method:ident($($argument:ident: $(@$kind:ident)? $($type:ty)?),*) $key:tt -> $reply:ty;)*
        })* })*
    ) => {
        /// A call of a port, with its arguments.
        #[derive(Clone, Debug)]
        pub enum Call<'a> {
            $($($($variant { $($argument: calls!(@stored 'a $($kind)?; $($type)?)),* },)*)*)*
            $($post { $($post_argument: calls!(@stored 'a $($post_kind)?; $($post_type)?)),* },)*
        }

        impl Call<'_> {
            /// The method's name.
            #[must_use]
            pub const fn operation(&self) -> &'static str {
                match self {
                    $($($(Self::$variant { .. } => stringify!($method),)*)*)*
                    $(Self::$post { .. } => stringify!($post_name),)*
                }
            }
        }

        impl fmt::Display for Call<'_> {
            #[expect(unused_variables, reason = "a key names only some of the arguments")]
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.operation())?;
                f.write_str(" ")?;
                match self {
                    $($($(Self::$variant { $($argument),* } => calls!(@write f $key),)*)*)*
                    $(Self::$post { $($post_argument),* } => calls!(@write f $post_key),)*
                }
            }
        }

        $($(calls!(@port $part $port {
            $($variant $method($($argument: calls!(@elided $($kind)?; $($type)?)),*) -> $reply;)*
        });)*)*
    };

    (@stored $a:lifetime ref; $type:ty) => { &$a $type };
    (@stored $a:lifetime option; $type:ty) => { Option<&$a $type> };
    (@stored $a:lifetime append;) => { &$a Append<$a> };
    (@stored $a:lifetime; $type:ty) => { $type };

    (@elided ref; $type:ty) => { &$type };
    (@elided option; $type:ty) => { Option<&$type> };
    (@elided append;) => { &Append<'_> };
    (@elided; $type:ty) => { $type };

    (@write $f:ident ($($key:tt)*)) => { write!($f, $($key)*) };

    (@port store $port:ident { $($method:tt)* }) => {
        impl<S: $port, X, E, H: Hook> $port for Intercepted<S, X, E, H> { calls!(@methods store $($method)*); }
    };
    (@port services $port:ident { $($method:tt)* }) => {
        impl<S, X: $port, E, H: Hook> $port for Intercepted<S, X, E, H> { calls!(@methods services $($method)*); }
    };

    (@methods $part:ident $($variant:ident $method:ident($($argument:ident: $type:ty),*) -> $reply:ty;)*) => {
        $(async fn $method(&self, $($argument: $type),*) -> PortResult<$reply> {
            let call = Call::$variant { $($argument: Clone::clone(&$argument)),* };
            self.call(&call, self.$part.$method($($argument),*)).await
        })*
    };
}

calls! {
    posts {
        Post post(frames: @ref [Frame], connections: @ref [ConnectionId]) ("to {connections:?}");
        TryPost try_post(frame: @ref Frame, connections: @ref [ConnectionId]) ("to {connections:?}");
        Close close(connection: @ref ConnectionId, farewell: @ref Frame) ("{connection}");
    }

    store {
        Log {
            State state(channel: @ref Channel) ("{channel}") -> Option<ChannelState>;
            Open open(channel: @ref Channel, epoch: @ref Epoch) ("{channel}") -> ChannelState;
            Append append(channel: @ref Channel, append: @append)
                ("{channel} after {}: {}", append.head, append.messages.len()) -> Appended;
            Read read(channel: @ref Channel, epoch: @ref Epoch, after: Seq, limit: ReadLimit, now: Timestamp)
                ("{channel} after {after}") -> Vec<Message>;
            ReadBack read_back(channel: @ref Channel, epoch: @ref Epoch, before: Seq, limit: ReadLimit, now: Timestamp)
                ("{channel} before {before}") -> Vec<Message>;
            Redact redact(channel: @ref Channel, epoch: @ref Epoch, seq: Seq) ("{channel} {seq}") -> bool;
            SetClosed set_closed(channel: @ref Channel, closed: bool) ("{channel} {closed}") -> ();
            Settle settle(channel: @ref Channel, epoch: @ref Epoch, to: Seq) ("{channel} to {to}") -> ();
            TakeLease take_lease(channel: @ref Channel, lease: @ref Lease, now: Timestamp) ("{}", lease.id) -> bool;
            ReplaceLease replace_lease(channel: @ref Channel, held: @ref LeaseId, next: @ref Lease)
                ("{held} by {}", next.id) -> bool;
            ReleaseLease release_lease(channel: @ref Channel, held: @ref LeaseId) ("{held}") -> bool;
        }
        Members {
            PutConnection put_connection(connection: @ref Connection) ("{}", connection.id) -> ();
            Connection connection(id: @ref ConnectionId, now: Timestamp) ("{id}") -> Option<Connection>;
            RemoveConnection remove_connection(id: @ref ConnectionId) ("{id}") -> ();
            PutMembership put_membership(connection: @ref Connection, channel: @ref Channel, shard: Shard)
                ("{} {channel}", connection.id) -> Shard;
            Membership membership(id: @ref ConnectionId, channel: @ref Channel) ("{id} {channel}") -> Option<Shard>;
            Memberships memberships(id: @ref ConnectionId) ("{id}") -> Vec<(Channel, Shard)>;
            RemoveMembership remove_membership(id: @ref ConnectionId, channel: @ref Channel) ("{id} {channel}") -> ();
            PutMember put_member(channel: @ref Channel, shard: Shard, member: @ref Connection)
                ("{channel}#{shard} {}", member.id) -> bool;
            RemoveMember remove_member(channel: @ref Channel, shard: Shard, id: @ref ConnectionId)
                ("{channel}#{shard} {id}") -> bool;
            AddToCount add_to_count(channel: @ref Channel, shard: Shard, difference: i64)
                ("{channel}#{shard} {difference:+}") -> Count;
            CorrectCount correct_count(channel: @ref Channel, shard: Shard, count: u64, counted: u64)
                ("{channel}#{shard} {count} to {counted}") -> ();
            Counts counts(channel: @ref Channel, shards: u32) ("{channel}") -> Vec<u64>;
            Grow grow(channel: @ref Channel, from: u32, to: u32) ("{channel} from {from} to {to}") -> ();
            MemberPage member_page(
                channel: @ref Channel, shard: Shard, after: @option ConnectionId, limit: usize, now: Timestamp
            ) ("{channel}#{shard}") -> MemberPage;
        }
        Presences {
            PutWatcher put_watcher(channel: @ref Channel, watcher: @ref Connection) ("{channel}") -> ();
            WatchShards watch_shards(channel: @ref Channel, shards: Range<Shard>, until: Timestamp) ("{channel}") -> ();
            RemoveWatcher remove_watcher(channel: @ref Channel, id: @ref ConnectionId) ("{channel}") -> ();
            ClaimAnnouncement claim_announcement(channel: @ref Channel, due: Timestamp, stale: Timestamp)
                ("{channel}") -> bool;
            RequestAnnouncement request_announcement(channel: @ref Channel, due: Timestamp) ("{channel}") -> ();
            BeginAnnouncement begin_announcement(channel: @ref Channel) ("{channel}") -> ();
            PresenceSnapshot presence_snapshot(channel: @ref Channel, now: Timestamp) ("{channel}") -> PresenceSnapshot;
            PutAnnounced put_announced(channel: @ref Channel, last: Option<Timestamp>, announced: @ref Announced)
                ("{channel}") -> bool;
        }
        Receipts {
            PutReceipt put_receipt(from: @ref UserId, receipt: @ref Receipt, expires: Timestamp) ("{}", receipt.id) -> ();
            Receipt receipt(channel: @ref Channel, from: @ref UserId, id: @ref MessageId, now: Timestamp)
                ("{id}") -> Option<Receipt>;
        }
        Bans {
            PutBan put_ban(user: @ref UserId, channel: @ref Channel, until: Timestamp) ("{user} {channel}") -> ();
            RemoveBan remove_ban(user: @ref UserId, channel: @ref Channel) ("{user} {channel}") -> ();
            Ban ban(user: @ref UserId, channel: @ref Channel, now: Timestamp) ("{user} {channel}") -> Option<Timestamp>;
        }
        Limits {
            TakeTurn take_turn(user: @ref UserId, turn: Turn) ("{user}") -> Result<(), Duration>;
            TakePosts take_posts(second: u64, posts: u64, most: u64) ("{second}") -> bool;
        }
        Senders {
            AtWork at_work(sender: @ref SenderId, until: Timestamp, now: Timestamp) ("{sender}") -> u32;
            AtRest at_rest(sender: @ref SenderId) ("{sender}") -> ();
            IsAnyAtWork is_any_at_work(now: Timestamp) ("") -> bool;
        }
    }

    services {
        PublishQueue {
            Enqueue enqueue(envelope: @ref Envelope) ("{}", envelope.id) -> ();
            ModerationCommand command(command: @ref ModerationCommand, id: @ref str) ("{} {id}", command.channel) -> ();
            Wake wake(channel: @ref Channel, reason: @ref str) ("{channel} {reason}") -> ();
        }
        DeadLetters {
            Bury bury(letter: @ref DeadLetter) ("{}", letter.body) -> ();
        }
        Broadcasts {
            Start start(channel: @ref Channel, lease: @ref LeaseId) ("{lease}") -> ();
        }
    }
}

impl<S, X: Poster, E, H: Hook> Poster for Intercepted<S, X, E, H> {
    async fn post(&self, frames: &[Frame], connections: &[ConnectionId]) -> Vec<Outcome> {
        let call = Call::Post { frames, connections };
        self.post(&call, connections.len(), self.services.post(frames, connections)).await
    }

    async fn try_post(&self, frame: &Frame, connections: &[ConnectionId]) -> Vec<Outcome> {
        let call = Call::TryPost { frame, connections };
        self.post(&call, connections.len(), self.services.try_post(frame, connections)).await
    }

    async fn close(&self, connection: &ConnectionId, farewell: &Frame) {
        let close = async {
            self.services.close(connection, farewell).await;
            Ok(())
        };
        // It has no answer: a close that fails leaves the socket open.
        let _ = self.call(&Call::Close { connection, farewell }, close).await;
    }

    fn limit(&self, rate: Rate) {
        self.services.limit(rate);
    }
}

impl<S, X, E: Clock, H> Clock for Intercepted<S, X, E, H> {
    fn now(&self) -> Timestamp {
        self.env.now()
    }
}

impl<S, X, E: Ids, H> Ids for Intercepted<S, X, E, H> {
    fn fresh(&self) -> String {
        self.env.fresh()
    }
}

impl<S, X, E: Meter, H> Meter for Intercepted<S, X, E, H> {
    fn record(&self, metric: Metric, value: u64) {
        self.env.record(metric, value);
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use crate::fixtures::{Recorder, TestEnv, room};
    use crate::memory::MemoryStore;
    use futures::executor::block_on;

    use super::*;

    /// Fails one operation before or after its effect, and counts all calls.
    #[derive(Default)]
    struct Failing {
        before: &'static str,
        after: &'static str,
        calls: Cell<usize>,
    }

    fn failure(call: &Call<'_>) -> PortResult<()> {
        Err(PortError { operation: call.operation(), detail: call.to_string(), retryable: true })
    }

    impl Hook for Failing {
        async fn before(&self, call: &Call<'_>) -> PortResult<()> {
            self.calls.set(self.calls.get() + 1);
            if call.operation() == self.before { failure(call) } else { Ok(()) }
        }

        async fn after(&self, call: &Call<'_>, reply: &mut dyn Any) -> PortResult<()> {
            if let (Call::SetClosed { .. }, Some(())) = (call, reply.downcast_mut()) {
                return Ok(());
            }
            if call.operation() == self.after { failure(call) } else { Ok(()) }
        }
    }

    fn ports(hook: Failing) -> Intercepted<MemoryStore, Recorder, TestEnv, Failing> {
        Intercepted { store: MemoryStore::default(), services: Recorder::default(), env: TestEnv::at(1), hook }
    }

    fn wake(hook: Failing) -> (bool, usize) {
        let ports = ports(hook);
        let is_done = block_on(ports.wake(&room("lobby"), "test")).is_ok();
        let effects = ports.services.seen().woken.len();
        (is_done, effects)
    }

    #[test]
    fn call_without_a_fault_has_its_effect_and_its_answer() {
        assert_eq!(wake(Failing::default()), (true, 1));
    }

    #[test]
    fn call_that_fails_before_has_no_effect() {
        assert_eq!(wake(Failing { before: "wake", ..Failing::default() }), (false, 0));
    }

    #[test]
    fn call_that_loses_its_answer_has_its_effect() {
        assert_eq!(wake(Failing { after: "wake", ..Failing::default() }), (false, 1));
    }

    #[test]
    fn failed_post_has_failed_for_each_connection() {
        let ports = ports(Failing { before: "post", ..Failing::default() });
        let connections = ["a", "b"].map(ConnectionId::new);
        assert_eq!(block_on(Poster::post(&ports, &[], &connections)), [Outcome::Failed; 2]);
    }

    #[test]
    fn call_says_what_it_is_about() {
        let (channel, epoch) = (room("lobby"), Epoch::new("E"));
        let call = Call::Settle { channel: &channel, epoch: &epoch, to: Seq(7) };
        assert_eq!(call.to_string(), "settle room:lobby to 7");
    }
}
