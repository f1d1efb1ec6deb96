//! What the owner sets for storage: reading what is kept, checking what is given.
//!
//! Access keys never get in here; they live in the secret store alone.

use oriel_api::{
    BucketAddressing, BucketCredentials, Destination, Error, Result, Secret, StorageSettings,
    StorageUpdate, UploadWindow,
};
use oriel_bucket::{Addressing, CredentialSource, KeyPrefix, S3Settings};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::Url;

/// The access key of the bucket, as the secret store keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Keys {
    pub(crate) id: Secret,
    pub(crate) secret: Secret,
}

/// What a change does to the kept access key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum KeysChange {
    Stay,
    Forget,
    Replace(Keys),
}

#[derive(Serialize, Deserialize)]
struct KeysText {
    key_id: String,
    secret: String,
}

impl Keys {
    /// As text for the secret store.
    pub(crate) fn text(&self) -> Secret {
        let text = KeysText {
            key_id: self.id.expose().to_owned(),
            secret: self.secret.expose().to_owned(),
        };
        Secret::new(serde_json::to_string(&text).unwrap_or_default())
    }

    /// Reads what [`Keys::text`] wrote.
    pub(crate) fn from_text(text: &Secret) -> Option<Self> {
        let text: KeysText = serde_json::from_str(text.expose()).ok()?;
        Some(Self {
            id: Secret::new(text.key_id),
            secret: Secret::new(text.secret),
        })
    }
}

/// Settings as text for the database.
pub(crate) fn to_text(settings: &StorageSettings) -> Result<String> {
    let mut value = serde_json::to_value(settings).map_err(Error::internal)?;
    if let Value::Object(fields) = &mut value {
        // The secret store knows.
        fields.remove("has_keys");
    }
    Ok(value.to_string())
}

/// Reads settings of this or another version: what is missing or cannot be read has its default.
pub(crate) fn from_text(text: &str) -> StorageSettings {
    let mut settings = StorageSettings::default();
    let Ok(Value::Object(kept)) = serde_json::from_str(text) else {
        return settings;
    };
    for (name, value) in kept {
        let Ok(Value::Object(mut all)) = serde_json::to_value(&settings) else {
            break;
        };
        all.insert(name, value);
        if let Ok(taken) = serde_json::from_value(Value::Object(all)) {
            settings = taken;
        }
    }
    settings
}

fn refuse<T>(text: &str) -> Result<T> {
    Err(Error::invalid(text))
}

/// Empty text takes a setting away.
fn optional(given: String) -> Option<String> {
    let given = given.trim();
    (!given.is_empty()).then(|| given.to_owned())
}

fn amount(range: std::ops::RangeInclusive<u32>, given: u32, what: &str) -> Result<Option<u32>> {
    match given {
        0 => Ok(None),
        n if range.contains(&n) => Ok(Some(n)),
        _ => Err(Error::invalid(format!(
            "{what}: {} to {}, or 0.",
            range.start(),
            range.end()
        ))),
    }
}

fn minute(text: &str) -> Result<u16> {
    let wrong = || Error::invalid("The hours of uploads are written like 22:30.");
    let (hours, minutes) = text.split_once(':').ok_or_else(wrong)?;
    let number = |text: &str, below: u16| {
        let plain = text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit());
        let number = text.parse::<u16>().ok().filter(|n| plain && *n < below);
        number.ok_or_else(wrong)
    };
    Ok(number(hours, 24)? * 60 + number(minutes, 60)?)
}

fn window(given: UploadWindow) -> Result<Option<UploadWindow>> {
    let (from, to) = (minute(&given.from)?, minute(&given.to)?);
    Ok((from != to).then_some(given))
}

/// An address of a service: a host and a port.
fn endpoint(text: &str) -> Result<Url> {
    let url = match Url::parse(text) {
        Ok(url) if text.len() <= 300 => url,
        _ => return refuse("The storage's address is written like https://s3.example.com:9000."),
    };
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return refuse("The storage's address begins with http:// or https://.");
    }
    // A password in an address would be shown wherever the address is.
    let bare = url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none()
        && matches!(url.path(), "" | "/");
    if !bare {
        return refuse("The storage's address is only a host and a port.");
    }
    Ok(url)
}

fn prefix(text: &str) -> Result<String> {
    let prefix = KeyPrefix::parse(text).map_err(|_| {
        Error::invalid("A prefix has letters, digits, '.', '_' and '-' between single slashes.")
    })?;
    Ok(prefix.as_str().trim_end_matches('/').to_owned())
}

