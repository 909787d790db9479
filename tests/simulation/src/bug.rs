//! Bugs that are known to lose messages, planted between the rules and their ports, to show that the simulation finds them.

use clap::ValueEnum;

/// A bug. The rules themselves are never changed: a port behaves as if it had the bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Bug {
    /// The lease is released although messages are unsent.
    LeaseGivenBackUnchecked,
    /// Messages count as sent before they are posted.
    SentBeforePosted,
    /// A redelivered message isn't found in the log.
    RedeliveryUnchecked,
    /// A connection is pruned however young it is.
    PrunedYoung,
    /// A join answers from the state that it read before it wrote the member's row.
    RecoveryReadFirst,
}

impl Bug {
    /// As it is written on the command line, with a space before it.
    #[must_use]
    pub fn argument(self) -> String {
        self.to_possible_value().map(|value| format!(" --bug {}", value.get_name())).unwrap_or_default()
    }
}
