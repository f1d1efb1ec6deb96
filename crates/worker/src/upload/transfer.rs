//! One object on its way: finding its local file, sending it whole or in parts, and judging what
//! went wrong.

use std::{io::ErrorKind, path::PathBuf, sync::Arc, time::Duration};

use oriel_api::{
    ChannelId, Timestamp,
    link::{UploadDone, UploadTask},
};
use oriel_bucket::{
    Bucket, BucketError, Named, ObjectKey, PutOptions, Remote, Source, Stores, Upload, part_size,
};
use tracing::{debug, info};

use super::Tools;
use crate::sum;

/// Objects larger than this go in parts, so that an interruption costs a part and not all.
const IN_PARTS: u64 = 64 * 1024 * 1024;
/// The whole of one object may take this long; the bucket watches for standstill itself.
const DEADLINE: Duration = Duration::from_secs(24 * 3600);

/// How a transfer ended.
pub(super) enum Ended {
    /// The store has it, verified.
    Done(UploadDone),
    /// It will never work: the local file is gone or damaged.
    Impossible { reason: String, gone: bool },
    /// This object failed; others may work.
    Object(String),
    /// The store cannot be used for the moment.
    Passing(String),
    /// Somebody has to put something right at the destination.
    Fault(String),
    /// Our own disk cannot be read for the moment.
    Local(String),
}

pub(super) struct Transfer {
    pub(super) remote: Remote,
    pub(super) stores: Arc<Stores>,
    pub(super) tools: Tools,
}

fn content_type(named: &Named) -> &'static str {
    match named {
        Named::Snapshot { .. } => "image/jpeg",
        Named::Export { file, .. } if file.ends_with(".json") => "application/json",
        _ => "video/mp4",
    }
}

/// Where the bytes lie, or why they will not be found.
enum Found {
    At(PathBuf, u64),
    Gone,
    Away(String),
}

fn away() -> Found {
    Found::Away("The disk with the files cannot be used at present.".into())
}

impl Transfer {
    pub(super) async fn run(&self, task: &UploadTask) -> Ended {
        let parsed = ObjectKey::parse(task.key.clone()).ok();
        let Some((key, named)) = parsed.and_then(|k| k.named().map(|n| (k, n))) else {
            return Ended::Impossible {
                reason: "It has no name that a store would take.".into(),
                gone: false,
            };
        };
        let (path, len) = match self.find(&key, &named).await {
            Found::At(path, len) => (path, len),
            Found::Away(why) => return Ended::Local(why),
            Found::Gone => {
                return Ended::Impossible {
                    reason: "Its local file is gone.".into(),
                    gone: true,
                };
            }
        };
        if len != task.bytes {
            return Ended::Impossible {
                reason: "Its local file has another size than what was recorded.".into(),
                gone: false,
            };
        }
        let area = self.remote.areas.of(&named);
        let sending = self.send(area, &key, &named, task, path, len);
        match tokio::time::timeout(DEADLINE, sending).await {
            Ok(Ok(done)) => Ended::Done(done),
            Ok(Err(error)) => judge(&error),
            Err(_) => Ended::Object("It took longer than a day.".into()),
        }
    }

    async fn find(&self, key: &ObjectKey, named: &Named) -> Found {
        match named {
            Named::Recording { channel, start, .. } => self.segment(channel, *start).await,
            _ => match self.stores.local_of(named) {
                Some(Bucket::Folder(folder)) => match folder.file_of(key).await {
                    Ok((path, len)) => Found::At(path, len),
                    Err(BucketError::NotFound) => Found::Gone,
                    Err(_) => away(),
                },
                _ => away(),
            },
        }
    }

    async fn segment(&self, channel: &ChannelId, start: Timestamp) -> Found {
        let (spool, place) = (&self.tools.spool, &self.tools.place);
        if !place.is_usable() {
            return away();
        }
        // It may be moved to another folder between the looks at both.
        for _ in 0..2 {
            let (spool, channel) = (spool.clone(), channel.clone());
            let looked = tokio::task::spawn_blocking(move || {
                let path = spool.closed(&channel, start);
                std::fs::metadata(&path).map(|meta| (path, meta))
            });
            match looked.await {
                Ok(Ok((path, meta))) if meta.is_file() => return Found::At(path, meta.len()),
                Ok(Ok(_)) => return Found::Gone,
                Ok(Err(e)) if e.kind() == ErrorKind::NotFound => {}
                Ok(Err(_)) | Err(_) => return away(),
            }
        }
        if place.vouches(spool).await {
            Found::Gone
        } else {
            away()
        }
    }

