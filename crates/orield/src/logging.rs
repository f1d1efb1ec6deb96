//! The log: to stderr, and of a recorder to files too, filtered by `ORIEL_LOG`.

use std::io::IsTerminal;

use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt, util::SubscriberInitExt};

use crate::log_file::Lines;

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
    let terminal = std::io::stderr().is_terminal();
    let shown = fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(terminal);
    let kept = fmt::layer().with_writer(Lines).with_ansi(false);
    let begun = tracing_subscriber::registry()
        .with(filter)
        .with(shown)
        .with(kept)
        .try_init();
    if begun.is_err() {
        tracing::debug!("the log had begun before");
    }
}
