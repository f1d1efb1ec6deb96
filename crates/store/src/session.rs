//! Table `session`: browser sessions, by the SHA-256 of what the cookie holds.

use oriel_api::Timestamp;
use rusqlite::OptionalExtension;

use crate::{Result, Store};

/// A browser session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRow {
    /// SHA-256 of the cookie's value.
    pub id_hash: [u8; 32],
    /// When it began.
    pub created: Timestamp,
    /// When it ends unless it is used.
    pub expires: Timestamp,
}

impl Store {
    /// Keeps a session.
    pub async fn session_insert(&self, row: SessionRow) -> Result<()> {
        self.write(move |c| {
            c.execute(
                "INSERT INTO session (id_hash, created_ms, expires_ms) VALUES (?1, ?2, ?3)",
                (row.id_hash, row.created.ms(), row.expires.ms()),
            )?;
            Ok(())
        })
        .await
    }

    /// The session with this hash, unless it has ended.
    pub async fn session(&self, id_hash: [u8; 32], now: Timestamp) -> Result<Option<SessionRow>> {
        self.read(move |c| {
            Ok(c.prepare_cached(
                "SELECT created_ms, expires_ms FROM session WHERE id_hash = ?1 AND expires_ms > ?2",
            )?
            .query_row((id_hash, now.ms()), |r| {
                Ok(SessionRow {
                    id_hash,
                    created: Timestamp::from_ms(r.get(0)?),
                    expires: Timestamp::from_ms(r.get(1)?),
                })
            })
            .optional()?)
        })
        .await
    }

    /// Moves the end of a session.
    pub async fn session_extend(&self, id_hash: [u8; 32], expires: Timestamp) -> Result<()> {
        self.write(move |c| {
            c.execute(
                "UPDATE session SET expires_ms = ?2 WHERE id_hash = ?1",
                (id_hash, expires.ms()),
            )?;
            Ok(())
        })
        .await
    }

    /// Ends a session. Succeeds when there is none.
    pub async fn session_remove(&self, id_hash: [u8; 32]) -> Result<()> {
        self.write(move |c| {
            c.execute("DELETE FROM session WHERE id_hash = ?1", [id_hash])?;
            Ok(())
        })
        .await
    }

    /// Forgets sessions that have ended.
    pub async fn sessions_expire(&self, now: Timestamp) -> Result<usize> {
        self.write(
            move |c| Ok(c.execute("DELETE FROM session WHERE expires_ms <= ?1", [now.ms()])?),
        )
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::Temporary;

    #[tokio::test]
    async fn a_session_ends_slides_and_is_forgotten() {
        let t = Temporary::new().await;
        let at = Timestamp::from_ms;
        let row = SessionRow {
            id_hash: [7; 32],
            created: at(1),
            expires: at(100),
        };
        t.store.session_insert(row.clone()).await.unwrap();
        assert_eq!(t.store.session([7; 32], at(99)).await.unwrap(), Some(row));
        assert_eq!(t.store.session([8; 32], at(99)).await.unwrap(), None);
        assert_eq!(t.store.session([7; 32], at(100)).await.unwrap(), None);
        t.store.session_extend([7; 32], at(200)).await.unwrap();
        assert!(t.store.session([7; 32], at(150)).await.unwrap().is_some());
        assert_eq!(t.store.sessions_expire(at(200)).await.unwrap(), 1);
        assert_eq!(t.store.session([7; 32], at(150)).await.unwrap(), None);
    }
}
