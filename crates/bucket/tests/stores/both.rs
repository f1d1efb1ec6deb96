//! One list of tests, run on a service and on a folder.

use std::{collections::BTreeSet, time::Duration};

use bytes::Bytes;
use oriel_bucket::{
    Bucket, BucketError, ByteRange, MIN_PART, ObjectKey, Part, PutOptions, Source, Upload, Verified,
};
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;

use crate::server::{Folder, S3, fetch};

macro_rules! on_both {
    ($($case:ident)*) => {
        mod on_s3 { $(
            #[tokio::test]
            async fn $case() {
                let server = super::S3::start().await;
                super::$case(server.bucket().await).await;
            }
        )* }
        mod on_folder { $(
            #[tokio::test]
            async fn $case() {
                let server = super::Folder::start().await;
                super::$case(server.bucket().await).await;
            }
        )* }
    };
}

on_both! {
    written_from_memory_and_read_back
    written_from_a_file_and_fetched_to_one
    replaced_whole
    only_when_missing
    read_in_part
    what_is_not_there
    listed_in_order_page_by_page
    deleted_twice_and_many
    by_signed_address
    signed_for_one_object_and_one_verb
    a_signed_address_ends
    in_parts_resumed_and_completed
    an_upload_is_aborted
    copied_and_joined_inside
    a_damaged_source_is_noticed
    written_at_once_by_many
}

pub fn key(text: &str) -> ObjectKey {
    ObjectKey::parse(text).unwrap()
}

/// Bytes that differ everywhere.
pub fn noise(len: usize, seed: u32) -> Bytes {
    let mut state = seed | 1;
    (0..len)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        })
        .collect()
}

pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

pub async fn all(bucket: &Bucket, key: &ObjectKey) -> Bytes {
    bucket
        .get(key, None)
        .await
        .unwrap()
        .bytes(64 << 20)
        .await
        .unwrap()
}

async fn written_from_memory_and_read_back(bucket: Bucket) {
    let k = key("snapshots/abcdefghjk23/1.jpg");
    for bytes in [Bytes::new(), noise(1, 1), noise(300_000, 2)] {
        let stored = bucket
            .put_bytes(&k, bytes.clone(), Some("image/jpeg"))
            .await
            .unwrap();
        assert_eq!(
            (stored.size, stored.sha256),
            (bytes.len() as u64, sha256(&bytes))
        );
        assert_eq!(stored.verified, Verified::Sha256);
        assert_eq!(all(&bucket, &k).await, bytes);
        assert_eq!(bucket.stat(&k).await.unwrap().size, bytes.len() as u64);
    }
    let stat = bucket.stat(&k).await.unwrap();
    let age = jiff::Timestamp::now().as_millisecond() - stat.modified.unwrap().ms();
    assert!(age.abs() < 600_000);
}

async fn written_from_a_file_and_fetched_to_one(bucket: Bucket) {
    let bytes = noise(3_000_001, 3);
    let file = NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &bytes).unwrap();
    let k = key("recordings/a/1.mp4");
    let source = Source::file(file.path()).await.unwrap();
    let options = PutOptions {
        sha256: Some(sha256(&bytes)),
        bandwidth: Some(std::sync::Arc::new(oriel_bucket::Bandwidth::new(Some(
            100_000_000,
        )))),
        ..PutOptions::default()
    };
    let stored = bucket.put(&k, &source, &options).await.unwrap();
    assert_eq!(stored.sha256, sha256(&bytes));
    // Again, now that the store is known; and a part of the file.
    bucket.put(&k, &source, &options).await.unwrap();
    let part = Source::File {
        path: file.path().to_owned(),
        offset: 7,
        len: 500_000,
    };
    bucket
        .put(&key("part"), &part, &PutOptions::default())
        .await
        .unwrap();
    assert_eq!(all(&bucket, &key("part")).await, bytes[7..500_007]);

    let folder = tempfile::tempdir().unwrap();
    let (temp, sum) = bucket
        .get_to_temp_file(&k, folder.path(), Some(sha256(&bytes)))
        .await
        .unwrap();
    assert_eq!(sum, sha256(&bytes));
    assert_eq!(std::fs::read(temp.path()).unwrap(), bytes);
    drop(temp);
    let wrong = bucket
        .get_to_temp_file(&k, folder.path(), Some([0; 32]))
        .await;
    assert_eq!(wrong.unwrap_err(), BucketError::Corrupt);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

