//! Servers that are not what they should be.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use oriel_bucket::{
    Bucket, BucketError, ByteRange, Fault, Feature, Interruption, PutOptions, Source, Verified,
};
use tempfile::NamedTempFile;
use tokio::sync::Notify;

use crate::{
    both::{all, key, noise, sha256},
    server::{Do, S3},
};

#[tokio::test]
async fn the_whole_for_a_range_is_cut_to_the_range() {
    let server = S3::start().await;
    let bucket = server.bucket().await;
    let bytes = noise(100_000, 1);
    bucket
        .put_bytes(&key("a/b"), bytes.clone(), None)
        .await
        .unwrap();
    server.rule(|_| Do::WholeForRange);
    let range = ByteRange {
        start: 70_000,
        end: Some(70_100),
    };
    let object = bucket.get(&key("a/b"), Some(range)).await.unwrap();
    assert!(object.range_ignored);
    assert_eq!(
        (object.start, object.len, object.size),
        (70_000, 100, 100_000)
    );
    assert_eq!(object.bytes(100).await.unwrap(), bytes[70_000..70_100]);
}

#[tokio::test]
async fn no_sums_behind_the_body() {
    let server = S3::start().await;
    let bucket = server.bucket().await;
    server.rule(|asked| {
        let header = |n: &str| {
            let value = asked.headers.get(n).map(|v| v.to_str().unwrap().to_owned());
            value.unwrap_or_default()
        };
        let streamed = header("x-amz-content-sha256").starts_with("STREAMING")
            || header("content-encoding").contains("aws-chunked")
            || asked.headers.contains_key("x-amz-trailer")
            || (asked.method == "PUT" && !asked.headers.contains_key("content-length"));
        if streamed {
            Do::Refuse(400, "InvalidRequest")
        } else {
            Do::Right
        }
    });
    let file = NamedTempFile::new().unwrap();
    std::fs::write(file.path(), noise(2_000_000, 1)).unwrap();
    let source = Source::file(file.path()).await.unwrap();
    let options = PutOptions::default();
    let stored = bucket.put(&key("a/b"), &source, &options).await.unwrap();
    assert_eq!(stored.verified, Verified::Sha256);
    let upload = bucket.begin_upload(&key("a/c"), None).await.unwrap();
    let first = bucket
        .put_part(&upload, 1, &source, &options)
        .await
        .unwrap();
    bucket.complete_upload(&upload, &[first]).await.unwrap();
}

#[tokio::test]
async fn what_is_stored_is_verified_by_what_the_store_offers() {
    let server = S3::start().await;
    let put = |bucket: Bucket| async move {
        let bytes = noise(50_000, 1);
        let stored = bucket
            .put_bytes(&key("a/b"), bytes.clone(), None)
            .await
            .unwrap();
        assert_eq!(stored.sha256, sha256(&bytes));
        stored.verified
    };
    server.rule(|_| Do::NoEcho);
    let bucket = server.bucket().await;
    assert_eq!(put(bucket.clone()).await, Verified::Md5);
    assert_eq!(put(bucket).await, Verified::Md5);
    // It refuses the header: MD5 takes its place, also the next time.
    for (status, code) in [(501, "NotImplemented"), (400, "InvalidArgument")] {
        server.rule(move |asked| {
            let sum = asked.headers.contains_key("x-amz-checksum-sha256");
            if sum {
                Do::Refuse(status, code)
            } else {
                Do::NoEcho
            }
        });
        let bucket = server.bucket().await;
        assert_eq!(put(bucket.clone()).await, Verified::Md5);
        assert_eq!(put(bucket).await, Verified::Md5);
    }
    server.rule(|_| Do::NoSums);
    let bucket = server.bucket().await;
    assert_eq!(put(bucket.clone()).await, Verified::ReadBack);
    assert_eq!(put(bucket).await, Verified::Size);
}

#[tokio::test]
async fn half_an_object_is_not_taken_for_one() {
    let server = S3::start().await;
    let bucket = server.bucket().await;
    let put = || async { bucket.put_bytes(&key("a/b"), noise(50_000, 1), None).await };
    server.rule(|_| Do::KeepHalf);
    // Whatever was learned before.
    for before in [Do::KeepHalf, Do::Right, Do::NoEcho, Do::NoSums] {
        server.rule(move |_| before.clone());
        let _ = put().await;
        server.rule(|_| Do::KeepHalf);
        let error = put().await.unwrap_err();
        assert_eq!(error, BucketError::Corrupt);
        assert!(error.is_transient());
    }
    server.rule(|_| Do::Right);
    put().await.unwrap();
    assert_eq!(all(&bucket, &key("a/b")).await, noise(50_000, 1));
}

