//! What a recorder is started with: flags over environment over a TOML file over defaults.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
};

use clap::{Args, Parser};
use oriel_secrets::Preference;
use serde::Deserialize;

use crate::data_dir::{DataDirError, default_data_dir};

/// The port of a headless recorder when none is given.
const DEFAULT_PORT: u16 = 8642;

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("The configuration {} cannot be read: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not right.
    #[error("The configuration {} is not right: {reason}", path.display())]
    Content {
        /// Which.
        path: PathBuf,
        /// What is wrong and where.
        reason: String,
    },
    /// There is no data folder.
    #[error(transparent)]
    DataDir(#[from] DataDirError),
}

/// What is given on the command line and in the environment.
#[derive(Args, Clone, Debug, Default)]
pub struct Given {
    /// Data folder: database, recordings, secrets
    #[arg(long, value_name = "DIR", env = "ORIEL_DATA")]
    pub data: Option<PathBuf>,
    /// Address to listen on; of this computer only
    #[arg(long, value_name = "ADDR:PORT", env = "ORIEL_LISTEN")]
    pub listen: Option<SocketAddr>,
    /// Configuration file (TOML: data, listen, secrets, gst, demo_cameras, storage_roots)
    #[arg(long, value_name = "FILE", env = "ORIEL_CONFIG")]
    pub config: Option<PathBuf>,
    /// Demonstration cameras to offer (JSON)
    #[arg(long, value_name = "FILE", env = "ORIEL_DEMO_CAMERAS")]
    pub demo_cameras: Option<PathBuf>,
    /// Where passwords are kept: auto, keyring or file
    #[arg(long, value_name = "PLACE", env = "ORIEL_SECRETS")]
    pub secrets: Option<Preference>,
    /// The child program oriel-gst, when it is not beside this one
    #[arg(long, value_name = "FILE", env = "ORIEL_GST")]
    pub gst: Option<PathBuf>,
    /// Folder below which footage may be kept, beside the data folder; may be given several times
    #[arg(
        long = "storage-root",
        value_name = "DIR",
        env = "ORIEL_STORAGE_ROOTS",
        value_delimiter = ','
    )]
    pub storage_roots: Vec<PathBuf>,
}

/// The same in a file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileConfig {
    data: Option<PathBuf>,
    listen: Option<SocketAddr>,
    demo_cameras: Option<PathBuf>,
    secrets: Option<String>,
    gst: Option<PathBuf>,
    #[serde(default)]
    storage_roots: Vec<PathBuf>,
}

/// What a recorder is started with.
#[derive(Clone, Debug)]
pub struct Config {
    /// Data folder.
    pub data: PathBuf,
    /// Where to listen; port 0 picks a free one.
    pub listen: SocketAddr,
    /// Demonstration cameras to offer.
    pub demo_cameras: Option<PathBuf>,
    /// Where secrets are kept.
    pub secrets: Preference,
    /// The child program, when it is not beside this one.
    pub gst: Option<PathBuf>,
    /// Folders below which footage may be kept, beside the data folder.
    pub storage_roots: Vec<PathBuf>,
}

/// Arguments of the desktop window.
#[derive(Parser, Debug)]
#[command(name = "oriel", version, about = "Camera viewer and recorder")]
struct Desktop {
    #[command(flatten)]
    given: Given,
}

fn read(path: &Path) -> Result<FileConfig, ConfigError> {
    let text = std::fs::read_to_string(path).map_err(|source| ConfigError::File {
        path: path.to_owned(),
        source,
    })?;
    let wrong = |reason: String| ConfigError::Content {
        path: path.to_owned(),
        reason,
    };
    let mut file: FileConfig = toml::from_str(&text).map_err(|e| wrong(e.to_string()))?;
    // Paths in a file are meant from where the file is.
    let base = path.parent().unwrap_or(Path::new(""));
    let paths = [&mut file.data, &mut file.demo_cameras, &mut file.gst];
    for path in paths.into_iter().flatten().chain(&mut file.storage_roots) {
        *path = base.join(&*path);
    }
    Ok(file)
}

impl Config {
    /// The configuration of the desktop window, from this process's arguments and environment.
    /// Listens on a free port unless told otherwise. Ends the process for `--help`,
    /// `--version` and wrong arguments.
    pub fn from_args_and_env() -> Result<Self, ConfigError> {
        Self::resolve(Desktop::parse().given, 0)
    }

    /// The configuration of a headless recorder.
    pub fn headless(given: Given) -> Result<Self, ConfigError> {
        Self::resolve(given, DEFAULT_PORT)
    }

    fn resolve(given: Given, port: u16) -> Result<Self, ConfigError> {
        let file = match &given.config {
            Some(path) => read(path)?,
            None => FileConfig::default(),
        };
        let secrets = match (given.secrets, file.secrets) {
            (Some(preference), _) => preference,
            (None, None) => Preference::Auto,
            (None, Some(text)) => text.parse().map_err(|reason| ConfigError::Content {
                path: given.config.clone().unwrap_or_default(),
                reason,
            })?,
        };
        let data = match given.data.or(file.data) {
            Some(data) => data,
            None => default_data_dir()?,
        };
        Ok(Self {
            data,
            listen: given
                .listen
                .or(file.listen)
                .unwrap_or_else(|| (Ipv4Addr::LOCALHOST, port).into()),
            demo_cameras: given.demo_cameras.or(file.demo_cameras),
            secrets,
            gst: given.gst.or(file.gst),
            storage_roots: if given.storage_roots.is_empty() {
                file.storage_roots
            } else {
                given.storage_roots
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_over_file_over_defaults() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("oriel.toml");
        std::fs::write(
            &path,
            "data = \"footage\"\nlisten = \"127.0.0.1:9000\"\nsecrets = \"file\"\n",
        )
        .unwrap();
        let given = Given {
            config: Some(path.clone()),
            ..Given::default()
        };
        let config = Config::headless(given.clone()).unwrap();
        assert_eq!(config.data, folder.path().join("footage"));
        assert_eq!(config.listen.port(), 9000);
        assert_eq!(config.secrets, Preference::File);
        let flags = Given {
            data: Some("/elsewhere".into()),
            listen: Some("127.0.0.1:1".parse().unwrap()),
            ..given
        };
        let config = Config::headless(flags).unwrap();
        assert_eq!(config.data, Path::new("/elsewhere"));
        assert_eq!(config.listen.port(), 1);
        let bare = Given {
            data: Some("d".into()),
            ..Given::default()
        };
        assert_eq!(
            Config::headless(bare.clone()).unwrap().listen.port(),
            DEFAULT_PORT
        );
        for wrong in [
            "unknown = 1",
            "listen = \"nonsense\"",
            "secrets = \"memory\"",
            "= =",
        ] {
            std::fs::write(&path, wrong).unwrap();
            let given = Given {
                config: Some(path.clone()),
                ..bare.clone()
            };
            assert!(Config::headless(given).is_err(), "{wrong}");
        }
    }
}
