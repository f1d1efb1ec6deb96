//! Where files are: `<root>/<channel>/<start_ms>.mp4`, with `.part` behind it while open.
//!
//! A path is built from a channel id and a number, never from text a caller sent. While files are
//! being moved here from an older folder there are two roots: new files are made in the first,
//! and every file is found in the one where it lies.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
};

use oriel_api::{ChannelId, Timestamp};

use crate::platform::sync_folder;

/// How far a start is moved to find a free name, in milliseconds.
const NAME_TRIES: i64 = 10_000;

/// The folder of recordings. Clones see the same roots.
#[derive(Clone, Debug)]
pub(crate) struct Spool {
    roots: Arc<RwLock<Roots>>,
    /// Held while one file is moved or some are deleted, so that none comes back.
    moving: Arc<Mutex<()>>,
}

#[derive(Clone, Debug)]
struct Roots {
    root: PathBuf,
    old: Option<PathBuf>,
}

/// What a name in a channel's folder says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Name {
    /// A closed segment.
    Closed(Timestamp),
    /// A segment that was being written.
    Part(Timestamp),
    /// Not ours.
    Foreign,
}

impl Spool {
    pub(crate) fn new(root: PathBuf) -> Self {
        Self::moving_from(root, None)
    }

    /// With an older folder whose files are on their way here.
    pub(crate) fn moving_from(root: PathBuf, old: Option<PathBuf>) -> Self {
        Self {
            roots: Arc::new(RwLock::new(Roots { root, old })),
            moving: Arc::default(),
        }
    }

    /// Files are made elsewhere from now on, and found in the old folder too.
    pub(crate) fn set(&self, root: PathBuf, old: Option<PathBuf>) {
        *self.roots.write().unwrap_or_else(PoisonError::into_inner) = Roots { root, old };
    }

    fn now(&self) -> Roots {
        let roots = self.roots.read().unwrap_or_else(PoisonError::into_inner);
        roots.clone()
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.now().root
    }

    /// The folder that files are moved from.
    pub(crate) fn old(&self) -> Option<PathBuf> {
        self.now().old
    }

    /// All folders with recordings.
    pub(crate) fn roots(&self) -> Vec<PathBuf> {
        let Roots { root, old } = self.now();
        [Some(root), old].into_iter().flatten().collect()
    }

    /// Nothing is moved while this is held.
    pub(crate) fn hold(&self) -> MutexGuard<'_, ()> {
        self.moving.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where a channel's files are made.
    pub(crate) fn folder(&self, channel: &ChannelId) -> PathBuf {
        self.root().join(channel.as_str())
    }

    /// All folders with a channel's files.
    pub(crate) fn folders(&self, channel: &ChannelId) -> Vec<PathBuf> {
        let roots = self.roots();
        roots.iter().map(|r| r.join(channel.as_str())).collect()
    }

    /// The path of a name: in the old folder when it is only there.
    fn place(&self, channel: &ChannelId, name: &str) -> PathBuf {
        let Roots { root, old } = self.now();
        let path = root.join(channel.as_str()).join(name);
        if let Some(old) = old
            && !path.exists()
        {
            let old = old.join(channel.as_str()).join(name);
            if old.exists() {
                return old;
            }
        }
        path
    }

    pub(crate) fn closed(&self, channel: &ChannelId, start: Timestamp) -> PathBuf {
        self.place(channel, &format!("{}.mp4", start.ms()))
    }

    pub(crate) fn part(&self, channel: &ChannelId, start: Timestamp) -> PathBuf {
        self.place(channel, &format!("{}.mp4.part", start.ms()))
    }

    /// The spool of the one folder in which a `.part` lies, to work on it there.
    pub(crate) fn holding(&self, channel: &ChannelId, start: Timestamp) -> Self {
        let part = self.part(channel, start);
        let root = part.parent().and_then(Path::parent).map(Path::to_owned);
        Self::new(root.unwrap_or_else(|| self.root()))
    }

