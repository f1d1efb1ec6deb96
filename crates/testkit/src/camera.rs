//! A camera in a process of its own, so that it can be killed and frozen.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, Command, Stdio},
    sync::mpsc,
    time::Duration,
};

use crate::{Auth, CameraOptions, Source, locate};

/// A camera that could not be started or touched.
#[derive(Debug, thiserror::Error)]
pub enum CameraError {
    /// Its program could not be found, built or started.
    #[error("cannot run the camera: {0}")]
    Run(#[from] std::io::Error),
    /// It ended before it was ready; its stderr says why.
    #[error("the camera ended before it was ready")]
    Ended,
    /// It was not ready in time.
    #[error("the camera was not ready within {0:?}")]
    Late(Duration),
}

/// A running camera. Dropping it kills it.
///
/// The calls block for as long as starting a process takes.
pub struct TestCamera {
    child: Child,
    port: u16,
    options: CameraOptions,
}

impl TestCamera {
    /// Long enough for a loaded machine and for encoding a loop.
    const READY: Duration = Duration::from_secs(120);

    /// Starts a camera on loopback and waits until it listens.
    pub fn start(options: CameraOptions) -> Result<Self, CameraError> {
        let mut child = Command::new(locate::binary("oriel-test-camera")?)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        match Self::introduce(&mut child, &options) {
            Ok(port) => Ok(Self {
                child,
                port,
                options,
            }),
            Err(error) => {
                let _ = child.kill();
                let _ = child.wait();
                Err(error)
            }
        }
    }

    fn introduce(child: &mut Child, options: &CameraOptions) -> Result<u16, CameraError> {
        let mut line = serde_json::to_string(options).map_err(std::io::Error::other)?;
        line.push('\n');
        // The handle stays in `child`: its end is the camera's sign to stop.
        let stdin = child.stdin.as_mut().ok_or(CameraError::Ended)?;
        stdin.write_all(line.as_bytes())?;
        stdin.flush()?;
        let stdout = child.stdout.take().ok_or(CameraError::Ended)?;
        let (sender, ready) = mpsc::sync_channel(1);
        std::thread::spawn(move || {
            let mut line = String::new();
            let _ = BufReader::new(stdout).read_line(&mut line);
            let _ = sender.send(line);
        });
        let line = ready
            .recv_timeout(Self::READY)
            .map_err(|_| CameraError::Late(Self::READY))?;
        line.trim()
            .strip_prefix("ready ")
            .and_then(|port| port.parse().ok())
            .ok_or(CameraError::Ended)
    }

    /// Address of the main stream, without credentials. For a loop: of `/cam0`.
    pub fn url(&self) -> String {
        match self.options.source {
            Source::Live => self.url_of("high"),
            Source::Loop { .. } => self.url_of("cam0"),
        }
    }

    /// Address of the low-quality stream, without credentials.
    pub fn low_url(&self) -> String {
        self.url_of("low")
    }

    /// Address of a path.
    pub fn url_of(&self, path: &str) -> String {
        format!("rtsp://127.0.0.1:{}/{path}", self.port)
    }

    /// TCP port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Number of the camera's process.
    pub fn process_id(&self) -> u32 {
        self.child.id()
    }

    /// User name and password, if it wants any.
    pub fn credentials(&self) -> Option<(&str, &str)> {
        match &self.options.auth {
            Auth::None => None,
            Auth::Basic { user, password } | Auth::Digest { user, password } => {
                Some((user, password))
            }
        }
    }

    /// Stops the process where it stands (SIGSTOP): connections stay open and nothing comes.
    /// Not supported on Windows.
    pub fn freeze(&self) -> Result<(), CameraError> {
        Ok(signal::freeze(self.child.id())?)
    }

    /// Lets a frozen camera go on (SIGCONT).
    pub fn thaw(&self) -> Result<(), CameraError> {
        Ok(signal::thaw(self.child.id())?)
    }

    /// Ends the process at once (SIGKILL), as when the power fails. It stays dead until
    /// [`Self::restart_with`].
    pub fn kill(&mut self) -> Result<(), CameraError> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Kills the camera if it lives and starts another on the same port.
    pub fn restart_with(&mut self, options: CameraOptions) -> Result<(), CameraError> {
        self.kill()?;
        *self = Self::start(CameraOptions {
            port: Some(self.port),
            ..options
        })?;
        Ok(())
    }
}

impl Drop for TestCamera {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(unix)]
mod signal {
    use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};

    pub fn freeze(process: u32) -> std::io::Result<()> {
        send(process, Signal::STOP)?;
        // The signal is on its way; all threads stand when the kernel says so.
        waitpid(Some(id(process)?), WaitOptions::UNTRACED)?;
        Ok(())
    }

    pub fn thaw(process: u32) -> std::io::Result<()> {
        send(process, Signal::CONT)
    }

    fn send(process: u32, signal: Signal) -> std::io::Result<()> {
        Ok(kill_process(id(process)?, signal)?)
    }

    fn id(process: u32) -> std::io::Result<Pid> {
        i32::try_from(process)
            .ok()
            .and_then(Pid::from_raw)
            .ok_or_else(|| std::io::Error::other("not a process number"))
    }
}

#[cfg(not(unix))]
mod signal {
    pub fn freeze(_process: u32) -> std::io::Result<()> {
        Err(std::io::ErrorKind::Unsupported.into())
    }

    pub fn thaw(_process: u32) -> std::io::Result<()> {
        Err(std::io::ErrorKind::Unsupported.into())
    }
}
