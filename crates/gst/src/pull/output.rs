//! Writing to the parent from a thread of its own, bounded.

use std::{
    io::Write,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread::JoinHandle,
};

use bytes::Bytes;

use super::{Ending, Endings};

/// Pieces that may wait.
const PIECES: usize = 512;
/// Bytes that may wait.
const BYTES: usize = 32 << 20;

/// The way out. What does not fit is refused, never waited for.
pub struct Output {
    pieces: mpsc::SyncSender<Bytes>,
    waiting: Arc<AtomicUsize>,
    writer: JoinHandle<()>,
}

impl Output {
    /// Starts the thread.
    pub fn start(mut to: impl Write + Send + 'static, endings: Endings) -> Self {
        let (pieces, queue) = mpsc::sync_channel::<Bytes>(PIECES);
        let waiting = Arc::new(AtomicUsize::new(0));
        let written = waiting.clone();
        let writer = std::thread::spawn(move || {
            while let Ok(piece) = queue.recv() {
                if to.write_all(&piece).and_then(|()| to.flush()).is_err() {
                    let _ = endings.try_send(Ending::Stop);
                    return;
                }
                written.fetch_sub(piece.len(), Ordering::Relaxed);
            }
        });
        Self {
            pieces,
            waiting,
            writer,
        }
    }

    /// Whether the piece will be written.
    pub fn offer(&self, piece: Bytes) -> bool {
        let length = piece.len();
        if self.waiting.load(Ordering::Relaxed) + length > BYTES {
            return false;
        }
        self.waiting.fetch_add(length, Ordering::Relaxed);
        let taken = self.pieces.try_send(piece).is_ok();
        if !taken {
            self.waiting.fetch_sub(length, Ordering::Relaxed);
        }
        taken
    }

    /// Writes what waits.
    pub fn finish(self) {
        drop(self.pieces);
        let _ = self.writer.join();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{io, sync::Mutex};

    struct Slow(Arc<Mutex<Vec<u8>>>);

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_stands_costs_bounded_memory_and_gets_what_was_taken() {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (endings, _kept) = mpsc::sync_channel(1);
        let held = seen.lock().unwrap();
        let output = Output::start(Slow(seen.clone()), endings);
        let mut taken = 0;
        while output.offer(Bytes::from_static(&[7; 1000])) {
            taken += 1;
        }
        assert!((PIECES..=PIECES + 1).contains(&taken));
        assert!(!output.offer(Bytes::from(vec![0; BYTES])));
        drop(held);
        output.finish();
        assert_eq!(seen.lock().unwrap().len(), taken * 1000);
    }
}
