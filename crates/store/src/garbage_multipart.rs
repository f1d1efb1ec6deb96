//! Table `garbage_multipart`: uploads in parts that were begun and that nobody will finish.
//!
//! A trigger writes a row in the transaction that takes the upload's own row away. What the
//! store joins has no such row: it is noted here as it begins, and left alone while it is made.
//! A row goes only when the store is known to have none of the parts any more.

use rusqlite::Connection;

use crate::{Result, Store};

/// An upload in parts to be broken off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GarbageMultipart {
    /// Number; grows.
    pub id: i64,
    /// What it would have become.
    pub object_key: String,
    /// The store's name of it.
    pub multipart: String,
}

pub(crate) fn add(connection: &Connection, key: &str, multipart: &str) -> Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO garbage_multipart (object_key, multipart) VALUES (?1, ?2)
             ON CONFLICT DO NOTHING",
        )?
        .execute((key, multipart))?;
    Ok(())
}

impl Store {
    /// Uploads in parts to be broken off, in the order they became so, after this number.
    pub async fn garbage_multiparts(
        &self,
        after: i64,
        limit: u32,
    ) -> Result<Vec<GarbageMultipart>> {
        self.read(move |c| {
            let rows = c
                .prepare_cached(
                    "SELECT id, object_key, multipart FROM garbage_multipart
                     WHERE id > ?1 ORDER BY id LIMIT ?2",
                )?
                .query_map((after, limit), |r| {
                    Ok(GarbageMultipart {
                        id: r.get(0)?,
                        object_key: r.get(1)?,
                        multipart: r.get(2)?,
                    })
                })?
                .collect::<Result<_, _>>()?;
            Ok(rows)
        })
        .await
    }

    /// Notes parts before the first of them is sent.
    pub async fn parts_begun(&self, key: String, multipart: String) -> Result<()> {
        self.write(move |c| add(c, &key, &multipart)).await
    }

    /// Forgets parts that are gone, by what they would have become and the store's name of it.
    pub async fn parts_gone(&self, key: String, multipart: String) -> Result<()> {
        self.write(move |c| {
            c.prepare_cached(
                "DELETE FROM garbage_multipart WHERE object_key = ?1 AND multipart = ?2",
            )?
            .execute((key, multipart))?;
            Ok(())
        })
        .await
    }

    /// Forgets what is broken off, by number.
    pub async fn garbage_multiparts_gone(&self, gone: Vec<i64>) -> Result<()> {
        self.write(move |c| {
            let mut delete = c.prepare_cached("DELETE FROM garbage_multipart WHERE id = ?1")?;
            for id in gone {
                delete.execute([id])?;
            }
            Ok(())
        })
        .await
    }
}
