//! The log: to stderr, filtered by `ORIEL_LOG`.

use std::io::IsTerminal;

use tracing_subscriber::{EnvFilter, fmt};

/// Begins to log. Call it once, early. `default` counts when `ORIEL_LOG` says nothing: `info`
/// for a recorder, `warn` for a command that prints its answer. `ORIEL_LOG` takes `error`, `warn`, `info`, `debug` or
/// `trace`, also by module: `info,oriel_agent=debug`. What cannot be read of it is left out.
pub fn init(default: &str) {
    let filter = EnvFilter::builder().parse_lossy(
        std::env::var("ORIEL_LOG")
            .ok()
            .filter(|v| !v.is_empty())
            .as_deref()
            .unwrap_or(default),
    );
    let begun = fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .try_init();
    if begun.is_err() {
        tracing::debug!("the log had begun before");
    }
}
