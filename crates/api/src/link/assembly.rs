//! Making one file of a range of a channel, as the nvr asks the worker for it.

use std::sync::Arc;

use async_trait::async_trait;

use crate::{ChannelId, Gap, Quality, Range, Result, Timestamp, link::RunId};

/// A segment that has a share in the file.
#[derive(Clone, Debug, PartialEq)]
pub struct Piece {
    /// First frame; also the file name.
    pub start: Timestamp,
    /// End of the last frame.
    pub end: Timestamp,
    /// Size.
    pub bytes: u64,
    /// Whether there is a local file.
    pub local: bool,
    /// The object in the bucket.
    pub object_key: Option<String>,
    /// Its run, if that is known.
    pub run: Option<RunId>,
    /// RFC 6381 strings, video first.
    pub codecs: String,
}

/// A file to be made.
#[derive(Clone, Debug, PartialEq)]
pub struct AssemblyOrder {
    /// Channel.
    pub channel: ChannelId,
    /// What is wanted.
    pub range: Range,
    /// The segments that reach into the range and have bytes, by start.
    pub pieces: Vec<Piece>,
    /// Begin and end with the frame asked for; otherwise at the key frame before.
    pub exact: bool,
    /// With sound.
    pub with_audio: bool,
    /// What players call it; empty is nothing.
    pub title: String,
    /// Where it goes, relative: `clips/…` or `exports/…`.
    pub key: String,
}

/// A file that was made.
#[derive(Clone, Debug, PartialEq)]
pub struct Assembled {
    /// Size.
    pub bytes: u64,
    /// SHA-256 of the file; `None` where the store joined it and nobody here saw its bytes.
    pub sha256: Option<[u8; 32]>,
    /// First frame in it.
    pub start: Timestamp,
    /// End of its last frame.
    pub end: Timestamp,
    /// Holes within it that the bytes have; causes are for the nvr to find, unless it is one
    /// that only the worker knows.
    pub gaps: Vec<Gap>,
    /// It is in the bucket already, joined there; otherwise in its local place.
    pub remote: bool,
}

/// Follows the making of a file, and may end it.
#[async_trait]
pub trait AssemblyProgress: Send + Sync {
    /// So many bytes of so many are done.
    fn advanced(&self, done: u64, total: u64);
    /// It goes on, though no bytes of the file are done: the pieces are being looked at.
    fn alive(&self) {}
    /// Whether nobody wants the file any more; asked at least once a second.
    fn cancelled(&self) -> bool;
    /// The bucket has begun to join the file, under its own id for that. Told before the first
    /// part, so that the parts are found and taken back whatever happens here.
    ///
    /// # Errors
    /// When it cannot be kept: then no part may be sent.
    async fn parts_begun(&self, multipart: &str) -> Result<()>;
    /// Joining has ended, and whether the bucket is known to have no parts of it any more: they
    /// have become the file, or were taken back.
    async fn parts_ended(&self, multipart: &str, gone: bool);
}

/// nvr to worker: files made from footage.
#[async_trait]
pub trait AssemblyLink: Send + Sync {
    /// Makes a file. It appears whole or not at all; what an interrupted attempt left is
    /// replaced.
    ///
    /// # Errors
    /// `not_found` when none of the pieces has bytes, `unavailable` and `storage_unavailable`
    /// when it is worth trying again, `conflict` when it was cancelled.
    async fn assemble(
        &self,
        order: AssemblyOrder,
        progress: Arc<dyn AssemblyProgress>,
    ) -> Result<Assembled>;

    /// The last key frame of a stream as JPEG, and the moment it shows. Takes 10 s at most.
    ///
    /// # Errors
    /// `unavailable` when the stream stands.
    async fn picture(&self, channel: &ChannelId, quality: Quality) -> Result<(Vec<u8>, Timestamp)>;
}
