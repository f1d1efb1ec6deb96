//! Operations on snapshots.

use oriel_api::{
    Caller, ChannelSnapshots, Empty, Error, Page, Result, Snapshot, SnapshotCreate, SnapshotList,
    SnapshotRef,
};

use crate::Nvr;

impl Nvr {
    pub(crate) async fn list_snapshots(
        &self,
        _: &Caller,
        _: SnapshotList,
    ) -> Result<Page<Snapshot>> {
        Err(Error::unavailable("Not built yet."))
    }
    pub(crate) async fn list_channel_snapshots(
        &self,
        _: ChannelSnapshots,
    ) -> Result<Page<Snapshot>> {
        Err(Error::unavailable("Not built yet."))
    }
    pub(crate) async fn create_snapshot(&self, _: SnapshotCreate) -> Result<Snapshot> {
        Err(Error::unavailable("Not built yet."))
    }
    pub(crate) async fn get_snapshot(&self, _: &Caller, _: SnapshotRef) -> Result<Snapshot> {
        Err(Error::unavailable("Not built yet."))
    }
    pub(crate) async fn confirm_snapshot(&self, _: &Caller, _: SnapshotRef) -> Result<Snapshot> {
        Err(Error::unavailable("Not built yet."))
    }
    pub(crate) async fn delete_snapshot(&self, _: &Caller, _: SnapshotRef) -> Result<Empty> {
        Err(Error::unavailable("Not built yet."))
    }
}
