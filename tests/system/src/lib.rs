//! A recorder as its users run it: the real `orield`, its own data folder, its HTTP API.
//!
//! What does not belong here: assertions. They are in `tests/`, one file per promise.

mod api;
mod film;
mod live;
mod moto;
mod process;
pub mod wait;

pub use api::{Api, Failure};
pub use film::decode;
pub use live::{LiveSocket, LiveUnit};
pub use moto::Moto;
pub use process::{Recorder, RecorderOptions, binary, small_disks};
