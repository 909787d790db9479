//! Faults, and how often they happen.

/// How often each fault happens, in parts of [`crate::scheduler::PARTS`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Faults {
    /// A function crashes, at each of its steps.
    pub(crate) crash: u64,
    /// A function stands still for a while, at each of its steps.
    pub(crate) freeze: u64,
    /// Time leaps, at each step.
    pub(crate) leap: u64,
    /// An effect doesn't happen, and its caller is told.
    pub(crate) refuse: u64,
    /// An effect happens, and its caller is told that it failed; a client's answer is lost.
    pub(crate) lose: u64,
    /// A post is throttled, fails, hangs, or fails though the frame has arrived; each.
    pub(crate) post: u64,
    /// A batch of the queue waits before its function starts, for up to the visibility timeout.
    pub(crate) late: u64,
}

impl Faults {
    /// Now and then.
    pub(crate) const LIGHT: Self = Self { crash: 10, freeze: 30, leap: 10, refuse: 20, lose: 20, post: 200, late: 50 };
    /// All the time.
    pub(crate) const HEAVY: Self =
        Self { crash: 60, freeze: 80, leap: 40, refuse: 120, lose: 120, post: 800, late: 300 };
    /// So that retries run out.
    pub(crate) const STORM: Self =
        Self { crash: 200, freeze: 80, leap: 20, refuse: 500, lose: 300, post: 1_500, late: 300 };
}
