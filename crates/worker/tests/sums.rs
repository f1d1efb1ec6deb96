//! Segments are summed as they are closed when they are to leave this computer.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on fails"
)]

mod support;

use std::path::Path;

use oriel_bucket::{
    Areas, Bucket, Capabilities, FolderBucket, Remote, SharedStores, StoredAt, Stores,
};
use sha2::{Digest, Sha256};
use support::*;

async fn destination(root: &Path) -> Stores {
    std::fs::create_dir(root).unwrap();
    FolderBucket::set_up(root).await.unwrap();
    let folder = Bucket::Folder(FolderBucket::open(root, None).await.unwrap());
    let mut stores = Stores::none();
    stores.remote = Some(Remote {
        at: StoredAt::default(),
        areas: Areas {
            incoming: folder.clone(),
            produced: folder,
        },
        capabilities: Capabilities::default(),
    });
    stores
}

#[tokio::test]
async fn the_sum_is_that_of_the_file_as_it_lies_there() {
    let shared = SharedStores::default();
    let bench = Bench::with(5, |options| options.stores = shared.clone());
    shared.replace(destination(&bench.dir.path().join("bucket")).await);
    bench.worker.start(false).await.unwrap();
    let footage = Footage::of("h264-aac.mp4");
    let frames = footage.mixed(footage.video(13), footage.audio(0.0, 13.0), 1.4);
    let rows = bench.record(&footage, frames).await;
    assert!(rows.len() >= 3);
    for row in rows {
        let bytes = std::fs::read(bench.file(&row)).unwrap();
        let sum: [u8; 32] = Sha256::digest(&bytes).into();
        assert_eq!(row.sha256, Some(sum));
    }
}

#[tokio::test]
async fn without_a_destination_nothing_is_spent_on_sums() {
    let bench = Bench::started(5).await;
    let footage = Footage::of("h264-aac.mp4");
    let rows = bench.record(&footage, footage.video(7)).await;
    assert!(!rows.is_empty() && rows.iter().all(|r| r.sha256.is_none()));
}
