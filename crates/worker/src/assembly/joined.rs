//! Joining a planned file inside the bucket: the head and what is too small to be a part of its
//! own are sent, everything else is copied by the store from the segments it has.
//!
//! Not here: what the file is made of, and what is done when the store cannot.

use bytes::{Bytes, BytesMut};
use oriel_api::{Timestamp, link::Assembled};
use oriel_bucket::{
    BucketError, ByteRange, Feature, MIN_PART, Named, ObjectKey, Part, PutOptions, Remote,
    Source as Sent, Upload,
};

use super::{Job, Stop, plan::Plan};

/// Most parts of an object (S3).
const MAX_PARTS: usize = 10_000;
/// Most bytes copied at once: progress is seen, and no store takes long for it.
const LARGEST: u64 = 512 * 1024 * 1024;

/// Where a stretch of the file comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Of {
    Head,
    /// Index of the share.
    Share(usize),
}

/// Bytes of the head or of a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stretch {
    of: Of,
    start: u64,
    end: u64,
}

/// A part of the object.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Section {
    Sent(Vec<Stretch>),
    Copied(usize, u64, u64),
}

/// Why the bucket did not do it.
#[derive(Debug)]
pub(super) enum Failed {
    /// The bucket: it is done here instead.
    Bucket(BucketError),
    /// Anything else.
    Stop(Stop),
}

impl From<BucketError> for Failed {
    fn from(error: BucketError) -> Self {
        Self::Bucket(error)
    }
}

impl From<Stop> for Failed {
    fn from(stop: Stop) -> Self {
        Self::Stop(stop)
    }
}

/// The bucket, when it can be asked: for a clip whose pieces all lie in it.
pub(super) fn possible(job: &Job) -> Option<Remote> {
    let remote = job.stores.remote.clone()?;
    let all = job.order.pieces.iter().all(|p| p.object_key.is_some());
    // The manifest of an export says what its bytes are, so they have to be seen.
    let clip = matches!(job.named, Named::Clip { .. });
    (remote.capabilities.part_copy && all && clip).then_some(remote)
}

/// Joins the file.
pub(super) fn join(job: &Job, remote: &Remote, plan: &Plan) -> Result<Assembled, Failed> {
    let ranges = plan.shares.iter().map(|s| (s.bytes.start, s.bytes.end));
    let sections = sections(plan.head.bytes.len() as u64, ranges);
    if sections.len() > MAX_PARTS {
        return Err(BucketError::Unsupported(Feature::PartCopy).into());
    }
    let produced = &remote.areas.produced;
    let run = &job.runtime;
    let upload = run.block_on(produced.begin_upload(&job.key, Some("video/mp4")))?;
    let done = run
        .block_on(job.progress.parts_begun(&upload.id))
        .map_err(|error| Stop::from(error).into())
        .and_then(|()| fill(job, remote, plan, &upload, &sections));
    let gone = done.is_ok() || run.block_on(produced.abort_upload(&upload)).is_ok();
    run.block_on(job.progress.parts_ended(&upload.id, gone));
    // The first failure is the one to tell.
    done?;
    Ok(Assembled {
        bytes: plan.len(),
        sha256: None,
        start: Timestamp::from_ms(plan.head.start_ms),
        end: Timestamp::from_ms(plan.head.end_ms),
        gaps: plan.gaps.clone(),
        remote: true,
    })
}

fn fill(
    job: &Job,
    remote: &Remote,
    plan: &Plan,
    upload: &Upload,
    sections: &[Section],
) -> Result<(), Failed> {
    let produced = &remote.areas.produced;
    let total = plan.len();
    let (mut done, mut sent) = (0, 0);
    let mut parts: Vec<Part> = Vec::with_capacity(sections.len());
    for (number, section) in (1_u16..).zip(sections) {
        job.check().map_err(Stop::from)?;
        let part = match section {
            Section::Sent(stretches) => {
                let bytes = gather(job, plan, stretches)?;
                sent += bytes.len();
                let options = PutOptions {
                    bandwidth: Some(job.stores.bandwidth.clone()),
                    ..PutOptions::default()
                };
                let bytes = Sent::Bytes(bytes);
                let put = produced.put_part(upload, number, &bytes, &options);
                job.runtime.block_on(put)?
            }
            Section::Copied(share, start, end) => {
                let key = object_of(job, plan, *share)?;
                let range = ByteRange {
                    start: *start,
                    end: Some(*end),
                };
                let incoming = &remote.areas.incoming;
                let copy = produced.copy_part_from(upload, number, incoming, &key, Some(range));
                match job.runtime.block_on(copy) {
                    Err(BucketError::NotFound | BucketError::OutOfRange) => {
                        return Err(object_lost(plan.shares[*share].piece).into());
                    }
                    other => other?,
                }
            }
        };
        done += part.size;
        parts.push(part);
        job.progress.advanced(done.min(total), total);
    }
    job.check().map_err(Stop::from)?;
    let stat = job
        .runtime
        .block_on(produced.complete_upload(upload, &parts))?;
    if stat.size != total {
        let _ = job.runtime.block_on(produced.delete(&job.key));
        return Err(BucketError::Corrupt.into());
    }
    tracing::debug!(key = %job.key, total, sent, "joined in the bucket");
    Ok(())
}

