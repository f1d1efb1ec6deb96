//! A snapshot that the recorder takes: from the camera's own address, else from the last key
//! frame.

use std::time::Duration;

use oriel_api::{CameraId, Error, ErrorCode, Quality, Result, Snapshot, Timestamp};
use oriel_store::SnapshotRow;
use tokio::time::{Instant, timeout_at};
use tracing::{debug, warn};

use super::{LARGEST, is_jpeg};
use crate::{
    Nvr,
    made::{key_of, place_failed},
};

/// The whole may take so long.
const WHOLE: Duration = Duration::from_secs(12);
/// What is left of it for writing the picture down.
const WRITING: Duration = Duration::from_secs(2);
/// A camera that does not answer within this leaves time for the key frame.
const CAMERA: Duration = Duration::from_secs(6);

fn late() -> Error {
    Error::unavailable("No picture came in time.")
}

fn checked(picture: Vec<u8>) -> Result<Vec<u8>> {
    if picture.len() > LARGEST {
        Err(Error::new(
            ErrorCode::CameraUnreachable,
            "The camera's picture has more than 8 MiB.",
        ))
    } else if is_jpeg(&picture) {
        Ok(picture)
    } else {
        Err(Error::new(
            ErrorCode::CameraUnreachable,
            "The camera did not answer with a JPEG.",
        ))
    }
}

impl Nvr {
    /// Takes the picture of a pending snapshot. Gives the snapshot as it ended, kept or failed.
    pub(super) async fn take_snapshot(
        &self,
        row: SnapshotRow,
        camera: CameraId,
    ) -> Result<Snapshot> {
        let ends = Instant::now() + WHOLE;
        let kept = match self.picture(&row, &camera, ends - WRITING).await {
            Ok((picture, taken)) => {
                let writing = self.write_picture(&row, picture, taken);
                timeout_at(ends, writing).await.unwrap_or(Err(late()))
            }
            Err(error) => Err(error),
        };
        match kept {
            Ok(snapshot) => Ok(snapshot),
            Err(error) => {
                warn!(channel = %row.channel, %error, "a snapshot could not be taken");
                self.fail_snapshot(&row.id, &error.message).await
            }
        }
    }

    async fn picture(
        &self,
        row: &SnapshotRow,
        camera: &CameraId,
        ends: Instant,
    ) -> Result<(Vec<u8>, Timestamp)> {
        let links = self.links()?;
        // The camera makes it after it was asked, and not long after.
        let asked = self.clock_now();
        let by_camera = timeout_at(Instant::now() + CAMERA, links.agent.snapshot(camera)).await;
        let first = match by_camera.unwrap_or(Err(late())).and_then(checked) {
            Ok(picture) => return Ok((picture, asked)),
            Err(error) => error,
        };
        debug!(%camera, %first, "the last key frame is taken");
        let by_frame = links.assembly.picture(&row.channel, Quality::High);
        match timeout_at(ends, by_frame).await.unwrap_or(Err(late())) {
            Ok((picture, taken)) => Ok((checked(picture)?, taken)),
            // A camera that has an address and does not answer there is what is wrong.
            Err(_) if first.code == ErrorCode::CameraUnreachable => Err(first),
            Err(second) => Err(second),
        }
    }

    async fn write_picture(
        &self,
        row: &SnapshotRow,
        picture: Vec<u8>,
        taken: Timestamp,
    ) -> Result<Snapshot> {
        // The name before the bytes, so that bytes never lie under a name nobody knows.
        let row = self.store.snapshot_taken(row.id.clone(), taken).await?;
        let key = key_of(&row.object_key)?;
        let place = self.local_place(&key)?;
        place
            .put_bytes(&key, picture.clone(), Some("image/jpeg"))
            .await
            .map_err(place_failed)?;
        self.keep_snapshot(&row.id, &picture).await
    }
}
