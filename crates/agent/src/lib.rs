//! ROLE camera side: owns cameras, connects to them when they are wanted, and hands their
//! frames on.
//!
//! What does not belong here: files, segments, viewers, the database, permissions, and any way
//! to reach the worker or the nvr other than the seams in `oriel_media::ingest` and
//! `oriel_api::link`.

mod agent;
mod clock;
mod convert;
mod drift;
mod error;
mod lateness;
mod look;
mod publish;
mod pull;
mod run;
mod source;
mod still;
mod stream;

pub use agent::{Agent, AgentOptions};
pub use error::RunError;
pub use look::look;
