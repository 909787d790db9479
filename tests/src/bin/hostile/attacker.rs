//! The attacker: a stack to attack, forged tokens, random choices, and the record of what it has done.

use std::time::{Duration, Instant};

use anyhow::Context;
use fastrand::Rng;
use hubbub_client::Channel;
use hubbub_core::limits::turns::PublishRate;
use hubbub_tests::service::Service;
use hubbub_tests::stack::Stack;
use tokio::time::sleep;

use crate::forge::Forge;
use crate::kind::Kind;
use crate::record::Shared;
use crate::socket::Answer;

/// The service that gives moderation commands and sends to the attackers' rooms.
pub(crate) const SERVICE: &str = "warden";

#[derive(Clone)]
pub(crate) struct Attacker {
    pub(crate) stack: Stack,
    pub(crate) forge: Forge,
    pub(crate) record: Shared,
    pub(crate) rng: Rng,
    /// When the attacks end.
    pub(crate) until: Instant,
    /// How many rooms a connection may be a member of.
    pub(crate) max_rooms: usize,
    /// How fast a user may publish.
    pub(crate) user_rate: PublishRate,
}

impl Attacker {
    /// Whether there is time for another round.
    pub(crate) fn goes_on(&self) -> bool {
        Instant::now() < self.until
    }

    /// Pauses between two acts, because the emulator has one processor, which well-behaved clients need too. Whether there is time for another act.
    pub(crate) async fn rest(&mut self) -> bool {
        sleep(Duration::from_millis(self.rng.u64(10..60))).await;
        self.goes_on()
    }

    /// An id that nothing else has.
    pub(crate) fn fresh(&mut self, prefix: &str) -> String {
        format!("{prefix}-{:012x}", self.rng.u64(..1 << 48))
    }

    /// The stack's address without its scheme and path.
    pub(crate) fn host(&self) -> anyhow::Result<(&str, &str)> {
        let url = &self.stack.outputs.web_socket_url;
        let rest = url.strip_prefix("ws://").with_context(|| format!("`{url}` is not a local stack's"))?;
        let slash = rest.find('/').with_context(|| format!("`{url}` has no path"))?;
        Ok(rest.split_at(slash))
    }

    /// A service that uses its rights.
    pub(crate) fn service(&self) -> Service {
        Service::new(&self.stack, SERVICE)
    }

    /// Records an act that must be refused.
    pub(crate) fn expect_refusal(&self, kind: Kind, what: &str, answer: &Answer) {
        self.expect_answer(kind, what, answer);
        if let Answer::CarriedOut(frame) = answer {
            self.record
                .open()
                .notes
                .breach(kind, format!("`{}` was answered with `{}`", shortened(what), shortened(frame)));
        }
    }

    /// Records an act that may be refused or not, but must be answered.
    pub(crate) fn expect_answer(&self, kind: Kind, what: &str, answer: &Answer) {
        let record = &mut *self.record.open();
        record.notes.act(kind, answer.name());
        match answer {
            Answer::Failure(text) => {
                record.notes.fail("failed frame", format!("`{}`, answered with `{text}`", shortened(what)));
            }
            Answer::Silence => record.notes.fail("unanswered frame", format!("`{}`", shortened(what))),
            Answer::CarriedOut(_) | Answer::Refused(_) | Answer::Closed(_) => {}
        }
    }

    /// The stack has accepted a message. `thread` tells apart the sockets of one user, each of which waits for its own answers.
    pub(crate) fn accept(&self, channel: &Channel, from: &str, thread: usize, id: &str) {
        self.record.open().ledger.accept(channel, &format!("{from}#{thread}"), from, id);
    }

    /// No log may ever have this message.
    pub(crate) fn refuse(&self, kind: Kind, channel: &Channel, from: &str, id: &str) {
        self.record.open().notes.refuse(kind, channel, from, id);
    }

    /// Records an obstacle: a socket was refused, or was lost before its purpose.
    pub(crate) fn note(&self, what: &'static str, example: impl Into<String>) {
        self.record.open().surprises.note(what, example);
    }
}

/// The beginning of a text that may be large.
pub(crate) fn shortened(text: &str) -> String {
    const CHARS: usize = 160;
    match text.char_indices().nth(CHARS) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}
