//! Where files lie on this computer.

use oriel_api::{PlaceKind, Result};
use oriel_store::PlaceRow;

use crate::Nvr;

impl Nvr {
    /// The place of recordings as stored; its root is empty while it is the data folder.
    async fn recordings_row(&self) -> Result<PlaceRow> {
        let rows = self.store.places().await?;
        let found = rows.into_iter().find(|r| r.kind == PlaceKind::Recordings);
        Ok(found.unwrap_or(PlaceRow {
            kind: PlaceKind::Recordings,
            root: String::new(),
            mark: None,
            moving_from: None,
        }))
    }

    /// Whether the folder with this mark is the known one. A mark is taken when none is known;
    /// an empty one is that of a folder with footage from before there were marks.
    pub(crate) async fn is_known_place(&self, mark: Option<&str>) -> Result<bool> {
        let row = self.recordings_row().await?;
        match (row.mark.as_deref(), mark) {
            // Nothing there: right as long as nothing should be.
            (None, None) => Ok(!self.store.has_local().await?),
            (None, Some("")) | (Some(""), None | Some("")) => Ok(true),
            (None | Some(""), Some(mark)) => {
                let mark = Some(mark.to_owned());
                self.store.place_set(PlaceRow { mark, ..row }).await?;
                Ok(true)
            }
            (Some(known), Some(mark)) => Ok(known == mark),
            (Some(_), None) => Ok(false),
        }
    }
}
