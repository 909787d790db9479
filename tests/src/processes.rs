//! The processes that a local stack's functions run in, and signals to them.
//!
//! Only processes of one stack are ever found: their program lies in the folder that this stack alone uses.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use hubbub_core::functions::Function;
use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process};
use tokio::time::sleep;

use crate::stack::Stack;

/// What the local AWS unpacks the functions into, beneath the stack's folder.
const PROGRAMS: &str = "data/tmp";

/// In which variable Lambda tells a function its name.
const NAME_VARIABLE: &[u8] = b"AWS_LAMBDA_FUNCTION_NAME=";

/// What a local stack's functions are called, before their own names.
const NAME_PREFIX: &str = "hubbub-local-";

/// How long a process may take to stop. It is a matter of microseconds, but for one that waits for the disk.
const PATIENCE: Duration = Duration::from_secs(5);

/// A function's name, and its role's, in a local stack.
#[must_use]
pub fn deployed_name(function: Function) -> String {
    format!("{NAME_PREFIX}{function}")
}

fn of_deployed_name(name: &OsStr) -> Option<Function> {
    Function::of_name(name.to_str()?.strip_prefix(NAME_PREFIX)?)
}

/// A process that a function runs in, busy or waiting for its next call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Process {
    /// Whose it is.
    pub function: Function,
    pid: Pid,
}

/// The processes of a stack's functions at this moment, in no order.
///
/// # Errors
/// Fails if the machine doesn't list its processes in `/proc`.
pub fn processes(stack: &Stack) -> anyhow::Result<Vec<Process>> {
    let folder = stack.folder.canonicalize().context("the stack's folder is not there any more")?;
    let programs = folder.join(PROGRAMS);
    let entries = fs::read_dir("/proc").context("the processes can't be listed")?;
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    Ok(pids.filter_map(Pid::from_raw).filter_map(|pid| process(pid, &programs)).collect())
}

/// The process, if it is a function's whose program lies there. One that has just ended is none.
fn process(pid: Pid, programs: &Path) -> Option<Process> {
    let folder = Path::new("/proc").join(pid.to_string());
    if !fs::read_link(folder.join("exe")).ok()?.starts_with(programs) {
        return None;
    }
    let environment = fs::read(folder.join("environ")).ok()?;
    let name = environment.split(|byte| *byte == 0).find_map(|variable| variable.strip_prefix(NAME_VARIABLE))?;
    Some(Process { function: of_deployed_name(OsStr::from_bytes(name))?, pid })
}

/// Kills a process at once, as a machine does that loses its power. Whether it was still there.
///
/// # Errors
/// Fails if it may not be done.
pub fn kill(process: Process) -> anyhow::Result<bool> {
    signal(process, Signal::KILL)
}

fn signal(process: Process, signal: Signal) -> anyhow::Result<bool> {
    match kill_process(process.pid, signal) {
        Ok(()) => Ok(true),
        Err(Errno::SRCH) => Ok(false),
        Err(error) => {
            Err(error).with_context(|| format!("no signal can be sent to a process of `{}`", process.function))
        }
    }
}

/// Processes that stand still, each in the middle of whatever it was doing. They go on when this is dropped.
#[derive(Debug)]
pub struct Held(Vec<Process>);

/// Holds all of a function's processes. When this returns, none of them does anything any more.
///
/// # Errors
/// Fails if they can't be listed or don't stop.
pub async fn hold(stack: &Stack, function: Function) -> anyhow::Result<Held> {
    let all = processes(stack)?;
    let held = Held(all.into_iter().filter(|process| process.function == function).collect());
    for process in &held.0 {
        signal(*process, Signal::STOP)?;
    }
    let deadline = Instant::now() + PATIENCE;
    while held.0.iter().any(|process| !stands_still(*process)) {
        if Instant::now() > deadline {
            bail!("a process of `{function}` does not stop");
        }
        sleep(Duration::from_millis(1)).await;
    }
    Ok(held)
}

/// Whether a process was stopped, or is no more.
fn stands_still(process: Process) -> bool {
    let tasks = Path::new("/proc").join(process.pid.to_string()).join("task");
    let Ok(tasks) = fs::read_dir(tasks) else { return true };
    // A process is stopped when all of its threads are.
    tasks.flatten().all(|task| {
        let stat = fs::read_to_string(task.path().join("stat")).unwrap_or_default();
        // The state follows the program's name, which is in brackets and may hold anything.
        let state = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
        !state.starts_with(['R', 'S', 'D'])
    })
}

impl Held {
    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Kills them where they stand, and gives their number.
    ///
    /// # Errors
    /// Fails if it may not be done.
    pub fn kill(self) -> anyhow::Result<usize> {
        for process in &self.0 {
            kill(*process)?;
        }
        Ok(self.0.len())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        for process in &self.0 {
            // It may have been killed.
            let _ = signal(*process, Signal::CONT);
        }
    }
}
