//! Where the camera program is.
//!
//! Cargo tells only the tests of this package where its binaries are, so tests of other
//! packages look beside themselves (`target/<profile>/`), and build it once if it is not there.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Mutex,
};

static BUILDING: Mutex<()> = Mutex::new(());

/// The path of a binary of this package, built if it is missing.
///
/// `ORIEL_TEST_CAMERA` (only for `oriel-test-camera`) wins over the search. An existing binary is
/// taken as it is: after a change in this package run `cargo build -p oriel-testkit`.
pub fn binary(name: &str) -> Result<PathBuf, std::io::Error> {
    if name == "oriel-test-camera"
        && let Some(path) = std::env::var_os("ORIEL_TEST_CAMERA")
    {
        return Ok(path.into());
    }
    let folder = profile_folder(&std::env::current_exe()?)
        .ok_or_else(|| std::io::Error::other("this test does not run from a target folder"))?;
    let path = folder.join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    let _one_at_a_time = BUILDING
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    if !path.is_file() {
        build(&folder)?;
    }
    if path.is_file() {
        Ok(path)
    } else {
        Err(std::io::Error::other(format!(
            "{} is missing; run `cargo build -p oriel-testkit`",
            path.display()
        )))
    }
}

/// `target/<profile>` of a test (`…/deps/x`), an example (`…/examples/x`) or a binary.
fn profile_folder(exe: &Path) -> Option<PathBuf> {
    let parent = exe.parent()?;
    match parent.file_name()?.to_str()? {
        "deps" | "examples" => Some(parent.parent()?.to_path_buf()),
        _ => Some(parent.to_path_buf()),
    }
}

fn build(folder: &Path) -> Result<(), std::io::Error> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["build", "-q", "-p", "oriel-testkit", "--bins"])
        .stdin(Stdio::null());
    if folder.file_name().is_some_and(|name| name == "release") {
        command.arg("--release");
    }
    if let Some(target) = folder.parent() {
        command.arg("--target-dir").arg(target);
    }
    if command.status()?.success() {
        Ok(())
    } else {
        Err(std::io::Error::other("cannot build oriel-testkit"))
    }
}
