//! Dependencies point down only, and each heavy thing has one home.

#![allow(
    clippy::unwrap_used,
    reason = "a test stops where something is not as it should be"
)]

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    process::Command,
};

use serde_json::Value;

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

struct Package {
    /// Direct dependencies of the library and binaries.
    normal: BTreeSet<String>,
    /// Those of tests.
    dev: BTreeSet<String>,
}

fn packages() -> BTreeMap<String, Package> {
    let out = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--no-deps", "--offline"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(
        out.status.success(),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    let metadata: Value = serde_json::from_slice(&out.stdout).unwrap();
    metadata["packages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| {
            let of = |kind: Value| {
                p["dependencies"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .filter(|d| d["kind"] == kind)
                    .map(|d| d["name"].as_str().unwrap().to_owned())
                    .collect()
            };
            (
                p["name"].as_str().unwrap().to_owned(),
                Package {
                    normal: of(Value::Null),
                    dev: of("dev".into()),
                },
            )
        })
        .collect()
}

/// What may depend on what, within the project. A crate that is not named here fails the test.
const MAY_USE: &[(&str, &[&str])] = &[
    ("oriel-api", &[]),
    ("oriel-task", &[]),
    ("oriel-media", &["oriel-api"]),
    ("oriel-child", &["oriel-api", "oriel-task"]),
    ("oriel-secrets", &["oriel-api"]),
    ("oriel-store", &["oriel-api"]),
    ("oriel-bucket", &["oriel-api"]),
    ("oriel-camera", &["oriel-api", "oriel-media"]),
    ("oriel-gst", &["oriel-api", "oriel-media"]),
    (
        "oriel-agent",
        &[
            "oriel-api",
            "oriel-media",
            "oriel-task",
            "oriel-camera",
            "oriel-secrets",
            "oriel-child",
        ],
    ),
    (
        "oriel-worker",
        &[
            "oriel-api",
            "oriel-media",
            "oriel-task",
            "oriel-child",
            "oriel-bucket",
        ],
    ),
    (
        "oriel-nvr",
        &[
            "oriel-api",
            "oriel-task",
            "oriel-store",
            "oriel-secrets",
            "oriel-bucket",
        ],
    ),
    (
        "oriel-http",
        &[
            "oriel-api",
            "oriel-media",
            "oriel-task",
            "oriel-nvr",
            "oriel-worker",
            "oriel-child",
            "oriel-bucket",
        ],
    ),
    (
        "orield",
        &[
            "oriel-api",
            "oriel-bucket",
            "oriel-media",
            "oriel-task",
            "oriel-camera",
            "oriel-secrets",
            "oriel-store",
            "oriel-agent",
            "oriel-worker",
            "oriel-nvr",
            "oriel-http",
            "oriel-child",
        ],
    ),
    ("oriel-desktop", &["oriel-api", "orield"]),
    ("oriel-testkit", &["oriel-api", "oriel-media"]),
    (
        "oriel-system-tests",
        &["oriel-api", "oriel-media", "oriel-testkit", "orield"],
    ),
    ("oriel-tidy", &["oriel-api"]),
    (
        "oriel-bench",
        &[
            "oriel-api",
            "oriel-bucket",
            "oriel-media",
            "oriel-testkit",
            "oriel-worker",
            "oriel-store",
            "oriel-nvr",
            "oriel-secrets",
            "oriel-task",
            "oriel-system-tests",
        ],
    ),
];

/// A library and the only crates that may use it.
const ONLY_IN: &[(&str, &[&str])] = &[
    ("gstreamer", &["oriel-gst", "oriel-testkit"]),
    ("gstreamer-app", &["oriel-gst", "oriel-testkit"]),
    ("gstreamer-rtsp-server", &["oriel-testkit"]),
    ("rusqlite", &["oriel-store", "oriel-bench"]),
    ("rusqlite_migration", &["oriel-store"]),
    ("tauri", &["oriel-desktop"]),
    ("axum", &["oriel-http"]),
    ("retina", &["oriel-camera"]),
    ("mp4-atom", &["oriel-media"]),
    ("keyring-core", &["oriel-secrets"]),
    ("aws-sdk-s3", &["oriel-bucket"]),
    ("aws-sdk-sqs", &["oriel-bucket"]),
];

#[test]
fn dependencies_point_down() {
    let allowed: BTreeMap<_, _> = MAY_USE.iter().copied().collect();
    for (name, package) in packages() {
        let may = allowed
            .get(name.as_str())
            .unwrap_or_else(|| panic!("{name} has no place in the layout"));
        for dependency in package.normal.iter().filter(|d| d.starts_with("orie")) {
            assert!(
                may.contains(&dependency.as_str()),
                "{name} must not depend on {dependency}"
            );
        }
    }
}

#[test]
fn heavy_libraries_have_one_home() {
    for (name, package) in packages() {
        for (library, homes) in ONLY_IN {
            if homes.contains(&name.as_str()) {
                continue;
            }
            assert!(
                !package.normal.contains(*library),
                "{library} does not belong in {name}"
            );
        }
    }
}

#[test]
fn test_cameras_are_never_shipped() {
    for (name, package) in packages() {
        if matches!(name.as_str(), "oriel-system-tests" | "oriel-bench") {
            continue;
        }
        assert!(
            !package.normal.contains("oriel-testkit"),
            "{name} ships test cameras"
        );
        let _ = package.dev;
    }
}
