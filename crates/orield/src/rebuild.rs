//! Making a lost database again from what the bucket holds.
//!
//! Keys say whose a recording is, when it began and how long it is; the head of each object says
//! the codecs. Everything is found again or counted, and a second run changes nothing.

mod exports;

use std::{collections::BTreeMap, time::Duration};

use futures::{StreamExt, TryStreamExt};
use oriel_api::{ChannelId, ClipId, Error, Range, SnapshotId, Timestamp};
use oriel_bucket::{Areas, Bucket, BucketError, ByteRange, KeyError, Named, ObjectKey, Stat};
use oriel_media::{ClipMark, Format, StreamItem, StreamReader};
use oriel_store::{Restored, Store, StoreError, StoredClip, StoredRecording, StoredSnapshot};
use serde::Deserialize;

/// Objects that a page lists.
const PAGE: usize = 1000;
/// Heads read at a time.
const AT_ONCE: usize = 16;
/// Bytes at the beginning of a recording that hold its tracks, at first and at most.
const HEADS: [u64; 2] = [16 * 1024, 1024 * 1024];
/// Bytes at the beginning of a clip that say what it shows.
const MARK: u64 = oriel_media::clip::CLIP_MARK_WITHIN as u64;
/// A segment that begins so soon after another, with the same tracks, goes on with it.
const NEXT_MS: i64 = 250;
/// Attempts at a call that may work a moment later.
const TRIES: u32 = 6;
/// Largest note about a channel.
const NOTE: usize = 64 * 1024;

/// Why nothing more can be made again. A later run goes on.
#[derive(Debug, thiserror::Error)]
pub enum RebuildError {
    /// The bucket.
    #[error("{0}")]
    Bucket(#[from] BucketError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The system gives no randomness for ids.
    #[error("{0}")]
    Id(#[from] Error),
}

/// What was found and made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rebuilt {
    /// Objects looked at.
    pub objects: u64,
    /// Channels made.
    pub channels: u64,
    /// Rows of recordings.
    pub recordings: Restored,
    /// Rows of snapshots.
    pub snapshots: Restored,
    /// Rows of clips.
    pub clips: Restored,
    /// Rows of exports.
    pub exports: Restored,
    /// Objects that are named like ours and cannot be read; left alone.
    pub unreadable: u64,
    /// Objects of others; left alone.
    pub foreign: u64,
}

/// What a channel's note says.
#[derive(Deserialize)]
struct Note {
    name: String,
}

/// Repeats what may work a moment later.
async fn again<T, F: Future<Output = Result<T, BucketError>>>(
    mut call: impl FnMut() -> F,
) -> Result<T, BucketError> {
    let mut tries = 1;
    loop {
        match Box::pin(call()).await {
            Err(error) if error.is_transient() && tries < TRIES => {
                tokio::time::sleep(Duration::from_millis(250 << tries)).await;
                tries += 1;
            }
            result => return result,
        }
    }
}

async fn head(bucket: &Bucket, object: &Stat, len: u64) -> Result<Vec<u8>, BucketError> {
    let end = len.min(object.size);
    if end == 0 {
        return Ok(Vec::new());
    }
    let range = ByteRange {
        start: 0,
        end: Some(end),
    };
    let limit = usize::try_from(end).unwrap_or(usize::MAX);
    let bytes = again(|| async {
        let part = bucket.get(&object.key, Some(range)).await?;
        part.bytes(limit).await
    });
    Ok(bytes.await?.to_vec())
}

/// The tracks of a recording, when it can be read.
async fn tracks(bucket: &Bucket, object: &Stat) -> Result<Option<Format>, BucketError> {
    for len in HEADS {
        let bytes = match head(bucket, object, len).await {
            Err(BucketError::NotFound) => return Ok(None),
            bytes => bytes?,
        };
        let mut reader = StreamReader::new();
        reader.push(&bytes);
        match reader.next() {
            Ok(Some(StreamItem::Format(format))) => return Ok(Some((*format).clone())),
            Ok(None) if len < object.size => {}
            Ok(_) | Err(_) => return Ok(None),
        }
    }
    Ok(None)
}

fn moment(object: &Stat, otherwise: Timestamp) -> Timestamp {
    object.modified.unwrap_or(otherwise)
}

struct Work<'a, T: FnMut(&Rebuilt)> {
    store: &'a Store,
    areas: &'a Areas,
    tell: T,
    out: Rebuilt,
    /// Channels that exist, and their names.
    channels: BTreeMap<ChannelId, String>,
    random: fn() -> oriel_api::Result<[u8; 12]>,
}

