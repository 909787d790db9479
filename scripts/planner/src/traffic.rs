//! What a stack does in a while: everything that takes time or costs money.

use std::ops::AddAssign;

use serde::Serialize;

/// Counts and sums, of a while or of a second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Traffic {
    /// Seconds that were looked at.
    pub seconds: f64,
    /// Messages that were published.
    pub messages: f64,
    /// Rounds, or fan-outs of `deliver`.
    pub rounds: f64,
    /// Posts that were answered 200.
    pub posts: f64,
    /// Bytes of these posts.
    pub bytes: f64,
    /// Posts that were answered 429.
    pub throttled: f64,
    /// Members whose post was given up.
    pub failed: f64,
    /// Members' rows that were read.
    pub rows: f64,
    /// Parts of members that large fan-outs have begun: each is a look at the budget.
    pub parts: f64,
    /// Runs of `deliver`, and their seconds.
    pub delivers: f64,
    /// The seconds of these.
    pub deliver_seconds: f64,
    /// Pages, each a run of `deliver-page`.
    pub pages: f64,
    /// The seconds of these.
    pub page_seconds: f64,
    /// Runs of `plan-broadcast`.
    pub plans: f64,
    /// The seconds of these.
    pub plan_seconds: f64,
    /// Executions of the state machine.
    pub broadcasts: f64,
    /// Transitions between its states.
    pub transitions: f64,
}

impl Traffic {
    fn each(self, of: impl Fn(f64) -> f64) -> Self {
        Self {
            seconds: of(self.seconds),
            messages: of(self.messages),
            rounds: of(self.rounds),
            posts: of(self.posts),
            bytes: of(self.bytes),
            throttled: of(self.throttled),
            failed: of(self.failed),
            rows: of(self.rows),
            parts: of(self.parts),
            delivers: of(self.delivers),
            deliver_seconds: of(self.deliver_seconds),
            pages: of(self.pages),
            page_seconds: of(self.page_seconds),
            plans: of(self.plans),
            plan_seconds: of(self.plan_seconds),
            broadcasts: of(self.broadcasts),
            transitions: of(self.transitions),
        }
    }

    #[must_use]
    pub fn times(self, factor: f64) -> Self {
        self.each(|value| value * factor)
    }

    /// What there is of it in a second.
    #[must_use]
    pub fn per_second(self) -> Self {
        if self.seconds > 0.0 { self.times(1.0 / self.seconds) } else { Self::default() }
    }
}

impl AddAssign for Traffic {
    fn add_assign(&mut self, other: Self) {
        self.seconds += other.seconds;
        self.messages += other.messages;
        self.rounds += other.rounds;
        self.posts += other.posts;
        self.bytes += other.bytes;
        self.throttled += other.throttled;
        self.failed += other.failed;
        self.rows += other.rows;
        self.parts += other.parts;
        self.delivers += other.delivers;
        self.deliver_seconds += other.deliver_seconds;
        self.pages += other.pages;
        self.page_seconds += other.page_seconds;
        self.plans += other.plans;
        self.plan_seconds += other.plan_seconds;
        self.broadcasts += other.broadcasts;
        self.transitions += other.transitions;
    }
}
