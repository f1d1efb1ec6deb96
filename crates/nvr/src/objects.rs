//! Objects and their addresses: clips, snapshots, files of exports, and the segments that are in
//! the bucket, wherever their bytes are.
//!
//! Addresses are always this recorder's own: where the bytes are is found when they are asked
//! for, so that an address stays right while an object moves from the disk to the bucket.

use std::{collections::BTreeMap, ops::Range, time::Duration};

use oriel_api::{
    ChannelId, DiskLevel, Error, ErrorCode, Result, SnapshotStatus, Timestamp, link::NvrLink,
};
use oriel_bucket::{
    Bucket, BucketError, ByteRange, Named, Object, ObjectKey, PutOptions, Source, Stat,
};
use tracing::warn;

use crate::{Nvr, sign::Purpose};

/// How long an address to write to is valid.
const WRITING: Duration = Duration::from_secs(600);
/// Longest life of an address that is given to others.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 3600);
/// An address of the bucket is followed at once, and then read on from.
const FOLLOWED: Duration = Duration::from_secs(3600);

/// Path of an object on this recorder.
fn object_path(key: &ObjectKey) -> String {
    format!("/api/objects/{key}")
}

fn too_long(ttl: Duration) -> Result<()> {
    if ttl > LONGEST {
        Err(Error::invalid("An address lasts seven days at most."))
    } else {
        Ok(())
    }
}

/// A failure of a store, said to whoever wants bytes from it.
fn unreadable(error: BucketError) -> Error {
    match error {
        BucketError::NotFound => Error::not_found("There is no such object."),
        error => Error::new(ErrorCode::Unavailable, error.to_string()),
    }
}

/// An object that can be read.
#[derive(Clone, Debug)]
pub struct StoredObject {
    bucket: Bucket,
    key: ObjectKey,
    size: u64,
    tag: String,
    local: bool,
}

impl StoredObject {
    fn new(bucket: Bucket, stat: Stat, local: bool) -> Self {
        let tag = match (&stat.etag, stat.modified) {
            (Some(tag), _) if tag.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') => {
                format!("\"{tag}\"")
            }
            (_, Some(at)) => format!("\"{}-{}\"", at.ms(), stat.size),
            (_, None) => format!("\"{}\"", stat.size),
        };
        Self {
            bucket,
            key: stat.key,
            size: stat.size,
            tag,
            local,
        }
    }

    /// Bytes.
    pub fn len(&self) -> u64 {
        self.size
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.size == 0
    }

    /// A strong entity tag with its quotes.
    pub fn etag(&self) -> &str {
        &self.tag
    }

    /// Media type by what the key names.
    pub fn content_type(&self) -> &'static str {
        match self.key.as_str().rsplit('.').next() {
            Some("mp4") => "video/mp4",
            Some("jpg") => "image/jpeg",
            Some("json") => "application/json",
            _ => "application/octet-stream",
        }
    }

    /// Whether the bytes behind this address never change.
    pub fn is_final(&self) -> bool {
        // Clips and exports that are made again write their files anew.
        matches!(
            self.key.named(),
            Some(Named::Recording { .. } | Named::Snapshot { .. })
        )
    }

    /// Begins to read a range that lies within.
    ///
    /// # Errors
    /// `not_found` when the object has gone, `unavailable` when its store cannot be read.
    pub async fn read(&self, range: Range<u64>) -> Result<Object> {
        let part = ByteRange {
            start: range.start,
            end: Some(range.end),
        };
        let whole = range.start == 0 && range.end == self.size;
        // Boxed, here and below: a store's futures are large, and requests hold many.
        let reading = self.bucket.get(&self.key, (!whole).then_some(part));
        let object = Box::pin(reading).await.map_err(unreadable)?;
        // What was promised is what the row says; another object is not that footage.
        if object.size != self.size {
            warn!(key = %self.key, size = object.size, expected = self.size, "an object has another size");
            return Err(Error::unavailable(
                "The object in the storage is not the one that was stored.",
            ));
        }
        Ok(object)
    }
}

impl Nvr {
    /// A signed address that reads an object for `ttl` (7 days at most), relative to this
    /// recorder.
    ///
    /// # Errors
    /// `invalid_argument` when it shall last longer.
    pub async fn object_url(&self, key: &ObjectKey, ttl: Duration) -> Result<String> {
        too_long(ttl)?;
        let path = object_path(key);
        let now = self.clock_now();
        let query = self.signer.sign("GET", &path, Purpose::Object, ttl, now);
        Ok(format!("{path}?{query}"))
    }

    /// A signed address for somebody elsewhere: the bucket's own when the object is there,
    /// because this recorder answers to this computer only.
    ///
    /// # Errors
    /// `invalid_argument` when it shall last longer than seven days.
    pub async fn share_url(&self, key: &ObjectKey, ttl: Duration) -> Result<String> {
        too_long(ttl)?;
        let named = key.named().ok_or_else(no_object)?;
        let stores = self.options.stores.now();
        if let Some(bucket @ Bucket::S3(_)) = stores.remote_of(&named)
            && Box::pin(bucket.stat(key)).await.is_ok()
            && let Ok(url) = Box::pin(bucket.presign_get(key, ttl)).await
        {
            return Ok(url.url);
        }
        // To the second what was promised: others of our addresses last longer for the sake of
        // caches.
        let path = object_path(key);
        let ttl = i64::try_from(ttl.as_secs()).unwrap_or(0);
        let exp = self.clock_now().ms().div_euclid(1000).saturating_add(ttl);
        let signed = self.signer.signed_until("GET", &path, Purpose::Object, exp);
        Ok(format!("{path}?{}", signed.query()))
    }

