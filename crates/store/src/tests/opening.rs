//! Opening, upgrading and refusing a database.

use std::path::Path;

use oriel_api::Timestamp;
use rusqlite::Connection;

use super::Temporary;
use crate::{
    SCHEMA_VERSION, Store, StoreError,
    connection::{MIGRATIONS, copy_path, open_with},
};

fn version(path: &Path) -> i64 {
    let c = Connection::open(path).unwrap();
    c.pragma_query_value(None, "user_version", |r| r.get(0))
        .unwrap()
}

#[tokio::test]
async fn a_newer_file_is_refused_and_left_alone() {
    let t = Temporary::new().await;
    let path = t.store.path().to_owned();
    t.store.close().await;
    let c = Connection::open(&path).unwrap();
    c.pragma_update(None, "user_version", SCHEMA_VERSION + 1)
        .unwrap();
    drop(c);
    let before = std::fs::read(&path).unwrap();
    let error = Store::open(&path).await.unwrap_err();
    assert!(matches!(error, StoreError::Newer { .. }), "{error}");
    assert!(error.to_string().contains("newer Oriel"));
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[tokio::test]
async fn what_is_no_database_of_ours_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let rubbish = folder.path().join("rubbish.db");
    std::fs::write(
        &rubbish,
        b"this is not a database, it is a letter\n".repeat(200),
    )
    .unwrap();
    let error = Store::open(&rubbish).await.unwrap_err();
    assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
    assert!(std::fs::read(&rubbish).unwrap().starts_with(b"this is not"));

    let foreign = folder.path().join("foreign.db");
    let c = Connection::open(&foreign).unwrap();
    c.execute_batch("CREATE TABLE bookmarks (url TEXT)")
        .unwrap();
    drop(c);
    let before = std::fs::read(&foreign).unwrap();
    let error = Store::open(&foreign).await.unwrap_err();
    assert!(matches!(error, StoreError::Foreign { .. }), "{error}");
    assert_eq!(std::fs::read(&foreign).unwrap(), before);

    let nowhere = folder.path().join("no/such/folder/oriel.db");
    let error = Store::open(&nowhere).await.unwrap_err();
    assert!(matches!(error, StoreError::Open { .. }), "{error}");
}

#[tokio::test]
async fn a_damaged_page_is_found() {
    let t = Temporary::new().await;
    for n in 0..40 {
        t.camera(&format!("Camera {n}"), &format!("rtsp://host{n}/1"))
            .await;
    }
    let path = t.store.path().to_owned();
    assert!(t.store.find_damage().await.unwrap().is_empty());
    t.store.close().await;
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2 / 4096 * 4096;
    bytes[middle..middle + 4096].fill(0x5a);
    std::fs::write(&path, bytes).unwrap();
    // The page may or may not be needed for opening; either way it does not go unnoticed.
    match Store::open(&path).await {
        Err(error) => assert!(matches!(error, StoreError::Damaged { .. }), "{error}"),
        Ok(store) => {
            let found = store.find_damage().await;
            assert!(
                !matches!(&found, Ok(lines) if lines.is_empty()),
                "{found:?}"
            );
        }
    }
}

#[test]
fn an_upgrade_leaves_a_copy_and_a_failed_one_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("oriel.db");
    let first = MIGRATIONS[0];
    let c = open_with(&path, &[first]).unwrap();
    c.execute("INSERT INTO setting VALUES ('key', 'value')", [])
        .unwrap();
    drop(c);
    assert!(!copy_path(&path, 1).exists(), "a new file needs no copy");

    let broken = "CREATE TABLE extra (n INTEGER) STRICT; INSERT INTO nowhere VALUES (1);";
    let error = open_with(&path, &[first, broken]).unwrap_err();
    assert!(matches!(error, StoreError::Migration(_)), "{error}");
    assert_eq!(version(&path), 1);

    // A copy that broke off earlier is in the way of nothing.
    let mut part = copy_path(&path, 1).into_os_string();
    part.push(".part");
    std::fs::write(&part, b"half").unwrap();
    let c = open_with(&path, &[first, "CREATE TABLE extra (n INTEGER) STRICT;"]).unwrap();
    assert_eq!(version(&path), 2);
    drop(c);
    let copy = copy_path(&path, 1);
    assert_eq!(version(&copy), 1);
    let kept: String = Connection::open(&copy)
        .unwrap()
        .query_row("SELECT value FROM setting", [], |r| r.get(0))
        .unwrap();
    assert_eq!(kept, "value");
    assert!(!Path::new(&part).exists());
}

#[test]
fn what_waited_before_an_upgrade_waits_after_it_and_its_number_is_not_used_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("oriel.db");
    let c = open_with(&path, &MIGRATIONS[..3]).unwrap();
    c.execute_batch(
        "INSERT INTO export VALUES (1, 'eeeeeeeeeeee', 0, 1, 'mp4', 1, 'finished', NULL,
           'exports/eeeeeeeeeeee/manifest.json', 5, 0);
         INSERT INTO upload (id, at_ms, object_key, bytes, manifest, multipart)
           VALUES (7, 0, 'exports/eeeeeeeeeeee/manifest.json', 5, 1, 'parts');",
    )
    .unwrap();
    drop(c);
    let c = open_with(&path, MIGRATIONS).unwrap();
    let one = |sql: &str| -> i64 { c.query_row(sql, [], |r| r.get(0)).unwrap() };
    assert_eq!(one("SELECT id FROM upload WHERE multipart = 'parts'"), 7);
    assert_eq!(one("SELECT waiting FROM backlog"), 1);
    c.execute("DELETE FROM upload", []).unwrap();
    assert_eq!(one("SELECT waiting FROM backlog"), 0);
    assert_eq!(one("SELECT count(*) FROM garbage_multipart"), 1);
    c.execute(
        "INSERT INTO upload (at_ms, object_key, bytes, manifest) VALUES (0, 'x', 5, 1)",
        [],
    )
    .unwrap();
    assert_eq!(one("SELECT id FROM upload"), 8);
}

