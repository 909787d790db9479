//! Forgets a connection that has closed. API Gateway does its best to call this, which is not always enough: see the pruning in
//! `hubbub_core::fan_out`.

mod handler;

pub use handler::Handler;
