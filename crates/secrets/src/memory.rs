//! Secrets in memory: tests only.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use oriel_api::Secret;

use crate::{Place, Result, SecretStore, check_key, check_value};

/// Forgets everything when dropped.
#[derive(Default)]
pub struct MemoryStore(Mutex<BTreeMap<String, Secret>>);

impl SecretStore for MemoryStore {
    fn get(&self, key: &str) -> Result<Option<Secret>> {
        check_key(key)?;
        let map = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(map.get(key).cloned())
    }

    fn set(&self, key: &str, value: &Secret) -> Result<()> {
        check_key(key)?;
        check_value(value)?;
        let mut map = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        map.insert(key.to_owned(), value.clone());
        Ok(())
    }

    fn delete(&self, key: &str) -> Result<()> {
        check_key(key)?;
        let mut map = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        map.remove(key);
        Ok(())
    }

    fn place(&self) -> Place {
        Place::Memory
    }
}
