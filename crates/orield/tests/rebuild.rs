//! A lost database comes back from the bucket.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

#[path = "../../http/tests/support/s3.rs"]
#[allow(dead_code)]
mod s3;

use std::sync::atomic::{AtomicU8, Ordering};

use oriel_api::{ChannelId, ClipId, ExportStatus, Range, Secret, Timestamp};
use oriel_bucket::{
    Addressing, Areas, Bucket, CredentialSource, KeyPrefix, ObjectKey, S3Bucket, S3Settings,
};
use oriel_media::{StreamItem, StreamReader};
use oriel_store::{ExportPartRow, RecordingRow, Restored, Selection, Store, StoredRecording};
use orield::rebuild::{Rebuilt, rebuild};

const NOON: i64 = 1_795_262_400_000;

fn at(ms: i64) -> Timestamp {
    Timestamp::from_ms(NOON + ms)
}

fn random() -> oriel_api::Result<[u8; 12]> {
    static NEXT: AtomicU8 = AtomicU8::new(0);
    Ok([NEXT.fetch_add(1, Ordering::SeqCst); 12])
}

fn fixture() -> Vec<u8> {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../tests/fixtures/h264-aac.mp4"
    );
    std::fs::read(path).unwrap()
}

fn codecs() -> String {
    let mut reader = StreamReader::new();
    reader.push(&fixture());
    match reader.next().unwrap() {
        Some(StreamItem::Format(format)) => format.codecs(),
        other => panic!("{other:?}"),
    }
}

fn atom(kind: &[u8], body: &[u8]) -> Vec<u8> {
    let size = u32::try_from(8 + body.len()).unwrap().to_be_bytes();
    [&size[..], kind, body].concat()
}

/// The beginning of a clip, as far as it matters here.
fn clip(channel: &ChannelId, start: i64, end: i64) -> Vec<u8> {
    let mark = [
        b"oriel-clip-v1\0\0\0",
        &start.to_be_bytes()[..],
        &end.to_be_bytes(),
        channel.as_str().as_bytes(),
    ]
    .concat();
    // "und", as QuickTime packs it.
    let name = [&b"\0\x05\x55\xc4"[..], b"Thief"].concat();
    let told = [atom(b"\xa9nam", &name), atom(b"uuid", &mark)].concat();
    let moov = atom(b"moov", &atom(b"udta", &told));
    [
        atom(b"ftyp", b"isom\0\0\0\0isom"),
        moov,
        atom(b"mdat", &[0; 900]),
    ]
    .concat()
}

async fn bucket(s3: &s3::S3) -> Bucket {
    let settings = S3Settings {
        endpoint: Some(format!("http://127.0.0.1:{}", s3.port).parse().unwrap()),
        region: "us-east-1".into(),
        bucket: "footage".into(),
        prefix: KeyPrefix::parse("Site-A").unwrap(),
        addressing: Addressing::Path,
        credentials: CredentialSource::Keys {
            key_id: Secret::new(s3::ID),
            secret: Secret::new(s3::SECRET),
            session_token: None,
        },
    };
    Bucket::S3(S3Bucket::open(settings).await.unwrap())
}

