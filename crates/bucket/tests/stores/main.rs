//! Both stores do the same, and what goes wrong outside is noticed and named.
#![allow(clippy::unwrap_used, reason = "only tests")]

mod both;
mod connection;
mod misbehaving;
mod refusals;
mod server;
