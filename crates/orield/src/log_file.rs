//! The log as files: `oriel.log` and four older ones, ten megabytes each.
//!
//! A thread of its own writes them: a log on a disk that does not answer must not hold up the
//! recorder. What it cannot take in time is counted, and the count is written when it can.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    time::Duration,
};

use tracing_subscriber::fmt::MakeWriter;

/// A file is closed at this size.
const MOST: u64 = 10_000_000;
/// Files, the one that is written among them.
const FILES: u32 = 5;
/// Lines that may wait.
const LINES: usize = 4096;
/// The end may wait this long for the last lines.
const FLUSH: Duration = Duration::from_millis(300);

static WRITER: OnceLock<SyncSender<Order>> = OnceLock::new();
static DROPPED: AtomicU64 = AtomicU64::new(0);

enum Order {
    Line(Vec<u8>),
    Folder(PathBuf),
    Flush(SyncSender<()>),
}

/// The log goes to files in this folder from now on. What lies in the one before is moved there.
pub(crate) fn keep_in(folder: PathBuf) {
    let writer = WRITER.get_or_init(|| {
        let (send, receive) = sync_channel(LINES);
        // Without the thread the log is on stderr only.
        let _ = std::thread::Builder::new()
            .name("oriel-log".into())
            .spawn(move || write_all(&receive));
        send
    });
    let _ = writer.try_send(Order::Folder(folder));
}

/// Waits a moment for what was logged last.
pub(crate) fn flush() {
    let (send, done) = sync_channel(1);
    if let Some(writer) = WRITER.get()
        && writer.try_send(Order::Flush(send)).is_ok()
    {
        let _ = done.recv_timeout(FLUSH);
    }
}

/// Takes lines.
pub(crate) struct Lines;

/// One line while it is made.
pub(crate) struct Line(Vec<u8>);

impl MakeWriter<'_> for Lines {
    type Writer = Line;

    fn make_writer(&self) -> Line {
        Line(Vec::new())
    }
}

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let line = std::mem::take(&mut self.0);
        if let Some(writer) = WRITER.get()
            && !line.is_empty()
            && writer.try_send(Order::Line(line)).is_err()
        {
            DROPPED.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn write_all(orders: &Receiver<Order>) {
    let mut files: Option<Files> = None;
    while let Ok(order) = orders.recv() {
        match order {
            Order::Folder(folder) if files.as_ref().is_some_and(|f| f.folder == folder) => {}
            Order::Folder(folder) => {
                let before = files.take();
                match Files::open(folder, MOST) {
                    Ok(new) => {
                        if let Some(before) = before {
                            take_over(&before.folder, &new.folder);
                        }
                        files = Some(new);
                    }
                    Err(error) => {
                        // The log itself cannot say so.
                        eprintln!("The log cannot be kept in files: {error}");
                        files = before;
                    }
                }
            }
            Order::Line(line) => {
                let Some(files) = &mut files else { continue };
                let dropped = DROPPED.swap(0, Ordering::Relaxed);
                if dropped > 0 {
                    let _ = files.append(format!("{dropped} lines were lost here\n").as_bytes());
                }
                if files.append(&line).is_err() {
                    DROPPED.fetch_add(dropped + 1, Ordering::Relaxed);
                }
            }
            Order::Flush(done) => {
                let _ = done.send(());
            }
        }
    }
}

fn name(n: u32) -> String {
    match n {
        0 => "oriel.log".into(),
        n => format!("oriel.{n}.log"),
    }
}

/// Brings older files along, as far as their names are free.
fn take_over(from: &Path, to: &Path) {
    let mut free = 1;
    for n in 0..FILES {
        let old = from.join(name(n));
        while free < FILES && to.join(name(free)).exists() {
            free += 1;
        }
        if free < FILES && old.exists() {
            let new = to.join(name(free));
            if std::fs::rename(&old, &new).is_err() && std::fs::copy(&old, &new).is_ok() {
                let _ = std::fs::remove_file(&old);
            }
        }
    }
    let _ = std::fs::remove_dir(from);
}

/// The files of one folder.
struct Files {
    folder: PathBuf,
    file: File,
    bytes: u64,
    most: u64,
}

impl Files {
    fn open(folder: PathBuf, most: u64) -> io::Result<Self> {
        std::fs::create_dir_all(&folder)?;
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(folder.join(name(0)))?;
        Ok(Self {
            bytes: file.metadata()?.len(),
            folder,
            file,
            most,
        })
    }

    fn append(&mut self, line: &[u8]) -> io::Result<()> {
        if self.bytes > 0 && self.bytes + line.len() as u64 > self.most {
            self.turn()?;
        }
        self.file.write_all(line)?;
        self.bytes += line.len() as u64;
        Ok(())
    }

    /// Begins a new file; the oldest goes.
    fn turn(&mut self) -> io::Result<()> {
        for n in (0..FILES - 1).rev() {
            match std::fs::rename(self.folder.join(name(n)), self.folder.join(name(n + 1))) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
                _ => {}
            }
        }
        *self = Self::open(self.folder.clone(), self.most)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_turn_at_their_size_and_the_oldest_goes() {
        let dir = tempfile::tempdir().unwrap();
        let mut files = Files::open(dir.path().join("logs"), 100).unwrap();
        for n in 0..60 {
            files.append(format!("line {n:014}\n").as_bytes()).unwrap();
        }
        let text = |n| std::fs::read_to_string(dir.path().join("logs").join(name(n))).unwrap();
        assert!(text(0).ends_with("line 00000000000059\n"));
        for n in 0..FILES {
            assert_eq!(text(n).len(), 100);
        }
        assert!(!dir.path().join("logs").join(name(FILES)).exists());
        assert!(text(4).starts_with("line 00000000000035\n"));
        // A start goes on in the same file.
        let again = Files::open(dir.path().join("logs"), 200).unwrap();
        assert_eq!(again.bytes, 100);
    }

    #[test]
    fn older_files_come_along_to_another_folder() {
        let dir = tempfile::tempdir().unwrap();
        let (old, new) = (dir.path().join("old"), dir.path().join("new"));
        for folder in [&old, &new] {
            std::fs::create_dir(folder).unwrap();
        }
        std::fs::write(old.join(name(0)), "newest").unwrap();
        std::fs::write(old.join(name(1)), "older").unwrap();
        std::fs::write(new.join(name(0)), "now").unwrap();
        take_over(&old, &new);
        let text = |n| std::fs::read_to_string(new.join(name(n))).unwrap();
        assert_eq!(
            (text(0), text(1), text(2)),
            ("now".into(), "newest".into(), "older".into())
        );
        assert!(!old.exists());
    }
}
