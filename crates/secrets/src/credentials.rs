//! A camera's user name and password as one secret.

use oriel_api::{Credentials, Secret};
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::{Result, SecretError, SecretStore};

#[derive(Deserialize)]
struct Kept {
    username: String,
    password: Secret,
}

/// Keeps credentials under a key as `{"username":…,"password":…}`. Any characters are allowed;
/// both together at most about 1 kB.
pub fn set_credentials(
    store: &dyn SecretStore,
    key: &str,
    credentials: &Credentials,
) -> Result<()> {
    // `Secret` has no `Serialize` on purpose; this is the one place that must write it.
    let text = Zeroizing::new(
        serde_json::json!({
            "username": credentials.username,
            "password": credentials.password.expose(),
        })
        .to_string(),
    );
    store.set(key, &Secret::new(text.as_str()))
}

/// The credentials kept under a key.
pub fn get_credentials(store: &dyn SecretStore, key: &str) -> Result<Option<Credentials>> {
    let Some(text) = store.get(key)? else {
        return Ok(None);
    };
    // The parser's own message could quote a part of the password.
    let kept: Kept =
        serde_json::from_str(text.expose()).map_err(|_| SecretError::BadCredentials)?;
    Ok(Some(Credentials {
        username: kept.username,
        password: kept.password,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemoryStore;

    #[test]
    fn any_characters_come_back() {
        let store = MemoryStore::default();
        let kept = Credentials {
            username: "ad\"min\\".into(),
            password: Secret::new("p@ss:w/rd#% ü\n\u{1F511}"),
        };
        set_credentials(&store, "camera/a", &kept).unwrap();
        assert_eq!(get_credentials(&store, "camera/a").unwrap(), Some(kept));
        assert_eq!(get_credentials(&store, "camera/b").unwrap(), None);
    }

    #[test]
    fn what_is_not_credentials_is_an_error_that_says_nothing_of_it() {
        let store = MemoryStore::default();
        store.set("k", &Secret::new("hunter2")).unwrap();
        let error = get_credentials(&store, "k").unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter2"));
    }
}