    /// A signed address that writes one snapshot within ten minutes, and the headers that the
    /// request must carry.
    pub fn object_put_url(&self, key: &ObjectKey) -> (String, BTreeMap<String, String>) {
        let path = object_path(key);
        let now = self.clock_now();
        let query = self
            .signer
            .sign("PUT", &path, Purpose::Object, WRITING, now);
        let headers = BTreeMap::from([("content-type".to_owned(), "image/jpeg".to_owned())]);
        (format!("{path}?{query}"), headers)
    }

    /// An object by its key: from its place on this computer, else from the bucket.
    ///
    /// # Errors
    /// `not_found` when there is none, `unavailable` when the store cannot be asked.
    pub async fn stored_object(&self, key: &str) -> Result<StoredObject> {
        let key = ObjectKey::parse(key).map_err(|_| no_object())?;
        let named = key.named().ok_or_else(no_object)?;
        let stores = self.options.stores.now();
        let mut failed = None;
        if let Some(local) = stores.local_of(&named) {
            match Box::pin(local.stat(&key)).await {
                Ok(stat) => return Ok(StoredObject::new(local.clone(), stat, true)),
                Err(BucketError::NotFound) => {}
                // The bucket may have what a broken disk does not give.
                Err(error) => failed = Some(error),
            }
        }
        if let Some(remote) = stores.remote_of(&named) {
            match Box::pin(remote.stat(&key)).await {
                Ok(stat) => return Ok(StoredObject::new(remote.clone(), stat, false)),
                Err(BucketError::NotFound) => {}
                Err(error) => failed = Some(error),
            }
        }
        Err(failed.map_or_else(no_object, unreadable))
    }

    /// The bucket's own address of an object, when browsers may go there and the bytes are not
    /// on this computer.
    pub async fn direct_url(&self, object: &StoredObject) -> Option<String> {
        let direct = self.storage_settings().direct && matches!(object.bucket, Bucket::S3(_));
        if !direct || object.local {
            return None;
        }
        let signed = Box::pin(object.bucket.presign_get(&object.key, FOLLOWED)).await;
        signed.ok().map(|s| s.url)
    }

    /// A segment in the bucket; `None` without a destination.
    pub(crate) fn stored_segment(
        &self,
        key: &str,
        start: Timestamp,
        bytes: u64,
    ) -> Option<StoredObject> {
        let key = ObjectKey::parse(key).ok()?;
        let stores = self.options.stores.now();
        let bucket = stores.remote_of(&key.named()?)?.clone();
        Some(StoredObject {
            bucket,
            key,
            size: bytes,
            // The tag of the local file: these are the same bytes.
            tag: format!("\"{}-{bytes}\"", start.ms()),
            local: false,
        })
    }

    /// Notes that a segment's file has gone, unless the whole disk has: that comes back.
    pub async fn segment_lost(&self, channel: &ChannelId, start: Timestamp) -> Result<()> {
        let away = {
            let disk = self.disk_state.lock();
            let disk = disk.unwrap_or_else(std::sync::PoisonError::into_inner);
            disk.level == DiskLevel::Missing
        };
        if away {
            return Ok(());
        }
        self.segment_missing(channel, start).await
    }

    /// Keeps the picture of a snapshot that was asked for and waits for it. It is never
    /// replaced: a snapshot is evidence.
    ///
    /// # Errors
    /// `not_found` without such a snapshot, `invalid_argument` when it is no JPEG, `conflict`
    /// when there is a picture already.
    pub async fn put_object(&self, key: &str, picture: Vec<u8>) -> Result<()> {
        let key = ObjectKey::parse(key).map_err(|_| no_object())?;
        let named @ Named::Snapshot { .. } = key.named().ok_or_else(no_object)? else {
            return Err(no_object());
        };
        if !picture.starts_with(&[0xff, 0xd8, 0xff]) {
            return Err(Error::invalid("A snapshot is a JPEG picture."));
        }
        let row = self.store.snapshot_at(key.as_str().to_owned()).await?;
        match row.map(|r| r.status) {
            None => return Err(no_object()),
            Some(SnapshotStatus::Pending) => {}
            Some(_) => return Err(has_picture()),
        }
        let stores = self.options.stores.now();
        let place = stores.local_of(&named).ok_or_else(|| {
            Error::new(
                ErrorCode::StorageUnavailable,
                "The folder of snapshots cannot be written at present.",
            )
        })?;
        let options = PutOptions {
            content_type: Some("image/jpeg"),
            if_none_match: true,
            ..PutOptions::default()
        };
        let source = Source::Bytes(picture.into());
        match Box::pin(place.put(&key, &source, &options)).await {
            Ok(_) => Ok(()),
            Err(BucketError::AlreadyExists) => Err(has_picture()),
            Err(error) => Err(Error::new(ErrorCode::StorageUnavailable, error.to_string())),
        }
    }
}

fn no_object() -> Error {
    Error::not_found("There is no such object.")
}

fn has_picture() -> Error {
    Error::new(
        ErrorCode::Conflict,
        "This snapshot has its picture already. Confirm it.",
    )
}