/// What the list shows, but the numbers of rows.
async fn listed(store: &Store, channel: &ChannelId) -> Vec<RecordingRow> {
    let all = Range {
        start: at(-1),
        end: at(1_000_000_000),
    };
    let page = store.recordings(channel.clone(), all, None, 5000).await;
    let rows = page.unwrap().rows;
    let unnumbered = rows.into_iter().map(|row| RecordingRow { id: 0, ..row });
    unnumbered.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_is_as_it_was_and_a_second_run_changes_nothing() {
    let s3 = s3::S3::start().await;
    let bucket = bucket(&s3).await;
    let areas = Areas {
        incoming: bucket.clone(),
        produced: bucket.clone(),
    };
    let folder = tempfile::tempdir().unwrap();
    let before = Store::open(folder.path().join("before.db")).await.unwrap();
    let channel: ChannelId = "abcdefghjk23".parse().unwrap();
    let other: ChannelId = "abcdefghjk24".parse().unwrap();
    let bytes = fixture();
    let mut rows = Vec::new();
    for (of, start, continues) in [
        (&channel, 0, false),
        (&channel, 3000, true),
        (&channel, 86_400_000, false),
        (&other, 3000, false),
    ] {
        let key = ObjectKey::recording(of, at(start), 3000).unwrap();
        bucket.put_bytes(&key, bytes.clone(), None).await.unwrap();
        before
            .channel_restore(of.clone(), "Yard".into(), at(0))
            .await
            .unwrap();
        rows.push(StoredRecording {
            channel: of.clone(),
            start: at(start),
            end: at(start + 3000),
            bytes: bytes.len() as u64,
            codecs: codecs(),
            continues,
            object_key: key.to_string(),
            stored: at(0),
        });
    }
    before.recordings_restore(rows).await.unwrap();
    let put = async |key: ObjectKey, bytes: Vec<u8>| {
        bucket.put_bytes(&key, bytes, None).await.unwrap();
    };
    let note = "{\"name\":\"Yard\"}".to_owned().into_bytes();
    put(ObjectKey::channel(&channel).unwrap(), note).await;
    put(ObjectKey::snapshot(&channel, at(5)).unwrap(), vec![7; 40]).await;
    let id: ClipId = "clipclipclip".parse().unwrap();
    let shown = clip(&channel, at(1000).ms(), at(4000).ms());
    put(ObjectKey::clip(&channel, id.as_str()).unwrap(), shown).await;
    // Named like ours, but nothing that plays; and something of somebody else.
    let broken = ObjectKey::recording(&channel, at(50_000), 9).unwrap();
    put(broken, b"not a film".to_vec()).await;
    put(
        ObjectKey::parse("recordings/readme.txt").unwrap(),
        b"?".to_vec(),
    )
    .await;

    let after = Store::open(folder.path().join("after.db")).await.unwrap();
    let mut pages = 0;
    let run = async |pages: &mut u32| -> Rebuilt {
        rebuild(&after, &areas, random, |_| *pages += 1)
            .await
            .unwrap()
    };
    let out = run(&mut pages).await;
    assert!(pages >= 3, "progress is told");
    assert_eq!((out.channels, out.recordings.added), (2, 4));
    assert_eq!((out.snapshots.added, out.clips.added), (1, 1));
    assert_eq!((out.unreadable, out.foreign), (1, 1));
    for of in [&channel, &other] {
        let rows = listed(&after, of).await;
        assert_eq!(rows, listed(&before, of).await);
        assert!(!rows.is_empty());
    }
    let names: Vec<String> = after
        .channels()
        .await
        .unwrap()
        .into_iter()
        .map(|c| c.name)
        .collect();
    assert!(names.contains(&"Yard".to_owned()), "{names:?}");
    assert!(names.contains(&format!("Channel {other}")), "{names:?}");
    let clip = after.clip(id).await.unwrap().unwrap();
    let media = clip.media.unwrap();
    assert_eq!((media.start, media.end), (at(1000), at(4000)));
    assert_eq!(clip.name, "Thief");

    let again = run(&mut pages).await;
    assert_eq!(
        again.recordings,
        Restored {
            known: 4,
            ..Restored::default()
        }
    );
    assert_eq!(
        (again.channels, again.snapshots.added, again.clips.added),
        (0, 0, 0)
    );
    let selection = Selection {
        channels: None,
        before: None,
        limit: 10,
    };
    assert_eq!(after.snapshots(selection).await.unwrap().rows.len(), 1);
}

fn moment(ms: i64) -> serde_json::Value {
    serde_json::json!({ "utc": at(ms), "local": "whatever it was there" })
}

fn told(export: &str, channel: &ChannelId) -> Vec<u8> {
    let span = serde_json::json!({ "start": moment(0), "end": moment(60_000) });
    let file = |name: &str, bytes: u64| {
        serde_json::json!({
            "camera_id": "cameracamera", "camera": "Yard", "channel_id": channel,
            "status": "finished", "file": name, "bytes": bytes, "sha256": "ab".repeat(32),
            "footage": span, "gaps": [],
        })
    };
    serde_json::json!({
        "oriel_version": "1.0.0", "export_id": export, "created": moment(90_000),
        "time_zone": "Europe/Zagreb", "asked_for": span, "with_audio": true,
        "files": [file("yard.mp4", 40), file("gate.mp4", 41)],
    })
    .to_string()
    .into_bytes()
}

#[tokio::test(flavor = "multi_thread")]
async fn exports_come_back_with_the_files_that_are_there() {
    let s3 = s3::S3::start().await;
    let bucket = bucket(&s3).await;
    let areas = Areas {
        incoming: bucket.clone(),
        produced: bucket.clone(),
    };
    let channel: ChannelId = "abcdefghjk23".parse().unwrap();
    let put = async |job: &str, file: &str, bytes: Vec<u8>| {
        let key = ObjectKey::export(job, file).unwrap();
        bucket.put_bytes(&key, bytes, None).await.unwrap();
    };
    let (whole, torn) = ("exportexport", "tornexportab");
    put(whole, "yard.mp4", vec![1; 40]).await;
    put(whole, "gate.mp4", vec![2; 41]).await;
    put(whole, "manifest.json", told(whole, &channel)).await;
    // One file is gone, the other is not what was made; and one that nobody tells of.
    put(torn, "gate.mp4", vec![2; 3]).await;
    put(torn, "manifest.json", told(torn, &channel)).await;
    put("nobodysaidso", "yard.mp4", vec![1; 40]).await;
    put("otherexports", "manifest.json", told(whole, &channel)).await;

    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path().join("oriel.db")).await.unwrap();
    let run = async || rebuild(&store, &areas, random, |_| {}).await.unwrap();
    let out = run().await;
    assert_eq!((out.exports.added, out.unreadable), (2, 2));
    assert_eq!((run().await).exports.known, 2);
    let read = async |id: &str| {
        let row = store.export(id.parse().unwrap()).await.unwrap();
        row.unwrap()
    };
    let row = read(whole).await;
    assert_eq!(row.status, ExportStatus::Finished);
    assert_eq!((row.range.end, row.created), (at(60_000), at(90_000)));
    assert!(row.parts.iter().all(|p| p.stored.is_some() && !p.local));
    assert_eq!(row.parts[1].sha256, Some([0xab; 32]));
    let row = read(torn).await;
    assert_eq!(
        (row.status, row.reason.is_some()),
        (ExportStatus::Failed, true)
    );
    let lost = |p: &ExportPartRow| p.status == ExportStatus::Failed && p.stored.is_none();
    assert!(row.parts.iter().all(lost), "{:?}", row.parts);
}
