//! End-to-end tests, demo, soak and benchmarks on a local stack.
//!
//! Here is what they share. Around the stack: where it is ([`stack`]), tokens that it accepts ([`token`]), a service that sends to its
//! queue ([`service`]), looking at what it has done ([`inspect`]) and measured ([`measured`]), breaking parts of it ([`faults`]) and
//! the processes that its functions run in ([`processes`]). For judging: what clients should have received and have ([`books`]), what was odd ([`oddities`]), figures
//! for people ([`figures`]) and saying what is being done ([`progress`]). What a test begins with is a [`scene`]. The client is
//! `hubbub-client`.

pub mod books;
pub mod faults;
pub mod figures;
pub mod inspect;
pub mod measured;
pub mod oddities;
pub mod processes;
pub mod progress;
mod request;
pub mod scene;
pub mod service;
pub mod stack;
pub mod token;
