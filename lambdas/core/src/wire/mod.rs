//! What is on the wire: ids, messages, frames, queue messages. One type for each thing; its reader, its writer and its JSON Schema come
//! from that type. These types know no rule.

pub mod capabilities;
pub mod channel;
pub mod codes;
pub mod command;
pub mod dead_letter;
pub mod fields;
pub mod frame;
pub mod id;
pub mod message;
pub mod queue_message;
#[cfg(feature = "schema")]
pub mod schema;
pub mod server_frame;
pub mod time;
