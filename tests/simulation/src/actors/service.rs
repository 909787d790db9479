//! A service: puts messages on the queue, and now and then garbage.

use std::rc::Rc;

use hubbub_core::wire::channel::Channel;
use hubbub_core::wire::id::{MessageId, RoomId, UserId};
use hubbub_core::wire::message::{Body, ReceiptTo};
use hubbub_core::wire::queue_message::Envelope;

use super::{PATIENCE, body};
use crate::environment::Environment;
use crate::queue::Sending;

/// A service in an episode.
pub(crate) struct Service {
    pub(crate) environment: Rc<Environment>,
    pub(crate) name: String,
    pub(crate) episode: u64,
    pub(crate) users: Vec<UserId>,
    pub(crate) rooms: Vec<RoomId>,
}

impl Service {
    pub(crate) async fn run(self) {
        let scheduler = &self.environment.scheduler;
        for number in 0..self.environment.scale.actions {
            let pauses = [0, 0, 300, 3_000];
            scheduler.sleep(scheduler.below(scheduler.pick(&pauses).copied().unwrap_or_default())).await;
            let id = format!("{}-{}-{number}", self.name, self.episode);
            if scheduler.below(20) == 0 {
                send_garbage(&self.environment, id).await;
            } else if let Some(envelope) = self.write(&id) {
                publish(&self.environment, &self.name, &envelope).await;
            }
        }
    }

    fn write(&self, id: &str) -> Option<Envelope> {
        let scheduler = &self.environment.scheduler;
        let room = scheduler.pick(&self.rooms).cloned().map(Channel::Room);
        let user = scheduler.pick(&self.users).cloned().map(Channel::User);
        let channels = [room.clone(), room.clone(), room, user, Some(Channel::Everyone)];
        let channel = scheduler.pick(&channels).cloned().flatten()?;
        let body = Body::parse(body(&self.environment, id).to_string()).ok()?;
        let receipt = (scheduler.below(4) == 0).then_some(ReceiptTo::Service);
        let from = UserId::parse(&self.name).ok()?;
        Some(Envelope { channel, id: MessageId::parse(id).ok()?, from, body, receipt })
    }
}

async fn publish(environment: &Environment, name: &str, envelope: &Envelope) {
    let key = (envelope.channel.clone(), envelope.from.clone(), envelope.id.clone());
    environment.record.publish(&key);
    let Ok(body) = envelope.to_json() else { return };
    if send(environment, &envelope.channel.to_string(), &envelope.deduplication_id(), &body).await {
        environment.record.accept(name, &key);
    }
}

async fn send_garbage(environment: &Environment, id: String) {
    let (body, reason) = match environment.scheduler.below(3) {
        0 => (id.clone(), "not_json"),
        1 => (format!(r#"{{"v":1,"channel":"room:elsewhere","id":"{id}","from":"svc","body":1}}"#), "wrong_group"),
        _ => (format!(r#"{{"v":1,"channel":"everyone","id":"{id} ","from":"svc","body":1}}"#), "invalid_id"),
    };
    if send(environment, "everyone", &id, &body).await {
        environment.record.accept_garbage(&body, reason);
    }
}

/// Sends until SQS has answered, with the same deduplication id. Whether it has.
async fn send(environment: &Environment, group: &str, deduplication: &str, body: &str) -> bool {
    let scheduler = &environment.scheduler;
    let began = scheduler.now();
    while scheduler.now() - began < PATIENCE {
        scheduler.pause().await;
        let faults = scheduler.faults();
        if !scheduler.happens(faults.refuse) {
            let sending = Sending {
                group: group.to_owned(),
                deduplication: deduplication.to_owned(),
                body: body.to_owned(),
                redriven: false,
            };
            environment.queue.send(scheduler, sending);
            if !scheduler.happens(faults.lose) {
                return true;
            }
        }
        scheduler.sleep(scheduler.below(5_000)).await;
    }
    false
}
