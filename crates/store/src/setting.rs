//! Table `setting`: the recorder's settings, one row each.

use oriel_api::Settings;
use rusqlite::{Connection, OptionalExtension};

use crate::{Result, Store};

fn number(connection: &Connection, key: &str, default: u32) -> Result<u32> {
    let text: Option<String> = connection
        .prepare_cached("SELECT value FROM setting WHERE key = ?1")?
        .query_row([key], |r| r.get(0))
        .optional()?;
    // A value this version cannot read counts as not set.
    Ok(text.and_then(|t| t.parse().ok()).unwrap_or(default))
}

impl Store {
    /// The settings; what was never set has its default.
    pub async fn settings(&self) -> Result<Settings> {
        self.read(|c| {
            let default = Settings::default();
            Ok(Settings {
                segment_seconds: number(c, "segment_seconds", default.segment_seconds)?,
                sync_seconds: number(c, "sync_seconds", default.sync_seconds)?,
                watchdog_seconds: number(c, "watchdog_seconds", default.watchdog_seconds)?,
            })
        })
        .await
    }

    /// Replaces the settings.
    pub async fn settings_set(&self, settings: Settings) -> Result<()> {
        self.write(move |c| {
            let mut statement = c.prepare_cached(
                "INSERT INTO setting (key, value) VALUES (?1, ?2)
                 ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            )?;
            for (key, value) in [
                ("segment_seconds", settings.segment_seconds),
                ("sync_seconds", settings.sync_seconds),
                ("watchdog_seconds", settings.watchdog_seconds),
            ] {
                statement.execute((key, value.to_string()))?;
            }
            Ok(())
        })
        .await
    }
}

impl Store {
    /// One setting as JSON text, for settings that a role reads itself.
    pub async fn setting(&self, key: &'static str) -> Result<Option<String>> {
        self.read(move |c| {
            Ok(
                c.prepare_cached("SELECT value FROM setting WHERE key = ?1")?
                    .query_row([key], |r| r.get(0))
                    .optional()?,
            )
        })
        .await
    }

    /// Keeps one setting.
    pub async fn setting_set(&self, key: &'static str, value: String) -> Result<()> {
        self.write(move |c| {
            c.prepare_cached(
                "INSERT INTO setting (key, value) VALUES (?1, ?2)
                 ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            )?
            .execute((key, value))?;
            Ok(())
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use oriel_api::Settings;

    use crate::tests::Temporary;

    #[tokio::test]
    async fn defaults_until_set_and_kept_after() {
        let t = Temporary::new().await;
        assert_eq!(t.store.settings().await.unwrap(), Settings::default());
        let other = Settings {
            segment_seconds: 60,
            sync_seconds: 2,
            watchdog_seconds: 9,
        };
        t.store.settings_set(other.clone()).await.unwrap();
        let t = t.reopened().await;
        assert_eq!(t.store.settings().await.unwrap(), other);
    }
}
