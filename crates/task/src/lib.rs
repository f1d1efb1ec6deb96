//! How long-lived things run: `run_once` somewhere else, one supervisor here.
//!
//! What does not belong here: any word of the domain.

mod ladder;
mod shutdown;
mod supervise;

pub use ladder::{Ladder, Severity};
pub use shutdown::{Phase, shutdown};
pub use supervise::{Attempt, Status, Supervised, supervise};
