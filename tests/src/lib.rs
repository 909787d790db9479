//! End-to-end tests, demo, soak, hostile acts on a local stack.
//!
//! Here is what they share. Around the stack: where it is ([`stack`]), tokens that it accepts ([`token`]), a service that sends to its
//! queue ([`service`]), the operator's command line ([`command_line`]), looking at what it has done ([`inspect`]) and measured
//! ([`measured`]), what its functions have logged ([`function_logs`]), breaking parts of it ([`faults`]) and the processes that its
//! functions run in ([`processes`]). Members who write down all that they hear are [`listener`]s. For judging: what clients should have
//! received and have ([`books`]), what was odd ([`oddities`]), figures for people ([`figures`]), saying what is being done
//! ([`progress`]) and how it ended ([`status`]). What a test begins with is a [`scene`], and what no log may have is noted in
//! [`secrets`]. The client is `hubbub-client`.

pub mod books;
pub mod command_line;
pub mod faults;
pub mod figures;
pub mod function_logs;
pub mod inspect;
pub mod listener;
mod local_aws;
pub mod measured;
pub mod oddities;
pub mod processes;
pub mod progress;
pub mod scene;
pub mod secrets;
pub mod service;
pub mod stack;
pub mod status;
pub mod token;
