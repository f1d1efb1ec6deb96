//! Stopping when stdin ends, without waiting for native code.

use std::{io::Read, sync::mpsc::SyncSender, time::Duration};

use crate::failure::Exit;

/// How long an orderly end may take before the process just exits.
const GRACE: Duration = Duration::from_millis(1500);

/// Exits with this code unless the process has ended by itself in time.
pub fn exit_soon(code: Exit) {
    std::thread::spawn(move || {
        std::thread::sleep(GRACE);
        std::process::exit(code as i32);
    });
}

/// Reads stdin to its end, then sends `message`; the process exits soon after in any case.
pub fn when_stdin_ends<T: Send + 'static>(sender: SyncSender<T>, message: T) {
    std::thread::spawn(move || {
        let mut bytes = [0u8; 256];
        let mut stdin = std::io::stdin().lock();
        loop {
            match stdin.read(&mut bytes) {
                Ok(0) => break,
                Ok(_) => {}
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        exit_soon(Exit::Stopped);
        let _ = sender.try_send(message);
    });
}
