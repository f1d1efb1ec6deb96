//! "Test connection": what a store can do, tried step by step, and what is missing.
//!
//! Everything is tried on objects below `oriel-test/`, which are deleted again.

use std::time::Duration;

use bytes::Bytes;
use oriel_api::Timestamp;

use crate::{
    Bucket, BucketError, ByteRange, Capabilities, Fault, Feature, ObjectKey, Part, PutOptions,
    S3Bucket, Source, bucket::MIN_PART,
};

/// A step of the test, in the order in which they are tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StepKind {
    /// Writing an object.
    Write,
    /// Reading it back, whole and in part, and finding it in the list.
    ReadBack,
    /// The clocks agree to five minutes.
    Clock,
    /// A signed address reads without credentials.
    SignedGet,
    /// A signed address writes without credentials.
    SignedPut,
    /// Browsers may use signed addresses from our pages.
    Cors,
    /// Large objects in parts.
    Multipart,
    /// Copying and joining inside the store.
    Copy,
    /// Writing only when missing.
    IfNoneMatch,
    /// Deleting.
    Delete,
}

/// How a step went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It works.
    Ok,
    /// It works in part, or the store cannot do it and we do without. What that means.
    Limited(String),
    /// It does not work. What is missing.
    Failed(String),
    /// Not tried, because of an earlier failure or because it does not apply.
    Skipped,
}

/// One line of the report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What was tried.
    pub kind: StepKind,
    /// How it went.
    pub outcome: Outcome,
}

/// What the test found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// All steps.
    pub steps: Vec<Step>,
    /// What the store can do; all false when it could not be used at all.
    pub capabilities: Capabilities,
    /// Seconds that our clock is ahead of the store's, when it says the time.
    pub clock_ahead_s: Option<i64>,
}

impl Report {
    /// Whether the store can be used: nothing failed.
    pub fn usable(&self) -> bool {
        !self
            .steps
            .iter()
            .any(|s| matches!(s.outcome, Outcome::Failed(_)))
    }

    /// How one step went.
    pub fn outcome(&self, kind: StepKind) -> Option<&Outcome> {
        self.steps
            .iter()
            .find(|s| s.kind == kind)
            .map(|s| &s.outcome)
    }

    fn add(&mut self, kind: StepKind, outcome: Outcome) {
        self.steps.push(Step { kind, outcome });
    }

    fn add_result(&mut self, kind: StepKind, result: Result<(), BucketError>) -> bool {
        let fine = result.is_ok();
        self.add(
            kind,
            result.map_or_else(|e| Outcome::Failed(e.to_string()), |()| Outcome::Ok),
        );
        fine
    }
}

const TTL: Duration = Duration::from_secs(300);
const TEXT: &[u8] = b"Oriel tests this storage. This object may be deleted.\n";
/// S3 refuses signatures that are 15 minutes off.
const CLOCK_LIMIT_S: i64 = 300;

impl Bucket {
    /// Tries everything that Oriel needs of a store. `origins` are those of the pages that will
    /// use signed addresses (`http://localhost:8750`, `tauri://localhost`); where the store lets
    /// us, rules for them are set. Takes some seconds, and minutes at most when the store is
    /// slow.
    pub async fn test_connection(&self, origins: &[String]) -> Report {
        let mut report = Report::default();
        let now = jiff::Timestamp::now().as_millisecond();
        let key = |name: &str| ObjectKey::parse(format!("oriel-test/{now}/{name}"));
        // Names of fixed length: they are keys.
        let (Ok(a), Ok(b), Ok(c)) = (key("a.txt"), key("b.txt"), key("c.bin")) else {
            return report;
        };
        // Its state is large, and callers have small stacks.
        Box::pin(self.try_all(&mut report, &a, &b, &c, origins)).await;
        report
    }

