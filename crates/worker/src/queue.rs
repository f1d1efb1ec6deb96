//! The bounded way from the sinks to the disk thread.
//!
//! Media is refused when the queue is full; the few messages without media always fit.

use std::{
    collections::VecDeque,
    sync::{Condvar, Mutex},
    time::Duration,
};

use crate::sync::lock;

/// Bookkeeping of one queued piece beyond its media bytes.
const OVERHEAD: usize = 256;

/// A queue bounded in bytes and in pieces.
pub(crate) struct Queue<T> {
    inner: Mutex<Inner<T>>,
    ready: Condvar,
    max_bytes: usize,
    max_pieces: usize,
}

struct Inner<T> {
    items: VecDeque<(T, usize)>,
    bytes: usize,
}

impl<T> Queue<T> {
    pub(crate) fn new(max_bytes: usize, max_pieces: usize) -> Self {
        Self {
            inner: Mutex::new(Inner {
                items: VecDeque::new(),
                bytes: 0,
            }),
            ready: Condvar::new(),
            max_bytes,
            max_pieces,
        }
    }

    /// Queues media, or gives it back when there is no room.
    pub(crate) fn push(&self, item: T, media_bytes: usize) -> Result<(), T> {
        let mut inner = lock(&self.inner);
        let cost = media_bytes + OVERHEAD;
        if inner.items.len() >= self.max_pieces
            || (inner.bytes > 0 && inner.bytes + cost > self.max_bytes)
        {
            return Err(item);
        }
        inner.bytes += cost;
        inner.items.push_back((item, cost));
        drop(inner);
        self.ready.notify_one();
        Ok(())
    }

    /// Queues a message that has no weight. Only for messages whose number is bounded by the
    /// number of runs.
    pub(crate) fn push_always(&self, item: T) {
        lock(&self.inner).items.push_back((item, 0));
        self.ready.notify_one();
    }

    /// The next item, or `None` when none came in time.
    pub(crate) fn pop(&self, wait: Duration) -> Option<T> {
        let inner = lock(&self.inner);
        let (mut inner, _) = self
            .ready
            .wait_timeout_while(inner, wait, |i| i.items.is_empty())
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let (item, cost) = inner.items.pop_front()?;
        inner.bytes -= cost;
        Some(item)
    }

    /// Less than half full.
    pub(crate) fn has_room(&self) -> bool {
        let inner = lock(&self.inner);
        inner.bytes < self.max_bytes / 2 && inner.items.len() < self.max_pieces / 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_media_when_full_but_never_news() {
        let queue = Queue::new(10_000, 3);
        queue.push(1, 5_000).unwrap();
        assert_eq!(queue.push(2, 5_000), Err(2));
        queue.push(3, 100).unwrap();
        queue.push(4, 0).unwrap();
        assert_eq!(queue.push(5, 0), Err(5), "too many pieces");
        queue.push_always(6);
        assert!(!queue.has_room());
        let now = Duration::ZERO;
        let all: Vec<_> = std::iter::from_fn(|| queue.pop(now)).collect();
        assert_eq!(all, [1, 3, 4, 6]);
        assert!(queue.has_room());
    }

    #[test]
    fn one_piece_larger_than_the_bound_still_passes() {
        let queue = Queue::new(10, 3);
        queue.push(1, 5_000).unwrap();
        assert_eq!(queue.push(2, 0), Err(2));
    }
}
