//! The disk, and what differs between systems.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    path::Path,
};

/// A disk that segment files are written to. There is one, [`LocalDisk`]; tests put faults in
/// front of it.
pub trait Volume: Send + Sync + 'static {
    /// Makes a new file. It must not exist yet.
    ///
    /// # Errors
    /// As `open(2)` does.
    fn create(&self, path: &Path) -> io::Result<Box<dyn VolumeFile>>;

    /// Free and total bytes of the disk a path is on.
    ///
    /// # Errors
    /// As `statvfs(2)` does.
    fn space(&self, path: &Path) -> io::Result<(u64, u64)> {
        disk_space(path)
    }
}

/// A file that is being written.
pub trait VolumeFile: Send {
    /// Writes behind what was appended before, with one call to the system where it takes all
    /// at once.
    ///
    /// # Errors
    /// As `write(2)` does; a part may have been written.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Writes in place. The next `append` still goes to the end.
    ///
    /// # Errors
    /// As `write(2)` does.
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Cuts the file; the next `append` goes there.
    ///
    /// # Errors
    /// As `ftruncate(2)` does.
    fn truncate(&mut self, len: u64) -> io::Result<()>;

    /// Waits until the bytes are on the medium.
    ///
    /// # Errors
    /// As `fdatasync(2)` does.
    fn sync(&self) -> io::Result<()>;
}

/// The disks of this computer.
pub struct LocalDisk;

impl Volume for LocalDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn VolumeFile>> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .open(path)?;
        Ok(Box::new(LocalFile(file)))
    }
}

struct LocalFile(File);

impl VolumeFile for LocalFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }

    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.0.seek(SeekFrom::Start(offset))?;
        self.0.write_all(bytes)?;
        self.0.seek(SeekFrom::End(0)).map(|_| ())
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        self.0.set_len(len)?;
        self.0.seek(SeekFrom::Start(len)).map(|_| ())
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync_data()
    }
}

/// Makes a new, renamed or removed name in a folder durable. Windows has no such thing: its
/// file systems log names by themselves.
#[cfg(unix)]
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    match File::open(folder)?.sync_all() {
        // Some network file systems cannot.
        Err(e) if e.kind() == io::ErrorKind::InvalidInput => Ok(()),
        other => other,
    }
}

/// Makes a new, renamed or removed name in a folder durable. Windows has no such thing: its
/// file systems log names by themselves.
#[cfg(not(unix))]
pub(crate) fn sync_folder(_folder: &Path) -> io::Result<()> {
    Ok(())
}

/// Reads at an offset without moving anybody's cursor.
#[cfg(unix)]
pub(crate) fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, buffer, offset)
}

/// Reads at an offset. The cursor moves, which nobody here relies on.
#[cfg(windows)]
pub(crate) fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, buffer, offset)
}

/// Free and total bytes of the disk a path is on.
pub(crate) fn disk_space(path: &Path) -> io::Result<(u64, u64)> {
    let stats = fs4::statvfs(path)?;
    Ok((stats.available_space(), stats.total_space()))
}

/// A reader of part of a file that leaves the rest alone.
pub(crate) struct At<'a> {
    file: &'a File,
    position: u64,
    len: u64,
}

impl<'a> At<'a> {
    pub(crate) fn new(file: &'a File, len: u64) -> Self {
        Self {
            file,
            position: 0,
            len,
        }
    }
}

impl Read for At<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.len.saturating_sub(self.position)).unwrap_or(usize::MAX);
        let want = buffer.len().min(left);
        let n = read_at(self.file, &mut buffer[..want], self.position)?;
        self.position += n as u64;
        Ok(n)
    }
}

impl Seek for At<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let target = match to {
            SeekFrom::Start(n) => Some(n),
            SeekFrom::End(n) => self.len.checked_add_signed(n),
            SeekFrom::Current(n) => self.position.checked_add_signed(n),
        };
        self.position = target.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.position)
    }
}

/// What went wrong with the disk, for a person.
pub(crate) fn explain(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::StorageFull => {
            "The disk is full. Free some space on the disk with the recordings, or move the data \
             folder to a larger one."
                .into()
        }
        io::ErrorKind::QuotaExceeded => "The disk quota is used up.".into(),
        io::ErrorKind::ReadOnlyFilesystem => "The disk is read-only.".into(),
        io::ErrorKind::PermissionDenied => {
            "Oriel may not write to the recordings folder. Check its permissions.".into()
        }
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
            "The recordings folder is gone. Check that its disk is connected.".into()
        }
        _ => format!("The disk reports an error: {error}."),
    }
}
