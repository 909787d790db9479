//! A deterministic simulation of Hubbub.
//!
//! The rules of `hubbub-core` and the client's state of `hubbub-client` run unchanged, in one thread, in a small environment that a seed
//! decides: the order of steps, the faults, the clients' acts, and how time passes. At the end the guarantee is checked for each member
//! against the record that the environment has kept. The same seed is the same run, so that a failed one can be run again.
//!
//! | what | where |
//! |---|---|
//! | the order of steps, time, crashes | `scheduler`, `random`, `faults` |
//! | the parts of AWS | `environment`, `queue`, `workflows`, `sockets`, `functions` |
//! | the rules' ports, and bugs in them | `ports`, [`Bug`] |
//! | devices, services, an operator | `actors` |
//! | the guarantee | `record` (with `hubbub-ledger`), `check` |

mod actors;
mod bug;
mod check;
mod environment;
mod faults;
mod functions;
mod ports;
mod queue;
mod random;
mod record;
mod run;
mod scale;
mod scheduler;
mod sockets;
mod workflows;

pub use bug::Bug;
pub use run::{Verdict, run};
