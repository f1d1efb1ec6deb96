//! Where files are: `<root>/<channel>/<start_ms>.mp4`, with `.part` behind it while open.
//!
//! A path is built from a channel id and a number, never from text a caller sent.

use std::{
    io,
    path::{Path, PathBuf},
};

use oriel_api::{ChannelId, Timestamp};

use crate::platform::sync_folder;

/// How far a start is moved to find a free name, in milliseconds.
const NAME_TRIES: i64 = 10_000;

/// The folder of recordings.
#[derive(Clone, Debug)]
pub(crate) struct Spool {
    root: PathBuf,
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
        Self { root }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn folder(&self, channel: &ChannelId) -> PathBuf {
        self.root.join(channel.as_str())
    }

    pub(crate) fn closed(&self, channel: &ChannelId, start: Timestamp) -> PathBuf {
        self.folder(channel).join(format!("{}.mp4", start.ms()))
    }

    pub(crate) fn part(&self, channel: &ChannelId, start: Timestamp) -> PathBuf {
        self.folder(channel)
            .join(format!("{}.mp4.part", start.ms()))
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
        sync_folder(&self.root)
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
