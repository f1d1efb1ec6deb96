//! The encrypted file, for machines without a usable keyring.
//!
//! `secrets.sealed` holds every secret as JSON, sealed with XChaCha20-Poly1305 under a key that
//! Argon2id derives from a passphrase. The passphrase is 32 random bytes made at the first
//! start and kept in `secrets.passphrase` beside it, both readable by this user alone. So it
//! protects a copy of the sealed file alone (a backup, a synced folder, a database shipped for
//! support); it does not protect against somebody who can read the whole data folder. Whoever
//! wants that names a passphrase file kept elsewhere (see [`crate::PASSPHRASE_FILE_VARIABLE`]).

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use argon2::{Algorithm, Argon2, Params, Version};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use oriel_api::Secret;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::{Place, Result, SecretError, SecretStore, check_key, check_value, private};

const FORMAT: &str = "oriel-secrets-1";
/// A thousand cameras with the longest credentials stay below this.
const LARGEST: u64 = 4 << 20;
/// OWASP's second choice for Argon2id: 19 MiB, two passes, one lane.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope {
    format: String,
    memory_kib: u32,
    passes: u32,
    salt: String,
    nonce: String,
    sealed: String,
}

type Key = Zeroizing<[u8; 32]>;

/// A sealed file that is read at every call, so that it never disagrees with the disk.
pub(crate) struct SealedFile {
    path: PathBuf,
    key: Key,
    salt: [u8; 16],
    memory_kib: u32,
    passes: u32,
}

fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| SecretError::NoRandomness)?;
    Ok(bytes)
}

fn derive(passphrase: &[u8], salt: &[u8], memory_kib: u32, passes: u32) -> Option<Key> {
    let params = Params::new(memory_kib, passes, 1, Some(32)).ok()?;
    let mut key = Key::default();
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(passphrase, salt, key.as_mut())
        .ok()?;
    Some(key)
}

/// The passphrase in a file, made there when `make` and there is none.
fn passphrase(path: &Path, make: bool) -> Result<Zeroizing<Vec<u8>>> {
    let damaged = |reason| SecretError::Damaged {
        path: path.to_owned(),
        reason,
    };
    let text = match private::read(path, 4096)? {
        Some(bytes) => Zeroizing::new(bytes),
        None if make => {
            let made = Zeroizing::new(BASE64.encode(*Zeroizing::new(random::<32>()?)));
            private::replace(path, made.as_bytes())?;
            Zeroizing::new(made.as_bytes().to_vec())
        }
        None => {
            return Err(SecretError::Missing {
                path: path.to_owned(),
            });
        }
    };
    // Editors and `echo` leave a line end that nobody means.
    let trimmed = Zeroizing::new(text.trim_ascii_end().to_vec());
    if trimmed.is_empty() {
        return Err(damaged("it is empty."));
    }
    Ok(trimmed)
}

impl SealedFile {
    /// Makes an empty store. The passphrase file is made too, unless somebody else keeps it.
    pub(crate) fn create(
        path: &Path,
        passphrase_file: &Path,
        own_passphrase: bool,
    ) -> Result<Self> {
        let passphrase = passphrase(passphrase_file, own_passphrase)?;
        let salt = random()?;
        let key =
            derive(&passphrase, &salt, MEMORY_KIB, PASSES).ok_or(SecretError::NoRandomness)?;
        let store = Self {
            path: path.to_owned(),
            key,
            salt,
            memory_kib: MEMORY_KIB,
            passes: PASSES,
        };
        store.write(&BTreeMap::new())?;
        Ok(store)
    }

    /// Opens a store that exists, and reads it once so that damage is found now.
    pub(crate) fn open(path: &Path, passphrase_file: &Path) -> Result<Self> {
        let envelope = read_envelope(path)?;
        let damaged = |reason| SecretError::Damaged {
            path: path.to_owned(),
            reason,
        };
        let salt: [u8; 16] = BASE64
            .decode(&envelope.salt)
            .ok()
            .and_then(|s| s.try_into().ok())
            .ok_or_else(|| damaged("its salt is not one."))?;
        // The file says how costly its key is; a hostile one must not cost gigabytes.
        if envelope.memory_kib > 256 * 1024 || envelope.passes > 16 {
            return Err(damaged("its key would be too costly to derive."));
        }
        let passphrase = passphrase(passphrase_file, false)?;
        let key = derive(&passphrase, &salt, envelope.memory_kib, envelope.passes)
            .ok_or_else(|| damaged("its key cannot be derived."))?;
        let store = Self {
            path: path.to_owned(),
            key,
            salt,
            memory_kib: envelope.memory_kib,
            passes: envelope.passes,
        };
        store.unseal(&envelope)?;
        Ok(store)
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new((&*self.key).into())
    }

