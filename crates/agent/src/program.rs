//! Where the child program is.

use std::{path::PathBuf, sync::OnceLock, time::Duration};

use oriel_api::ReasonCode;
use tokio::{process::Command, time::timeout};

use crate::RunError;

/// The environment variable that names it.
const VARIABLE: &str = "ORIEL_GST";
/// `--version` must have answered by then.
const VERSION_DEADLINE: Duration = Duration::from_secs(10);

/// The child program `oriel-gst`.
#[derive(Debug)]
pub(crate) struct Program {
    given: Option<PathBuf>,
    version: OnceLock<String>,
}

impl Program {
    /// `given` first, then the environment, then beside this executable.
    pub(crate) fn new(given: Option<PathBuf>) -> Self {
        Self {
            given: given.or_else(|| std::env::var_os(VARIABLE).map(PathBuf::from)),
            version: OnceLock::new(),
        }
    }

    /// Its path, if there is such a file.
    pub(crate) fn path(&self) -> Result<PathBuf, RunError> {
        let path = match &self.given {
            Some(path) => Some(path.clone()),
            None => std::env::current_exe().ok().map(|exe| {
                exe.with_file_name(format!("oriel-gst{}", std::env::consts::EXE_SUFFIX))
            }),
        };
        path.filter(|p| p.is_file()).ok_or_else(missing)
    }

    /// What it says about its version. Asked once it can be run.
    pub(crate) async fn version(&self) -> Option<String> {
        if let Some(known) = self.version.get() {
            return Some(known.clone());
        }
        let mut command = command(&self.path().ok()?);
        command.arg("--version").stdin(std::process::Stdio::null());
        let output = timeout(VERSION_DEADLINE, command.output())
            .await
            .ok()?
            .ok()?;
        if !output.status.success() {
            return None;
        }
        let text: String = String::from_utf8_lossy(&output.stdout)
            .trim()
            .chars()
            .take(120)
            .collect();
        // "oriel-gst <version> gstreamer <version>"
        let version = text
            .split_once(" gstreamer ")
            .map_or(text.as_str(), |(_, v)| v)
            .to_owned();
        Some(self.version.get_or_init(|| version).clone())
    }
}

/// A command for the child: killed when dropped, no window on Windows.
pub(crate) fn command(path: &std::path::Path) -> Command {
    let mut command = Command::new(path);
    command.kill_on_drop(true);
    #[cfg(windows)]
    {
        const CREATE_NO_WINDOW: u32 = 0x0800_0000;
        command.creation_flags(CREATE_NO_WINDOW);
    }
    command
}

/// The program is not there.
pub(crate) fn missing() -> RunError {
    RunError::new(
        ReasonCode::PluginMissing,
        "This camera needs GStreamer, and the program oriel-gst was not found or does not run. \
         Install GStreamer 1.22 or later with its base, good, bad, ugly and libav plugins.",
    )
}
