//! Where finished bytes live: an S3-compatible service or a local folder, behind one interface
//! with one meaning.
//!
//! [`Bucket`] is a closed set, not a trait: two stores exist, and every caller may rely on both
//! behaving alike. What is stored where, when it is uploaded and when it is deleted is decided
//! elsewhere; nothing here knows of cameras, databases or queues, and nothing here retries for
//! longer than one second attempt. Every call has a deadline, and every failure is a
//! [`BucketError`] that says whether waiting helps ([`BucketError::is_transient`]) or a person
//! has to act.

mod address;
mod bandwidth;
mod bucket;
mod check;
mod error;
mod folder;
mod key;
mod notices;
mod object;
mod s3;
mod source;
mod stores;

pub use address::{SignatureError, SignedUrl, Signer, Verb};
pub use bandwidth::Bandwidth;
pub use bucket::{Areas, Bucket, MIN_PART, part_size};
pub use check::{Outcome, Report, Step, StepKind};
pub use error::{BucketError, Fault, Feature, Interruption};
pub use folder::FolderBucket;
pub use key::{KeyError, KeyPrefix, Named, ObjectKey};
pub use notices::{Notice, NoticeError, NoticeMessage, NoticeQueue, NoticeSettings, Watched};
pub use object::{
    ByteRange, Capabilities, Object, Page, Part, PutOptions, Stat, Stored, Upload, Verified,
};
pub use s3::{Addressing, CredentialSource, S3Bucket, S3Settings};
pub use source::Source;
pub use stores::{Remote, SharedStores, StoredAt, Stores, place_of};