#[tokio::test]
async fn half_an_answer_is_an_interruption() {
    let server = S3::start().await;
    let bucket = server.bucket().await;
    bucket
        .put_bytes(&key("a/b"), noise(50_000, 1), None)
        .await
        .unwrap();
    server.rule(|_| Do::CutAnswer);
    let folder = tempfile::tempdir().unwrap();
    let got = bucket
        .get_to_temp_file(&key("a/b"), folder.path(), None)
        .await;
    assert_eq!(
        got.unwrap_err(),
        BucketError::Transient(Interruption::Interrupted)
    );
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    server.rule(|_| Do::Trickle);
    assert_eq!(all(&bucket, &key("a/b")).await, noise(50_000, 1));
}

#[tokio::test]
async fn faults_at_random_pass() {
    let server = S3::start().await;
    let bucket = server.bucket().await;
    server.rule(|asked| match asked.number * 7919 % 5 {
        0 | 1 => Do::Refuse(500, "InternalError"),
        2 => Do::Refuse(503, "SlowDown"),
        _ => Do::Right,
    });
    for n in 0..10 {
        let k = key(&format!("a/{n}"));
        let mut tries = 0;
        while let Err(e) = bucket.put_bytes(&k, noise(1000, n), None).await {
            assert!(e.is_transient(), "{e:?}");
            tries += 1;
            assert!(tries < 50);
        }
    }
    server.rule(|_| Do::Right);
    for n in 0..10 {
        assert_eq!(all(&bucket, &key(&format!("a/{n}"))).await, noise(1000, n));
    }
}

#[tokio::test]
async fn refused_in_the_middle_and_allowed_again() {
    let server = S3::start().await;
    let bucket = server.bucket().await;
    let upload = bucket.begin_upload(&key("a/b"), None).await.unwrap();
    let source = Source::Bytes(noise(5 << 20, 1));
    let options = PutOptions::default();
    let first = bucket
        .put_part(&upload, 1, &source, &options)
        .await
        .unwrap();
    server.rule(|_| Do::Refuse(403, "AccessDenied"));
    let error = bucket
        .put_part(&upload, 2, &source, &options)
        .await
        .unwrap_err();
    assert_eq!(error.fault(), Some(&Fault::AccessDenied));
    assert!(!error.is_transient());
    let error = bucket.put_bytes(&key("a/c"), "x", None).await.unwrap_err();
    assert_eq!(error.fault(), Some(&Fault::AccessDenied));
    server.rule(|_| Do::Right);
    let second = bucket
        .put_part(&upload, 2, &source, &options)
        .await
        .unwrap();
    let stat = bucket
        .complete_upload(&upload, &[first, second])
        .await
        .unwrap();
    assert_eq!(stat.size, 10 << 20);
}

#[tokio::test]
async fn a_store_that_cannot_copy_says_so_or_is_found_out() {
    let server = S3::start().await;
    let bucket = server.bucket().await;
    bucket
        .put_bytes(&key("a/b"), noise(1000, 1), None)
        .await
        .unwrap();
    let copies = |asked: &crate::server::Asked| asked.headers.contains_key("x-amz-copy-source");
    let copy = || async { bucket.copy_from(&bucket, &key("a/b"), &key("a/c")).await };
    let pieces = [(key("a/b"), None)];
    let to = key("a/d");
    let join = || bucket.concat_from(&bucket, &pieces, &to, None);
    server.rule(move |a| {
        if copies(a) {
            Do::Refuse(501, "NotImplemented")
        } else {
            Do::Right
        }
    });
    assert_eq!(copy().await, Err(BucketError::Unsupported(Feature::Copy)));
    assert_eq!(
        join().await,
        Err(BucketError::Unsupported(Feature::PartCopy))
    );
    server.rule(move |a| {
        if copies(a) {
            Do::OverlookCopy
        } else {
            Do::Right
        }
    });
    assert_eq!(copy().await, Err(BucketError::Unsupported(Feature::Copy)));
    assert_eq!(bucket.stat(&key("a/c")).await, Err(BucketError::NotFound));
    assert_eq!(
        join().await,
        Err(BucketError::Unsupported(Feature::PartCopy))
    );
    // Too small to be joined there.
    server.rule(|_| Do::Right);
    let pieces = [(key("a/b"), None), (key("a/b"), None)];
    let joined = bucket.concat_from(&bucket, &pieces, &to, None).await;
    assert_eq!(joined, Err(BucketError::Unsupported(Feature::SmallParts)));
    assert_eq!(bucket.stat(&to).await, Err(BucketError::NotFound));
}

