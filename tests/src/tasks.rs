//! Tasks that run until a phase ends, each of which fails only if the stack can't be used.

use std::future::pending;

use anyhow::Context;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::progress::Progress;

pub type Tasks = JoinSet<anyhow::Result<()>>;

/// The error of the first task that fails; waits for ever if none does.
pub async fn first_failure(tasks: &mut Tasks) -> anyhow::Error {
    loop {
        match tasks.join_next().await {
            Some(Ok(Ok(()))) => {}
            Some(Ok(Err(error))) => return error,
            Some(Err(error)) => return error.into(),
            None => pending().await,
        }
    }
}

/// Waits until this many tasks have said that they are ready.
///
/// # Errors
/// Fails as soon as one of the tasks fails.
pub async fn wait_until_ready(
    what: &str,
    count: u64,
    progress: &mut Progress,
    tasks: &mut Tasks,
    ready: &mut mpsc::Receiver<()>,
) -> anyhow::Result<()> {
    progress.begin(what, count);
    for done in 1..=count {
        tokio::select! {
            one = ready.recv() => one.context("no client is left")?,
            error = first_failure(tasks) => return Err(error),
        }
        progress.reach(done);
    }
    Ok(())
}