    fn unseal(&self, envelope: &Envelope) -> Result<BTreeMap<String, Secret>> {
        let damaged = |reason| SecretError::Damaged {
            path: self.path.clone(),
            reason,
        };
        let decode = |text: &str| {
            BASE64
                .decode(text)
                .map_err(|_| damaged("it is not base64."))
        };
        let nonce = decode(&envelope.nonce)?;
        let sealed = decode(&envelope.sealed)?;
        if nonce.len() != 24 {
            return Err(damaged("its nonce has the wrong length."));
        }
        let payload = Payload {
            msg: &sealed,
            aad: FORMAT.as_bytes(),
        };
        let plain = self
            .cipher()
            .decrypt(XNonce::from_slice(&nonce), payload)
            .map(Zeroizing::new)
            .map_err(|_| damaged("it does not open with the passphrase beside it."))?;
        serde_json::from_slice(&plain).map_err(|_| damaged("what it holds is not a list."))
    }

    fn read(&self) -> Result<BTreeMap<String, Secret>> {
        self.unseal(&read_envelope(&self.path)?)
    }

    fn write(&self, secrets: &BTreeMap<String, Secret>) -> Result<()> {
        let exposed: BTreeMap<&str, &str> = secrets
            .iter()
            .map(|(k, v)| (k.as_str(), v.expose()))
            .collect();
        let encode = |source: serde_json::Error| SecretError::File {
            path: self.path.clone(),
            source: source.into(),
        };
        let plain = Zeroizing::new(serde_json::to_vec(&exposed).map_err(encode)?);
        let nonce = random::<24>()?;
        let payload = Payload {
            msg: &plain,
            aad: FORMAT.as_bytes(),
        };
        let sealed = self
            .cipher()
            .encrypt(XNonce::from_slice(&nonce), payload)
            .map_err(|_| SecretError::TooLong)?;
        let envelope = Envelope {
            format: FORMAT.into(),
            memory_kib: self.memory_kib,
            passes: self.passes,
            salt: BASE64.encode(self.salt),
            nonce: BASE64.encode(nonce),
            sealed: BASE64.encode(sealed),
        };
        let text = serde_json::to_vec_pretty(&envelope).map_err(encode)?;
        private::replace(&self.path, &text)
    }

    fn change(&self, change: impl FnOnce(&mut BTreeMap<String, Secret>)) -> Result<()> {
        // A command beside the running recorder may write too.
        let _held = private::lock(&self.path.with_extension("lock"))?;
        let mut secrets = self.read()?;
        change(&mut secrets);
        self.write(&secrets)
    }
}

fn read_envelope(path: &Path) -> Result<Envelope> {
    let bytes = private::read(path, LARGEST)?.ok_or_else(|| SecretError::Missing {
        path: path.to_owned(),
    })?;
    let damaged = |reason| SecretError::Damaged {
        path: path.to_owned(),
        reason,
    };
    let envelope: Envelope =
        serde_json::from_slice(&bytes).map_err(|_| damaged("it is cut off or was changed."))?;
    if envelope.format != FORMAT {
        return Err(damaged("its format is not known to this version."));
    }
    Ok(envelope)
}

impl SecretStore for SealedFile {
    fn get(&self, key: &str) -> Result<Option<Secret>> {
        check_key(key)?;
        Ok(self.read()?.remove(key))
    }

    fn set(&self, key: &str, value: &Secret) -> Result<()> {
        check_key(key)?;
        check_value(value)?;
        self.change(|secrets| {
            secrets.insert(key.to_owned(), value.clone());
        })
    }

    fn delete(&self, key: &str) -> Result<()> {
        check_key(key)?;
        self.change(|secrets| {
            secrets.remove(key);
        })
    }

    fn place(&self) -> Place {
        Place::EncryptedFile
    }
}
