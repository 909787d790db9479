//! CPU time and memory of this process.

use std::fs;
use std::time::Duration;

use anyhow::Context;
use rustix::time::{ClockId, clock_gettime};

/// The CPU time of all threads, in user and in system mode.
pub(crate) fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or_default(), u32::try_from(time.tv_nsec).unwrap_or_default())
}

/// Starts a new peak of memory.
pub(crate) fn reset_peak_memory() -> anyhow::Result<()> {
    // proc_pid_clear_refs(5): 5 resets the peak of the resident set.
    fs::write("/proc/self/clear_refs", "5").context("writing `/proc/self/clear_refs`")
}

/// The peak of resident memory, in MiB.
pub(crate) fn peak_memory_mib() -> anyhow::Result<f64> {
    let status = fs::read_to_string("/proc/self/status").context("reading `/proc/self/status`")?;
    let kib = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse().ok());
    let kib: u32 = kib.context("`/proc/self/status` has no line `VmHWM`")?;
    Ok(f64::from(kib) / 1_024.0)
}
