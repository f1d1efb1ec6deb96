//! What a message says. Anybody who can write to the queue can send one, and queues repeat and
//! reorder them: nothing here is trusted, and what is not about an object of ours is ignored.
//!
//! Read are S3's event messages (AWS, MinIO, Garage, moto), the same wrapped by SNS, and the
//! messages of EventBridge.

use percent_encoding::percent_decode_str;
use serde_json::Value;

use crate::{KeyPrefix, ObjectKey};

/// Longest message read; SQS itself allows 1 MiB.
const LONGEST: usize = 1024 * 1024;
/// Records read of one message.
const MOST: usize = 1000;

/// An object arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Which, without the prefix.
    pub key: ObjectKey,
    /// Its size.
    pub bytes: u64,
}

/// A bucket, or the part of one, whose notices are wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watched {
    /// Name of the bucket.
    pub bucket: String,
    /// What comes before every key.
    pub prefix: KeyPrefix,
}

/// What one message came to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Read {
    pub(super) notices: Vec<Notice>,
    /// Records about nothing of ours, or that make no sense.
    pub(super) ignored: u64,
}

pub(super) fn read(body: &str, watched: &[Watched]) -> Read {
    let nothing = Read {
        notices: Vec::new(),
        ignored: 1,
    };
    if body.len() > LONGEST {
        return nothing;
    }
    let Ok(mut message) = serde_json::from_str::<Value>(body) else {
        return nothing;
    };
    // SNS puts the message into a field as text.
    if message.get("Type").and_then(Value::as_str) == Some("Notification") {
        let inner = message.get("Message").and_then(Value::as_str);
        match inner.and_then(|text| serde_json::from_str(text).ok()) {
            Some(unwrapped) => message = unwrapped,
            None => return nothing,
        }
    }
    if message.get("Event").and_then(Value::as_str) == Some("s3:TestEvent") {
        return Read::default();
    }
    let records: Vec<Option<Notice>> = match message.get("Records").and_then(Value::as_array) {
        Some(records) => records
            .iter()
            .take(MOST)
            .map(|r| of_record(r, watched))
            .collect(),
        None => vec![of_bridge(&message, watched)],
    };
    let ignored = records.iter().filter(|r| r.is_none()).count() as u64;
    Read {
        notices: records.into_iter().flatten().collect(),
        ignored,
    }
}

/// A record of S3's own messages. Keys in them are written as in a form: `/` may be `%2F`, a
/// space `+` or `%20`.
fn of_record(record: &Value, watched: &[Watched]) -> Option<Notice> {
    let name = record.get("eventName")?.as_str()?;
    // MinIO writes `s3:ObjectCreated:Put`, AWS `ObjectCreated:Put`.
    if !name.trim_start_matches("s3:").starts_with("ObjectCreated:") {
        return None;
    }
    let s3 = record.get("s3")?;
    let object = s3.get("object")?;
    let key = object.get("key")?.as_str()?.replace('+', " ");
    let key = percent_decode_str(&key).decode_utf8().ok()?;
    ours(s3.get("bucket")?, &key, object, watched)
}

/// A message of EventBridge, whose keys are written plainly.
fn of_bridge(message: &Value, watched: &[Watched]) -> Option<Notice> {
    if message.get("detail-type")?.as_str()? != "Object Created" {
        return None;
    }
    let detail = message.get("detail")?;
    let object = detail.get("object")?;
    let key = object.get("key")?.as_str()?;
    ours(detail.get("bucket")?, key, object, watched)
}