/// Makes rows for all that the bucket holds. `tell` hears of every page; `random` gives ids to
/// snapshots, whose keys have none.
///
/// # Errors
/// When the bucket or the database cannot be used; what was made until then stays.
pub async fn rebuild(
    store: &Store,
    areas: &Areas,
    random: fn() -> oriel_api::Result<[u8; 12]>,
    tell: impl FnMut(&Rebuilt),
) -> Result<Rebuilt, RebuildError> {
    let mut work = Work {
        store,
        areas,
        tell,
        out: Rebuilt::default(),
        channels: BTreeMap::new(),
        random,
    };
    Box::pin(work.recordings()).await?;
    Box::pin(work.snapshots()).await?;
    Box::pin(work.clips()).await?;
    Box::pin(work.exports()).await?;
    Ok(work.out)
}

impl<T: FnMut(&Rebuilt)> Work<'_, T> {
    /// The next page of a folder of keys: what is ours by its name, and where to go on.
    async fn page(
        &mut self,
        bucket: &Bucket,
        folder: &str,
        after: Option<&str>,
    ) -> Result<(Vec<(Stat, Named)>, Option<String>), RebuildError> {
        let under = ObjectKey::parse(folder)?;
        let page = again(|| bucket.list(Some(&under), after, PAGE)).await?;
        self.out.objects += page.objects.len() as u64 + page.foreign;
        self.out.foreign += page.foreign;
        let mut ours = Vec::with_capacity(page.objects.len());
        for object in page.objects {
            match object.key.named() {
                Some(named) => ours.push((object, named)),
                None => self.out.foreign += 1,
            }
        }
        Ok((ours, page.next))
    }

    /// Makes a channel that is missing; gives its name.
    async fn channel(&mut self, id: &ChannelId, at: Timestamp) -> Result<String, RebuildError> {
        if let Some(name) = self.channels.get(id) {
            return Ok(name.clone());
        }
        let name = match self.store.channel(id.clone()).await? {
            Some(row) => row.name,
            None => {
                let name = self.noted_name(id).await?;
                let made = self
                    .store
                    .channel_restore(id.clone(), name.clone(), at)
                    .await?;
                self.out.channels += u64::from(made);
                name
            }
        };
        self.channels.insert(id.clone(), name.clone());
        Ok(name)
    }

    async fn noted_name(&self, id: &ChannelId) -> Result<String, RebuildError> {
        let key = ObjectKey::channel(id)?;
        let bucket = &self.areas.incoming;
        let note = again(|| async { bucket.get(&key, None).await?.bytes(NOTE).await }).await;
        let note = match note {
            Ok(bytes) => serde_json::from_slice::<Note>(&bytes).ok(),
            Err(BucketError::NotFound | BucketError::Invalid(_)) => None,
            Err(error) => return Err(error.into()),
        };
        let name = note.map(|n| {
            n.name
                .chars()
                .filter(|c| !c.is_control())
                .take(100)
                .collect()
        });
        let name: Option<String> = name.filter(|n: &String| !n.trim().is_empty());
        Ok(name.unwrap_or_else(|| format!("Channel {id}")))
    }

    async fn recordings(&mut self) -> Result<(), RebuildError> {
        let bucket = self.areas.incoming.clone();
        let mut after: Option<String> = None;
        // Keys of a channel come in the order of time.
        let mut before: Option<(ChannelId, Timestamp, Format)> = None;
        loop {
            let (page, next) = self.page(&bucket, "recordings", after.as_deref()).await?;
            let mut found = Vec::with_capacity(page.len());
            for (object, named) in page {
                let Named::Recording {
                    channel,
                    start,
                    duration_ms,
                } = named
                else {
                    self.out.foreign += 1;
                    continue;
                };
                self.channel(&channel, start).await?;
                if self.store.is_stored(channel.clone(), start).await? {
                    self.out.recordings.known += 1;
                    continue;
                }
                let length = i64::try_from(duration_ms).unwrap_or(i64::MAX);
                let end = Timestamp::from_ms(start.ms().saturating_add(length));
                found.push((object, channel, Range { start, end }));
            }
            let heads: Vec<_> = futures::stream::iter(found)
                .map(|(object, channel, range)| {
                    let bucket = bucket.clone();
                    async move {
                        let format = tracks(&bucket, &object).await?;
                        Ok::<_, BucketError>((object, channel, range, format))
                    }
                })
                .buffered(AT_ONCE)
                .try_collect()
                .await?;
            let mut rows = Vec::with_capacity(heads.len());
            for (object, channel, range, format) in heads {
                let Some(format) = format else {
                    self.out.unreadable += 1;
                    continue;
                };
                let continues = before.as_ref().is_some_and(|(c, end, f)| {
                    *c == channel && *f == format && (range.start.ms() - end.ms()).abs() <= NEXT_MS
                });
                rows.push(StoredRecording {
                    start: range.start,
                    end: range.end,
                    bytes: object.size,
                    codecs: format.codecs(),
                    continues,
                    object_key: object.key.to_string(),
                    stored: moment(&object, range.end),
                    channel: channel.clone(),
                });
                before = Some((channel, range.end, format));
            }
            add(
                &mut self.out.recordings,
                self.store.recordings_restore(rows).await?,
            );
            (self.tell)(&self.out);
            match next {
                Some(next) => after = Some(next),
                None => return Ok(()),
            }
        }
    }

    async fn snapshots(&mut self) -> Result<(), RebuildError> {
        let bucket = self.areas.incoming.clone();
        let mut after: Option<String> = None;
        loop {
            let (page, next) = self.page(&bucket, "snapshots", after.as_deref()).await?;
            let mut rows = Vec::with_capacity(page.len());
            for (object, named) in page {
                let Named::Snapshot { channel, taken } = named else {
                    self.out.foreign += 1;
                    continue;
                };
                self.channel(&channel, taken).await?;
                rows.push(StoredSnapshot {
                    id: SnapshotId::from_random((self.random)()?),
                    channel,
                    taken,
                    bytes: object.size,
                    object_key: object.key.to_string(),
                    stored: moment(&object, taken),
                });
            }
            let made = self.store.snapshots_restore(rows).await?;
            add(&mut self.out.snapshots, made);
            (self.tell)(&self.out);
            match next {
                Some(next) => after = Some(next),
                None => return Ok(()),
            }
        }
    }

    async fn clips(&mut self) -> Result<(), RebuildError> {
        let bucket = self.areas.produced.clone();
        let mut after: Option<String> = None;
        loop {
            let (page, next) = self.page(&bucket, "clips", after.as_deref()).await?;
            let mut rows = Vec::with_capacity(page.len());
            for (object, named) in page {
                let (channel, id) = match named {
                    Named::Clip { channel, clip } => match clip.parse::<ClipId>() {
                        Ok(id) => (channel, id),
                        Err(_) => {
                            self.out.foreign += 1;
                            continue;
                        }
                    },
                    _ => {
                        self.out.foreign += 1;
                        continue;
                    }
                };
                let mark = ClipMark::find(&head(&bucket, &object, MARK).await?);
                let Some(mark) = mark.filter(|m| m.start_ms < m.end_ms) else {
                    self.out.unreadable += 1;
                    continue;
                };
                let media = Range {
                    start: Timestamp::from_ms(mark.start_ms),
                    end: Timestamp::from_ms(mark.end_ms),
                };
                let of_channel = self.channel(&channel, media.start).await?;
                let name = mark.title.unwrap_or(of_channel);
                rows.push(StoredClip {
                    id,
                    channel,
                    name,
                    media,
                    bytes: object.size,
                    object_key: object.key.to_string(),
                    stored: moment(&object, media.end),
                });
            }
            let made = self.store.clips_restore(rows).await?;
            add(&mut self.out.clips, made);
            (self.tell)(&self.out);
            match next {
                Some(next) => after = Some(next),
                None => return Ok(()),
            }
        }
    }
}

fn add(sum: &mut Restored, more: Restored) {
    sum.added += more.added;
    sum.linked += more.linked;
    sum.known += more.known;
    sum.other += more.other;
}
