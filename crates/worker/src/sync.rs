//! Locks without poison: a panic elsewhere must not stop the recorder.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks. What is inside is kept valid at every step, so a holder that panicked did no harm.
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
