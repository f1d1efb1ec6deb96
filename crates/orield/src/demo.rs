//! The list of demonstration cameras a recorder may be started with.

use std::path::Path;

use oriel_api::Secret;
use oriel_nvr::DemoSetup;
use serde::Deserialize;

/// A list longer than this is not one of ours.
const LONGEST: u64 = 1024 * 1024;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    url: String,
    #[serde(default)]
    low_url: Option<String>,
    username: String,
    password: Secret,
}

/// Reads a list: JSON, `[{"name", "url", "low_url", "username", "password"}]`.
pub(crate) fn read(path: &Path) -> Result<Vec<DemoSetup>, String> {
    use std::io::Read;
    let unreadable = |cause: &dyn std::fmt::Display| {
        format!(
            "The list of demonstration cameras {} cannot be read: {cause}",
            path.display()
        )
    };
    let mut text = String::new();
    std::fs::File::open(path)
        .and_then(|f| f.take(LONGEST).read_to_string(&mut text))
        .map_err(|e| unreadable(&e))?;
    // The parser's message could quote a password.
    let entries: Vec<Entry> = serde_json::from_str(&text).map_err(|e| {
        unreadable(&format!(
            "line {}, column {} is not as it should be",
            e.line(),
            e.column()
        ))
    })?;
    Ok(entries
        .into_iter()
        .map(|e| DemoSetup {
            name: e.name,
            url: e.url,
            low_url: e.low_url,
            username: e.username,
            password: e.password,
        })
        .collect())
}
