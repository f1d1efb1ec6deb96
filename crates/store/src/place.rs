//! Table `place`: where each kind of files lies when it is not the data folder.

use oriel_api::PlaceKind;

use crate::{Result, Store, text};

/// A place as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlaceRow {
    /// What lies there.
    pub kind: PlaceKind,
    /// The folder that holds the kind's folder.
    pub root: String,
    /// The mark of the folder of recordings; empty when the next one found is to be taken.
    pub mark: Option<String>,
    /// Where files still have to be moved from.
    pub moving_from: Option<String>,
}

impl Store {
    /// All places that were ever set.
    pub async fn places(&self) -> Result<Vec<PlaceRow>> {
        self.read(|c| {
            c.prepare_cached("SELECT kind, root, mark, moving_from FROM place ORDER BY kind")?
                .query_and_then([], |r| {
                    Ok(PlaceRow {
                        kind: text::parse(&r.get::<_, String>(0)?)?,
                        root: r.get(1)?,
                        mark: r.get(2)?,
                        moving_from: r.get(3)?,
                    })
                })?
                .collect()
        })
        .await
    }

    /// Keeps a place.
    pub async fn place_set(&self, place: PlaceRow) -> Result<()> {
        self.write(move |c| {
            c.execute(
                "INSERT INTO place (kind, root, mark, moving_from) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (kind) DO UPDATE SET root = excluded.root, mark = excluded.mark,
                   moving_from = excluded.moving_from",
                (
                    text::word(&place.kind)?,
                    place.root,
                    place.mark,
                    place.moving_from,
                ),
            )?;
            Ok(())
        })
        .await
    }
}
