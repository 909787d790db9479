//! CPU time and memory of this process.

use std::fs;
use std::time::Duration;

use anyhow::Context;
use rustix::time::{ClockId, clock_gettime};

/// The time that this process's threads have run, in user mode and in the system.
#[must_use]
pub fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or_default(), u32::try_from(time.tv_nsec).unwrap_or_default())
}

/// Forgets the peak of this process's memory, so that the next one is of what follows.
///
/// # Errors
/// When the system doesn't allow it.
pub fn forget_peak_memory() -> anyhow::Result<()> {
    // See proc_pid_clear_refs(5): 5 resets the peak resident set size.
    fs::write("/proc/self/clear_refs", "5").context("writing `/proc/self/clear_refs`")
}

/// The most memory that was resident, in MiB.
///
/// # Errors
/// When the system doesn't say.
pub fn peak_memory_mib() -> anyhow::Result<f64> {
    let status = fs::read_to_string("/proc/self/status").context("reading `/proc/self/status`")?;
    let kib = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse().ok());
    let kib: u32 = kib.context("`/proc/self/status` has no line `VmHWM`")?;
    Ok(f64::from(kib) / 1_024.0)
}