fn ours(bucket: &Value, key: &str, object: &Value, watched: &[Watched]) -> Option<Notice> {
    let bucket = bucket.get("name")?.as_str()?;
    let bytes = object.get("size")?.as_u64()?;
    watched
        .iter()
        .filter(|w| w.bucket == bucket)
        .filter_map(|w| key.strip_prefix(w.prefix.as_str()))
        .find_map(|rest| ObjectKey::parse(rest).ok().filter(|k| k.named().is_some()))
        .map(|key| Notice { key, bytes })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const KEY: &str = "recordings/abcdefghjk23/2026/11/21/1795251599999-30000.mp4";

    fn watched() -> Vec<Watched> {
        let of = |bucket: &str, prefix: &str| Watched {
            bucket: bucket.into(),
            prefix: KeyPrefix::parse(prefix).unwrap(),
        };
        vec![of("footage", "site-a"), of("made", "")]
    }

    fn record(name: &str, bucket: &str, key: &str) -> Value {
        json!({ "eventSource": "aws:s3", "eventName": name,
            "s3": { "bucket": { "name": bucket }, "object": { "key": key, "size": 12 } } })
    }

    fn read(message: &Value) -> Read {
        super::read(&message.to_string(), &watched())
    }

    fn one(key: &str) -> Read {
        Read {
            notices: vec![Notice {
                key: ObjectKey::parse(key).unwrap(),
                bytes: 12,
            }],
            ignored: 0,
        }
    }

    #[test]
    fn every_spelling_of_a_key_is_the_same_object() {
        let plain = format!("site-a/{KEY}");
        for key in [
            plain.clone(),
            plain.replace('/', "%2F"),
            plain.replace('/', "%2f"),
        ] {
            for name in [
                "ObjectCreated:Put",
                "s3:ObjectCreated:CompleteMultipartUpload",
            ] {
                let message = json!({ "Records": [record(name, "footage", &key)] });
                assert_eq!(read(&message), one(KEY), "{key}");
                let wrapped = json!({ "Type": "Notification", "Message": message.to_string() });
                assert_eq!(read(&wrapped), one(KEY), "wrapped {key}");
            }
        }
        let bridge = json!({ "detail-type": "Object Created", "detail": {
            "bucket": { "name": "footage" }, "object": { "key": plain, "size": 12 } } });
        assert_eq!(read(&bridge), one(KEY));
        let made = "clips/abcdefghjk23/c1.mp4";
        let message = json!({ "Records": [record("ObjectCreated:Copy", "made", made)] });
        assert_eq!(read(&message), one(made));
    }

    #[test]
    fn a_test_message_is_nothing_and_counts_as_nothing() {
        let test = json!({ "Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "footage" });
        assert_eq!(read(&test), Read::default());
    }

    #[test]
    fn what_is_not_about_an_object_of_ours_is_ignored() {
        let good = format!("site-a/{KEY}");
        for (name, bucket, key) in [
            ("ObjectRemoved:Delete", "footage", good.as_str()),
            ("ObjectCreated:Put", "another", &good),
            ("ObjectCreated:Put", "footage", KEY),
            ("ObjectCreated:Put", "footage", "site-a/"),
            ("ObjectCreated:Put", "footage", "site-a/some+file.mp4"),
            ("ObjectCreated:Put", "footage", "site-a/../etc/passwd"),
            ("ObjectCreated:Put", "footage", "site-a/%2e%2e%2fx"),
            ("ObjectCreated:Put", "footage", "site-a/%ff%fe"),
            (
                "ObjectCreated:Put",
                "footage",
                "site-a/recordings/x/2026/11/21/1-1.mp4",
            ),
        ] {
            let message = json!({ "Records": [record(name, bucket, key)] });
            let read = read(&message);
            assert_eq!((read.notices.len(), read.ignored), (0, 1), "{name} {key}");
        }
    }

    #[test]
    fn rubbish_is_counted_and_never_hurts() {
        for body in [
            "",
            "null",
            "7",
            "[]",
            "{",
            "{}",
            "\"x\"",
            "{\"Records\":7}",
            "{\"Records\":[null,{},{\"s3\":[]}]}",
            "{\"Type\":\"Notification\",\"Message\":\"{\"}",
            "{\"detail-type\":\"Object Created\",\"detail\":{\"object\":{\"key\":\"x\",\"size\":-1}}}",
        ] {
            let read = super::read(body, &watched());
            assert!(read.notices.is_empty(), "{body}");
        }
        let deep = "[".repeat(100_000);
        assert!(super::read(&deep, &watched()).notices.is_empty());
        let long = format!("{{\"x\":\"{}\"}}", "a".repeat(LONGEST));
        assert_eq!(super::read(&long, &watched()).ignored, 1);
    }

    #[test]
    fn of_many_records_the_good_ones_are_taken() {
        let key = format!("site-a/{KEY}");
        let good = record("ObjectCreated:Put", "footage", &key);
        let bad = record("ObjectRemoved:Delete", "footage", &key);
        let read = read(&json!({ "Records": [bad, good.clone(), good] }));
        assert_eq!((read.notices.len(), read.ignored), (2, 1));
    }
}
