//! End-to-end tests, demo and benchmarks on a local stack.
//!
//! Here is what they share: where the stack is ([`stack`]), tokens that it accepts ([`token`]), a service that sends to its queue
//! ([`service`]), looking at what it has done ([`inspect`]) and breaking parts of it ([`faults`]). The client is `hubbub-client`.

pub mod faults;
pub mod inspect;
pub mod service;
pub mod stack;
pub mod token;
