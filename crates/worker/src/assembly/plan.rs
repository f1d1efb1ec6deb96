//! What a file is made of: its head, and which bytes of which pieces follow.
//!
//! Not here: copying.

use std::ops::Range;

use oriel_api::{Error, Gap, Reason, ReasonCode, Timestamp};
use oriel_media::{
    AudioTrack, ClipBuilder, ClipHead, ClipOrder, Format, SegmentSamples, VideoTrack,
};

use super::{
    Job, Stop,
    source::{Missing, Source},
};

/// Less than this is no hole, as on the timeline.
const HOLE_MS: i64 = 1000;

/// A file before it is written.
pub(super) struct Plan {
    pub(super) head: ClipHead,
    /// Which piece, and which bytes of it.
    pub(super) shares: Vec<Cut>,
    pub(super) gaps: Vec<Gap>,
}

/// Bytes of a piece.
pub(super) struct Cut {
    /// Index of the piece in the order.
    pub(super) piece: usize,
    pub(super) bytes: Range<u64>,
    /// A piece that is read in the bucket.
    held: Option<Source>,
}

impl Cut {
    /// Opens it again.
    pub(super) fn open(&self, job: &Job) -> Result<Opened<'_>, Stop> {
        if let Some(held) = &self.held {
            return Ok(Opened::Held(held));
        }
        match Source::open(job, &job.order.pieces[self.piece])? {
            Ok(source) => Ok(Opened::Again(source)),
            Err(_) => Err(lost(job, self.piece)),
        }
    }
}

/// What could be opened a moment ago cannot any more.
fn lost(job: &Job, piece: usize) -> Stop {
    Stop::Lost {
        piece,
        object: !job.order.pieces[piece].local,
    }
}

/// A piece that is being copied.
pub(super) enum Opened<'a> {
    Held(&'a Source),
    Again(Source),
}

impl Opened<'_> {
    /// It has fewer bytes than it said.
    pub(super) fn lost(&self, piece: usize) -> Stop {
        Stop::Lost {
            piece,
            object: !matches!(**self, Source::Local(..)),
        }
    }
}

impl std::ops::Deref for Opened<'_> {
    type Target = Source;
    fn deref(&self) -> &Source {
        match self {
            Self::Held(source) => source,
            Self::Again(source) => source,
        }
    }
}

impl Plan {
    /// Bytes of the whole file.
    pub(super) fn len(&self) -> u64 {
        self.head.bytes.len() as u64 + self.head.media
    }
}

/// A piece after a look at its head.
struct Looked {
    format: Format,
    /// Local files are opened anew, and copies of objects are fetched anew: there may be more
    /// than a process may hold, or the disk.
    held: Option<Source>,
    /// What cost a whole transfer is not read twice for this.
    samples: Option<SegmentSamples>,
}

fn look(source: Source) -> Result<Looked, String> {
    let format = source.format()?;
    let samples = match source {
        Source::Fetched(..) => Some(source.samples()?),
        Source::Local(..) | Source::Object(..) => None,
    };
    Ok(Looked {
        format,
        held: matches!(source, Source::Object(..)).then_some(source),
        samples,
    })
}

