//! Table `garbage_object`: bytes of clips, snapshots and exports that are to be deleted.
//!
//! As with `garbage`, a row is written in the transaction that takes the object's own row away,
//! and goes only when the bytes are known to be gone.

use rusqlite::Connection;

use crate::{Result, Store};

/// An object to be deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GarbageObject {
    /// Number; grows.
    pub id: i64,
    /// Where it is, in its local place and in the bucket.
    pub object_key: String,
    /// It may be in its local place.
    pub local: bool,
    /// It may be in the bucket.
    pub remote: bool,
}

pub(crate) fn add(connection: &Connection, key: &str, local: bool, remote: bool) -> Result<()> {
    if local || remote {
        connection
            .prepare_cached(
                "INSERT INTO garbage_object (object_key, local, remote) VALUES (?1, ?2, ?3)
                 ON CONFLICT (object_key) DO UPDATE SET local = max(local, excluded.local),
                   remote = max(remote, excluded.remote)",
            )?
            .execute((key, local, remote))?;
    }
    Ok(())
}

/// Whether an object of this name waits to be deleted, so that no new one may have it.
pub(crate) fn holds(connection: &Connection, key: &str) -> Result<bool> {
    Ok(connection
        .prepare_cached("SELECT 1 FROM garbage_object WHERE object_key = ?1")?
        .exists([key])?)
}

impl Store {
    /// Objects to be deleted, in the order they became so, after this number.
    pub async fn garbage_objects(&self, after: i64, limit: u32) -> Result<Vec<GarbageObject>> {
        self.read(move |c| {
            let rows = c
                .prepare_cached(
                    "SELECT id, object_key, local, remote FROM garbage_object
                     WHERE id > ?1 ORDER BY id LIMIT ?2",
                )?
                .query_map((after, limit), |r| {
                    Ok(GarbageObject {
                        id: r.get(0)?,
                        object_key: r.get(1)?,
                        local: r.get(2)?,
                        remote: r.get(3)?,
                    })
                })?
                .collect::<Result<_, _>>()?;
            Ok(rows)
        })
        .await
    }

    /// Notes an object whose own row is gone already, such as a file that was finished after
    /// somebody had deleted it.
    pub async fn garbage_object_add(&self, key: String, local: bool, remote: bool) -> Result<()> {
        self.write(move |c| add(c, &key, local, remote)).await
    }

    /// Forgets what is gone: by number, with whether the local file and the object in the
    /// bucket are gone. A row goes when nothing of it is left.
    pub async fn garbage_objects_gone(&self, gone: Vec<(i64, bool, bool)>) -> Result<()> {
        self.write(move |c| {
            let mut update = c.prepare_cached(
                "UPDATE garbage_object SET local = local AND NOT ?2, remote = remote AND NOT ?3
                 WHERE id = ?1",
            )?;
            let mut delete = c.prepare_cached(
                "DELETE FROM garbage_object WHERE id = ?1 AND local = 0 AND remote = 0",
            )?;
            for (id, local, remote) in gone {
                update.execute((id, local, remote))?;
                delete.execute([id])?;
            }
            Ok(())
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use crate::tests::Temporary;

    #[tokio::test]
    async fn a_row_goes_when_both_copies_are_gone() {
        let t = Temporary::new().await;
        let add = |local, remote| {
            t.store
                .garbage_object_add("clips/a/b.mp4".into(), local, remote)
        };
        add(false, false).await.unwrap();
        assert!(t.store.garbage_objects(0, 9).await.unwrap().is_empty());
        add(true, false).await.unwrap();
        add(false, true).await.unwrap();
        let rows = t.store.garbage_objects(0, 9).await.unwrap();
        assert_eq!(rows.len(), 1);
        assert!(rows[0].local && rows[0].remote);
        let gone = |local, remote| {
            t.store
                .garbage_objects_gone(vec![(rows[0].id, local, remote)])
        };
        gone(true, false).await.unwrap();
        let left = t.store.garbage_objects(0, 9).await.unwrap();
        assert!(!left[0].local && left[0].remote);
        gone(false, false).await.unwrap();
        assert_eq!(t.store.garbage_objects(0, 9).await.unwrap().len(), 1);
        gone(false, true).await.unwrap();
        assert!(t.store.garbage_objects(0, 9).await.unwrap().is_empty());
    }
}
