//! A client for Hubbub, which is real-time messaging with an ordered log for each channel.
//!
//! Most applications want a [`Session`]. It reconnects after a cut, continues each channel after the last message that it has handed
//! out, and moves to a new socket before API Gateway closes the old one. A [`Client`] is one socket: when the socket ends, the client
//! ends. [`Client::state`] returns its positions, and [`Client::resume`] continues from them on a new socket.
//!
//! ```no_run
//! # async fn example() -> Result<(), hubbub_client::Error> {
//! use hubbub_client::{Channel, Event, Session, SessionOptions, Start, Tokens};
//!
//! // Called for each socket, so that each one gets a fresh token.
//! let tokens = Tokens::fetch(|| async { Ok("a token".to_owned()) });
//! let options = SessionOptions::new("wss://example.execute-api.eu-west-1.amazonaws.com/v1", "ana", tokens);
//! let (session, mut events) = Session::open(options);
//! session.join(Channel::room("lobby"), Start::Now).await?;
//! // Waits while the session is offline. The message is in the log once.
//! session.publish("lobby", &"hello", None).await?;
//! while let Some(event) = events.next().await {
//!     if let Event::Message(delivery) = event {
//!         println!("{}: {}", delivery.message.from, delivery.message.body().unwrap_or("(deleted)"));
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Guarantees
//!
//! - Each message of a channel comes once, and messages come in the order of the log.
//! - After a cut, missed messages come before new ones. If the server no longer keeps them, an [`Event::Reset`] says so.
//! - When `publish` returns, the message is durable. A [`Session`] sends it again after a lost answer, with the same id, and it stays one
//!   message.
//!
//! # Modules
//!
//! Each module knows only those before it:
//!
//! | module | content |
//! |---|---|
//! | [`frames`] | the frames on the wire, in both directions |
//! | [`channel_state`] | the state of one channel: order, duplicates, gaps; no I/O |
//! | [`connection`] | one socket; it matches answers to requests |
//! | [`client`] | channels, calls and events on one socket |
//! | [`session`] | a client that outlives its sockets |

#![warn(missing_docs)]

mod channel;
pub mod channel_state;
pub mod client;
pub mod connection;
mod error;
pub mod frames;
pub mod session;
mod tls;

pub use channel::{Channel, InvalidChannel};
pub use channel_state::{Counters, Delivery, Position, Start};
pub use client::{Client, Event, Events, JoinOutcome, Options, State};
pub use connection::{CloseReason, ConnectionOptions};
pub use error::Error;
pub use frames::{
    Closing, Closure, Content, FrameKind, Left, Message, Presence, Receipt, RoomPresence, ServerError, ServerFrame,
    Signal,
};
pub use session::{Session, SessionOptions, Stats, Status, Tokens};

/// Compiles the example of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct ReadmeExamples;
