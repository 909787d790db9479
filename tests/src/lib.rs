//! End-to-end tests, demo, soak and hostile clients on a local stack. Here is what they share.
//!
//! | what | where |
//! |---|---|
//! | the stack, its functions' processes, and looking into it | [`stack`], [`processes`], [`inspect`], [`measured`], [`function_logs`] |
//! | breaking parts of it | [`faults`] |
//! | those who use it | [`listener`] (a client that records all), [`service`], [`token`], [`command_line`] |
//! | what was owed and received | [`record`], with `hubbub-ledger` |
//! | a run and its report | [`tasks`], [`surprises`], [`figures`], [`progress`], [`status`] |
//! | fixtures of end-to-end tests | [`fixture`], [`secrets`] |

pub mod command_line;
pub mod faults;
pub mod figures;
pub mod fixture;
pub mod function_logs;
pub mod inspect;
pub mod listener;
mod local_aws;
pub mod measured;
pub mod processes;
pub mod progress;
pub mod record;
pub mod secrets;
pub mod service;
pub mod stack;
pub mod status;
pub mod surprises;
pub mod tasks;
pub mod token;
