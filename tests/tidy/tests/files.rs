//! Files stay small, say what they are for, and speak of the project alone.

#![allow(
    clippy::unwrap_used,
    reason = "a test stops where something is not as it should be"
)]

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

fn tracked(endings: &[&str]) -> Vec<PathBuf> {
    let out = Command::new("git")
        .arg("ls-files")
        .current_dir(root())
        .output()
        .unwrap();
    assert!(out.status.success(), "git ls-files");
    String::from_utf8(out.stdout)
        .unwrap()
        .lines()
        .filter(|l| endings.iter().any(|e| l.ends_with(e)))
        .filter(|l| !l.ends_with(".d.ts"))
        .map(|l| root().join(l))
        .filter(|p| p.exists())
        .collect()
}

#[test]
fn no_file_is_too_long_to_hold_one_thing() {
    for path in tracked(&[".rs", ".ts", ".svelte", ".mjs"]) {
        let lines = fs::read_to_string(&path).unwrap().lines().count();
        assert!(lines <= 800, "{}: {lines} lines", path.display());
    }
}

#[test]
fn every_rust_file_says_what_it_is_for() {
    for path in tracked(&[".rs"]) {
        let text = fs::read_to_string(&path).unwrap();
        assert!(
            text.starts_with("//!"),
            "{} has no module documentation",
            path.display()
        );
    }
}

#[test]
fn only_the_shell_knows_the_desktop() {
    for path in tracked(&[".ts", ".svelte"]) {
        let inside = path.strip_prefix(root()).unwrap();
        if !inside.starts_with("ui/src") || inside.starts_with("ui/src/shell") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        assert!(
            !text.contains("@tauri-apps/"),
            "{} imports the desktop",
            inside.display()
        );
    }
}

#[test]
fn features_of_the_page_do_not_import_each_other() {
    const FEATURES: &[&str] = &[
        "live", "playback", "library", "cameras", "events", "settings",
    ];
    for path in tracked(&[".ts", ".svelte"]) {
        let inside = path.strip_prefix(root()).unwrap().to_owned();
        let Some(own) = FEATURES
            .iter()
            .find(|f| inside.starts_with(format!("ui/src/{f}")))
        else {
            continue;
        };
        let text = fs::read_to_string(&path).unwrap();
        for other in FEATURES.iter().filter(|f| f != &own) {
            assert!(
                !text.contains(&format!("'../{other}/")),
                "{} imports {other}",
                inside.display()
            );
        }
    }
}

#[test]
fn nothing_is_left_for_later() {
    // Written in two parts so that this file does not find itself.
    let marks = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("todo", "!("),
        concat!("unimplemented", "!("),
        concat!("#[ig", "nore"),
    ];
    for path in tracked(&[".rs", ".ts", ".svelte", ".mjs"]) {
        let text = fs::read_to_string(&path).unwrap();
        for mark in marks {
            assert!(!text.contains(mark), "{} holds {mark}", path.display());
        }
    }
}

#[test]
fn names_say_what_things_are() {
    let banned = ["Manager", "Helper", "Util"];
    for path in tracked(&[".rs"]) {
        let text = fs::read_to_string(&path).unwrap();
        for line in text.lines() {
            let line = line.trim_start();
            let Some(rest) = [
                "pub struct ",
                "struct ",
                "pub enum ",
                "enum ",
                "pub trait ",
                "trait ",
            ]
            .iter()
            .find_map(|p| line.strip_prefix(p)) else {
                continue;
            };
            let name: String = rest
                .chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_')
                .collect();
            for word in banned {
                assert!(!name.ends_with(word), "{}: {name}", path.display());
            }
        }
    }
}