    /// A free name for a `.part` that cannot be read and is not to be lost.
    pub(crate) fn damaged(&self, channel: &ChannelId, start: Timestamp) -> io::Result<PathBuf> {
        let mut path = self.part(channel, start);
        for _ in 0..NAME_TRIES {
            path.as_mut_os_string().push(".damaged");
            if !exists(&path)? {
                break;
            }
        }
        Ok(path)
    }

    /// Makes a channel's folder, and its name durable.
    pub(crate) fn make_folder(&self, channel: &ChannelId) -> io::Result<()> {
        let folder = self.folder(channel);
        if exists(&folder)? {
            return Ok(());
        }
        std::fs::create_dir_all(&folder)?;
        sync_folder(&self.root())
    }

    /// The first start at or after the wanted one that no file has. The clock may have been
    /// set back over footage that exists.
    pub(crate) fn free(&self, channel: &ChannelId, wanted: Timestamp) -> io::Result<Timestamp> {
        for extra in 0..NAME_TRIES {
            let start = Timestamp::from_ms(wanted.ms().saturating_add(extra));
            if !exists(&self.closed(channel, start))? && !exists(&self.part(channel, start))? {
                return Ok(start);
            }
        }
        Err(io::Error::new(
            io::ErrorKind::AlreadyExists,
            "there are files of every name nearby",
        ))
    }

    /// The first closed name at or after the wanted one that is free.
    pub(crate) fn free_closed(
        &self,
        channel: &ChannelId,
        wanted: Timestamp,
    ) -> io::Result<Timestamp> {
        if exists(&self.closed(channel, wanted))? {
            self.free(channel, wanted)
        } else {
            Ok(wanted)
        }
    }
}

/// Whether a path is there; a broken link counts.
pub(crate) fn exists(path: &Path) -> io::Result<bool> {
    match std::fs::symlink_metadata(path) {
        Ok(_) => Ok(true),
        Err(e)
            if matches!(
                e.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            Ok(false)
        }
        Err(e) => Err(e),
    }
}

impl Name {
    /// Reads a file name. Only the exact spelling that we write is ours.
    pub(crate) fn parse(name: &str) -> Self {
        let (digits, part) = match name.strip_suffix(".mp4.part") {
            Some(digits) => (digits, true),
            None => match name.strip_suffix(".mp4") {
                Some(digits) => (digits, false),
                None => return Self::Foreign,
            },
        };
        match digits.parse::<i64>() {
            Ok(ms) if ms.to_string() == digits => {
                let start = Timestamp::from_ms(ms);
                if part {
                    Self::Part(start)
                } else {
                    Self::Closed(start)
                }
            }
            _ => Self::Foreign,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_spelling_is_ours() {
        let t = Timestamp::from_ms(1_700_000_000_000);
        assert_eq!(Name::parse("1700000000000.mp4"), Name::Closed(t));
        assert_eq!(Name::parse("1700000000000.mp4.part"), Name::Part(t));
        for foreign in [
            "",
            ".mp4",
            "+1.mp4",
            "01.mp4",
            "1.MP4",
            "1.mp4.part.part",
            "99999999999999999999.mp4",
            "notes.txt",
        ] {
            assert_eq!(Name::parse(foreign), Name::Foreign, "{foreign}");
        }
    }

    #[test]
    fn the_next_free_name_is_taken() {
        let dir = tempfile::tempdir().unwrap();
        let spool = Spool::new(dir.path().into());
        let channel: ChannelId = "aaaaaaaaaaaa".parse().unwrap();
        let t = Timestamp::from_ms;
        assert_eq!(spool.free(&channel, t(5)).unwrap(), t(5), "no folder yet");
        std::fs::create_dir(spool.folder(&channel)).unwrap();
        std::fs::write(spool.closed(&channel, t(5)), b"").unwrap();
        std::fs::write(spool.part(&channel, t(6)), b"").unwrap();
        assert_eq!(spool.free(&channel, t(5)).unwrap(), t(7));
        assert_eq!(spool.free_closed(&channel, t(6)).unwrap(), t(6));
        assert_eq!(spool.free_closed(&channel, t(5)).unwrap(), t(7));
    }
}