    async fn try_all(
        &self,
        report: &mut Report,
        a: &ObjectKey,
        b: &ObjectKey,
        c: &ObjectKey,
        origins: &[String],
    ) {
        let wrote = self.put_bytes(a, TEXT, Some("text/plain")).await;
        if let Self::S3(s3) = self {
            report.clock_ahead_s = s3.clock_ahead().await;
        }
        let clock = report.clock_ahead_s;
        let wrote = report.add_result(StepKind::Write, wrote.map(|_| ()));
        let read = if wrote {
            Some(Box::pin(self.try_read(a)).await)
        } else {
            None
        };
        match read {
            None => report.add(StepKind::ReadBack, Outcome::Skipped),
            Some(Ok(range)) => {
                report.capabilities.range = range;
                report.add(
                    StepKind::ReadBack,
                    if range {
                        Outcome::Ok
                    } else {
                        Outcome::Limited(
                            "The storage sends whole objects when a part is asked for. Seeking in the browser will be slow."
                                .into(),
                        )
                    },
                );
            }
            Some(Err(e)) => report.add(StepKind::ReadBack, Outcome::Failed(e.to_string())),
        }
        report.add(
            StepKind::Clock,
            match (self, clock) {
                (Self::Folder(_), _) => Outcome::Ok,
                (_, Some(s)) if s.abs() > CLOCK_LIMIT_S => {
                    Outcome::Failed(Fault::ClockSkew(Some(s)).to_string())
                }
                (_, Some(_)) => Outcome::Ok,
                (_, None) => Outcome::Limited("The storage does not say its time.".into()),
            },
        );
        if !wrote {
            for kind in [
                StepKind::SignedGet,
                StepKind::SignedPut,
                StepKind::Cors,
                StepKind::Multipart,
                StepKind::Copy,
                StepKind::IfNoneMatch,
                StepKind::Delete,
            ] {
                report.add(kind, Outcome::Skipped);
            }
            return;
        }
        let signed = Box::pin(self.try_signed_get(a)).await;
        report.add(StepKind::SignedGet, signed);
        let signed = Box::pin(self.try_signed_put(b)).await;
        report.add(StepKind::SignedPut, signed);
        let cors = Box::pin(self.try_cors(a, origins)).await;
        report.add(StepKind::Cors, cors);
        let multipart = Box::pin(self.try_multipart(c)).await;
        report.capabilities.multipart = multipart.is_ok();
        report.add(
            StepKind::Multipart,
            match multipart {
                Ok(true) => Outcome::Ok,
                Ok(false) => Outcome::Limited(
                    "The storage does not say which parts of a large file have arrived. An interrupted upload of one begins again."
                        .into(),
                ),
                Err(e) => Outcome::Failed(e.to_string()),
            },
        );
        let copied = Box::pin(self.try_copy(report, a, b, c)).await;
        report.add(StepKind::Copy, copied);
        let new = Box::pin(self.try_if_none_match(a)).await;
        report.capabilities.if_none_match = new == Ok(true);
        report.add(
            StepKind::IfNoneMatch,
            match new {
                Ok(true) => Outcome::Ok,
                _ => Outcome::Limited("The storage cannot refuse to replace an object.".into()),
            },
        );
        let keys = [a.clone(), b.clone(), c.clone()];
        let deleted = match self.delete_many(&keys).await {
            Ok(left) => left.into_iter().next().map_or(Ok(()), |(_, e)| Err(e)),
            Err(e) => Err(e),
        };
        let gone = match deleted {
            Ok(()) => match self.stat(a).await {
                Err(BucketError::NotFound) => Ok(()),
                Ok(_) => Err(BucketError::Destination(Fault::AccessDenied)),
                Err(e) => Err(e),
            },
            Err(e) => Err(e),
        };
        report.add_result(StepKind::Delete, gone);
    }

