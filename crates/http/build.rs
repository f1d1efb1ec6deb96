//! Lets the crate compile before the page was ever built, and embeds a new page in a release.

use std::{env, fs, path::Path};

fn main() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../ui/dist");
    if let Err(error) = fs::create_dir_all(&page) {
        println!("cargo:warning=the folder of the page cannot be made: {error}");
    }
    // A debug build reads the page from disk, so a new page is no reason to compile again.
    match env::var("PROFILE").as_deref() {
        Ok("release") => println!("cargo:rerun-if-changed={}", page.display()),
        _ => println!("cargo:rerun-if-changed=build.rs"),
    }
}