pub(super) fn plan(job: &Job) -> Result<Plan, Stop> {
    let pieces = &job.order.pieces;
    let mut reasons: Vec<Option<Reason>> = vec![None; pieces.len()];
    let mut looked = Vec::with_capacity(pieces.len());
    for (piece, reason) in pieces.iter().zip(&mut reasons) {
        job.step()?;
        let found = match Source::open(job, piece)? {
            Ok(source) => look(source).map_err(Missing::Damaged),
            Err(missing) => Err(missing),
        };
        looked.push(match found {
            Ok(found) => Some(found),
            Err(missing) => {
                *reason = Some(why(&missing));
                None
            }
        });
    }

    let lengths = pieces
        .iter()
        .map(|p| p.end.ms().saturating_sub(p.start.ms()));
    let formats: Vec<(&Format, i64)> = looked
        .iter()
        .zip(lengths)
        .filter_map(|(l, length)| Some((&l.as_ref()?.format, length)))
        .collect();
    let Some(video) = longest(formats.iter().map(|(f, length)| (&f.video, *length))) else {
        return Err(Error::not_found("None of the footage can be read.").into());
    };
    let audio = job.order.with_audio.then(|| {
        let of_video = formats.iter().filter(|(f, _)| &f.video == video);
        longest(of_video.filter_map(|(f, length)| Some((f.audio.as_ref()?, *length))))
    });
    let (video, audio): (VideoTrack, Option<AudioTrack>) =
        (video.clone(), audio.flatten().cloned());
    let mut builder = ClipBuilder::new(ClipOrder {
        start_ms: job.order.range.start.ms(),
        end_ms: job.order.range.end.ms(),
        exact: job.order.exact,
        video: vec![video.clone()],
        audio,
    });
    let mut shares = Vec::new();
    let mut covered = Vec::new();
    for (i, (looked, piece)) in looked.into_iter().zip(pieces).enumerate() {
        let Some(looked) = looked else { continue };
        job.step()?;
        if looked.format.video != video {
            reasons[i] = Some(Reason {
                code: ReasonCode::FormatChanged,
                message: "The picture size or codec was another in this part, and one file has \
                          one. Make a clip of this part by itself."
                    .into(),
            });
            continue;
        }
        let samples = match (looked.samples, &looked.held) {
            (Some(samples), _) => Ok(samples),
            (None, Some(source)) => source.samples(),
            (None, None) => match Source::open(job, piece)? {
                Ok(source) => source.samples(),
                Err(_) => return Err(lost(job, i)),
            },
        };
        let samples = match samples {
            Ok(samples) => samples,
            Err(error) => {
                reasons[i] = Some(why(&Missing::Damaged(error)));
                continue;
            }
        };
        let share = builder.add(&samples, piece.start.ms()).map_err(too_large)?;
        if let Some(share) = share {
            covered.push((share.start_ms, share.end_ms));
            shares.push(Cut {
                piece: i,
                bytes: share.bytes,
                held: looked.held,
            });
        }
    }
    let Some(head) = builder
        .finish(&job.order.channel, &job.order.title)
        .map_err(too_large)?
    else {
        return Err(Error::not_found("None of the footage of this time can be read.").into());
    };
    let gaps = gaps(job, &head, covered, &reasons);
    Ok(Plan { head, shares, gaps })
}

fn too_large(error: oriel_media::BuildError) -> Stop {
    Error::invalid(format!(
        "One file cannot hold this: {error}. Choose a shorter time."
    ))
    .into()
}

fn why(missing: &Missing) -> Reason {
    Reason {
        code: ReasonCode::StorageUnavailable,
        message: match missing {
            Missing::Gone => "There was footage here, but its file is gone.".into(),
            Missing::Damaged(error) => {
                format!("There is footage here, but it cannot be read: {error}.")
            }
        },
    }
}

/// The value that lasts longest in all; the first of equals.
fn longest<'a, T: PartialEq>(values: impl Iterator<Item = (&'a T, i64)>) -> Option<&'a T> {
    let mut sums: Vec<(&T, i64)> = Vec::new();
    for (value, length) in values {
        match sums.iter_mut().find(|(known, _)| *known == value) {
            Some((_, sum)) => *sum = sum.saturating_add(length),
            None => sums.push((value, length)),
        }
    }
    let most = sums.iter().map(|(_, sum)| *sum).max()?;
    sums.into_iter()
        .find(|(_, sum)| *sum == most)
        .map(|(value, _)| value)
}

/// What the file does not show: holes inside it, and at its ends what should have been there.
fn gaps(
    job: &Job,
    head: &ClipHead,
    mut covered: Vec<(i64, i64)>,
    reasons: &[Option<Reason>],
) -> Vec<Gap> {
    covered.sort_unstable();
    let range = job.order.range;
    covered.push((range.end.ms(), i64::MAX));
    let mut gaps = Vec::new();
    let mut at = range.start.ms();
    for (start, end) in covered {
        let start = start.min(range.end.ms());
        if start.saturating_sub(at) > HOLE_MS {
            let reason = job
                .order
                .pieces
                .iter()
                .zip(reasons)
                .filter(|(p, _)| {
                    let shared = p.end.ms().min(start) - p.start.ms().max(at);
                    shared > HOLE_MS
                })
                .map(|(_, reason)| reason.clone())
                .max_by_key(Option::is_some)
                // Not listed as damaged, and yet not there: its end was torn off.
                .map(|reason| reason.unwrap_or_else(|| why(&Missing::Gone)));
            let inside = at >= head.start_ms && start <= head.end_ms;
            if inside || reason.is_some() {
                gaps.push(Gap {
                    start: Timestamp::from_ms(at),
                    end: Timestamp::from_ms(start),
                    reason,
                });
            }
        }
        at = at.max(end);
    }
    gaps
}