fn queue(text: &str) -> Result<()> {
    let url = Url::parse(text).ok().filter(|u| {
        text.len() <= 500
            && matches!(u.scheme(), "http" | "https")
            && u.host_str().is_some()
            && u.username().is_empty()
            && u.password().is_none()
            && u.query().is_none()
            && u.fragment().is_none()
            && u.path().len() > 1
    });
    match url {
        Some(_) => Ok(()),
        None => refuse(
            "The queue's address is written like https://sqs.eu-central-1.amazonaws.com/123456789012/footage.",
        ),
    }
}

fn profile(text: &str) -> Result<()> {
    if text.len() <= 128 && !text.chars().any(char::is_control) {
        Ok(())
    } else {
        refuse("The name of a profile has 128 characters at most.")
    }
}

/// What happens to the access key. Half a key is none.
fn keys(id: Option<Secret>, secret: Option<Secret>) -> Result<KeysChange> {
    let trimmed = |s: &Secret| s.expose().trim().to_owned();
    match (id.as_ref().map(trimmed), secret.as_ref().map(trimmed)) {
        (None, None) => Ok(KeysChange::Stay),
        (Some(id), Some(secret)) if id.is_empty() && secret.is_empty() => Ok(KeysChange::Forget),
        (Some(id), Some(secret)) if !id.is_empty() && !secret.is_empty() => {
            let printable = |t: &str| t.bytes().all(|b| b.is_ascii_graphic());
            if id.len() > 200 || secret.len() > 500 || !printable(&id) || !printable(&secret) {
                return refuse(
                    "An access key has letters, digits and signs without spaces, 200 for its id and 500 for its secret at most.",
                );
            }
            Ok(KeysChange::Replace(Keys {
                id: Secret::new(id),
                secret: Secret::new(secret),
            }))
        }
        _ => refuse("Enter both parts of the access key: its id and its secret."),
    }
}

/// Settings with a change, and what it does to the access key. What lies on disk is not looked
/// at here.
pub(crate) fn overlaid(
    mut settings: StorageSettings,
    change: StorageUpdate,
) -> Result<(StorageSettings, KeysChange)> {
    if let Some(destination) = change.destination {
        settings.destination = destination;
    }
    if let Some(text) = change.endpoint {
        settings.endpoint = optional(text);
    }
    if let Some(text) = change.region {
        settings.region = optional(text).unwrap_or_else(|| StorageSettings::default().region);
    }
    if let Some(text) = change.bucket {
        settings.bucket = text.trim().to_owned();
    }
    if let Some(text) = change.prefix {
        settings.prefix = prefix(text.trim())?;
    }
    if let Some(text) = change.produced_bucket {
        settings.produced_bucket = optional(text);
    }
    if let Some(text) = change.produced_prefix {
        settings.produced_prefix = optional(text).map(|t| prefix(&t)).transpose()?;
    }
    if let Some(addressing) = change.addressing {
        settings.addressing = addressing;
    }
    if let Some(credentials) = change.credentials {
        settings.credentials = credentials;
    }
    if let Some(text) = change.profile {
        settings.profile = optional(text);
    }
    if let Some(text) = change.folder {
        settings.folder = optional(text);
    }
    if let Some(direct) = change.direct {
        settings.direct = direct;
    }
    match change.uploads_at_once {
        None => {}
        Some(n @ 1..=16) => settings.uploads_at_once = n,
        Some(_) => return refuse("Uploads at a time: 1 to 16."),
    }
    if let Some(n) = change.bandwidth_kbps {
        settings.bandwidth_kbps = (n > 0).then_some(n);
    }
    if let Some(given) = change.window {
        settings.window = window(given)?;
    }
    if let Some(n) = change.keep_local_hours {
        settings.keep_local_hours = amount(1..=8760, n, "Hours for local copies")?;
    }
    if let Some(n) = change.retention_days {
        settings.retention_days = amount(1..=3650, n, "Days of footage")?;
    }
    if let Some(n) = change.bucket_days {
        settings.bucket_days = amount(1..=3650, n, "Days in the bucket")?;
    }
    if let Some(n) = change.reserve_mb {
        settings.reserve_mb = (n > 0).then_some(n);
    }
    if let Some(delete) = change.delete_unuploaded {
        settings.delete_unuploaded = delete;
    }
    if let Some(text) = change.notices_queue {
        settings.notices_queue = optional(text);
    }
    let keys = keys(change.key_id, change.secret)?;
    match keys {
        KeysChange::Stay => {}
        KeysChange::Forget => settings.has_keys = false,
        KeysChange::Replace(_) => settings.has_keys = true,
    }
    check(&settings)?;
    Ok((settings, keys))
}