    /// Whether ranges work.
    async fn try_read(&self, key: &ObjectKey) -> Result<bool, BucketError> {
        let whole = self.get(key, None).await?.bytes(TEXT.len()).await?;
        let range = ByteRange {
            start: 6,
            end: Some(11),
        };
        let part = self.get(key, Some(range)).await?;
        let honoured = !part.range_ignored;
        let part = part.bytes(TEXT.len()).await?;
        let (folder, _) = key.as_str().rsplit_once('/').unwrap_or_default();
        let listed = self
            .list(Some(&ObjectKey::parse(folder)?), None, 10)
            .await?;
        if whole != TEXT || part != TEXT[6..11] || !listed.objects.iter().any(|o| o.key == *key) {
            return Err(BucketError::Corrupt);
        }
        Ok(honoured)
    }

    async fn try_signed_get(&self, key: &ObjectKey) -> Outcome {
        match self.presign_get(key, TTL).await {
            Err(BucketError::Unsupported(_)) => Outcome::Skipped,
            Err(e) => Outcome::Failed(e.to_string()),
            Ok(url) => match self {
                Self::Folder(folder) => of_signer(folder, &url),
                Self::S3(s3) => {
                    let answer = s3
                        .plain()
                        .request("GET", &url.url, &url.headers, Bytes::new());
                    match answer.await {
                        Ok(a) if a.status == 200 && a.body == TEXT => Outcome::Ok,
                        Ok(a) => Outcome::Failed(format!(
                            "A signed address could not be read (status {}).",
                            a.status
                        )),
                        Err(e) => Outcome::Failed(e.to_string()),
                    }
                }
            },
        }
    }

    async fn try_signed_put(&self, key: &ObjectKey) -> Outcome {
        let url = match self.presign_put(key, TTL, Some("text/plain")).await {
            Err(BucketError::Unsupported(_)) => return Outcome::Skipped,
            Err(e) => return Outcome::Failed(e.to_string()),
            Ok(url) => url,
        };
        let s3 = match self {
            Self::Folder(folder) => return of_signer(folder, &url),
            Self::S3(s3) => s3,
        };
        let body = Bytes::from_static(TEXT);
        let answer = match s3
            .plain()
            .request("PUT", &url.url, &url.headers, body)
            .await
        {
            Ok(answer) => answer,
            Err(e) => return Outcome::Failed(e.to_string()),
        };
        match self.stat(key).await {
            Ok(stat) if stat.size == TEXT.len() as u64 => Outcome::Ok,
            _ => Outcome::Failed(format!(
                "A signed address could not be written (status {}).",
                answer.status
            )),
        }
    }

    async fn try_cors(&self, key: &ObjectKey, origins: &[String]) -> Outcome {
        let Self::S3(s3) = self else {
            // Our own server sets its headers.
            return Outcome::Ok;
        };
        if origins.is_empty() {
            return Outcome::Skipped;
        }
        match cors_allowed(self, s3, key, origins).await {
            Ok(true) => return Outcome::Ok,
            Ok(false) => {}
            Err(e) => return Outcome::Limited(e.to_string()),
        }
        let set = s3.allow_origins(origins).await;
        match (set, cors_allowed(self, s3, key, origins).await) {
            (_, Ok(true)) => Outcome::Ok,
            (Ok(()), _) => Outcome::Limited(
                "Rules for browsers (CORS) were set, but are not in effect yet.".into(),
            ),
            (Err(BucketError::Unsupported(_)), _) => Outcome::Limited(
                "Browsers may not read directly from this storage, and rules for them (CORS) cannot be set here. Allow GET, HEAD and PUT from Oriel's address in the settings of the storage."
                    .into(),
            ),
            (Err(e), _) => Outcome::Limited(format!(
                "Browsers may not read directly from this storage, and rules for them (CORS) could not be set: {e}"
            )),
        }
    }