    async fn send(
        &self,
        area: &Bucket,
        key: &ObjectKey,
        named: &Named,
        task: &UploadTask,
        path: PathBuf,
        len: u64,
    ) -> Result<UploadDone, BucketError> {
        let options = PutOptions {
            content_type: Some(content_type(named)),
            sha256: task.sha256,
            bandwidth: Some(self.stores.bandwidth.clone()),
            ..PutOptions::default()
        };
        let in_parts = len > IN_PARTS && self.remote.capabilities.multipart;
        if in_parts {
            return self
                .in_parts(area, (key, named), task, path, len, options)
                .await;
        }
        let source = Source::File {
            path,
            offset: 0,
            len,
        };
        let stored = area.put(key, &source, &options).await?;
        debug!(%key, verified = ?stored.verified, "uploaded");
        Ok(UploadDone {
            key: key.to_string(),
            bytes: stored.size,
            sha256: stored.sha256,
            at: self.remote.at.of(named).to_owned(),
        })
    }

    /// Goes on with the parts that the store has, after any interruption. Each part is verified
    /// as it is sent, the size of the whole at the end.
    async fn in_parts(
        &self,
        area: &Bucket,
        (key, named): (&ObjectKey, &Named),
        task: &UploadTask,
        path: PathBuf,
        len: u64,
        options: PutOptions,
    ) -> Result<UploadDone, BucketError> {
        let sum = sha256_of(path.clone()).await?;
        if task.sha256.is_some_and(|expected| expected != sum) {
            return Err(BucketError::Local(ErrorKind::InvalidData));
        }
        let size = part_size(len)?;
        let (upload, mut parts) = self.resumed(area, key, task, &options).await?;
        // Only whole parts of the same cut can be used again.
        let length_of = |number: u16| {
            let offset = u64::from(number - 1) * size;
            size.min(len.saturating_sub(offset))
        };
        parts.retain(|p| p.number > 0 && p.size == length_of(p.number) && !p.etag.is_empty());
        if !parts.is_empty() {
            info!(%key, parts = parts.len(), "an upload in parts goes on");
        }
        let count = len.div_ceil(size);
        for number in 1..=u16::try_from(count).unwrap_or(u16::MAX) {
            if parts.iter().any(|p| p.number == number) {
                continue;
            }
            let source = Source::File {
                path: path.clone(),
                offset: u64::from(number - 1) * size,
                len: length_of(number),
            };
            let of_part = PutOptions {
                sha256: None,
                ..options.clone()
            };
            parts.push(area.put_part(&upload, number, &source, &of_part).await?);
        }
        parts.sort_by_key(|p| p.number);
        let stat = area.complete_upload(&upload, &parts).await?;
        if stat.size != len {
            return Err(BucketError::Corrupt);
        }
        Ok(UploadDone {
            key: key.to_string(),
            bytes: len,
            sha256: sum,
            at: self.remote.at.of(named).to_owned(),
        })
    }

    async fn resumed(
        &self,
        area: &Bucket,
        key: &ObjectKey,
        task: &UploadTask,
        options: &PutOptions,
    ) -> Result<(Upload, Vec<oriel_bucket::Part>), BucketError> {
        if let Some(id) = &task.multipart {
            let upload = Upload {
                key: key.clone(),
                id: id.clone(),
            };
            match area.list_parts(&upload).await {
                Ok(parts) => return Ok((upload, parts)),
                Err(BucketError::NotFound) => {}
                // What has arrived is not known, so it begins again.
                Err(BucketError::Unsupported(_)) => {
                    let _ = area.abort_upload(&upload).await;
                }
                Err(error) => return Err(error),
            }
        }
        let upload = area.begin_upload(key, options.content_type).await?;
        // Kept before the first byte is sent, so that no parts are left that nobody knows of.
        let kept = self.tools.queue.upload_parts(task, Some(upload.id.clone()));
        if kept.await.is_err() {
            let _ = area.abort_upload(&upload).await;
            return Err(BucketError::Local(ErrorKind::Other));
        }
        Ok((upload, Vec::new()))
    }
}

async fn sha256_of(path: PathBuf) -> Result<[u8; 32], BucketError> {
    tokio::task::spawn_blocking(move || sum::sha256(std::fs::File::open(path)?))
        .await
        .unwrap_or_else(|_| Err(ErrorKind::Other.into()))
        .map_err(|e: std::io::Error| BucketError::Local(e.kind()))
}

fn judge(error: &BucketError) -> Ended {
    let text = error.to_string();
    match error {
        BucketError::Destination(_) | BucketError::Unsupported(_) => Ended::Fault(text),
        BucketError::Transient(_) => Ended::Passing(text),
        BucketError::Local(ErrorKind::InvalidData) => Ended::Impossible {
            reason: "Its local file is damaged.".into(),
            gone: false,
        },
        BucketError::Local(_) => Ended::Local(text),
        _ => Ended::Object(text),
    }
}
