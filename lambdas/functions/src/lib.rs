//! The Lambda functions. A module for each turns events into calls of `hubbub-core`'s rules and back; `wiring` gives each handler its
//! configuration and its ports on AWS. Handlers are generic over the ports, so that they are tested without AWS.
//!
//! Without the feature `lambda` there is only [`authorize::token`].

#[cfg(feature = "lambda")]
pub mod announce;
pub mod authorize;
#[cfg(feature = "lambda")]
pub mod connect;
#[cfg(feature = "lambda")]
pub mod deliver;
#[cfg(feature = "lambda")]
pub mod deliver_page;
#[cfg(feature = "lambda")]
pub mod disconnect;
#[cfg(feature = "lambda")]
pub mod plan_broadcast;
#[cfg(feature = "lambda")]
pub mod receive;
#[cfg(feature = "lambda")]
pub mod wiring;

#[cfg(test)]
mod testing;