fn check(settings: &StorageSettings) -> Result<()> {
    if let Some(text) = &settings.endpoint {
        endpoint(text)?;
    }
    if let Some(text) = &settings.profile {
        profile(text)?;
    }
    if let Some(text) = &settings.notices_queue {
        queue(text)?;
    }
    match settings.destination {
        Destination::None => Ok(()),
        Destination::Folder if settings.folder.is_none() => {
            refuse("Choose the folder that footage is copied to.")
        }
        Destination::Folder => Ok(()),
        Destination::S3 => {
            if settings.credentials == BucketCredentials::Keys && !settings.has_keys {
                return refuse("Enter the access key of the bucket: its id and its secret.");
            }
            // Stands in for the key, which has been looked at.
            let stand_in = Keys {
                id: Secret::new("-"),
                secret: Secret::new("-"),
            };
            let (incoming, produced) = buckets(settings, Some(&stand_in))?;
            incoming.check()?;
            Ok(produced.check()?)
        }
    }
}

/// The buckets of the settings: for what comes in, and for what is made.
pub(crate) fn buckets(
    settings: &StorageSettings,
    keys: Option<&Keys>,
) -> Result<(S3Settings, S3Settings)> {
    let credentials = match (settings.credentials, keys) {
        (BucketCredentials::Chain, _) => CredentialSource::Chain {
            profile: settings.profile.clone(),
        },
        (BucketCredentials::Keys, Some(keys)) => CredentialSource::Keys {
            key_id: keys.id.clone(),
            secret: keys.secret.clone(),
            session_token: None,
        },
        (BucketCredentials::Keys, None) => {
            return refuse("No access key is kept. Enter its id and its secret.");
        }
    };
    let in_bucket = |bucket: &str, prefix: &str| {
        Ok::<_, Error>(S3Settings {
            endpoint: settings.endpoint.as_deref().map(endpoint).transpose()?,
            region: settings.region.clone(),
            bucket: bucket.to_owned(),
            prefix: KeyPrefix::parse(prefix).map_err(|e| Error::invalid(e.to_string()))?,
            addressing: match settings.addressing {
                BucketAddressing::Path => Addressing::Path,
                BucketAddressing::VirtualHost => Addressing::VirtualHost,
            },
            credentials: credentials.clone(),
        })
    };
    let produced = settings
        .produced_bucket
        .as_deref()
        .unwrap_or(&settings.bucket);
    let produced_prefix = settings
        .produced_prefix
        .as_deref()
        .unwrap_or(&settings.prefix);
    Ok((
        in_bucket(&settings.bucket, &settings.prefix)?,
        in_bucket(produced, produced_prefix)?,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_of_another_version_keep_what_can_be_read() {
        let kept = r#"{"bucket":"footage","uploads_at_once":"many","direct":true,"new":1,
            "destination":"tape","window":{"from":"22:00","to":"06:00"}}"#;
        let settings = from_text(kept);
        assert_eq!(settings.bucket, "footage");
        assert!(settings.direct);
        assert_eq!(settings.uploads_at_once, 2);
        assert_eq!(settings.destination, Destination::None);
        assert_eq!(settings.window.as_ref().unwrap().to, "06:00");
        for rubbish in ["", "[]", "null", "7", "{"] {
            assert_eq!(from_text(rubbish), StorageSettings::default(), "{rubbish}");
        }
        let text = to_text(&settings).unwrap();
        assert_eq!(from_text(&text), settings);
    }

    #[test]
    fn hours_of_a_day() {
        let window = |from: &str, to: &str| {
            window(UploadWindow {
                from: from.into(),
                to: to.into(),
            })
        };
        assert!(window("22:30", "06:00").unwrap().is_some());
        assert!(window("00:00", "23:59").unwrap().is_some());
        assert!(window("07:00", "07:00").unwrap().is_none());
        for bad in [
            "24:00", "7:00", "07:60", "0700", "07:0", "", ":", "+7:00", "07:00:00",
        ] {
            assert!(window(bad, "06:00").is_err(), "{bad}");
            assert!(window("06:00", bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_access_key_is_read_back_and_never_shown() {
        let keys = Keys {
            id: Secret::new("AKIA"),
            secret: Secret::new("a/b+c\"=\\"),
        };
        assert_eq!(Keys::from_text(&keys.text()), Some(keys.clone()));
        assert!(!format!("{keys:?}").contains("AKIA"));
        assert_eq!(Keys::from_text(&Secret::new("rubbish")), None);
        let half = super::keys(Some(Secret::new("AKIA")), None);
        assert!(half.is_err());
    }
}
