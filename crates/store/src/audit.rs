//! Table `audit`: who changed what, and who was refused.

use oriel_api::{AuditEntry, Timestamp};

use crate::{Result, Store};

/// Lines that are kept. A caller who is refused again and again must not fill the disk.
const KEPT: i64 = 100_000;

impl Store {
    /// Writes a line.
    pub async fn audit_insert(&self, entry: AuditEntry) -> Result<()> {
        self.write(move |c| {
            c.prepare_cached(
                "INSERT INTO audit (at_ms, caller, operation, target, ok) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute((
                entry.at.ms(),
                &entry.caller,
                entry.operation,
                &entry.target,
                entry.ok,
            ))?;
            let id = c.last_insert_rowid();
            if id % 1000 == 0 {
                c.execute("DELETE FROM audit WHERE id <= ?1", [id - KEPT])?;
            }
            Ok(())
        })
        .await
    }

    /// The newest lines: when, who, operation, target, whether it was carried out.
    pub async fn audit_newest(
        &self,
        limit: u32,
    ) -> Result<Vec<(Timestamp, String, String, String, bool)>> {
        self.read(move |c| {
            Ok(c.prepare_cached(
                "SELECT at_ms, caller, operation, target, ok FROM audit ORDER BY id DESC LIMIT ?1",
            )?
            .query_map([limit], |r| {
                Ok((
                    Timestamp::from_ms(r.get(0)?),
                    r.get(1)?,
                    r.get(2)?,
                    r.get(3)?,
                    r.get(4)?,
                ))
            })?
            .collect::<Result<_, _>>()?)
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::Temporary;

    #[tokio::test]
    async fn newest_first_and_bounded() {
        let t = Temporary::new().await;
        let entry = |n: i64| AuditEntry {
            at: Timestamp::from_ms(n),
            caller: "owner".into(),
            operation: "camera_delete",
            target: format!("camera {n}"),
            ok: n % 2 == 0,
        };
        t.store.audit_insert(entry(1)).await.unwrap();
        t.store.audit_insert(entry(2)).await.unwrap();
        let lines = t.store.audit_newest(10).await.unwrap();
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0].3, "camera 2");
        assert!(lines[0].4 && !lines[1].4);
        // The line whose number is a thousand beyond the bound sweeps the two away.
        t.store
            .write(|c| {
                c.execute(
                    "INSERT INTO audit VALUES (?1, 0, '', '', '', 0)",
                    [KEPT + 999],
                )?;
                Ok(())
            })
            .await
            .unwrap();
        t.store.audit_insert(entry(3)).await.unwrap();
        assert_eq!(t.store.audit_newest(10).await.unwrap().len(), 2);
    }
}
