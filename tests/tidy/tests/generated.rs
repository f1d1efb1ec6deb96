//! What is generated from the operations table is fresh.

#![allow(
    clippy::unwrap_used,
    reason = "a test stops where something is not as it should be"
)]

use std::{fs, path::Path};

#[test]
fn the_openapi_document_of_the_page_is_fresh() {
    let path = Path::new(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../ui/openapi.json"
    ));
    let committed: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let fresh = oriel_api::openapi(env!("CARGO_PKG_VERSION"));
    assert!(
        committed == fresh,
        "ui/openapi.json is stale: run `npm run codegen`"
    );
}

#[test]
fn operations_are_documented_and_reachable() {
    let mut seen = std::collections::BTreeSet::new();
    for operation in oriel_api::OPERATIONS {
        assert!(
            operation.doc.len() > 10,
            "{} has no sentence",
            operation.name
        );
        assert!(
            seen.insert((operation.method.as_str(), operation.path)),
            "{} shares its address",
            operation.name
        );
        assert!(operation.path.starts_with('/'), "{}", operation.path);
    }
}
