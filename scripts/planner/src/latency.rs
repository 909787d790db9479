//! The time of each step, and the source of each figure.
//!
//! A latency is log-normal: most are near the median, few are far above. Hubbub was never measured on AWS, so most of these are assumed; the
//! report says so, and `--json` lists them.

use serde::Serialize;

/// Where a figure is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// By this repository's benchmark: docs/performance.md.
    Measured,
    /// By AWS's documentation, or by what others have published.
    Published,
    /// A guess, until it is measured.
    Assumed,
}

/// The distribution of a step's time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Latency {
    /// Half are below, in milliseconds.
    pub median_ms: f64,
    /// All but one of a hundred are below, in milliseconds.
    pub p99_ms: f64,
    /// Where both are from.
    pub source: Source,
}

/// The 99th percentile of the normal distribution.
const Z_99: f64 = 2.326_347_874;

impl Latency {
    const fn new(median_ms: f64, p99_ms: f64, source: Source) -> Self {
        Self { median_ms, p99_ms, source }
    }

    fn sigma(self) -> f64 {
        (self.p99_ms / self.median_ms).max(1.0).ln() / Z_99
    }

    /// The mean, in seconds.
    #[must_use]
    pub fn mean(self) -> f64 {
        self.median_ms / 1e3 * (self.sigma() * self.sigma() / 2.0).exp()
    }

    /// The longest of this many, about, in seconds: the value that one of them exceeds.
    #[must_use]
    pub fn longest_of(self, count: u64) -> f64 {
        let above = 1.0 / (count.max(1) as f64 + 1.0);
        self.median_ms / 1e3 * (self.sigma() * normal_quantile(1.0 - above)).exp()
    }
}

/// The latencies of a place where Hubbub runs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Latencies {
    /// A post to a socket, from the request to its answer.
    pub post: Latency,
    /// A read or a write of a few rows.
    pub table: Latency,
    /// A transaction: an append to the log.
    pub append: Latency,
    /// A read of a part of the members, a thousand rows.
    pub members: Latency,
    /// From the client's frame to the message on the queue: API Gateway, `receive`, SQS.
    pub publish: Latency,
    /// From the queue to `deliver`.
    pub queue: Latency,
    /// Starting an execution.
    pub start: Latency,
    /// From one state to the next.
    pub transition: Latency,
    /// Calling a function that is there.
    pub call: Latency,
    /// The additional time of a function that has to be started.
    pub cold_start: Latency,
    /// The processor time of a post, its part of reading the members included, in microseconds: the least time between two posts of a sender.
    pub cpu_us_per_post: f64,
    /// Posts a second that all senders can make together, where they share one host, as in the benchmark.
    pub host_rps: Option<f64>,
}

impl Latencies {
    /// AWS, in one Region.
    #[must_use]
    pub const fn aws() -> Self {
        Self {
            // Public anecdotes: 10 to 30 ms within a Region. The same as the benchmark's stand-in.
            post: Latency::new(15.0, 45.0, Source::Published),
            // AWS promises single-digit milliseconds.
            table: Latency::new(5.0, 20.0, Source::Published),
            append: Latency::new(12.0, 40.0, Source::Assumed),
            members: Latency::new(10.0, 40.0, Source::Assumed),
            publish: Latency::new(25.0, 80.0, Source::Assumed),
            queue: Latency::new(20.0, 100.0, Source::Assumed),
            start: Latency::new(30.0, 120.0, Source::Assumed),
            transition: Latency::new(15.0, 60.0, Source::Assumed),
            call: Latency::new(15.0, 60.0, Source::Assumed),
            // Of this, 10 ms are measured: from the process's start to its first request. The rest is the sandbox's.
            cold_start: Latency::new(120.0, 400.0, Source::Assumed),
            cpu_us_per_post: 47.0,
            host_rps: None,
        }
    }

    /// The benchmark's host: the gateway's stand-in and DynamoDB's on the loopback, no queue, and a state machine that is simulated. Fitted to the
    /// table "Growth" of docs/performance.md, and held against the one before it.
    #[must_use]
    pub const fn bench() -> Self {
        let none = Latency::new(0.01, 0.01, Source::Measured);
        Self {
            // 15 and 45 ms are the stand-in's; the busy host's timers add some.
            post: Latency::new(18.0, 52.0, Source::Measured),
            table: Latency::new(1.5, 5.0, Source::Measured),
            append: Latency::new(3.0, 10.0, Source::Measured),
            members: Latency::new(15.0, 30.0, Source::Measured),
            publish: none,
            queue: none,
            start: none,
            transition: none,
            call: none,
            cold_start: none,
            cpu_us_per_post: 47.0,
            host_rps: Some(20_000.0),
        }
    }
}

/// The normal distribution's quantile by the rational approximation 26.2.23 of Abramowitz and Stegun, right to 0.0005.
fn normal_quantile(part: f64) -> f64 {
    let tail = part.min(1.0 - part).max(f64::MIN_POSITIVE);
    let root = (-2.0 * tail.ln()).sqrt();
    let above = 2.515_517 + root * (0.802_853 + root * 0.010_328);
    let below = 1.0 + root * (1.432_788 + root * (0.189_269 + root * 0.001_308));
    let distance = root - above / below;
    if part < 0.5 { -distance } else { distance }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latency_has_its_median_and_its_99th_percentile() {
        let latency = Latency::new(15.0, 45.0, Source::Assumed);
        assert!((latency.longest_of(1) - 0.015).abs() < 1e-5, "{}", latency.longest_of(1));
        assert!((latency.longest_of(99) - 0.045).abs() < 1e-4, "{}", latency.longest_of(99));
        assert!(latency.mean() > 0.015);
    }
}
