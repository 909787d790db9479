//! The rules' environment: the parts of AWS that they stand on, and the record of what has happened.

use std::rc::Rc;
use std::time::{Duration, Instant};

use hubbub_core::wire::time::Timestamp;
use hubbub_testkit::memory::MemoryStore;

use crate::bug::Bug;
use crate::functions::deliver;
use crate::queue::{Batch, GivenUp, Queue, Sending};
use crate::record::Record;
use crate::scale::{Scale, VISIBILITY};
use crate::scheduler::Scheduler;
use crate::sockets::Sockets;
use crate::workflows::Workflows;

pub(crate) struct Environment {
    pub(crate) scheduler: Scheduler,
    pub(crate) scale: Scale,
    pub(crate) bug: Option<Bug>,
    pub(crate) store: MemoryStore,
    pub(crate) queue: Queue,
    pub(crate) workflows: Workflows,
    pub(crate) sockets: Sockets,
    pub(crate) record: Record,
    /// For the client library, which marks frames with it.
    began: (Instant, u64),
}

impl Environment {
    pub(crate) fn new(scheduler: &Scheduler, bug: Option<Bug>) -> Rc<Self> {
        Rc::new(Self {
            scheduler: scheduler.clone(),
            scale: Scale::choose(scheduler),
            bug,
            store: MemoryStore::default(),
            queue: Queue::default(),
            workflows: Workflows::default(),
            sockets: Sockets::default(),
            record: Record::new(scheduler),
            began: (Instant::now(), scheduler.now()),
        })
    }

    /// Now, as the client library has it.
    pub(crate) fn instant(&self) -> Instant {
        let (instant, moment) = self.began;
        instant + Duration::from_millis(self.scheduler.now() - moment)
    }
}

/// Lambda's poller: takes batches from the queue and hands them to `deliver`, for ever.
pub(crate) async fn poll_queue(environment: Rc<Environment>) {
    let scheduler = &environment.scheduler;
    loop {
        scheduler.pause().await;
        if let Some(batch) = environment.queue.receive(scheduler) {
            let environment = Rc::clone(&environment);
            scheduler.spawn("poller", async move { deliver_batch(&environment, batch).await });
            continue;
        }
        let changed = environment.queue.changed.wait();
        match environment.queue.next_shown(scheduler.now()) {
            Some(moment) => {
                scheduler.within(moment - scheduler.now(), changed).await;
            }
            None => changed.await,
        }
    }
}

async fn deliver_batch(environment: &Rc<Environment>, batch: Batch) {
    let scheduler = &environment.scheduler;
    // While all of the function's instances are busy, the poller tries again; the batch's time runs meanwhile. A function that starts at
    // the end of it has company soon.
    if scheduler.happens(scheduler.faults().late) {
        let margin = scheduler.pick(&[VISIBILITY, 500]).copied().unwrap_or_default();
        scheduler.sleep(VISIBILITY - scheduler.below(margin)).await;
    }
    let number = scheduler.fresh();
    if batch.records.iter().any(|record| record.receives > 1) {
        environment.record.count("redeliveries");
    }
    scheduler.note(|| {
        let records = batch.records.iter().map(|record| format!(" {} ({})", record.queue_id, record.receives));
        format!("batch for deliver {number}:{}", records.collect::<String>())
    });
    let Some(failed) = deliver(environment, number, batch.records.clone()).end().await else { return };
    if batch.has_expired(scheduler.now()) {
        environment.record.count("overlaps");
    }
    scheduler.pause().await;
    for group in environment.queue.finish(scheduler, &batch, &failed) {
        environment.record.interrupt_group(&group);
    }
}

/// Puts messages that the queue has given up back onto it. Those older than the retention are dropped: it may have been in the log, which no longer
/// says so.
pub(crate) fn redrive(environment: &Environment) {
    let scheduler = &environment.scheduler;
    for GivenUp { group, body, sent_at } in environment.queue.take_given_up() {
        let is_old = Timestamp(scheduler.now()).since(Timestamp(sent_at)) >= environment.scale.retention;
        scheduler.note(|| format!("{} {body}", if is_old { "drop" } else { "redrive" }));
        environment.record.redrive(&group, &body, is_old);
        if !is_old {
            let deduplication = format!("redriven-{}", scheduler.fresh());
            environment.queue.send(scheduler, Sending { group, deduplication, body, redriven: true });
        }
    }
}
