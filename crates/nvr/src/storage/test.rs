//! "Test connection": tries the destination as set or as about to be set, and says what is
//! missing.

use std::time::Duration;

use oriel_api::{
    Destination, Error, Result, StorageTest, StorageTestKind, StorageTestOutcome,
    StorageTestReport, StorageTestStep,
};
use oriel_bucket::{Capabilities, FolderBucket, Outcome, Report, StepKind};
use url::Url;

use super::{
    capabilities,
    open::{Destined, open},
    settings::{self, KeysChange},
};
use crate::Nvr;

/// The whole test takes this long at most.
const DEADLINE: Duration = Duration::from_secs(120);
/// Origins of the page inside the desktop window.
const WINDOW: [&str; 2] = ["tauri://localhost", "http://tauri.localhost"];

const fn kind(kind: StepKind) -> StorageTestKind {
    match kind {
        StepKind::Write => StorageTestKind::Write,
        StepKind::ReadBack => StorageTestKind::ReadBack,
        StepKind::Clock => StorageTestKind::Clock,
        StepKind::SignedGet => StorageTestKind::SignedGet,
        StepKind::SignedPut => StorageTestKind::SignedPut,
        StepKind::Cors => StorageTestKind::Cors,
        StepKind::Multipart => StorageTestKind::Multipart,
        StepKind::Copy => StorageTestKind::Copy,
        StepKind::IfNoneMatch => StorageTestKind::IfNoneMatch,
        StepKind::Delete => StorageTestKind::Delete,
    }
}

fn step(step: oriel_bucket::Step) -> StorageTestStep {
    let (outcome, message) = match step.outcome {
        Outcome::Ok => (StorageTestOutcome::Ok, String::new()),
        Outcome::Limited(message) => (StorageTestOutcome::Limited, message),
        Outcome::Failed(message) => (StorageTestOutcome::Failed, message),
        Outcome::Skipped => (StorageTestOutcome::Skipped, String::new()),
    };
    StorageTestStep {
        kind: kind(step.kind),
        outcome,
        message,
    }
}

fn both(a: Capabilities, b: Capabilities) -> Capabilities {
    Capabilities {
        copy: a.copy && b.copy,
        part_copy: a.part_copy && b.part_copy,
        range: a.range && b.range,
        if_none_match: a.if_none_match && b.if_none_match,
        multipart: a.multipart && b.multipart,
    }
}

const fn weight(outcome: StorageTestOutcome) -> u8 {
    match outcome {
        StorageTestOutcome::Ok => 0,
        StorageTestOutcome::Skipped => 1,
        StorageTestOutcome::Limited => 2,
        StorageTestOutcome::Failed => 3,
    }
}

/// One report of both areas: the worse outcome of each step.
fn joined(incoming: Report, produced: Option<Report>) -> (StorageTestReport, Capabilities) {
    let mut usable = incoming.usable();
    let mut capabilities = incoming.capabilities;
    let clock_ahead_s = incoming.clock_ahead_s;
    let mut steps: Vec<_> = incoming.steps.into_iter().map(step).collect();
    if let Some(produced) = produced {
        usable &= produced.usable();
        capabilities = both(capabilities, produced.capabilities);
        for mut other in produced.steps.into_iter().map(step) {
            let same = steps.iter_mut().find(|s| s.kind == other.kind);
            if let Some(same) = same
                && weight(other.outcome) > weight(same.outcome)
            {
                if !other.message.is_empty() {
                    other.message = format!("For clips and exports: {}", other.message);
                }
                *same = other;
            }
        }
    }
    let report = StorageTestReport {
        usable,
        steps,
        clock_ahead_s,
    };
    (report, capabilities)
}

/// The origin of a page, when the text is one.
fn origin(text: &str) -> Result<String> {
    let wrong = || Error::invalid("The origin is written like http://127.0.0.1:8750.");
    if WINDOW.contains(&text) {
        return Ok(text.to_owned());
    }
    let url = Url::parse(text)
        .ok()
        .filter(|u| text.len() <= 200 && matches!(u.scheme(), "http" | "https"))
        .ok_or_else(wrong)?;
    let origin = url.origin().ascii_serialization();
    if origin == text.trim_end_matches('/') {
        Ok(origin)
    } else {
        Err(wrong())
    }
}

impl Nvr {
    /// Origins from which signed addresses of the bucket are used.
    fn page_origins(&self, asking: Option<&str>) -> Result<Vec<String>> {
        let mut origins: Vec<String> = WINDOW.map(str::to_owned).into();
        let base = self.media_base();
        if let Ok(url) = Url::parse(&base) {
            origins.push(url.origin().ascii_serialization());
            if let Some(port) = url.port() {
                origins.push(format!("http://localhost:{port}"));
            }
        }
        if let Some(asking) = asking {
            origins.push(origin(asking)?);
        }
        origins.sort();
        origins.dedup();
        Ok(origins)
    }

    pub(crate) async fn test_storage(&self, input: StorageTest) -> Result<StorageTestReport> {
        let origins = self.page_origins(input.origin.as_deref())?;
        let saved = self.storage_settings();
        let (settings, keys) = settings::overlaid(saved.clone(), input.settings)?;
        if settings.destination == Destination::None {
            return Err(Error::invalid(
                "Choose a destination first: a bucket or a folder.",
            ));
        }
        let given = match keys {
            KeysChange::Replace(keys) => Some(keys),
            KeysChange::Stay | KeysChange::Forget => None,
        };
        let as_saved = given.is_none() && settings == saved;
        let testing = async {
            let destined = self
                .destined(&settings, given)
                .await?
                .ok_or_else(|| Error::internal("no destination"))?;
            if let Destined::Folder(path) = &destined {
                FolderBucket::set_up(path).await?;
            }
            let areas = open(&destined).await?;
            let incoming = areas.incoming.test_connection(&origins).await;
            let produced = match &destined {
                Destined::S3(two) if two.0 != two.1 => {
                    Some(areas.produced.test_connection(&origins).await)
                }
                _ => None,
            };
            Ok::<_, Error>(joined(incoming, produced))
        };
        let (report, capabilities) = tokio::time::timeout(DEADLINE, Box::pin(testing))
            .await
            .map_err(|_| {
                Error::unavailable("The storage is too slow: the test did not end in two minutes.")
            })??;
        // Also of what is not saved yet: whoever tests saves next.
        capabilities::remember(&self.store, &settings, &saved, capabilities).await?;
        if as_saved {
            self.storage.again.notify_one();
        }
        Ok(report)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_origin_is_one() {
        for good in [
            "http://127.0.0.1:8750",
            "https://nvr.example",
            "tauri://localhost",
        ] {
            assert_eq!(origin(good).unwrap(), good);
        }
        for bad in [
            "",
            "*",
            "null",
            "http://a/b",
            "http://u:p@a",
            "file:///etc",
            "javascript:alert(1)",
            "http://a\r\nX: y",
        ] {
            assert!(origin(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_worse_outcome_of_two_areas_counts() {
        let report = |outcome| Report {
            steps: vec![oriel_bucket::Step {
                kind: StepKind::Copy,
                outcome,
            }],
            capabilities: Capabilities {
                copy: true,
                ..Capabilities::default()
            },
            clock_ahead_s: None,
        };
        let failed = Outcome::Failed("No.".into());
        let (joined, capabilities) = joined(report(Outcome::Ok), Some(report(failed)));
        assert!(!joined.usable && capabilities.copy);
        assert_eq!(joined.steps[0].message, "For clips and exports: No.");
    }
}
