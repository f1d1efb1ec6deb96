//! The encrypted file on a real disk.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

use std::{fs, path::Path};

use oriel_api::Secret;
use oriel_secrets::{Place, Preference, SecretError, SecretStore, open};

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn kept(store: &dyn SecretStore, key: &str) -> Option<String> {
    store.get(key).unwrap().map(|s| s.expose().to_owned())
}

fn refused(path: &Path) -> SecretError {
    match open(path, Preference::File) {
        Ok(_) => panic!("opened although it is damaged"),
        Err(e) => e,
    }
}

#[test]
fn secrets_are_there_after_a_restart_and_nowhere_in_the_clear() {
    let folder = folder();
    {
        let store = open(folder.path(), Preference::File).unwrap();
        assert_eq!(store.place(), Place::EncryptedFile);
        store.set("camera/a", &Secret::new("first-hidden")).unwrap();
        store
            .set("camera/a", &Secret::new("second-hidden"))
            .unwrap();
        store.set("camera/b", &Secret::new("third-hidden")).unwrap();
        store.delete("camera/b").unwrap();
        store.delete("camera/never").unwrap();
    }
    // Remembered: `auto` does not look for a keyring any more.
    let store = open(folder.path(), Preference::Auto).unwrap();
    assert_eq!(store.place(), Place::EncryptedFile);
    assert_eq!(kept(&*store, "camera/a").unwrap(), "second-hidden");
    assert_eq!(kept(&*store, "camera/b"), None);
    for entry in fs::read_dir(folder.path()).unwrap() {
        let bytes = fs::read(entry.unwrap().path()).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains("-hidden"), "{text}");
        assert!(!text.contains("camera/"), "{text}");
    }
}

#[cfg(unix)]
#[test]
fn nobody_else_may_read_the_files() {
    use std::os::unix::fs::PermissionsExt;
    let parent = folder();
    let data = parent.path().join("made/here");
    open(&data, Preference::File)
        .unwrap()
        .set("k", &Secret::new("v"))
        .unwrap();
    let mode = |p: &Path| fs::metadata(p).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&data), 0o700);
    for entry in fs::read_dir(&data).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
}

#[test]
fn a_damaged_or_missing_file_is_an_error_and_never_an_empty_store() {
    let folder = folder();
    let path = |name: &str| folder.path().join(name);
    open(folder.path(), Preference::File)
        .unwrap()
        .set("k", &Secret::new("v"))
        .unwrap();
    let whole = fs::read(path("secrets.sealed")).unwrap();
    let passphrase = fs::read(path("secrets.passphrase")).unwrap();

    for cut in [0, 1, whole.len() / 2, whole.len() - 2] {
        fs::write(path("secrets.sealed"), &whole[..cut]).unwrap();
        assert!(
            matches!(refused(folder.path()), SecretError::Damaged { .. }),
            "cut at {cut}"
        );
    }
    fs::write(path("secrets.sealed"), vec![0u8; whole.len()]).unwrap();
    assert!(matches!(
        refused(folder.path()),
        SecretError::Damaged { .. }
    ));

    // One flipped character of the sealed text: the cipher must notice.
    let mut flipped = String::from_utf8(whole.clone()).unwrap();
    let at = flipped.find("\"sealed\": \"").unwrap() + 12;
    let other = if &flipped[at..=at] == "A" { "B" } else { "A" };
    flipped.replace_range(at..=at, other);
    fs::write(path("secrets.sealed"), flipped).unwrap();
    assert!(matches!(
        refused(folder.path()),
        SecretError::Damaged { .. }
    ));

    fs::remove_file(path("secrets.sealed")).unwrap();
    assert!(matches!(
        refused(folder.path()),
        SecretError::Missing { .. }
    ));

    fs::write(path("secrets.sealed"), &whole).unwrap();
    fs::remove_file(path("secrets.passphrase")).unwrap();
    assert!(matches!(
        refused(folder.path()),
        SecretError::Missing { .. }
    ));
    fs::write(path("secrets.passphrase"), "another").unwrap();
    assert!(matches!(
        refused(folder.path()),
        SecretError::Damaged { .. }
    ));

    fs::write(path("secrets.passphrase"), &passphrase).unwrap();
    let store = open(folder.path(), Preference::File).unwrap();
    assert_eq!(kept(&*store, "k").unwrap(), "v");
    // Damage while running is noticed too.
    fs::write(path("secrets.sealed"), b"{").unwrap();
    assert!(store.get("k").is_err());
    assert!(store.set("k", &Secret::new("w")).is_err());
}

#[test]
fn a_hostile_file_cannot_ask_for_gigabytes() {
    let folder = folder();
    open(folder.path(), Preference::File).unwrap();
    let path = folder.path().join("secrets.sealed");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(
        &path,
        text.replace("\"memory_kib\": 19456", "\"memory_kib\": 4000000000"),
    )
    .unwrap();
    let error = refused(folder.path()).to_string();
    assert!(error.contains("too costly"), "{error}");
}

#[test]
fn a_start_cut_off_before_the_place_was_remembered_goes_on() {
    let folder = folder();
    open(folder.path(), Preference::File)
        .unwrap()
        .set("k", &Secret::new("v"))
        .unwrap();
    fs::remove_file(folder.path().join("secrets.json")).unwrap();
    let store = open(folder.path(), Preference::Auto).unwrap();
    assert_eq!(store.place(), Place::EncryptedFile);
    assert_eq!(kept(&*store, "k").unwrap(), "v");
}

#[test]
fn another_place_than_the_remembered_one_is_refused() {
    let folder = folder();
    open(folder.path(), Preference::File).unwrap();
    match open(folder.path(), Preference::Keyring) {
        Err(SecretError::OtherPlace { .. }) => {}
        Err(e) => panic!("{e}"),
        Ok(_) => panic!("opened"),
    }
}

#[test]
fn two_writers_lose_nothing() {
    let folder = folder();
    let stores: Vec<_> = (0..2)
        .map(|_| open(folder.path(), Preference::File).unwrap())
        .collect();
    std::thread::scope(|s| {
        for (n, store) in stores.iter().enumerate() {
            s.spawn(move || {
                for i in 0..20 {
                    store.set(&format!("k{n}-{i}"), &Secret::new("v")).unwrap();
                }
            });
        }
    });
    for n in 0..2 {
        for i in 0..20 {
            assert!(
                kept(&*stores[0], &format!("k{n}-{i}")).is_some(),
                "k{n}-{i}"
            );
        }
    }
}

#[test]
fn keys_and_lengths_are_checked() {
    for preference in [Preference::Memory, Preference::File] {
        let folder = folder();
        let store = open(folder.path(), preference).unwrap();
        let secret = Secret::new("v");
        for key in ["", "a b", "a\0", "ü", &"a".repeat(101)] {
            assert!(matches!(store.set(key, &secret), Err(SecretError::BadKey)));
            assert!(matches!(store.get(key), Err(SecretError::BadKey)));
            assert!(matches!(store.delete(key), Err(SecretError::BadKey)));
        }
        let long = Secret::new("x".repeat(oriel_secrets::LONGEST + 1));
        assert!(matches!(store.set("k", &long), Err(SecretError::TooLong)));
    }
}
