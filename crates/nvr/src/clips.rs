//! Operations on clips.

use oriel_api::{
    Caller, Clip, ClipCreate, ClipList, ClipRef, ClipShare, ClipUpdate, Empty, Error, Page, Result,
    ShareLink,
};

use crate::Nvr;

impl Nvr {
    pub(crate) async fn list_clips(&self, _: &Caller, _: ClipList) -> Result<Page<Clip>> {
        Err(Error::unavailable("Not built yet."))
    }
    pub(crate) async fn create_clip(&self, _: ClipCreate) -> Result<Clip> {
        Err(Error::unavailable("Not built yet."))
    }
    pub(crate) async fn get_clip(&self, _: &Caller, _: ClipRef) -> Result<Clip> {
        Err(Error::unavailable("Not built yet."))
    }
    pub(crate) async fn update_clip(&self, _: &Caller, _: ClipUpdate) -> Result<Clip> {
        Err(Error::unavailable("Not built yet."))
    }
    pub(crate) async fn delete_clip(&self, _: &Caller, _: ClipRef) -> Result<Empty> {
        Err(Error::unavailable("Not built yet."))
    }
    pub(crate) async fn cancel_clip(&self, _: &Caller, _: ClipRef) -> Result<Clip> {
        Err(Error::unavailable("Not built yet."))
    }
    pub(crate) async fn retry_clip(&self, _: &Caller, _: ClipRef) -> Result<Clip> {
        Err(Error::unavailable("Not built yet."))
    }
    pub(crate) async fn share_clip(&self, _: &Caller, _: ClipShare) -> Result<ShareLink> {
        Err(Error::unavailable("Not built yet."))
    }
}