fn object_of(job: &Job, plan: &Plan, share: usize) -> Result<ObjectKey, Stop> {
    let piece = plan.shares[share].piece;
    let key = job.order.pieces[piece].object_key.as_deref();
    key.and_then(|key| key.parse().ok())
        .ok_or_else(|| object_lost(piece))
}

fn object_lost(piece: usize) -> Stop {
    Stop::Lost {
        piece,
        object: true,
    }
}

/// The bytes of a part that is sent.
fn gather(job: &Job, plan: &Plan, stretches: &[Stretch]) -> Result<Bytes, Stop> {
    let mut bytes = BytesMut::new();
    for stretch in stretches {
        match stretch.of {
            Of::Head => bytes
                .extend_from_slice(&plan.head.bytes[stretch.start as usize..stretch.end as usize]),
            Of::Share(share) => {
                let cut = &plan.shares[share];
                let source = cut.open(job)?;
                let got = source.read(job, stretch.start, stretch.end - stretch.start)?;
                if got.len() as u64 != stretch.end - stretch.start {
                    return Err(source.lost(cut.piece));
                }
                bytes.extend_from_slice(&got);
            }
        }
    }
    Ok(bytes.freeze())
}

/// How the file is divided: no part but the last is smaller than stores allow, and as little as
/// possible is sent.
fn sections(head: u64, shares: impl Iterator<Item = (u64, u64)>) -> Vec<Section> {
    let mut sections = Vec::new();
    let mut waiting = vec![Stretch {
        of: Of::Head,
        start: 0,
        end: head,
    }];
    let mut size = head;
    for (i, (mut start, end)) in shares.enumerate() {
        let stretch = |start, end| Stretch {
            of: Of::Share(i),
            start,
            end,
        };
        if size > 0 && size < MIN_PART {
            let mut taken = (MIN_PART - size).min(end - start);
            // What would be left is too little to be copied: better all of it now than a bit of
            // every segment that follows.
            if end - start - taken < MIN_PART {
                taken = end - start;
            }
            waiting.push(stretch(start, start + taken));
            size += taken;
            start += taken;
        }
        if size >= MIN_PART {
            sections.push(Section::Sent(std::mem::take(&mut waiting)));
            size = 0;
        }
        while end - start >= MIN_PART {
            let mut len = LARGEST.min(end - start);
            if end - start - len < MIN_PART {
                len = end - start;
            }
            sections.push(Section::Copied(i, start, start + len));
            start += len;
        }
        if end > start {
            waiting.push(stretch(start, end));
            size += end - start;
        }
    }
    if !waiting.is_empty() {
        sections.push(Section::Sent(waiting));
    }
    sections
}

#[cfg(test)]
mod tests {
    use super::*;

    fn len(section: &Section) -> u64 {
        match section {
            Section::Sent(all) => all.iter().map(|s| s.end - s.start).sum(),
            Section::Copied(_, start, end) => end - start,
        }
    }

    fn sent(sections: &[Section]) -> u64 {
        let sent = sections.iter().filter(|s| matches!(s, Section::Sent(_)));
        sent.map(len).sum()
    }

    #[test]
    fn only_edges_are_sent_and_no_part_is_too_small() {
        let hour = vec![(2000, 15_400_000); 120];
        let all = sections(1_200_000, hour.iter().copied());
        assert_eq!(sent(&all), MIN_PART);
        assert_eq!(all.len(), 121);
        // Segments that are hardly larger than a part.
        let small = vec![(0, 6_000_000); 120];
        assert_eq!(sent(&sections(1_200_000, small.iter().copied())), 7_200_000);
        for shares in [
            vec![(0, 100)],
            vec![(7, 3_000_000); 50],
            vec![(0, 6_000_000), (5, 100), (0, 20_000_000), (0, 10)],
            vec![(0, 3 << 30), (1, 5)],
        ] {
            for head in [500, 6 << 20] {
                let all = sections(head, shares.iter().copied());
                let total: u64 = all.iter().map(len).sum();
                assert_eq!(total, head + shares.iter().map(|(s, e)| e - s).sum::<u64>());
                for part in &all[..all.len() - 1] {
                    assert!(len(part) >= MIN_PART, "{part:?}");
                }
                assert!(all.iter().all(|part| len(part) <= LARGEST + MIN_PART));
            }
        }
    }
}
