//! The bucket's own notices: that an object arrived, told over an SQS queue.
//!
//! They are a second path to what the uploader already knows, for objects that others upload by
//! signed address and for uploads whose end we did not live to see. Off unless a queue is set.
//! What a notice means for a database is decided elsewhere; here it is only read.

mod event;
mod queue;

pub use event::{Notice, Watched};
pub use queue::{NoticeError, NoticeMessage, NoticeQueue, NoticeSettings};
