//! Draws latencies.

use std::f64::consts::TAU;
use std::time::Duration;

use crate::settings::Latency;

/// The 99th percentile of the standard normal distribution.
const Z_99: f64 = 2.326_347_9;

impl Latency {
    /// A latency of this distribution.
    pub(crate) fn draw(self) -> Duration {
        let median = self.median.as_secs_f64();
        if median == 0.0 {
            return Duration::ZERO;
        }
        let sigma = (self.p99.as_secs_f64() / median).max(1.0).ln() / Z_99;
        // Box and Muller's transform; 1 - u is never zero.
        let radius = (-2.0 * (1.0 - fastrand::f64()).ln()).sqrt();
        let normal = radius * (TAU * fastrand::f64()).cos();
        Duration::from_secs_f64(median * (sigma * normal).exp())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latencies_have_their_median_and_99th_percentile() {
        fastrand::seed(1);
        let latency = Latency { median: Duration::from_millis(15), p99: Duration::from_millis(60) };
        let draws: Vec<Duration> = (0..20_000).map(|_| latency.draw()).collect();
        let share = |above: Duration| draws.iter().filter(|draw| **draw > above).count() as f64 / 20_000.0;
        assert!((share(latency.median) - 0.5).abs() < 0.02, "{}", share(latency.median));
        assert!((share(latency.p99) - 0.01).abs() < 0.004, "{}", share(latency.p99));
    }
}
