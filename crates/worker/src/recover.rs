//! Brings the spool and the database together after whatever happened.
//!
//! Every step may be repeated, and a crash between two steps leaves work for the next start and
//! nothing worse. Nothing here is in the path of a request.

use std::{collections::BTreeSet, future::Future, io, path::Path, time::Duration};

use oriel_api::{
    ChannelId, Error, ErrorCode, Timestamp,
    link::{NvrLink, OpenSegment, SegmentClosed},
};
use tracing::warn;

use crate::{
    adopt::{self, Adopted},
    mover::MOVING,
    spool::{Name, Spool, exists},
};

/// The file in the recordings folder that the program recording there has locked.
pub(crate) const LOCK: &str = ".oriel-recordings";
/// The file in it that tells the folder from any other.
pub(crate) const MARK: &str = ".oriel-mark";

/// Rows read at a time.
const BATCH: usize = 500;
/// Notes kept.
const NOTES_MAX: usize = 100;
/// How often the database is asked to take a row.
const TRIES: u32 = 3;

/// What recovery found, and did unless it was told only to look.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecoveryReport {
    /// Files left open by a crash that are whole segments now.
    pub adopted: u64,
    /// Worthless bytes that were cut from them or deleted.
    pub cut_bytes: u64,
    /// Closed files that the database did not know.
    pub rows_added: u64,
    /// Rows whose file is gone.
    pub missing: u64,
    /// Files and folders that are not ours; left alone.
    pub foreign: u64,
    /// What could not be mended.
    pub errors: u64,
    /// The first hundred particulars, for a person.
    pub notes: Vec<String>,
}

impl RecoveryReport {
    /// Whether everything was in order.
    pub fn is_clean(&self) -> bool {
        self.adopted == 0
            && self.cut_bytes == 0
            && self.rows_added == 0
            && self.missing == 0
            && self.errors == 0
    }

    fn note(&mut self, text: String) {
        if self.notes.len() < NOTES_MAX {
            self.notes.push(text);
        }
    }

    fn error(&mut self, text: String) {
        warn!("{text}");
        self.errors += 1;
        self.note(text);
    }
}

/// One recovery.
pub(crate) struct Recovery<'a> {
    pub(crate) spool: &'a Spool,
    pub(crate) nvr: &'a dyn NvrLink,
    /// Mend, or only look.
    pub(crate) mend: bool,
    /// Files that are not to be touched: this process writes or has just written them.
    pub(crate) busy: &'a (dyn Fn(&ChannelId, Timestamp) -> bool + Send + Sync),
    /// Leave `.part` files alone: another process is recording.
    pub(crate) skip_parts: bool,
    /// The folder is the one with the footage: what is not there is gone.
    pub(crate) known: bool,
    /// Channels to look at even when they have no folder.
    pub(crate) channels: Vec<ChannelId>,
}

/// A channel's folder.
#[derive(Default)]
struct Listing {
    closed: Vec<Timestamp>,
    parts: Vec<Timestamp>,
    foreign: Vec<String>,
}

