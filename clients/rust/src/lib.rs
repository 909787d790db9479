//! A client for Hubbub, as PROTOCOL.md describes it.
//!
//! Five layers, each of which knows only the one below it:
//!
//! - [`frames`]: what goes over the wire, in both directions;
//! - [`state`]: what a client remembers of a channel, and the rules of order, de-duplication and recovery, without any I/O;
//! - [`connection`]: one socket, on which an answer finds its question;
//! - [`client`]: channels on a connection: joining, publishing, and the messages in their order;
//! - [`session`]: a client that outlives its sockets: it reconnects, goes on where it was, and moves before it is cut.
//!
//! Most applications want a [`Session`]. A [`Client`] lives as long as its socket; [`Client::state`] says how far it has come, and
//! [`Client::resume`] goes on from there on a new one.
//!
//! ```no_run
//! # async fn example() -> Result<(), hubbub_client::Error> {
//! use hubbub_client::{Channel, Event, Session, SessionOptions, Start, Tokens};
//!
//! let tokens = Tokens::fetch(|| async { Ok("a token, for each socket a fresh one".to_owned()) });
//! let options = SessionOptions::new("wss://example.execute-api.eu-west-1.amazonaws.com/v1", "ana", tokens);
//! let (session, mut events) = Session::open(options);
//! session.join(Channel::room("lobby"), Start::Now).await?;
//! session.publish("lobby", &"hello", None).await?; // waits while offline, and is in the log once
//! while let Some(event) = events.next().await {
//!     if let Event::Message(delivery) = event {
//!         println!("{}: {}", delivery.message.from, delivery.message.body().unwrap_or("(deleted)"));
//!     }
//! }
//! # Ok(())
//! # }
//! ```

mod channel;
pub mod client;
pub mod connection;
mod error;
pub mod frames;
pub mod session;
pub mod state;
mod tls;

pub use channel::{Channel, InvalidChannel};
pub use client::{Caught, Client, Event, Events, Options, State};
pub use connection::CloseReason;
pub use error::Error;
pub use frames::{
    Closing, Closure, Content, FrameKind, Left, Message, Presence, Present, Receipt, ServerError, ServerFrame, Signal,
};
pub use session::{Session, SessionOptions, Stats, Status, Tokens};
pub use state::{Counters, Delivery, NewMessage, Position, Start};
