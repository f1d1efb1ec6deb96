//! ROLE control side: cameras, channels, recordings, events, settings and who may see them.
//!
//! Implements every operation of `oriel-api` and takes what the agent and the worker report.
//! What does not belong here: SQL, media bytes, sockets, HTTP, and talking to cameras. Secrets
//! pass through on their way to the secret store and are never kept, logged or answered.

pub mod address;
pub mod auth;
mod cameras;
mod channels;
pub mod check;
mod chronicle;
mod clips;
mod collector;
mod demo;
mod disk;
mod events;
mod exports;
mod forecast;
mod jobs;
mod link;
mod listing;
mod logins;
mod made;
mod nvr;
mod objects;
mod operations;
mod places;
mod protections;
mod random;
mod recordings;
mod retention;
pub mod sign;
mod snapshots;
mod states;
mod storage;
mod system;
mod tokens;
mod uploads;
mod views;

#[cfg(test)]
mod tests;

pub use demo::DemoSetup;
pub use nvr::{Nvr, NvrOptions};
pub use objects::StoredObject;
pub use recordings::SegmentLocation;
