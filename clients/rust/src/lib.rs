//! A client for Hubbub, as PROTOCOL.md describes it.
//!
//! Four layers, each of which knows only the one below it:
//!
//! - [`frames`]: what goes over the wire, in both directions;
//! - [`state`]: what a client remembers of a channel, and the rules of order, de-duplication and recovery, without any I/O;
//! - [`connection`]: one socket, on which an answer finds its question;
//! - [`client`]: channels on a connection: joining, publishing, and the messages in their order.
//!
//! A client lives as long as its socket. [`Client::state`] says how far it has come, and [`Client::resume`] goes on from there on a new
//! socket, which is all that a reconnecting layer needs.
//!
//! ```no_run
//! # async fn example() -> Result<(), hubbub_client::Error> {
//! use hubbub_client::{Client, Event, Options};
//!
//! let options = Options::new("wss://example.execute-api.eu-west-1.amazonaws.com/live", "ana", "a token");
//! let (client, mut events) = Client::connect(options).await?;
//! client.join_room("lobby").await?;
//! client.publish("lobby", &"hello", None).await?;
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
pub mod state;
mod tls;

pub use channel::{Channel, InvalidChannel};
pub use client::{Caught, Client, Event, Events, Options, State};
pub use connection::CloseReason;
pub use error::Error;
pub use frames::{
    Closing, Closure, Content, FrameKind, Left, Message, Presence, Present, Receipt, ServerError, ServerFrame, Signal,
};
pub use state::{Arrival, Counters, Delivery, Position, Start};
