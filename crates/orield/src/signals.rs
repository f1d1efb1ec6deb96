//! Being told to stop, on each system.

use std::time::Duration;

use tokio::time::Instant;

/// One key press reaches a program twice when its parent passes on what the terminal sent to
/// all. Within this both are one wish.
const SAME_WISH: Duration = Duration::from_millis(500);

/// Wishes to stop, one by one.
pub struct Signals {
    system: system::Signals,
    wishes: Wishes,
}

impl Signals {
    /// Listens from now on; the default action no longer happens. Call it within a runtime.
    pub fn listen() -> std::io::Result<Self> {
        Ok(Self {
            system: system::Signals::listen()?,
            wishes: Wishes::default(),
        })
    }

    /// The next wish.
    pub async fn next(&mut self) {
        loop {
            self.system.next().await;
            if self.wishes.is_new(Instant::now()) {
                return;
            }
        }
    }
}

/// Tells wishes from echoes.
#[derive(Default)]
struct Wishes {
    last: Option<Instant>,
}

impl Wishes {
    fn is_new(&mut self, now: Instant) -> bool {
        let new = self
            .last
            .is_none_or(|last| now.duration_since(last) > SAME_WISH);
        if new {
            self.last = Some(now);
        }
        new
    }
}

#[cfg(unix)]
mod system {
    use tokio::signal::unix::{Signal, SignalKind, signal};

    pub(super) struct Signals {
        interrupt: Signal,
        terminate: Signal,
        hang_up: Signal,
    }

    impl Signals {
        pub(super) fn listen() -> std::io::Result<Self> {
            Ok(Self {
                interrupt: signal(SignalKind::interrupt())?,
                terminate: signal(SignalKind::terminate())?,
                hang_up: signal(SignalKind::hangup())?,
            })
        }

        pub(super) async fn next(&mut self) {
            tokio::select! {
                _ = self.interrupt.recv() => {}
                _ = self.terminate.recv() => {}
                _ = self.hang_up.recv() => {}
            }
        }
    }
}

#[cfg(windows)]
mod system {
    use tokio::signal::windows::{CtrlBreak, CtrlC, CtrlClose, CtrlLogoff, CtrlShutdown};
    use tokio::signal::windows::{ctrl_break, ctrl_c, ctrl_close, ctrl_logoff, ctrl_shutdown};

    pub(super) struct Signals {
        c: CtrlC,
        pause: CtrlBreak,
        close: CtrlClose,
        logoff: CtrlLogoff,
        shutdown: CtrlShutdown,
    }

    impl Signals {
        pub(super) fn listen() -> std::io::Result<Self> {
            Ok(Self {
                c: ctrl_c()?,
                pause: ctrl_break()?,
                close: ctrl_close()?,
                logoff: ctrl_logoff()?,
                shutdown: ctrl_shutdown()?,
            })
        }

        pub(super) async fn next(&mut self) {
            tokio::select! {
                _ = self.c.recv() => {}
                _ = self.pause.recv() => {}
                _ = self.close.recv() => {}
                _ = self.logoff.recv() => {}
                _ = self.shutdown.recv() => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_echo_is_no_second_wish_and_patience_is_not_tried() {
        let mut wishes = Wishes::default();
        let begin = Instant::now();
        let at = |ms| begin + Duration::from_millis(ms);
        assert!(wishes.is_new(at(0)));
        assert!(!wishes.is_new(at(1)));
        // Echoes do not push the moment away from which a wish counts.
        assert!(!wishes.is_new(at(400)));
        assert!(wishes.is_new(at(600)));
        assert!(!wishes.is_new(at(1000)));
    }
}
