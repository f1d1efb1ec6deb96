//! What a person has to put right is named, and nothing secret with it.

use oriel_api::Secret;
use oriel_bucket::{
    Bucket, BucketError, CredentialSource, Fault, FolderBucket, Interruption, S3Settings,
};

use crate::{
    both::key,
    server::{Do, Folder, ID, S3, SECRET, open},
};

async fn fails(settings: S3Settings) -> BucketError {
    let error = open(settings)
        .await
        .put_bytes(&key("a/b"), "x", None)
        .await
        .unwrap_err();
    for text in [error.to_string(), format!("{error:?}")] {
        assert!(!text.contains(SECRET) && !text.contains(ID), "{text}");
    }
    error
}

#[tokio::test]
async fn each_fault_has_its_name() {
    let server = S3::start().await;
    let good = server.settings();
    let keys = |id: &str, secret: &str| CredentialSource::Keys {
        key_id: Secret::new(id),
        secret: Secret::new(secret),
        session_token: None,
    };
    let at = |url: String| Some(url.parse().unwrap());
    for credentials in [keys("other", SECRET), keys(ID, "other")] {
        let settings = S3Settings {
            credentials,
            ..good.clone()
        };
        assert_eq!(fails(settings).await.fault(), Some(&Fault::BadCredentials));
    }
    let tls = S3Settings {
        endpoint: at(format!("https://127.0.0.1:{}", server.port)),
        ..good.clone()
    };
    assert_eq!(fails(tls).await.fault(), Some(&Fault::Tls));
    let closed = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port()
    };
    let nobody = S3Settings {
        endpoint: at(format!("http://127.0.0.1:{closed}")),
        ..good.clone()
    };
    assert_eq!(
        fails(nobody).await,
        BucketError::Transient(Interruption::Unreachable)
    );
    server.rule(|_| Do::RefuseLate);
    match fails(good.clone()).await.fault() {
        Some(Fault::ClockSkew(Some(ahead))) => assert!((3500..3700).contains(ahead)),
        other => panic!("{other:?}"),
    }
    for (status, code, fault) in [
        (404, "NoSuchBucket", Fault::NoSuchBucket),
        (301, "PermanentRedirect", Fault::WrongRegion),
        (400, "ExpiredToken", Fault::ExpiredCredentials),
        (403, "QuotaExceeded", Fault::Full),
        (403, "", Fault::AccessDenied),
    ] {
        server.rule(move |_| Do::Refuse(status, code));
        assert_eq!(fails(good.clone()).await.fault(), Some(&fault));
    }
    server.rule(|_| Do::Refuse(502, "<html>"));
    assert_eq!(
        fails(good).await,
        BucketError::Transient(Interruption::ServerFault(502))
    );
}

#[tokio::test]
async fn a_missing_folder_is_not_an_empty_one() {
    let place = Folder::start().await;
    let bucket = place.bucket().await;
    bucket.put_bytes(&key("a/b"), "x", None).await.unwrap();
    let missing = Some(&Fault::FolderMissing);
    // An empty mount point.
    let root = place.folder.path();
    let aside = tempfile::tempdir().unwrap();
    std::fs::rename(root.join(".oriel"), aside.path().join(".oriel")).unwrap();
    std::fs::rename(root.join("a"), aside.path().join("a")).unwrap();
    let put = bucket.put_bytes(&key("a/b"), "x", None).await;
    assert_eq!(put.unwrap_err().fault(), missing);
    assert_eq!(
        bucket.get(&key("a/b"), None).await.unwrap_err().fault(),
        missing
    );
    assert_eq!(
        bucket.delete(&key("a/b")).await.unwrap_err().fault(),
        missing
    );
    assert_eq!(
        bucket.list(None, None, 10).await.unwrap_err().fault(),
        missing
    );
    assert_eq!(
        bucket
            .begin_upload(&key("a"), None)
            .await
            .unwrap_err()
            .fault(),
        missing
    );
    assert_eq!(
        FolderBucket::open(root, None).await.unwrap_err().fault(),
        missing
    );
    assert_eq!(std::fs::read_dir(root).unwrap().count(), 0);
    let nowhere = FolderBucket::set_up(root.join("no/where")).await;
    assert_eq!(nowhere.unwrap_err().fault(), missing);
}

#[cfg(unix)]
#[tokio::test]
async fn no_way_out_of_the_folder() {
    let place = Folder::start().await;
    let bucket = place.bucket().await;
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("secret"), "s").unwrap();
    std::os::unix::fs::symlink(outside.path(), place.folder.path().join("link")).unwrap();
    let file = outside.path().join("secret");
    std::os::unix::fs::symlink(file, place.folder.path().join("file")).unwrap();
    for k in [key("link/secret"), key("link/new"), key("file")] {
        let link = Some(&Fault::LinkInFolder);
        assert_eq!(bucket.get(&k, None).await.unwrap_err().fault(), link);
        assert_eq!(
            bucket.put_bytes(&k, "x", None).await.unwrap_err().fault(),
            link
        );
        assert_eq!(bucket.delete(&k).await.unwrap_err().fault(), link);
    }
    let page = bucket.list(None, None, 10).await.unwrap();
    assert!(page.objects.is_empty());
    assert_eq!(
        std::fs::read_to_string(outside.path().join("secret")).unwrap(),
        "s"
    );
    for id in ["../tmp", "", "a/b", "ux\0"] {
        let upload = oriel_bucket::Upload {
            key: key("a"),
            id: id.into(),
        };
        assert_eq!(bucket.list_parts(&upload).await, Err(BucketError::NotFound));
    }
}

#[tokio::test]
async fn nothing_half_written_is_seen_or_left() {
    let place = Folder::start().await;
    let bucket = place.bucket().await;
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "short").unwrap();
    let longer = oriel_bucket::Source::File {
        path: file.path().to_owned(),
        offset: 0,
        len: 1000,
    };
    assert!(
        bucket
            .put(&key("a"), &longer, &Default::default())
            .await
            .is_err()
    );
    assert_eq!(bucket.stat(&key("a")).await, Err(BucketError::NotFound));
    let tmp = place.folder.path().join(".oriel/tmp");
    assert_eq!(std::fs::read_dir(tmp).unwrap().count(), 0);
}

#[tokio::test]
async fn without_a_signer_there_are_no_signed_addresses() {
    let folder = tempfile::tempdir().unwrap();
    FolderBucket::set_up(folder.path()).await.unwrap();
    let bucket = Bucket::Folder(FolderBucket::open(folder.path(), None).await.unwrap());
    let hour = std::time::Duration::from_secs(3600);
    assert!(matches!(
        bucket.presign_get(&key("a"), hour).await,
        Err(BucketError::Unsupported(_))
    ));
}

#[tokio::test]
async fn other_stores_are_not_copied_from() {
    let (s3, folder) = (S3::start().await, Folder::start().await);
    let (s3, folder) = (s3.bucket().await, folder.bucket().await);
    for (to, from) in [(&s3, &folder), (&folder, &s3)] {
        let copied = to.copy_from(from, &key("a"), &key("b")).await;
        assert!(matches!(copied, Err(BucketError::Unsupported(_))));
    }
}
