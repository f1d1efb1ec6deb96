//! What goes wrong between us and a store, and whether waiting helps.
//!
//! Texts are sentences for the person who set the store up. They never hold an address, a key
//! or anything a server sent.

use oriel_api::{Error, ErrorCode};

use crate::{address::SignatureError, key::KeyError};

/// Why a call to a bucket failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BucketError {
    /// There is no object with this key, or no upload with this id.
    #[error("There is no such object in the storage.")]
    NotFound,
    /// The object was to be made only when missing, and it is there.
    #[error("The object already exists.")]
    AlreadyExists,
    /// The range starts behind the end of the object.
    #[error("The range lies outside the object.")]
    OutOfRange,
    /// It may well work in a while: try again.
    #[error("{0}")]
    Transient(Interruption),
    /// It will not work until somebody changes something at the destination.
    #[error("{0}")]
    Destination(Fault),
    /// This store cannot do this.
    #[error("The storage cannot do this: {0}.")]
    Unsupported(Feature),
    /// What arrived is not what was sent. Trying again is right.
    #[error("The stored bytes differ from those that were sent.")]
    Corrupt,
    /// Our own side failed: the file to send or the place to receive.
    #[error("A local file could not be used: {0}.")]
    Local(std::io::ErrorKind),
    /// A setting or an argument makes no sense.
    #[error("{0}")]
    Invalid(&'static str),
    /// The text is not an object key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A signed address does not open anything.
    #[error(transparent)]
    Address(#[from] SignatureError),
}

/// What passes by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Interruption {
    /// No connection could be made.
    #[error("The storage cannot be reached. Check its address and the network.")]
    Unreachable,
    /// The connection broke in the middle, or the answer made no sense.
    #[error("The connection to the storage was interrupted.")]
    Interrupted,
    /// Nothing moved for too long, or the whole took too long.
    #[error("The storage did not answer in time.")]
    TimedOut,
    /// A 5xx answer.
    #[error("The storage has an internal fault (status {0}).")]
    ServerFault(u16),
    /// The store asks for patience (429, 503 SlowDown).
    #[error("The storage asks to slow down.")]
    Throttled,
    /// A file of the folder could not be used for a passing reason.
    #[error("The storage folder could not be used for the moment: {0}.")]
    Folder(std::io::ErrorKind),
}

/// What somebody has to put right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// 403 without a better reason.
    #[error(
        "The storage refuses access. Check that the key may read, write, list and delete in this bucket."
    )]
    AccessDenied,
    /// The key id is unknown or the signature wrong.
    #[error(
        "The storage does not accept the access key. Check the key id, the secret and the region."
    )]
    BadCredentials,
    /// No key was given or found.
    #[error("No access key was found. Enter one, or set up the AWS profile or environment.")]
    NoCredentials,
    /// A temporary key has ended.
    #[error("The access key has expired.")]
    ExpiredCredentials,
    /// The bucket is not there.
    #[error("There is no such bucket. Check its name and region.")]
    NoSuchBucket,
    /// The bucket lives in another region or at another address.
    #[error("The bucket is in another region. Check the region and the address.")]
    WrongRegion,
    /// The clocks differ too much for signatures. Seconds that ours is ahead, when known.
    #[error("{}", skew(*.0))]
    ClockSkew(Option<i64>),
    /// The certificate is not trusted, or the other side speaks no TLS.
    #[error(
        "No secure connection could be made. Check the certificate of the storage, and http or https in its address."
    )]
    Tls,
    /// No room or quota left.
    #[error("The storage is full.")]
    Full,
    /// The folder cannot be written.
    #[error(
        "The storage folder cannot be written. Check that the disk is not read-only and that Oriel may write there."
    )]
    ReadOnly,
    /// The folder is gone: most likely its disk.
    #[error("The storage folder is missing. Check that its disk is connected.")]
    FolderMissing,
    /// Something in the folder points out of it.
    #[error("The storage folder contains a link where none may be.")]
    LinkInFolder,
    /// Any other refusal.
    #[error("The storage refuses the request (status {0}).")]
    Refused(u16),
}

fn skew(seconds: Option<i64>) -> String {
    let tail = "Set the time of this computer or of the storage.";
    match seconds {
        Some(s) if s > 0 => {
            format!("This computer's clock is {s} s ahead of the storage's. {tail}")
        }
        Some(s) if s < 0 => format!(
            "This computer's clock is {} s behind the storage's. {tail}",
            -s
        ),
        _ => format!("This computer's clock and the storage's differ too much. {tail}"),
    }
}

/// What some stores lack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Feature {
    /// Copying inside the store.
    #[error("copying inside the store")]
    Copy,
    /// Building an object from ranges of others.
    #[error("joining objects inside the store")]
    PartCopy,
    /// Joining objects that are too small for that (5 MiB, all but the last).
    #[error("joining objects of less than 5 MiB inside the store")]
    SmallParts,
    /// Writing only when missing.
    #[error("writing only what is missing")]
    IfNoneMatch,
    /// Large objects in parts.
    #[error("uploading in parts")]
    Multipart,
    /// Saying which parts of a large object have arrived.
    #[error("listing the parts of an upload")]
    PartList,
    /// Rules for browsers.
    #[error("setting rules for browsers (CORS)")]
    Cors,
    /// Signed addresses: the folder was opened without a signer.
    #[error("signed addresses")]
    SignedUrls,
    /// Anything else the store answers 501 to.
    #[error("this request")]
    Request,
}

impl BucketError {
    /// Whether the same call may work later without anybody acting.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Transient(_) | Self::Corrupt)
    }

    /// What has to be put right at the destination, if that is what is wrong.
    pub fn fault(&self) -> Option<&Fault> {
        match self {
            Self::Destination(fault) => Some(fault),
            _ => None,
        }
    }

    /// A failure of a file on our side.
    pub(crate) fn local(error: &std::io::Error) -> Self {
        Self::Local(error.kind())
    }

    pub(crate) const TIMED_OUT: Self = Self::Transient(Interruption::TimedOut);
    pub(crate) const INTERRUPTED: Self = Self::Transient(Interruption::Interrupted);
}

impl From<BucketError> for Error {
    fn from(error: BucketError) -> Self {
        let code = match &error {
            BucketError::NotFound => ErrorCode::NotFound,
            BucketError::AlreadyExists => ErrorCode::Conflict,
            BucketError::OutOfRange | BucketError::Invalid(_) | BucketError::Key(_) => {
                ErrorCode::InvalidArgument
            }
            BucketError::Address(_) => ErrorCode::Unauthenticated,
            BucketError::Local(_) => ErrorCode::PreconditionFailed,
            _ => ErrorCode::Unavailable,
        };
        Error::new(code, error.to_string())
    }
}
