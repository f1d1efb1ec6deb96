//! Puts the roles together and takes them apart: the recorder as one value, [`System`], used by
//! the headless program `orield` and by the desktop window.
//!
//! What does not belong here: anything a role does by itself.

mod config;
mod data_dir;
mod demo;
mod log_file;
pub mod logging;
pub mod rebuild;
mod run_file;
mod signals;
mod system;

pub use config::{Config, ConfigError, Given};
pub use data_dir::{DataDir, DataDirError, default_data_dir};
pub use run_file::RunFile;
pub use signals::Signals;
pub use system::{StartError, System};

/// Version of the program.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
