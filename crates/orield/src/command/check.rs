//! `orield check`: compares what is on disk with the database, and mends.

use std::{process::ExitCode, sync::Arc};

use anyhow::bail;
use clap::Args;
use oriel_nvr::{Nvr, NvrOptions};
use oriel_secrets::MemoryStore;
use oriel_store::Store;
use oriel_worker::{Worker, WorkerOptions};
use orield::{DataDir, VERSION};

use crate::command::{Folder, rebuild, say};

#[derive(Args, Debug)]
pub(crate) struct Options {
    /// Mend what can be mended. The recorder must not run
    #[arg(long)]
    repair: bool,
    #[command(flatten)]
    rebuild: rebuild::Options,
    #[command(flatten)]
    folder: Folder,
}

/// Reports, and with `--repair` mends. A database that was made again takes in the files of this
/// disk as well.
pub(crate) async fn run(options: Options) -> anyhow::Result<ExitCode> {
    let config = options.folder.clone().resolve()?;
    let data = &config.data;
    let rebuild = options.rebuild.rebuild_from_bucket;
    let repair = options.repair || rebuild;
    if !rebuild && !DataDir::database(data).is_file() {
        bail!("There is no recorder's database in {}.", data.display());
    }
    // Held until the end, so that no recorder starts in the middle.
    let _taken = if repair {
        Some(DataDir::take(data)?)
    } else {
        None
    };
    let mut problems = Vec::new();
    let store = Store::open(DataDir::database(data)).await?;
    problems.extend(oriel_nvr::check::damage(&store).await?);

    let (folder, preference) = (data.clone(), config.secrets);
    let secrets = tokio::task::spawn_blocking(move || oriel_secrets::open(&folder, preference));
    let secrets = match secrets.await? {
        Ok(secrets) => Some(secrets),
        Err(error) => {
            problems.push(error.to_string());
            None
        }
    };
    if rebuild {
        rebuild::run(&options.rebuild, &config, &store, secrets).await?;
    }

    // Footage needs no passwords, so it is checked even when they cannot be read.
    let nvr = Nvr::new(
        NvrOptions {
            data_dir: data.clone(),
            ..NvrOptions::default()
        },
        store.clone(),
        Arc::new(MemoryStore::default()),
    )
    .await?;
    let (recordings, moving_from) = nvr.recordings_folders().await?;
    let spool = WorkerOptions {
        moving_from,
        ..WorkerOptions::new(recordings)
    };
    let worker = Worker::new(spool, nvr);
    let report = worker.recover(repair).await?;
    say(format_args!("Oriel {VERSION}, {}", data.display()));
    let counts = [
        ("files left open by a crash", report.adopted),
        ("bytes without worth", report.cut_bytes),
        ("files without a row", report.rows_added),
        ("rows without a file", report.missing),
        ("foreign files, left alone", report.foreign),
        ("errors", report.errors),
    ];
    for (what, count) in counts {
        say(format_args!("{count:>10} {what}"));
    }
    for line in report.notes.iter().chain(&problems) {
        say(format_args!("           {line}"));
    }
    store.close().await;
    let mended = repair && report.errors == 0;
    let well = problems.is_empty() && (report.is_clean() || mended);
    say(match (well, repair) {
        (true, true) if !report.is_clean() => "Mended.",
        (true, _) => "All is well.",
        (false, true) => "Not everything could be mended.",
        (false, false) => "There are problems. `orield check --repair` mends what can be mended.",
    });
    Ok(if well {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
