//! The commands.

pub(crate) mod ask;
pub(crate) mod check;
pub(crate) mod probe;
pub(crate) mod rebuild;
pub(crate) mod serve;

use std::{io::Write, path::PathBuf};

use clap::Args;
use oriel_secrets::Preference;
use orield::{Config, ConfigError, Given};

/// Which recorder a command is about.
#[derive(Args, Clone, Debug)]
pub(crate) struct Folder {
    /// Data folder of the recorder
    #[arg(long, value_name = "DIR", env = "ORIEL_DATA")]
    data: Option<PathBuf>,
    /// Configuration file
    #[arg(long, value_name = "FILE", env = "ORIEL_CONFIG")]
    config: Option<PathBuf>,
    /// Where passwords are kept: auto, keyring or file
    #[arg(long, value_name = "PLACE", env = "ORIEL_SECRETS")]
    secrets: Option<Preference>,
}

impl Folder {
    fn resolve(self) -> Result<Config, ConfigError> {
        Config::headless(Given {
            data: self.data,
            config: self.config,
            secrets: self.secrets,
            ..Given::default()
        })
    }
}

/// Writes a line to stdout. A reader that went away is no fault.
fn say(line: impl std::fmt::Display) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}");
    let _ = out.flush();
}