/// The files as they lie on the disk at a power cut: database and log, nothing closed.
fn cut(from: &Path, to: &Path, torn: usize) {
    std::fs::copy(from, to).unwrap();
    let wal = |p: &Path| {
        let mut name = p.as_os_str().to_owned();
        name.push("-wal");
        std::path::PathBuf::from(name)
    };
    let mut log = std::fs::read(wal(from)).unwrap();
    log.truncate(log.len().saturating_sub(torn));
    std::fs::write(wal(to), log).unwrap();
}

#[tokio::test]
async fn after_a_power_cut_what_was_answered_is_there() {
    let t = Temporary::new().await;
    let (_, channel) = t.camera("Door", "rtsp://door/1").await;
    for n in 0..50 {
        t.segment(&channel, n * 30_000, (n + 1) * 30_000).await;
    }
    let folder = tempfile::tempdir().unwrap();
    for torn in [0, 1, 100, 5000, 40_000] {
        let path = folder.path().join(format!("cut-{torn}.db"));
        cut(t.store.path(), &path, torn);
        let store = Store::open(&path).await.unwrap();
        assert!(store.find_damage().await.unwrap().is_empty());
        let starts = store
            .local_starts(channel.clone(), Timestamp::from_ms(-1), 100)
            .await
            .unwrap();
        // A torn log costs its last commits, never one in the middle.
        let whole: Vec<_> = (0..starts.len() as i64)
            .map(|n| Timestamp::from_ms(n * 30_000))
            .collect();
        assert_eq!(starts, whole);
        assert!(torn > 0 || starts.len() == 50);
        store.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn readers_see_whole_transactions_while_one_writes() {
    let t = Temporary::new().await;
    let (_, channel) = t.camera("Door", "rtsp://door/1").await;
    let readers: Vec<_> = (0..6)
        .map(|_| {
            let (store, channel) = (t.store.clone(), channel.clone());
            tokio::spawn(async move {
                let mut seen = 0;
                while seen < 100 {
                    let starts = store
                        .local_starts(channel.clone(), Timestamp::from_ms(-1), 1000)
                        .await
                        .unwrap();
                    assert!(starts.len() >= seen, "a commit was undone");
                    assert_eq!(starts.len() % 2, 0, "half a transaction was seen");
                    seen = starts.len();
                }
            })
        })
        .collect();
    for n in 0..50 {
        t.store
            .write(move |c| {
                for start in [n * 2, n * 2 + 1] {
                    c.execute("INSERT OR IGNORE INTO codec VALUES (1, 'avc1')", [])?;
                    c.execute(
                        "INSERT INTO recording (channel, start_ms, end_ms, bytes, codec,
                           continues, local, state) VALUES (1, ?1, ?1, 0, 1, 0, 1, 0)",
                        [start],
                    )?;
                }
                Ok(())
            })
            .await
            .unwrap();
    }
    for reader in readers {
        reader.await.unwrap();
    }
}

#[tokio::test]
async fn work_that_fails_or_panics_is_undone_and_the_writer_goes_on() {
    let t = Temporary::new().await;
    let put = |key: &'static str, end: fn() -> crate::Result<()>| {
        t.store.write(move |c| {
            c.execute("INSERT INTO setting VALUES (?1, '1')", [key])?;
            end()
        })
    };
    assert!(put("fails", || Err(StoreError::Full)).await.is_err());
    assert!(matches!(
        put("panics", || panic!("on purpose")).await,
        Err(StoreError::BrokeOff)
    ));
    put("works", || Ok(())).await.unwrap();
    let keys: Vec<String> = t
        .store
        .read(|c| {
            let mut s = c.prepare("SELECT key FROM setting")?;
            Ok(s.query_map([], |r| r.get(0))?.collect::<Result<_, _>>()?)
        })
        .await
        .unwrap();
    assert_eq!(keys, ["works"]);
}

#[tokio::test]
async fn a_reader_cannot_write_and_a_closed_store_says_so() {
    let t = Temporary::new().await;
    let refused = t
        .store
        .read(|c| Ok(c.execute("DELETE FROM camera", [])?))
        .await;
    assert!(refused.is_err());
    t.camera("Door", "rtsp://door/1").await;
    t.store.close().await;
    assert!(matches!(t.store.cameras().await, Err(StoreError::Closed)));
    assert!(matches!(
        t.store
            .run_end(1, Timestamp::from_ms(1), reason(), None)
            .await,
        Err(StoreError::Closed)
    ));
    let mut log = t.store.path().as_os_str().to_owned();
    log.push("-wal");
    assert!(!Path::new(&log).exists(), "the log was folded in");
}

fn reason() -> oriel_api::Reason {
    oriel_api::Reason {
        code: oriel_api::ReasonCode::Ended,
        message: String::new(),
    }
}
