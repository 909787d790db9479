//! A deterministic simulation of Hubbub.
//!
//! The rules of `hubbub-core` and the client's state of `hubbub-client` run unchanged, in one thread, on a small world that a seed
//! decides: the order of steps, what fails, who comes and goes, and how time passes. At the end the guarantee is checked for each member
//! against books that the world has kept. A run that fails is run again by its seed.
//!
//! | what | where |
//! |---|---|
//! | who goes on next, time, crashes | `scheduler`, `random`, `faults` |
//! | the parts of AWS | `queue`, `workflows`, `sockets`, `functions` |
//! | the rules' ports | `ports`, [`Bug`] |
//! | who does something | `actors` |
//! | the guarantee | `ledger`, `check` |

mod actors;
mod bug;
mod check;
mod faults;
mod functions;
mod ledger;
mod ports;
mod queue;
mod random;
mod run;
mod scale;
mod scheduler;
mod sockets;
mod workflows;
mod world;

pub use bug::Bug;
pub use run::{Verdict, run};
