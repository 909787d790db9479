//! What a gateway remembers between posts: quota, buffers, faults, counters, bodies.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use bytes::Bytes;

use crate::counters::Counters;
use crate::fault::Fault;
use crate::settings::{Buffer, Quota, Settings};

/// A bucket that fills at a rate up to a brim.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    level: f64,
    at: Instant,
}

impl Bucket {
    fn take(&mut self, amount: f64, rate: f64, brim: f64, now: Instant) -> bool {
        let filled = now.saturating_duration_since(self.at).as_secs_f64() * rate;
        self.level = (self.level + filled).min(brim);
        self.at = now;
        let enough = self.level >= amount;
        if enough {
            self.level -= amount;
        }
        enough
    }
}

/// What a gateway remembers. One lock, which is held for well under a microsecond.
#[derive(Debug)]
pub(crate) struct Account {
    books: Mutex<Books>,
    quota: Option<Quota>,
    buffer: Option<Buffer>,
    keep_bodies: bool,
}

#[derive(Debug)]
struct Books {
    counters: Counters,
    quota: Bucket,
    buffers: HashMap<String, Bucket>,
    faults: HashMap<String, Option<Fault>>,
    seen: HashSet<String>,
    bodies: HashMap<String, Vec<Bytes>>,
}

/// Whether a post passes the limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    Taken,
    OverQuota,
    BufferFull,
}

impl Account {
    pub(crate) fn new(settings: &Settings, now: Instant) -> Self {
        Self {
            books: Mutex::new(Books {
                counters: Counters::default(),
                quota: Bucket { level: settings.quota.map_or(0.0, |quota| quota.burst), at: now },
                buffers: HashMap::new(),
                faults: HashMap::new(),
                seen: HashSet::new(),
                bodies: HashMap::new(),
            }),
            quota: settings.quota,
            buffer: settings.buffer,
            keep_bodies: settings.keep_bodies,
        }
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn counters(&self) -> Counters {
        self.books().counters.clone()
    }

    pub(crate) fn reset_counters(&self) {
        self.books().counters.reset();
    }

    pub(crate) fn set_fault(&self, id: &str, fault: Option<Fault>) {
        self.books().faults.insert(id.to_owned(), fault);
    }

    pub(crate) fn bodies(&self, id: &str) -> Vec<Bytes> {
        self.books().bodies.get(id).cloned().unwrap_or_default()
    }

    /// The fault that was set for this id, else the one that it asks for by how it begins.
    pub(crate) fn fault(&self, id: &str) -> Option<Fault> {
        let asked = Fault::of_id(id);
        let mut books = self.books();
        if let Some(set) = books.faults.get(id) {
            return *set;
        }
        match asked {
            Some((fault, true)) => books.seen.insert(id.to_owned()).then_some(fault),
            Some((fault, false)) => Some(fault),
            None => None,
        }
    }

    /// Whether the account's quota has room for a request.
    pub(crate) fn admit_request(&self, now: Instant) -> Admission {
        let Some(quota) = self.quota else { return Admission::Taken };
        if self.books().quota.take(1.0, quota.rate, quota.burst, now) { Admission::Taken } else { Admission::OverQuota }
    }

    /// A request comes in beside the posts, and uses up quota.
    pub(crate) fn come_in(&self, now: Instant) {
        let refused = self.admit_request(now) == Admission::OverQuota;
        let counters = &mut self.books().counters;
        counters.inbound += 1;
        counters.inbound_refused += u64::from(refused);
    }

    /// Whether the client's buffer has room for a body; it is in the buffer then.
    pub(crate) fn admit_body(&self, id: &str, body: &Bytes, now: Instant) -> Admission {
        if self.buffer.is_none() && !self.keep_bodies {
            self.books().counters.bytes += body.len() as u64;
            return Admission::Taken;
        }
        let mut books = self.books();
        if let Some(Buffer { bytes, drain }) = self.buffer {
            let bucket = books.buffers.entry(id.to_owned()).or_insert(Bucket { level: bytes, at: now });
            if !bucket.take(body.len() as f64, drain, bytes, now) {
                return Admission::BufferFull;
            }
        }
        books.counters.bytes += body.len() as u64;
        if self.keep_bodies {
            books.bodies.entry(id.to_owned()).or_default().push(body.clone());
        }
        Admission::Taken
    }

    pub(crate) fn opened(&self) {
        let counters = &mut self.books().counters;
        counters.connections += 1;
        counters.open += 1;
    }

    pub(crate) fn closed(&self) {
        self.books().counters.open -= 1;
    }

    pub(crate) fn begun(&self) {
        let counters = &mut self.books().counters;
        counters.requests += 1;
        counters.under_way += 1;
        counters.most_under_way = counters.most_under_way.max(counters.under_way);
    }

    pub(crate) fn ended(&self, status: Option<u16>) {
        let counters = &mut self.books().counters;
        counters.under_way -= 1;
        if let Some(status) = status {
            *counters.answers.entry(status).or_default() += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_quota_takes_a_burst_and_then_its_rate() {
        let start = Instant::now();
        let quota = Some(Quota { rate: 10.0, burst: 3.0 });
        let account = Account::new(&Settings { quota, ..Settings::default() }, start);
        let admit = |after: u64| account.admit_request(start + Duration::from_millis(after));
        let admitted: Vec<bool> =
            [0, 0, 0, 0, 99, 100, 150, 201].map(|after| admit(after) == Admission::Taken).to_vec();
        assert_eq!(admitted, [true, true, true, false, false, true, false, true]);
    }

    #[test]
    fn what_comes_in_uses_up_quota_and_is_counted() {
        let start = Instant::now();
        let quota = Some(Quota { rate: 10.0, burst: 2.0 });
        let account = Account::new(&Settings { quota, ..Settings::default() }, start);
        account.come_in(start);
        assert_eq!(account.admit_request(start), Admission::Taken);
        assert_eq!(account.admit_request(start), Admission::OverQuota);
        account.come_in(start);
        let counters = account.counters();
        assert_eq!((counters.inbound, counters.inbound_refused), (2, 1));
    }

    #[test]
    fn a_full_buffer_is_one_clients_trouble_alone() {
        let now = Instant::now();
        let buffer = Some(Buffer { bytes: 10.0, drain: 1.0 });
        let account = Account::new(&Settings { buffer, ..Settings::default() }, now);
        let body = Bytes::from_static(b"12345678");
        assert_eq!(account.admit_body("one", &body, now), Admission::Taken);
        assert_eq!(account.admit_body("one", &body, now), Admission::BufferFull);
        assert_eq!(account.admit_body("two", &body, now), Admission::Taken);
        assert_eq!(account.admit_body("one", &body, now + Duration::from_secs(6)), Admission::Taken);
    }

    #[test]
    fn a_fault_that_was_set_stands_before_the_one_of_the_id() {
        let account = Account::new(&Settings::default(), Instant::now());
        assert_eq!(account.fault("gone-1"), Some(Fault::Gone));
        account.set_fault("gone-1", None);
        assert_eq!(account.fault("gone-1"), None);
        assert_eq!([account.fault("cut-once-1"), account.fault("cut-once-1")], [Some(Fault::Cut), None]);
    }
}