impl Recovery<'_> {
    pub(crate) async fn run(&self) -> io::Result<RecoveryReport> {
        let mut report = RecoveryReport::default();
        let (folders, others) = {
            let spool = self.spool.clone();
            blocking(move || folders(&spool)).await?
        };
        // Rows may have their files on the disk they are moved from.
        let real = self.known && self.spool.old().is_none_or(|old| old.join(LOCK).exists());
        for name in others {
            report.foreign += 1;
            report.note(format!("{name}: not ours, left alone"));
        }
        let channels: BTreeSet<_> = folders.into_iter().chain(self.channels.clone()).collect();
        for channel in channels {
            if let Err(error) = self.channel(&channel, real, &mut report).await {
                report.error(format!("{channel}: {error}"));
            }
        }
        Ok(report)
    }

    async fn channel(
        &self,
        channel: &ChannelId,
        real: bool,
        report: &mut RecoveryReport,
    ) -> io::Result<()> {
        // Adopted first, so that their new names are in the listing compared with the rows.
        let list = {
            let (spool, channel) = (self.spool.clone(), channel.clone());
            move || list(&spool, &channel)
        };
        let first = blocking(list.clone()).await?;
        for name in &first.foreign {
            report.foreign += 1;
            report.note(format!("{channel}/{name}: not ours, left alone"));
        }
        let mut fresh = BTreeSet::new();
        for &start in &first.parts {
            if !self.skip_parts && !(self.busy)(channel, start) {
                fresh.extend(self.part(channel, start, report).await);
            }
        }
        let mut closed = first.closed;
        closed.extend(&fresh);
        closed.sort_unstable();
        self.compare(channel, &closed, &fresh, real, report).await;
        Ok(())
    }

    /// Adopts a `.part`; gives the start of the segment it became.
    async fn part(
        &self,
        channel: &ChannelId,
        start: Timestamp,
        report: &mut RecoveryReport,
    ) -> Option<Timestamp> {
        let name = format!("{channel}/{}.mp4.part", start.ms());
        let (spool, of) = (self.spool.clone(), channel.clone());
        if !self.mend {
            match blocking(move || Ok(adopt::preview(&spool, &of, start))).await {
                Ok(Ok((cut, whole))) => {
                    report.adopted += u64::from(whole);
                    report.cut_bytes += cut;
                    report.note(format!("{name}: left open, {cut} bytes are worthless"));
                }
                Ok(Err(error)) => report.error(format!("{name}: {error}")),
                Err(error) => report.error(format!("{name}: {error}")),
            }
            return None;
        }
        let adopted = blocking(move || Ok(adopt::part(&spool, &of, start))).await;
        match adopted.unwrap_or_else(|e| Err(e.into())) {
            Ok(Adopted::Segment { segment, cut }) => {
                report.adopted += 1;
                report.cut_bytes += cut;
                report.note(format!("{name}: adopted, {cut} bytes cut"));
                let start = segment.start;
                if let Err(error) = self.tell(|| self.nvr.segment_closed(row(&segment))).await {
                    report.error(format!("{name}: {error}"));
                }
                Some(start)
            }
            Ok(Adopted::Nothing { cut }) => {
                report.cut_bytes += cut;
                report.note(format!("{name}: held no footage, deleted"));
                None
            }
            Ok(Adopted::SetAside) => {
                report.error(format!("{name}: cannot be read, set aside"));
                None
            }
            Err(error) => {
                report.error(format!("{name}: {error}"));
                None
            }
        }
    }

    /// Goes through files and rows side by side, both ascending.
    async fn compare(
        &self,
        channel: &ChannelId,
        files: &[Timestamp],
        reported: &BTreeSet<Timestamp>,
        real: bool,
        report: &mut RecoveryReport,
    ) {
        let mut files = files.iter().copied().peekable();
        let mut after = Timestamp::from_ms(i64::MIN);
        loop {
            let rows = match self
                .tell(|| self.nvr.local_segments(channel, after, BATCH))
                .await
            {
                Ok(rows) => rows,
                Err(error) if error.code == ErrorCode::NotFound => {
                    let count = files.count() as u64;
                    report.foreign += count;
                    report.note(format!(
                        "{channel}: no such channel, {count} files left alone"
                    ));
                    return;
                }
                Err(error) => return report.error(format!("{channel}: {error}")),
            };
            let last = rows.last().copied();
            for row in rows {
                while let Some(file) = files.next_if(|f| *f < row) {
                    if !reported.contains(&file) {
                        self.add_row(channel, file, report).await;
                    }
                }
                if files.next_if_eq(&row).is_none() {
                    self.missing(channel, row, real, report).await;
                }
            }
            match last {
                // Only a later start can follow; anything else would go round for ever.
                Some(last) if last > after => after = last,
                _ => break,
            }
        }
        for file in files {
            if !reported.contains(&file) {
                self.add_row(channel, file, report).await;
            }
        }
    }

    async fn add_row(&self, channel: &ChannelId, start: Timestamp, report: &mut RecoveryReport) {
        if (self.busy)(channel, start) {
            return;
        }
        let name = format!("{channel}/{}.mp4", start.ms());
        let (spool, of) = (self.spool.clone(), channel.clone());
        let found = blocking(move || Ok(adopt::closed(&spool, &of, start))).await;
        match found.unwrap_or_else(|e| Err(e.into())) {
            Ok(segment) => {
                if self.mend
                    && let Err(error) = self.tell(|| self.nvr.segment_closed(row(&segment))).await
                {
                    if error.code == ErrorCode::NotFound {
                        report.foreign += 1;
                        report.note(format!("{name}: no such channel, left alone"));
                    } else {
                        report.error(format!("{name}: {error}"));
                    }
                    return;
                }
                report.rows_added += 1;
                report.note(format!("{name}: was not in the database"));
            }
            Err(adopt::AdoptError::NotASegment(why)) => {
                report.foreign += 1;
                report.note(format!("{name}: left alone, {why}"));
            }
            // Deleted since it was listed.
            Err(adopt::AdoptError::Disk(e)) if e.kind() == io::ErrorKind::NotFound => {}
            Err(error) => report.error(format!("{name}: {error}")),
        }
    }

    async fn missing(
        &self,
        channel: &ChannelId,
        start: Timestamp,
        real: bool,
        report: &mut RecoveryReport,
    ) {
        if !real {
            // Another folder where footage should be is more likely a disk that is not there.
            return report.error(format!(
                "{channel}/{}.mp4: is the disk with the recordings connected?",
                start.ms()
            ));
        }
        let path = self.spool.closed(channel, start);
        match blocking(move || exists(&path)).await {
            Ok(true) => return,
            Ok(false) => {}
            Err(error) => return report.error(format!("{channel}/{}.mp4: {error}", start.ms())),
        }
        if self.mend
            && let Err(error) = self.tell(|| self.nvr.segment_missing(channel, start)).await
        {
            return report.error(format!("{channel}/{}.mp4: {error}", start.ms()));
        }
        report.missing += 1;
        report.note(format!("{channel}/{}.mp4: the file is gone", start.ms()));
    }

    /// Asks the nvr, again when it is busy.
    async fn tell<T, F>(&self, ask: impl Fn() -> F) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let mut tries = 0;
        loop {
            match ask().await {
                Err(error) if error.code == ErrorCode::Unavailable && tries < TRIES => {
                    tries += 1;
                    tokio::time::sleep(Duration::from_millis(200) * tries).await;
                }
                other => return other,
            }
        }
    }
}