    /// Whether the parts that have arrived are listed.
    async fn try_multipart(&self, key: &ObjectKey) -> Result<bool, BucketError> {
        let upload = self.begin_upload(key, None).await?;
        let parts = async {
            let options = PutOptions::default();
            let large = vec![7; usize::try_from(MIN_PART).unwrap_or_default()];
            let large = Source::Bytes(large.into());
            let first = self.put_part(&upload, 1, &large, &options).await?;
            let small = Source::Bytes(Bytes::from_static(TEXT));
            let second = self.put_part(&upload, 2, &small, &options).await?;
            let parts = [first, second];
            let seen = |p: &Part| (p.number, p.size);
            let listed = match self.list_parts(&upload).await {
                Ok(listed) if listed.iter().map(seen).eq(parts.iter().map(seen)) => true,
                Ok(_) => return Err(BucketError::Unsupported(Feature::Multipart)),
                Err(BucketError::Unsupported(_)) => false,
                Err(e) => return Err(e),
            };
            self.complete_upload(&upload, &parts).await?;
            Ok(listed)
        };
        match parts.await {
            Ok(listed) => Ok(listed),
            Err(e) => {
                let _ = self.abort_upload(&upload).await;
                Err(e)
            }
        }
    }

    /// `c` holds more than [`MIN_PART`] when parts work; it is joined with `a` to a new `b`.
    async fn try_copy(
        &self,
        report: &mut Report,
        a: &ObjectKey,
        b: &ObjectKey,
        c: &ObjectKey,
    ) -> Outcome {
        let copied = self.copy_from(self, a, b).await;
        report.capabilities.copy = copied.is_ok();
        let pieces = [
            (
                c.clone(),
                Some(ByteRange {
                    start: 0,
                    end: Some(MIN_PART),
                }),
            ),
            (a.clone(), None),
        ];
        let joined = if report.capabilities.multipart {
            self.concat_from(self, &pieces, b, None).await
        } else {
            Err(BucketError::Unsupported(Feature::Multipart))
        };
        let right = joined
            .as_ref()
            .is_ok_and(|s| s.size == MIN_PART + TEXT.len() as u64);
        report.capabilities.part_copy = right;
        match (copied, joined) {
            (Ok(_), Ok(_)) if right => Outcome::Ok,
            (Err(e), _) | (Ok(_), Err(e)) => Outcome::Limited(format!(
                "Clips will be built on this computer and uploaded. {e}"
            )),
            _ => Outcome::Limited("Clips will be built on this computer and uploaded.".into()),
        }
    }

    /// Whether an object that exists is not replaced when told so.
    async fn try_if_none_match(&self, key: &ObjectKey) -> Result<bool, BucketError> {
        let options = PutOptions {
            if_none_match: true,
            ..PutOptions::default()
        };
        let source = Source::Bytes(Bytes::from_static(TEXT));
        match self.put(key, &source, &options).await {
            Err(BucketError::AlreadyExists) => Ok(true),
            Ok(_) => Ok(false),
            Err(e) => Err(e),
        }
    }
}

/// Nobody may serve the folder yet, so only the signature itself is tried.
fn of_signer(folder: &crate::FolderBucket, url: &crate::SignedUrl) -> Outcome {
    let now = Timestamp::from_ms(jiff::Timestamp::now().as_millisecond());
    let tail = url::Url::parse(&url.url)
        .ok()
        .map(|u| u[url::Position::BeforePath..].to_owned());
    match (folder.signer(), tail) {
        (Some(signer), Some(tail)) if signer.verify(url.verb, &tail, now).is_ok() => Outcome::Ok,
        _ => Outcome::Failed("The folder's signed addresses do not work.".into()),
    }
}

async fn cors_allowed(
    bucket: &Bucket,
    s3: &S3Bucket,
    key: &ObjectKey,
    origins: &[String],
) -> Result<bool, BucketError> {
    let get = bucket.presign_get(key, TTL).await?;
    let put = bucket.presign_put(key, TTL, None).await?;
    for origin in origins {
        for url in [&get, &put] {
            if !s3.preflight(url, origin).await? {
                return Ok(false);
            }
        }
    }
    Ok(true)
}
