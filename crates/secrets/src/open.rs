//! Which store a data folder uses, decided once.

use std::{
    path::{Path, PathBuf},
    str::FromStr,
    sync::Arc,
};

use serde::{Deserialize, Serialize};
use tracing::info;

use crate::{
    MemoryStore, Place, Result, SecretError, SecretStore, keyring::Keyring, private,
    sealed::SealedFile, split::Split,
};

/// Environment variable that names a passphrase file kept outside the data folder, such as a
/// systemd credential or a container secret. Must be set at the first start and stay.
pub const PASSPHRASE_FILE_VARIABLE: &str = "ORIEL_SECRETS_PASSPHRASE_FILE";

/// Which store is wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Preference {
    /// The keyring when it proves usable at the first start, the encrypted file otherwise.
    #[default]
    Auto,
    /// The keyring or nothing.
    Keyring,
    /// The encrypted file.
    File,
    /// Memory: tests only.
    Memory,
}

impl FromStr for Preference {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "keyring" => Ok(Self::Keyring),
            "file" => Ok(Self::File),
            _ => Err("Secrets are kept in one of: auto, keyring, file.".into()),
        }
    }
}

/// `secrets.json`: where the secrets of this folder are.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Marker {
    place: Place,
    /// Keeps the entries of two data folders in one keyring apart.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    instance: String,
}

struct Paths {
    marker: PathBuf,
    sealed: PathBuf,
    passphrase: PathBuf,
    own_passphrase: bool,
}

impl Paths {
    fn of(folder: &Path) -> Self {
        let elsewhere = std::env::var_os(PASSPHRASE_FILE_VARIABLE).filter(|v| !v.is_empty());
        Self {
            marker: folder.join("secrets.json"),
            sealed: folder.join("secrets.sealed"),
            own_passphrase: elsewhere.is_none(),
            passphrase: elsewhere.map_or_else(|| folder.join("secrets.passphrase"), PathBuf::from),
        }
    }

    fn remember(&self, marker: &Marker) -> Result<()> {
        let text = serde_json::to_vec_pretty(marker).map_err(|e| SecretError::File {
            path: self.marker.clone(),
            source: e.into(),
        })?;
        private::replace(&self.marker, &text)
    }

    fn remembered(&self) -> Result<Option<Marker>> {
        let Some(bytes) = private::read(&self.marker, 4096)? else {
            return Ok(None);
        };
        serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|_| SecretError::Damaged {
                path: self.marker.clone(),
                reason: "it does not say where the passwords are.",
            })
    }
}

/// Opens the store of a data folder; the first time, chooses one and remembers it. Blocks: up
/// to 5 s at the first start. A keyring that is locked later is no error here but at each call.
pub fn open(folder: &Path, preference: Preference) -> Result<Arc<dyn SecretStore>> {
    if preference == Preference::Memory {
        return Ok(Arc::new(MemoryStore::default()));
    }
    private::create_folder(folder)?;
    let paths = Paths::of(folder);
    let store = match paths.remembered()? {
        Some(marker) => reopen(&paths, &marker, preference)?,
        None => choose(&paths, preference)?,
    };
    info!(place = ?store.place(), "secrets");
    Ok(store)
}

fn reopen(paths: &Paths, marker: &Marker, preference: Preference) -> Result<Arc<dyn SecretStore>> {
    const KEYRING: &str = "system keyring";
    const FILE: &str = "encrypted file";
    let other = |kept, asked| SecretError::OtherPlace {
        kept,
        asked,
        marker: paths.marker.clone(),
    };
    match (marker.place, preference) {
        (Place::Keyring, Preference::File) => Err(other(KEYRING, FILE)),
        (Place::EncryptedFile, Preference::Keyring) => Err(other(FILE, KEYRING)),
        (Place::Keyring, _) => {
            // Not asked yet: it may be locked, and what needs it says so and tries again.
            split(paths, Keyring::new(&marker.instance))
        }
        (Place::EncryptedFile, _) => Ok(Arc::new(SealedFile::open(
            &paths.sealed,
            &paths.passphrase,
        )?)),
        (Place::Memory, _) => Err(SecretError::Damaged {
            path: paths.marker.clone(),
            reason: "it does not say where the passwords are.",
        }),
    }
}

fn choose(paths: &Paths, preference: Preference) -> Result<Arc<dyn SecretStore>> {
    let sealed_exists = paths.sealed.exists();
    if !sealed_exists && preference != Preference::File {
        match first_keyring(paths) {
            Ok(keyring) => return Ok(keyring),
            Err(SecretError::KeyringUnusable { reason }) => {
                if preference == Preference::Keyring {
                    return Err(SecretError::NoKeyring { reason });
                }
                info!(%reason, "no usable keyring; secrets go to the encrypted file");
            }
            Err(other) => return Err(other),
        }
    }
    // A sealed file without a marker: the first start was cut off between the two.
    let store = if sealed_exists {
        SealedFile::open(&paths.sealed, &paths.passphrase)?
    } else {
        SealedFile::create(&paths.sealed, &paths.passphrase, paths.own_passphrase)?
    };
    paths.remember(&Marker {
        place: Place::EncryptedFile,
        instance: String::new(),
    })?;
    Ok(Arc::new(store))
}

fn first_keyring(paths: &Paths) -> Result<Arc<dyn SecretStore>> {
    let mut bytes = [0u8; 8];
    getrandom::fill(&mut bytes).map_err(|_| SecretError::NoRandomness)?;
    let instance = format!("{:016x}", u64::from_be_bytes(bytes));
    let keyring = Keyring::new(&instance);
    keyring.prove()?;
    paths.remember(&Marker {
        place: Place::Keyring,
        instance,
    })?;
    split(paths, keyring)
}

/// The keyring with the file beside it, which is made when there is none.
fn split(paths: &Paths, keyring: Keyring) -> Result<Arc<dyn SecretStore>> {
    let file = if paths.sealed.exists() {
        SealedFile::open(&paths.sealed, &paths.passphrase)?
    } else {
        SealedFile::create(&paths.sealed, &paths.passphrase, paths.own_passphrase)?
    };
    Ok(Arc::new(Split { keyring, file }))
}
