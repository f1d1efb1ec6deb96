//! Moves recordings from an older folder, one file after the other.
//!
//! Copied, synced, renamed, the folder synced, then deleted in the old folder: whatever breaks off
//! in between is done again. On the same file system a file is renamed.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use oriel_api::ChannelId;
use tokio_util::sync::CancellationToken;

use crate::{
    platform::sync_folder,
    recover::{LOCK, MARK},
    spool::{Name, Spool},
};

/// Behind the name of a copy that is not whole yet.
pub(crate) const MOVING: &str = ".moving";
/// A step ends after this, so that a stop never waits long.
const STEP: Duration = Duration::from_secs(2);

/// What a step came to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// So many files are left.
    Left(u64),
    /// Everything is moved.
    Done,
    /// The old folder is not there.
    Away,
}

/// Moves files for a while. Waits for the disk.
pub(crate) fn step(spool: &Spool, old: &Path, cancel: &CancellationToken) -> io::Result<Step> {
    if !old.join(LOCK).exists() && !old.join(MARK).exists() {
        return Ok(if old.exists() { Step::Done } else { Step::Away });
    }
    let begun = Instant::now();
    let (mut left, mut busy) = (0, false);
    for channel in channels(old)? {
        let folder = old.join(channel.as_str());
        let names = names(&folder)?;
        for name in &names {
            match Name::parse(name) {
                Name::Closed(_) if begun.elapsed() < STEP && !cancel.is_cancelled() => {
                    let one = Instant::now();
                    if move_one(spool, &channel, &folder, name)? {
                        // Half of the disk's time belongs to recording.
                        std::thread::sleep(one.elapsed().min(STEP));
                    }
                }
                Name::Closed(_) => left += 1,
                // Being written, or left for the next start.
                Name::Part(_) => busy = true,
                Name::Foreign => {}
            }
        }
        // Only goes when it is empty.
        let _ = fs::remove_dir(&folder);
    }
    if left > 0 || busy {
        return Ok(Step::Left(left.max(1)));
    }
    for name in [MARK, LOCK] {
        match fs::remove_file(old.join(name)) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
    }
    let _ = fs::remove_dir(old);
    Ok(Step::Done)
}

fn channels(root: &Path) -> io::Result<Vec<ChannelId>> {
    let names = names(root)?;
    Ok(names.iter().filter_map(|n| n.parse().ok()).collect())
}

fn names(folder: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        if let Ok(name) = entry?.file_name().into_string() {
            names.push(name);
        }
    }
    names.sort_unstable();
    Ok(names)
}

/// Moves one file; gives whether its bytes were copied.
fn move_one(spool: &Spool, channel: &ChannelId, from: &Path, name: &str) -> io::Result<bool> {
    let _held = spool.hold();
    let old = from.join(name);
    if !old.exists() {
        // Deleted since it was listed.
        return Ok(false);
    }
    spool.make_folder(channel)?;
    let folder = spool.folder(channel);
    let new = folder.join(name);
    let mut copied = false;
    // What an attempt that broke off has left.
    let part: PathBuf = folder.join(format!("{name}{MOVING}"));
    let _ = fs::remove_file(&part);
    if !new.exists() && fs::rename(&old, &new).is_err() {
        fs::copy(&old, &part)?;
        File::options().write(true).open(&part)?.sync_all()?;
        fs::rename(&part, &new)?;
        copied = true;
    }
    sync_folder(&folder)?;
    match fs::remove_file(&old) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => sync_folder(from)?,
    }
    Ok(copied)
}
