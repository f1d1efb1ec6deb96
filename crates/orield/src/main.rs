//! `orield`: the recorder without a window, and the commands beside it.

mod arenas;
mod command;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use orield::{Given, logging};

/// Camera viewer and recorder, without a window
#[derive(Parser)]
#[command(name = "orield", version, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Record, and serve the page
    Serve(Given),
    /// Print the owner's bearer token, for scripts
    Token(command::Folder),
    /// Print a link that signs a browser in, once, within ten minutes
    Link(command::Folder),
    /// Show what is at an address. User and password: ORIEL_USERNAME and ORIEL_PASSWORD, or --credentials-stdin
    Probe(command::probe::Options),
    /// Compare recordings on disk with the database. Ends with 0 when all is well, 1 otherwise
    Check(command::check::Options),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if matches!(arguments.command, Command::Serve(_)) {
        arenas::limit();
    }
    logging::init(match arguments.command {
        Command::Serve(_) => "info",
        _ => "warn",
    });
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("Oriel could not start: {error}");
            return ExitCode::FAILURE;
        }
    };
    let ended = runtime.block_on(async {
        match arguments.command {
            Command::Serve(given) => command::serve::run(given).await,
            Command::Token(folder) => command::ask::token(folder).await,
            Command::Link(folder) => command::ask::link(folder).await,
            Command::Probe(options) => command::probe::run(options).await,
            Command::Check(options) => command::check::run(options).await,
        }
    });
    // A call that hangs in the system (a keyring, a dead disk) must not hold the exit.
    runtime.shutdown_timeout(std::time::Duration::from_millis(200));
    match ended {
        Ok(code) => code,
        Err(error) => {
            eprintln!("{error:#}");
            if error.is::<orield::ConfigError>() {
                ExitCode::from(2)
            } else {
                ExitCode::FAILURE
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_flags_of_every_command_are_sound() {
        super::Arguments::command().debug_assert();
    }
}
