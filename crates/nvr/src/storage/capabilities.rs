//! What destinations were seen to do when they were last tested. It counts for that destination
//! only: another bucket begins with nothing. One that is tested before it is saved is known then.

use oriel_api::{BucketAddressing, Result, StorageSettings};
use oriel_bucket::Capabilities;
use oriel_store::Store;
use serde::{Deserialize, Serialize};

const KEY: &str = "storage_capabilities";
/// So many destinations are remembered; the one in use is tested last or is among them.
const MOST: usize = 8;

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

/// What is known, the latest first. Earlier versions kept one.
async fn all(store: &Store) -> Result<Vec<Kept>> {
    let text = store.setting(KEY).await?.unwrap_or_default();
    let one = || serde_json::from_str(&text).map(|kept| vec![kept]);
    Ok(serde_json::from_str(&text)
        .or_else(|_| one())
        .unwrap_or_default())
}

/// Keeps what a test of these settings found. What is in use stays known.
pub(super) async fn remember(
    store: &Store,
    tested: &StorageSettings,
    in_use: &StorageSettings,
    found: Capabilities,
) -> Result<()> {
    let (of, in_use) = (Of::settings(tested), Of::settings(in_use));
    let mut kept = all(store).await?;
    kept.retain(|k| k.of != of);
    kept.insert(
        0,
        Kept {
            of,
            copy: found.copy,
            part_copy: found.part_copy,
            range: found.range,
            if_none_match: found.if_none_match,
            multipart: found.multipart,
        },
    );
    if let Some(at) = kept.iter().position(|k| k.of == in_use) {
        let first = kept.remove(at);
        kept.insert(0, first);
    }
    kept.truncate(MOST);
    let text = serde_json::to_string(&kept).map_err(oriel_api::Error::internal)?;
    Ok(store.setting_set(KEY, text).await?)
}

/// What the last test of this destination found; nothing when there was none.
pub(super) async fn remembered(store: &Store, settings: &StorageSettings) -> Result<Capabilities> {
    let of = Of::settings(settings);
    let kept = all(store).await?.into_iter().find(|k| k.of == of);
    Ok(
        kept.map_or_else(Capabilities::default, |kept| Capabilities {
            copy: kept.copy,
            part_copy: kept.part_copy,
            range: kept.range,
            if_none_match: kept.if_none_match,
            multipart: kept.multipart,
        }),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bucket(name: &str) -> StorageSettings {
        StorageSettings {
            bucket: name.into(),
            ..StorageSettings::default()
        }
    }

    #[tokio::test]
    async fn what_was_tested_before_it_was_saved_is_known_and_what_is_in_use_is_not_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path().join("oriel.db")).await.unwrap();
        let able = Capabilities {
            multipart: true,
            ..Capabilities::default()
        };
        let in_use = bucket("used");
        remember(&store, &in_use, &in_use, able).await.unwrap();
        for n in 0..20 {
            let tried = bucket(&format!("tried-{n}"));
            remember(&store, &tried, &in_use, able).await.unwrap();
            assert_eq!(remembered(&store, &tried).await.unwrap(), able);
        }
        assert_eq!(remembered(&store, &in_use).await.unwrap(), able);
        let none = Capabilities::default();
        assert_eq!(remembered(&store, &bucket("tried-0")).await.unwrap(), none);
        // As an earlier version wrote it.
        let kept = all(&store).await.unwrap().remove(0);
        let text = serde_json::to_string(&kept).unwrap();
        store.setting_set(KEY, text).await.unwrap();
        assert_eq!(remembered(&store, &in_use).await.unwrap(), able);
    }
}
