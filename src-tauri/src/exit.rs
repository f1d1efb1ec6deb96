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

/// What the window's close button does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closing {
    /// The window goes; the tray icon brings it back.
    Hide,
    /// Nothing would bring it back, so the user is asked whether recording goes on.
    Ask,
}

/// Recording goes on where a tray icon can be seen. An icon that no desktop shows (the system
/// takes it all the same) would leave a window that is gone for good.
pub fn on_close(has_icon: bool, icon_is_shown: bool) -> Closing {
    if has_icon && icon_is_shown {
        Closing::Hide
    } else {
        Closing::Ask
    }
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

    #[test]
    fn a_window_is_hidden_only_behind_an_icon_that_is_seen() {
        assert_eq!(on_close(true, true), Closing::Hide);
        assert_eq!(on_close(true, false), Closing::Ask);
        assert_eq!(on_close(false, true), Closing::Ask);
    }
}