async fn replaced_whole(bucket: Bucket) {
    let k = key("a/b");
    bucket.put_bytes(&k, noise(9000, 4), None).await.unwrap();
    let mut reading = bucket.get(&k, None).await.unwrap();
    let first = reading.next().await.unwrap().unwrap();
    bucket.put_bytes(&k, noise(100, 5), None).await.unwrap();
    assert_eq!(all(&bucket, &k).await, noise(100, 5));
    assert_eq!(first, noise(9000, 4)[..first.len()]);
}

async fn only_when_missing(bucket: Bucket) {
    let k = key("a/new");
    let options = PutOptions {
        if_none_match: true,
        ..PutOptions::default()
    };
    let put = |seed| {
        let (bucket, k, options) = (&bucket, &k, &options);
        async move {
            bucket
                .put(k, &Source::Bytes(noise(50, seed)), options)
                .await
        }
    };
    put(1).await.unwrap();
    assert_eq!(put(2).await, Err(BucketError::AlreadyExists));
    assert_eq!(all(&bucket, &k).await, noise(50, 1));
}

async fn read_in_part(bucket: Bucket) {
    let (k, bytes) = (key("a/range"), noise(1000, 6));
    bucket.put_bytes(&k, bytes.clone(), None).await.unwrap();
    for (start, end, want) in [
        (0, Some(1), &bytes[..1]),
        (10, Some(20), &bytes[10..20]),
        (990, None, &bytes[990..]),
        (990, Some(5000), &bytes[990..]),
        (0, None, &bytes[..]),
    ] {
        let object = bucket
            .get(&k, Some(ByteRange { start, end }))
            .await
            .unwrap();
        assert_eq!((object.size, object.start), (1000, start));
        assert_eq!(object.len, want.len() as u64);
        assert!(!object.range_ignored);
        assert_eq!(object.bytes(1000).await.unwrap(), want);
    }
    for (start, end) in [
        (1000, None),
        (5000, Some(6000)),
        (10, Some(10)),
        (10, Some(5)),
    ] {
        let object = bucket.get(&k, Some(ByteRange { start, end })).await;
        assert_eq!(
            object.unwrap_err(),
            BucketError::OutOfRange,
            "{start} {end:?}"
        );
    }
    assert!(
        bucket
            .get(&k, None)
            .await
            .unwrap()
            .bytes(999)
            .await
            .is_err()
    );
}

async fn what_is_not_there(bucket: Bucket) {
    let k = key("a/missing");
    bucket.put_bytes(&key("a/file"), "x", None).await.unwrap();
    for k in [&k, &key("a/missing/b"), &key("nowhere")] {
        assert_eq!(
            bucket.get(k, None).await.unwrap_err(),
            BucketError::NotFound
        );
        assert_eq!(bucket.stat(k).await.unwrap_err(), BucketError::NotFound);
        assert_eq!(bucket.delete(k).await, Ok(()));
    }
    assert!(
        bucket
            .list(Some(&k), None, 10)
            .await
            .unwrap()
            .objects
            .is_empty()
    );
    let copied = bucket.copy_from(&bucket, &k, &key("b")).await;
    assert_eq!(copied, Err(BucketError::NotFound));
    let path = std::path::Path::new("/nowhere/at/all");
    assert!(matches!(
        Source::file(path).await,
        Err(BucketError::Local(_))
    ));
}

