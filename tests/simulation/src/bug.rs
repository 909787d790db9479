//! Bugs that are known to lose messages, put between the rules and their ports, to show that the simulation finds them.

use clap::ValueEnum;

/// A bug. The rules themselves are never changed: each is what a port would do, were it written so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Bug {
    /// The lease is given back although the head has moved.
    LeaseGivenBackUnchecked,
    /// What is posted counts as sent before it is posted.
    SentBeforePosted,
    /// A message that is delivered again isn't found in the log.
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
