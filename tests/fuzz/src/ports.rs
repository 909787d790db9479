//! The ports of the fuzz targets: the store in memory and the recording ports, of which each effect may go wrong.

use std::any::Any;

use hubbub_core::ports::{PortError, PortResult};
use hubbub_testkit::fixtures::{Recorder, TestEnv};
use hubbub_testkit::intercept::{Call, Hook, Intercepted};
use hubbub_testkit::memory::MemoryStore;

use crate::faults::{Fault, Faults};

pub type Ports = Intercepted<MemoryStore, Recorder, TestEnv, Faults>;

/// Each effect but a post has a number, by which it may go wrong.
impl Hook for Faults {
    async fn before(&self, call: &Call<'_>) -> PortResult<()> {
        let is_post = matches!(call, Call::Post { .. } | Call::TryPost { .. } | Call::Close { .. });
        if !is_post && self.begin(call.operation()) == Some(Fault::Refused) {
            return error(call, "refused");
        }
        Ok(())
    }

    /// Nothing else can happen since the call began: none of these ports ever waits.
    async fn after(&self, call: &Call<'_>, _: &mut dyn Any) -> PortResult<()> {
        if self.end() == Some(Fault::Lost) { error(call, "the answer is lost") } else { Ok(()) }
    }
}

fn error(call: &Call<'_>, detail: &str) -> PortResult<()> {
    Err(PortError { operation: call.operation(), detail: detail.to_owned(), retryable: true })
}