async fn listed_in_order_page_by_page(bucket: Bucket) {
    let names: BTreeSet<&str> = [
        "l/a-b/x",
        "l/a/x",
        "l/a/y",
        "l/a.b",
        "l/a0",
        "l/b/c/d/e",
        "l/b/c/d/f",
        "l/z",
        "l2/other",
        "k",
    ]
    .into();
    for name in &names {
        bucket.put_bytes(&key(name), *name, None).await.unwrap();
    }
    let list = |under: Option<&'static str>, limit| {
        let bucket = &bucket;
        async move {
            let under = under.map(key);
            let (mut found, mut after) = (Vec::new(), None);
            loop {
                let page = bucket
                    .list(under.as_ref(), after.as_deref(), limit)
                    .await
                    .unwrap();
                assert!(page.objects.len() <= limit && page.foreign == 0);
                found.extend(
                    page.objects
                        .into_iter()
                        .map(|o| (o.key.to_string(), o.size)),
                );
                after = page.next;
                if after.is_none() {
                    return found;
                }
            }
        }
    };
    for limit in [1, 2, 3, 7, 1000] {
        for under in [
            None,
            Some("l"),
            Some("l/a"),
            Some("l/b/c"),
            Some("l/z"),
            Some("x"),
        ] {
            let want: Vec<_> = names
                .iter()
                .filter(|n| under.is_none_or(|u| n.starts_with(&format!("{u}/"))))
                .map(|n| (n.to_string(), n.len() as u64))
                .collect();
            assert_eq!(list(under, limit).await, want, "{under:?} {limit}");
        }
    }
}

async fn deleted_twice_and_many(bucket: Bucket) {
    let keys: Vec<_> = (0..1100)
        .map(|n| key(&format!("d/{}/{n}", n % 7)))
        .collect();
    for k in keys.iter().take(30) {
        bucket.put_bytes(k, "x", None).await.unwrap();
    }
    bucket.put_bytes(&key("d/keep"), "x", None).await.unwrap();
    bucket.delete(&keys[0]).await.unwrap();
    bucket.delete(&keys[0]).await.unwrap();
    // Among them many that are not there.
    assert_eq!(bucket.delete_many(&keys).await.unwrap(), []);
    assert_eq!(bucket.delete_many(&[]).await.unwrap(), []);
    let left = bucket.list(None, None, 1000).await.unwrap();
    assert_eq!(left.objects.len(), 1);
    bucket.put_bytes(&keys[0], "again", None).await.unwrap();
}

const MINUTE: Duration = Duration::from_secs(60);

async fn by_signed_address(bucket: Bucket) {
    let k = key("snapshots/abcdefghjk23/2.jpg");
    let put = bucket
        .presign_put(&k, MINUTE, Some("image/jpeg"))
        .await
        .unwrap();
    let (status, _) = fetch("PUT", &put.url, &put.headers, "a picture").await;
    assert_eq!(status, 200);
    assert_eq!(all(&bucket, &k).await, "a picture");
    let get = bucket.presign_get(&k, MINUTE).await.unwrap();
    let answer = fetch("GET", &get.url, &get.headers, "").await;
    assert_eq!(answer, (200, "a picture".to_owned()));
    let missing = bucket.presign_get(&key("not/there"), MINUTE).await.unwrap();
    assert_eq!(fetch("GET", &missing.url, &[], "").await.0, 404);
    assert!(bucket.presign_get(&k, MINUTE * 60 * 24 * 8).await.is_err());
}

