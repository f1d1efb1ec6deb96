//! What the destination was seen to do when it was last tested. It counts for that destination
//! only: another bucket begins with nothing.

use oriel_api::{BucketAddressing, Result, StorageSettings};
use oriel_bucket::Capabilities;
use oriel_store::Store;
use serde::{Deserialize, Serialize};

const KEY: &str = "storage_capabilities";

/// Which destination was tested.
#[derive(PartialEq, Serialize, Deserialize)]
struct Of {
    endpoint: Option<String>,
    region: String,
    bucket: String,
    prefix: String,
    produced_bucket: Option<String>,
    produced_prefix: Option<String>,
    addressing: BucketAddressing,
}

impl Of {
    fn settings(settings: &StorageSettings) -> Self {
        Self {
            endpoint: settings.endpoint.clone(),
            region: settings.region.clone(),
            bucket: settings.bucket.clone(),
            prefix: settings.prefix.clone(),
            produced_bucket: settings.produced_bucket.clone(),
            produced_prefix: settings.produced_prefix.clone(),
            addressing: settings.addressing,
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Kept {
    of: Of,
    #[serde(default)]
    copy: bool,
    #[serde(default)]
    part_copy: bool,
    #[serde(default)]
    range: bool,
    #[serde(default)]
    if_none_match: bool,
    #[serde(default)]
    multipart: bool,
}

/// Keeps what a test of these settings found.
pub(super) async fn remember(
    store: &Store,
    settings: &StorageSettings,
    found: Capabilities,
) -> Result<()> {
    let kept = Kept {
        of: Of::settings(settings),
        copy: found.copy,
        part_copy: found.part_copy,
        range: found.range,
        if_none_match: found.if_none_match,
        multipart: found.multipart,
    };
    let text = serde_json::to_string(&kept).map_err(oriel_api::Error::internal)?;
    Ok(store.setting_set(KEY, text).await?)
}

/// What the last test of this destination found; nothing when there was none.
pub(super) async fn remembered(store: &Store, settings: &StorageSettings) -> Result<Capabilities> {
    let text = store.setting(KEY).await?;
    let kept = text.and_then(|t| serde_json::from_str::<Kept>(&t).ok());
    Ok(match kept.filter(|k| k.of == Of::settings(settings)) {
        None => Capabilities::default(),
        Some(kept) => Capabilities {
            copy: kept.copy,
            part_copy: kept.part_copy,
            range: kept.range,
            if_none_match: kept.if_none_match,
            multipart: kept.multipart,
        },
    })
}
