//! The functions: the real rules on the simulated ports, each run a task that may crash.

use std::rc::Rc;
use std::sync::Arc;

use hubbub_core::actions::Caller;
use hubbub_core::actions::ClientHandler;
use hubbub_core::broadcast::page_delivery::PageDelivery;
use hubbub_core::broadcast::planner::Planner;
use hubbub_core::broadcast::round::{PageInput, PageReport, Plan, PlanInput};
use hubbub_core::delivery::deliver::{Delivery, Record};
use hubbub_core::delivery::fan_out::{FanOut, Share};
use hubbub_core::limits::budget::Budget;
use hubbub_core::limits::turns::PublishRate;
use hubbub_core::members::connection::Connection;
use hubbub_core::members::membership;
use hubbub_core::members::membership::Admission;
use hubbub_core::ports::{Clock, PortError, PortResult};
use hubbub_core::transport::API_GATEWAY;
use hubbub_core::wire::capabilities::Capabilities;
use hubbub_core::wire::id::{ConnectionId, SenderId, UserId};
use hubbub_core::wire::time::Timestamp;
use hubbub_testkit::fixtures::FOREVER;

use crate::environment::Environment;
use crate::ports::{ports, ports_until};
use crate::scale::{BROADCAST_TIMEOUT, DELIVER_TIMEOUT, SOCKET_TIMEOUT};
use crate::scheduler::Outcome;

/// The largest body, in bytes.
const MAX_BODY_BYTES: usize = 24_576;

/// Posts a second. So few that the fan-outs of some members are large ones.
const CALLBACK_RPS: u64 = 10;

/// `$connect`.
pub(crate) fn connect(environment: &Rc<Environment>, connection: Connection) -> Outcome<PortResult<Admission>> {
    let ports = ports(environment);
    let shard_members = environment.scale.shard_members;
    environment.scheduler.invoke(format!("connect {}", connection.id), SOCKET_TIMEOUT, async move {
        membership::connect(&ports, &ports, &connection, shard_members).await
    })
}

/// `$disconnect`.
pub(crate) fn disconnect(environment: &Rc<Environment>, id: ConnectionId) -> Outcome<PortResult<()>> {
    let ports = ports(environment);
    environment.scheduler.invoke(format!("disconnect {id}"), SOCKET_TIMEOUT, async move {
        membership::forget(&ports, &id, ports.now()).await
    })
}

/// A client's frame; the answer's text.
pub(crate) fn receive(
    environment: &Rc<Environment>,
    connection: ConnectionId,
    user: UserId,
    text: String,
) -> Outcome<Option<String>> {
    let ports = ports(environment);
    let handler = ClientHandler {
        store: ports.clone(),
        queue: ports.clone(),
        poster: ports.clone(),
        env: ports,
        max_body_bytes: MAX_BODY_BYTES,
        shard_members: environment.scale.shard_members,
        user_rate: PublishRate { per_second: 20, burst: 5 },
        max_rooms: 100,
        budget: Budget::of(CALLBACK_RPS),
        transport: API_GATEWAY,
    };
    environment.scheduler.invoke(format!("receive {connection}"), SOCKET_TIMEOUT, async move {
        let caller = Caller { connection, user, capabilities: Capabilities::of_a_member(), until: FOREVER };
        serde_json::to_string(&handler.answer(&caller, &text).await).ok()
    })
}

/// A batch of the queue; the messages that failed.
pub(crate) fn deliver(environment: &Rc<Environment>, number: u64, records: Vec<Record>) -> Outcome<Vec<String>> {
    let deadline = deadline(environment, DELIVER_TIMEOUT);
    let ports = ports_until(environment, Some(deadline));
    let delivery = Delivery {
        fan_out: FanOut {
            store: ports.clone(),
            poster: ports.clone(),
            env: ports.clone(),
            share: share(environment),
            transport: API_GATEWAY,
        },
        broadcasts: ports.clone(),
        dead_letters: ports,
        max_body_bytes: MAX_BODY_BYTES,
        retention: environment.scale.retention,
        inline_limit: environment.scale.inline_limit,
        lease: environment.scale.lease,
        large: Arc::default(),
    };
    environment
        .scheduler
        .invoke(format!("deliver {number}"), DELIVER_TIMEOUT, async move { delivery.deliver(records, deadline).await })
}

/// The state `PlanBroadcast`.
pub(crate) fn plan_broadcast(environment: &Rc<Environment>, input: PlanInput) -> Outcome<PortResult<Plan>> {
    let ports = ports(environment);
    let planner = Planner {
        store: ports.clone(),
        broadcasts: ports.clone(),
        poster: ports.clone(),
        env: ports,
        lease: environment.scale.lease,
        page_members: environment.scale.page_members,
        round_frames: environment.scale.round_frames,
        history_events: environment.scale.history_events,
        budget: Budget::of(CALLBACK_RPS),
        retention: environment.scale.retention,
        transport: API_GATEWAY,
    };
    environment.scheduler.invoke(format!("plan {}", input.lease), BROADCAST_TIMEOUT, async move {
        through_json(&planner.plan(through_json(&input)?).await?)
    })
}

/// The state `DeliverPage`.
pub(crate) fn deliver_page(environment: &Rc<Environment>, input: PageInput) -> Outcome<PortResult<PageReport>> {
    let ports = ports(environment);
    let delivery = PageDelivery {
        fan_out: FanOut {
            store: ports.clone(),
            poster: ports.clone(),
            env: ports,
            share: share(environment),
            transport: API_GATEWAY,
        },
        lease: environment.scale.lease,
    };
    let deadline = deadline(environment, BROADCAST_TIMEOUT);
    let label = format!("page {} of {}", input.page.index, input.lease);
    let environment = Rc::clone(environment);
    environment.clone().scheduler.invoke(label, BROADCAST_TIMEOUT, async move {
        let report = delivery.deliver(through_json(&input)?, deadline).await?;
        if deadline.0 <= environment.scheduler.now() {
            environment.record.leave_out(&input.channel, &input.round.epoch, (input.round.from, input.round.to));
        }
        through_json(&report)
    })
}

/// A sender's part in the callback budget.
fn share(environment: &Environment) -> Share {
    Share { budget: Budget::of(CALLBACK_RPS), sender: SenderId::new(environment.scheduler.fresh().to_string()) }
}

/// By when a function is to be done, as `serve_by` tells it.
fn deadline(environment: &Environment, timeout: u64) -> Timestamp {
    Timestamp(environment.scheduler.now() + timeout - timeout / 6)
}

/// As the state machine hands documents on.
fn through_json<T: serde::Serialize + serde::de::DeserializeOwned>(value: &T) -> PortResult<T> {
    serde_json::to_value(value).and_then(serde_json::from_value).map_err(|error| PortError {
        operation: "hand on",
        detail: error.to_string(),
        retryable: false,
    })
}