async fn signed_for_one_object_and_one_verb(bucket: Bucket) {
    for name in ["a/one", "a/two"] {
        bucket.put_bytes(&key(name), name, None).await.unwrap();
    }
    let get = bucket.presign_get(&key("a/one"), MINUTE).await.unwrap();
    let put = bucket
        .presign_put(&key("a/one"), MINUTE, None)
        .await
        .unwrap();
    let refused = |method: &'static str, url: String| async move {
        let (status, body) = fetch(method, &url, &[], "").await;
        assert_eq!(status, 403, "{method} {body}");
    };
    refused("PUT", get.url.clone()).await;
    refused("GET", put.url.clone()).await;
    refused("GET", get.url.replace("a/one", "a/two")).await;
    let (open, query) = get.url.split_once('?').unwrap();
    assert_ne!(fetch("GET", open, &[], "").await.0, 200);
    // Another signature of the right form.
    let at = query.to_ascii_lowercase().find("sig").unwrap();
    let value = query
        .rfind('=')
        .unwrap_or(at)
        .max(query.find("Signature=").unwrap_or(0))
        + 12;
    let mut bad = query.as_bytes().to_vec();
    bad[value] = if bad[value] == b'a' { b'b' } else { b'a' };
    refused("GET", format!("{open}?{}", String::from_utf8(bad).unwrap())).await;
    assert_eq!(fetch("GET", &get.url, &[], "").await.1, "a/one");
}

async fn a_signed_address_ends(bucket: Bucket) {
    let k = key("a/short");
    bucket.put_bytes(&k, "x", None).await.unwrap();
    let get = bucket
        .presign_get(&k, Duration::from_secs(1))
        .await
        .unwrap();
    let deadline = tokio::time::Instant::now() + MINUTE;
    // Until the store's own clock has passed the end.
    while fetch("GET", &get.url, &[], "").await.0 != 403 {
        assert!(tokio::time::Instant::now() < deadline, "never ended");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(fetch("GET", &get.url, &[], "").await.0, 403);
}

async fn in_parts_resumed_and_completed(bucket: Bucket) {
    let k = key("exports/j/big.mp4");
    let bytes = noise(MIN_PART as usize * 2 + 12_345, 8);
    let file = NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &bytes).unwrap();
    let part = |n: u64| Source::File {
        path: file.path().to_owned(),
        offset: n * MIN_PART,
        len: MIN_PART.min(bytes.len() as u64 - n * MIN_PART),
    };
    let options = PutOptions::default();
    let upload = bucket.begin_upload(&k, Some("video/mp4")).await.unwrap();
    bucket
        .put_part(
            &upload,
            1,
            &Source::Bytes(noise(MIN_PART as usize, 1)),
            &options,
        )
        .await
        .unwrap();
    // The same number again takes the place of the first.
    let first = bucket
        .put_part(&upload, 1, &part(0), &options)
        .await
        .unwrap();
    let third = bucket
        .put_part(&upload, 3, &part(2), &options)
        .await
        .unwrap();
    assert_eq!(bucket.stat(&k).await, Err(BucketError::NotFound));
    // After a restart only key and id are known.
    let upload = Upload {
        key: upload.key,
        id: upload.id,
    };
    let seen = |p: &Part| (p.number, p.size);
    let listed = bucket.list_parts(&upload).await.unwrap();
    assert!(listed.iter().map(seen).eq([seen(&first), seen(&third)]));
    let second = bucket
        .put_part(&upload, 2, &part(1), &options)
        .await
        .unwrap();
    let parts = [first, second, third];
    let backwards: Vec<Part> = parts.iter().rev().cloned().collect();
    assert!(bucket.complete_upload(&upload, &backwards).await.is_err());
    assert!(bucket.complete_upload(&upload, &[]).await.is_err());
    let stat = bucket.complete_upload(&upload, &parts).await.unwrap();
    assert_eq!(stat.size, bytes.len() as u64);
    assert_eq!(all(&bucket, &k).await, bytes);
    assert!(ended(&bucket, &upload).await);
    for number in [0, 10_001] {
        let part = bucket.put_part(&upload, number, &part(0), &options).await;
        assert!(matches!(part, Err(BucketError::Invalid(_))));
    }
}

/// Some services have forgotten an ended upload, others list no parts of it.
async fn ended(bucket: &Bucket, upload: &Upload) -> bool {
    match bucket.list_parts(upload).await {
        Ok(parts) => parts.is_empty(),
        Err(e) => e == BucketError::NotFound,
    }
}

