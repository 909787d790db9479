//! What an attack has at hand.

use std::time::{Duration, Instant};

use anyhow::Context;
use fastrand::Rng;
use hubbub_client::Channel;
use hubbub_core::limit::PublishRate;
use hubbub_tests::service::Service;
use hubbub_tests::stack::Stack;
use tokio::time::sleep;

use crate::book::{Shared, open};
use crate::forge::Forge;
use crate::kind::Kind;
use crate::socket::Answer;

/// The stack, means to forge tokens, and the book.
#[derive(Clone)]
pub(crate) struct Field {
    pub(crate) stack: Stack,
    pub(crate) forge: Forge,
    pub(crate) book: Shared,
    pub(crate) dice: Rng,
    /// When the attacks end.
    pub(crate) until: Instant,
    /// How many rooms a connection may be a member of.
    pub(crate) max_rooms: usize,
    /// How fast a user may publish.
    pub(crate) user_rate: PublishRate,
}

impl Field {
    /// Whether there is time for another round.
    pub(crate) fn goes_on(&self) -> bool {
        Instant::now() < self.until
    }

    /// Rests a little between two acts: the emulator has one processor, which honest people need too. Whether there is time for another act.
    pub(crate) async fn rest(&mut self) -> bool {
        sleep(Duration::from_millis(self.dice.u64(10..60))).await;
        self.goes_on()
    }

    /// An id that nothing else has.
    pub(crate) fn fresh(&mut self, prefix: &str) -> String {
        format!("{prefix}-{:012x}", self.dice.u64(..1 << 48))
    }

    /// The stack's address without its scheme and path.
    pub(crate) fn host(&self) -> anyhow::Result<(&str, &str)> {
        let url = &self.stack.outputs.web_socket_url;
        let rest = url.strip_prefix("ws://").with_context(|| format!("`{url}` is not a local stack's"))?;
        let slash = rest.find('/').with_context(|| format!("`{url}` has no path"))?;
        Ok(rest.split_at(slash))
    }

    /// A service that does what a service may.
    pub(crate) fn warden(&self) -> Service {
        Service::new(&self.stack, "warden")
    }

    /// Something was done that must be refused.
    pub(crate) fn must_refuse(&self, kind: Kind, what: &str, answer: &Answer) {
        self.may_be_anything(kind, what, answer);
        if let Answer::CarriedOut(frame) = answer {
            open(&self.book).breach(kind, format!("`{}` was answered with `{}`", shortened(what), shortened(frame)));
        }
    }

    /// Something was done that may be refused or not, but must be answered.
    pub(crate) fn may_be_anything(&self, kind: Kind, what: &str, answer: &Answer) {
        let mut book = open(&self.book);
        book.act(kind, answer.name());
        match answer {
            Answer::Failure(text) => {
                book.fail("failed frame", format!("`{}`, answered with `{text}`", shortened(what)));
            }
            Answer::Silence => book.fail("unanswered frame", format!("`{}`", shortened(what))),
            Answer::CarriedOut(_) | Answer::Refused(_) | Answer::Closed(_) => {}
        }
    }

    /// No log may ever have this message.
    pub(crate) fn refuse(&self, kind: Kind, channel: &Channel, from: &str, id: &str) {
        open(&self.book).refuse(kind, channel, from, id);
    }

    /// A socket was refused, or is lost before what it was for.
    pub(crate) fn note(&self, what: &'static str, example: impl Into<String>) {
        open(&self.book).oddities.note(what, example);
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