#[tokio::test]
async fn many_are_deleted_one_by_one_where_there_is_no_other_way() {
    let server = S3::start().await;
    let bucket = server.bucket().await;
    let keys: Vec<_> = (0..20).map(|n| key(&format!("a/{n}"))).collect();
    for k in &keys {
        bucket.put_bytes(k, "x", None).await.unwrap();
    }
    let single = Arc::new(AtomicUsize::new(0));
    let count = single.clone();
    server.rule(move |asked| {
        if asked.method == "POST" && asked.query.contains("delete") {
            return Do::Refuse(501, "NotImplemented");
        }
        if asked.is("DELETE", "a/7") {
            return Do::Refuse(403, "AccessDenied");
        }
        count.fetch_add(1, Ordering::Relaxed);
        Do::Right
    });
    let left = bucket.delete_many(&keys).await.unwrap();
    let denied = BucketError::Destination(Fault::AccessDenied);
    assert_eq!(left, [(key("a/7"), denied)]);
    assert_eq!(single.load(Ordering::Relaxed), 19);
}

#[tokio::test]
async fn what_a_store_says_it_did_not_delete_is_not_deleted_whatever_its_reason() {
    let server = S3::start().await;
    let bucket = server.bucket().await;
    let keys: Vec<_> = (0..4).map(|n| key(&format!("a/{n}"))).collect();
    for k in &keys {
        bucket.put_bytes(k, "x", None).await.unwrap();
    }
    let say = |errors: &str| Do::Say(format!("<DeleteResult>{errors}</DeleteResult>"));
    let told = say(
        "<Error><Key>Site-A/a/1</Key><Code>NobodyKnowsThis</Code></Error>\
         <Error><Key>Site-A/a/2</Key><Code>NoSuchKey</Code></Error>\
         <Error><Key>Site-A/a/3</Key></Error>",
    );
    server.rule(move |_| told.clone());
    let left = bucket.delete_many(&keys).await.unwrap();
    let left: Vec<_> = left.into_iter().map(|(key, _)| key).collect();
    assert_eq!(left, [key("a/1"), key("a/3")]);
    // Which one it means cannot be known: each is asked for alone.
    for nameless in [
        "<Error><Code>AccessDenied</Code></Error>",
        "<Error><Key>a%2F1</Key><Code>AccessDenied</Code></Error>",
    ] {
        let told = say(nameless);
        server.rule(move |asked| match asked.method.as_str() {
            "POST" => told.clone(),
            _ if asked.is("DELETE", "a/1") => Do::Refuse(403, "AccessDenied"),
            _ => Do::Right,
        });
        let left = bucket.delete_many(&keys).await.unwrap();
        let denied = BucketError::Destination(Fault::AccessDenied);
        assert_eq!(left, [(key("a/1"), denied)], "{nameless}");
    }
}

#[tokio::test]
async fn a_store_that_never_answers_is_given_up() {
    let server = S3::start().await;
    let bucket = server.bucket().await;
    // Opens a connection while time still runs.
    bucket.put_bytes(&key("a/b"), "x", None).await.unwrap();
    let reached = Arc::new(Notify::new());
    let told = reached.clone();
    server.rule(move |_| Do::Hang(told.clone()));
    let put = tokio::spawn({
        let bucket = bucket.clone();
        async move { bucket.put_bytes(&key("a/b"), "x", None).await }
    });
    reached.notified().await;
    tokio::time::pause();
    let error = put.await.unwrap().unwrap_err();
    assert_eq!(error, BucketError::Transient(Interruption::TimedOut));
}