async fn an_upload_is_aborted(bucket: Bucket) {
    let upload = bucket.begin_upload(&key("a/b"), None).await.unwrap();
    let source = Source::Bytes(noise(100, 1));
    bucket
        .put_part(&upload, 1, &source, &PutOptions::default())
        .await
        .unwrap();
    bucket.abort_upload(&upload).await.unwrap();
    assert!(ended(&bucket, &upload).await);
    assert_eq!(bucket.stat(&key("a/b")).await, Err(BucketError::NotFound));
}

async fn copied_and_joined_inside(bucket: Bucket) {
    let (first, second) = (noise(MIN_PART as usize + 17, 1), noise(1000, 2));
    bucket
        .put_bytes(&key("s/1"), first.clone(), None)
        .await
        .unwrap();
    bucket
        .put_bytes(&key("s/2"), second.clone(), None)
        .await
        .unwrap();
    let copy = bucket
        .copy_from(&bucket, &key("s/1"), &key("clips/c"))
        .await
        .unwrap();
    assert_eq!(copy.size, first.len() as u64);
    assert_eq!(all(&bucket, &key("clips/c")).await, first);
    let range = |start, end| Some(ByteRange { start, end });
    let pieces = [
        (key("s/1"), range(10, Some(MIN_PART + 11))),
        (key("s/1"), None),
        (key("s/2"), range(990, None)),
    ];
    let joined = bucket
        .concat_from(&bucket, &pieces, &key("clips/j"), None)
        .await
        .unwrap();
    let want = [&first[10..MIN_PART as usize + 11], &first, &second[990..]].concat();
    assert_eq!(joined.size, want.len() as u64);
    assert_eq!(all(&bucket, &key("clips/j")).await, want);
    let missing = [(key("s/none"), None)];
    let failed = bucket
        .concat_from(&bucket, &missing, &key("clips/n"), None)
        .await;
    assert_eq!(failed, Err(BucketError::NotFound));
}

async fn a_damaged_source_is_noticed(bucket: Bucket) {
    let file = NamedTempFile::new().unwrap();
    std::fs::write(file.path(), noise(10_000, 1)).unwrap();
    let source = Source::file(file.path()).await.unwrap();
    let options = PutOptions {
        sha256: Some(sha256(&noise(10_000, 2))),
        ..PutOptions::default()
    };
    let invalid = Err(BucketError::Local(std::io::ErrorKind::InvalidData));
    let put = bucket.put(&key("a/damaged"), &source, &options).await;
    assert_eq!(put, invalid);
    assert_eq!(
        bucket.stat(&key("a/damaged")).await,
        Err(BucketError::NotFound)
    );
    // Now that the store is known it does the sum itself.
    bucket.put_bytes(&key("a/other"), "x", None).await.unwrap();
    assert_eq!(
        bucket.put(&key("a/damaged"), &source, &options).await,
        invalid
    );
    // Some stores keep what they refuse.
    assert_eq!(
        bucket.stat(&key("a/damaged")).await,
        Err(BucketError::NotFound)
    );
    std::fs::write(file.path(), noise(5000, 1)).unwrap();
    let put = bucket
        .put(&key("a/cut"), &source, &PutOptions::default())
        .await;
    assert_eq!(
        put,
        Err(BucketError::Local(std::io::ErrorKind::UnexpectedEof))
    );
    assert_eq!(bucket.stat(&key("a/cut")).await, Err(BucketError::NotFound));
}

async fn written_at_once_by_many(bucket: Bucket) {
    let work = (0..40u32).map(|n| {
        let bucket = bucket.clone();
        async move {
            let k = key(&format!("many/{}/{}", n % 5, n % 10));
            bucket
                .put_bytes(&k, noise(2000, n % 10), None)
                .await
                .unwrap();
            if n % 4 == 0 {
                bucket
                    .delete(&key(&format!("many/{}/x", n % 5)))
                    .await
                    .unwrap();
            }
        }
    });
    futures::future::join_all(work).await;
    for n in 0..10 {
        let k = key(&format!("many/{}/{n}", n % 5));
        assert_eq!(all(&bucket, &k).await, noise(2000, n));
    }
}
