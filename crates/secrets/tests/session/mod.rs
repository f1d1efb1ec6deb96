//! Tests of the keyring, and the steps they run inside a session.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

use oriel_api::Secret;
use oriel_secrets::{Place, Preference, SecretError, open};

const DATA: &str = "ORIEL_TEST_DATA";
const STEP: &str = "ORIEL_TEST_STEP";
const DONE: &str = "the step is done";

/// Every test, and every step that a test runs in a session.
pub(crate) fn main() {
    match std::env::var(STEP).as_deref() {
        Ok("keeps") => inside_keeps(),
        Ok("finds") => inside_finds(),
        Ok("is_told_why") => inside_is_told_why(),
        Ok("falls_back") => inside_falls_back(),
        Ok(step) => panic!("no such step: {step}"),
        Err(_) => {
            an_unlocked_keyring_keeps_secrets_over_a_restart();
            a_keyring_locked_at_the_next_start_is_an_error_and_not_an_empty_store();
            without_a_keyring_the_first_start_takes_the_file();
        }
    }
    println!("{DONE}");
}

struct Home(tempfile::TempDir);

impl Home {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let run = home.path().join("run");
        fs::create_dir(&run).unwrap();
        fs::set_permissions(&run, fs::Permissions::from_mode(0o700)).unwrap();
        Self(home)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Runs a step of this program in a session in which `keyring` was run first.
    fn session(&self, keyring: &str, step: &str) {
        let script = format!("{keyring}\nexec \"$0\"");
        let out = Command::new("dbus-run-session")
            .args(["--", "sh", "-ec", &script])
            .arg(std::env::current_exe().unwrap())
            .env("HOME", self.path("home"))
            .env("XDG_DATA_HOME", self.path("share"))
            .env("XDG_RUNTIME_DIR", self.path("run"))
            .env("XDG_CACHE_HOME", self.path("cache"))
            .env(DATA, self.path("data"))
            .env(STEP, step)
            .env_remove("DISPLAY")
            .env_remove("WAYLAND_DISPLAY")
            .output()
            .expect("dbus-run-session and gnome-keyring are needed: npm test installs them");
        let text = format!(
            "{}\n{}",
            String::from_utf8_lossy(&out.stdout),
            String::from_utf8_lossy(&out.stderr)
        );
        assert!(
            out.status.success() && text.contains(DONE),
            "{step}: {text}"
        );
    }
}

const UNLOCKED: &str =
    "printf '%s' pw | gnome-keyring-daemon --unlock --components=secrets --daemonize >/dev/null";
const NOT_UNLOCKED: &str = "gnome-keyring-daemon --start --components=secrets >/dev/null";

fn data() -> PathBuf {
    std::env::var_os(DATA).unwrap().into()
}

fn anywhere(folder: &Path, needle: &[u8]) -> bool {
    fs::read_dir(folder).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        path.is_file()
            && fs::read(&path)
                .unwrap()
                .windows(needle.len())
                .any(|w| w == needle)
    })
}

fn an_unlocked_keyring_keeps_secrets_over_a_restart() {
    let home = Home::new();
    home.session(UNLOCKED, "keeps");
    assert!(!anywhere(&home.path("data"), b"kept in the keyring"));
    home.session(UNLOCKED, "finds");
}

fn a_keyring_locked_at_the_next_start_is_an_error_and_not_an_empty_store() {
    let home = Home::new();
    home.session(UNLOCKED, "keeps");
    home.session(NOT_UNLOCKED, "is_told_why");
    home.session("true", "is_told_why");
    home.session(UNLOCKED, "finds");
}

fn without_a_keyring_the_first_start_takes_the_file() {
    let home = Home::new();
    home.session("true", "falls_back");
}

fn inside_keeps() {
    let store = open(&data(), Preference::Auto).unwrap();
    assert_eq!(store.place(), Place::Keyring);
    let secret = Secret::new("kept in the keyring p@ss:w/rd#%");
    store.set("camera/a", &secret).unwrap();
    store.set("own", &Secret::new("own key")).unwrap();
    assert_eq!(store.get("camera/a").unwrap(), Some(secret));
    assert_eq!(store.get("camera/b").unwrap(), None);
    store.set("camera/b", &Secret::new("x")).unwrap();
    store.delete("camera/b").unwrap();
    store.delete("camera/b").unwrap();
    assert_eq!(store.get("camera/b").unwrap(), None);
    // A second data folder in the same keyring sees nothing of the first.
    let other = open(&data().join("other"), Preference::Keyring).unwrap();
    assert_eq!(other.get("camera/a").unwrap(), None);
}

fn inside_finds() {
    let store = open(&data(), Preference::Auto).unwrap();
    assert_eq!(store.place(), Place::Keyring);
    let found = store.get("camera/a").unwrap().unwrap();
    assert_eq!(found.expose(), "kept in the keyring p@ss:w/rd#%");
}

fn inside_is_told_why() {
    // The recorder starts with its own key; what is in the keyring says why it cannot be read.
    let store = open(&data(), Preference::Auto).unwrap();
    assert_eq!(store.get("own").unwrap(), Some(Secret::new("own key")));
    match store.get("camera/a") {
        Ok(_) => panic!("read from a locked keyring"),
        Err(e @ SecretError::KeyringUnusable { .. }) => println!("{e}"),
        Err(e) => panic!("{e}"),
    }
    match open(&data(), Preference::File) {
        Ok(_) => panic!("opened another place"),
        Err(SecretError::OtherPlace { .. }) => {}
        Err(e) => panic!("{e}"),
    }
}

fn inside_falls_back() {
    match open(&data(), Preference::Keyring) {
        Ok(_) => panic!("there is no keyring"),
        Err(SecretError::NoKeyring { .. }) => {}
        Err(e) => panic!("{e}"),
    }
    let store = open(&data(), Preference::Auto).unwrap();
    assert_eq!(store.place(), Place::EncryptedFile);
}
