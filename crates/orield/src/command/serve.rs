//! `orield serve`.

use std::process::ExitCode;

use orield::{Config, Given, Signals, System};
use tracing::{info, warn};

use crate::command::say;

/// Runs a recorder until it is told to stop.
pub(crate) async fn run(given: Given) -> anyhow::Result<ExitCode> {
    let config = Config::headless(given)?;
    let mut signals = Signals::listen()?;
    let system = tokio::select! {
        started = System::start(config) => started?,
        () = signals.next() => {
            info!("told to stop before it was ready");
            return Ok(ExitCode::SUCCESS);
        }
    };
    say(format_args!("Oriel is ready at {}", system.base_url()));
    say(format_args!("Open {}", system.sign_in_link()?));
    signals.next().await;
    info!("stopping; a second signal ends it now");
    tokio::select! {
        () = system.stop() => Ok(ExitCode::SUCCESS),
        () = signals.next() => {
            warn!("told twice: ending now");
            Ok(ExitCode::FAILURE)
        }
    }
}
