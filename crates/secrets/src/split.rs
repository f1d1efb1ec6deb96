//! Cameras' credentials in the keyring, everything else in the encrypted file.
//!
//! A recorder needs its own keys before it can start, and it must start while the keyring is
//! locked: see docs/adr/0004-own-keys-beside-the-keyring.md.

use oriel_api::Secret;
use tracing::warn;

use crate::{Place, Result, SecretStore};

/// Keys under this are cameras' credentials.
const CAMERAS: &str = "camera/";

pub(crate) struct Split<K, F> {
    pub(crate) keyring: K,
    pub(crate) file: F,
}

impl<K: SecretStore, F: SecretStore> SecretStore for Split<K, F> {
    fn get(&self, key: &str) -> Result<Option<Secret>> {
        if key.starts_with(CAMERAS) {
            return self.keyring.get(key);
        }
        if let Some(found) = self.file.get(key)? {
            return Ok(Some(found));
        }
        // Kept in the keyring by an older version.
        let Some(found) = self.keyring.get(key)? else {
            return Ok(None);
        };
        self.file.set(key, &found)?;
        if let Err(error) = self.keyring.delete(key) {
            warn!(%error, key, "a copy stays in the keyring");
        }
        Ok(Some(found))
    }

    fn set(&self, key: &str, value: &Secret) -> Result<()> {
        if key.starts_with(CAMERAS) {
            self.keyring.set(key, value)
        } else {
            self.file.set(key, value)
        }
    }

    fn delete(&self, key: &str) -> Result<()> {
        if key.starts_with(CAMERAS) {
            return self.keyring.delete(key);
        }
        // From both: a copy left in the keyring must not come back.
        self.file.delete(key)?;
        self.keyring.delete(key)
    }

    fn place(&self) -> Place {
        Place::Keyring
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{MemoryStore, SecretError};

    /// A keyring that is locked.
    struct Locked;

    fn locked<T>() -> Result<T> {
        Err(SecretError::KeyringUnusable {
            reason: "it is locked.".into(),
        })
    }

    impl SecretStore for Locked {
        fn get(&self, _: &str) -> Result<Option<Secret>> {
            locked()
        }
        fn set(&self, _: &str, _: &Secret) -> Result<()> {
            locked()
        }
        fn delete(&self, _: &str) -> Result<()> {
            locked()
        }
        fn place(&self) -> Place {
            Place::Keyring
        }
    }

    #[test]
    fn own_keys_move_to_the_file_once_and_are_there_when_the_keyring_is_locked() {
        let keyring = MemoryStore::default();
        let token = Secret::new("token");
        keyring.set("owner-token", &token).unwrap();
        let split = Split {
            keyring,
            file: MemoryStore::default(),
        };
        assert_eq!(split.get("owner-token").unwrap(), Some(token.clone()));
        assert_eq!(split.keyring.get("owner-token").unwrap(), None);
        let split = Split {
            keyring: Locked,
            file: split.file,
        };
        assert_eq!(split.get("owner-token").unwrap(), Some(token));
        // Never an empty store, never a key made anew.
        assert!(split.get("signing-key").is_err());
        assert!(split.get("camera/a").is_err());
    }

    #[test]
    fn credentials_of_cameras_never_reach_the_file() {
        let split = Split {
            keyring: MemoryStore::default(),
            file: MemoryStore::default(),
        };
        split.set("camera/a", &Secret::new("x")).unwrap();
        assert_eq!(split.file.get("camera/a").unwrap(), None);
        assert!(split.keyring.get("camera/a").unwrap().is_some());
        split.delete("camera/a").unwrap();
        assert_eq!(split.get("camera/a").unwrap(), None);
    }
}
