//! `orield token` and `orield link`.

use std::{process::ExitCode, time::Duration};

use anyhow::{Context, bail};
use oriel_api::Secret;
use orield::{Config, DataDir, RunFile};

use crate::command::{Folder, say};

const DEADLINE: Duration = Duration::from_secs(10);

async fn owner_token(config: &Config) -> anyhow::Result<Secret> {
    let (data, preference) = (config.data.clone(), config.secrets);
    tokio::task::spawn_blocking(move || {
        let secrets = oriel_secrets::open(&data, preference)?;
        Ok(oriel_nvr::auth::owner_token(&*secrets)?)
    })
    .await?
}

/// Prints the owner's token; made now when the recorder never ran.
pub(crate) async fn token(folder: Folder) -> anyhow::Result<ExitCode> {
    let token = owner_token(&folder.resolve()?).await?;
    say(token.expose());
    Ok(ExitCode::SUCCESS)
}

/// Asks the running recorder for a link.
pub(crate) async fn link(folder: Folder) -> anyhow::Result<ExitCode> {
    let config = folder.resolve()?;
    // A file that a crash left behind names a port that may be anybody's by now.
    let run = DataDir::is_taken(&config.data)
        .then(|| RunFile::read(&config.data))
        .flatten();
    let Some(run) = run else {
        bail!(
            "Oriel does not run on {}. Start it with `orield serve`.",
            config.data.display()
        );
    };
    let token = owner_token(&config).await?;
    let url = tokio::task::spawn_blocking(move || ask(&run.base_url, &token)).await??;
    say(format_args!("Open {url}"));
    Ok(ExitCode::SUCCESS)
}

fn ask(base: &str, token: &Secret) -> anyhow::Result<String> {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_global(Some(DEADLINE))
        // A proxy of the environment has no business with this computer's own address.
        .proxy(None)
        .build()
        .into();
    let mut answer = agent
        .post(format!("{base}/api/session/link"))
        .header("Authorization", format!("Bearer {}", token.expose()))
        .send_empty()
        .with_context(|| format!("The recorder at {base} does not answer as it should."))?;
    let body: serde_json::Value = answer.body_mut().read_json()?;
    let path = body["url"].as_str().context("The recorder gave no link.")?;
    Ok(format!("{base}{path}"))
}