fn row(segment: &OpenSegment) -> SegmentClosed {
    SegmentClosed {
        channel: segment.channel.clone(),
        run: None,
        start: segment.start,
        end: segment.end,
        bytes: segment.bytes,
        codecs: segment.codecs.clone(),
        continues: false,
        sha256: segment.sha256,
    }
}

type Folders = (Vec<ChannelId>, Vec<String>);

/// What is in a folder; nothing when it is not there.
fn entries(folder: &Path) -> io::Result<Vec<std::fs::DirEntry>> {
    match std::fs::read_dir(folder) {
        Ok(entries) => entries.collect(),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(e) => Err(e),
    }
}

/// The channels' folders, and what else is there.
fn folders(spool: &Spool) -> io::Result<Folders> {
    let mut found = Folders::default();
    for root in spool.roots() {
        for entry in entries(&root)? {
            let name = entry.file_name().to_string_lossy().into_owned();
            match name.parse::<ChannelId>() {
                // A folder on another disk may be linked here.
                Ok(channel) if entry.path().is_dir() => found.0.push(channel),
                _ if name == LOCK || name == MARK => {}
                _ => found.1.push(name),
            }
        }
    }
    Ok(found)
}

/// A channel's files, in order.
fn list(spool: &Spool, channel: &ChannelId) -> io::Result<Listing> {
    let mut listing = Listing::default();
    for folder in spool.folders(channel) {
        for entry in entries(&folder)? {
            let name = entry.file_name().to_string_lossy().into_owned();
            let regular = entry.file_type()?.is_file();
            match Name::parse(&name) {
                Name::Closed(start) if regular => listing.closed.push(start),
                Name::Part(start) if regular => listing.parts.push(start),
                _ if name.ends_with(MOVING) => {}
                _ => listing.foreign.push(name),
            }
        }
    }
    for starts in [&mut listing.closed, &mut listing.parts] {
        starts.sort_unstable();
        // In both folders: a move broke off before the old one was deleted.
        starts.dedup();
    }
    Ok(listing)
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(fault) => Err(io::Error::other(fault)),
    }
}
