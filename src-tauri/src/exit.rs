//! When the program ends, as plain decisions that can be tested without a window.

/// The first wish to exit stops the recorder in order; a second one exits now.
#[derive(Default)]
pub struct Quitting {
    begun: bool,
}

impl Quitting {
    /// True for the first wish only: the caller then holds the exit back until all is written.
    pub fn begin(&mut self) -> bool {
        !std::mem::replace(&mut self.begun, true)
    }
}

/// Closing the window goes on recording where a tray icon can bring the window back. Without
/// one a hidden window would look like a program that is gone, so closing quits.
pub fn keeps_recording_when_closed(has_tray: bool) -> bool {
    has_tray
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_wish_is_not_held_back() {
        let mut quitting = Quitting::default();
        assert!(quitting.begin());
        assert!(!quitting.begin());
    }
}
