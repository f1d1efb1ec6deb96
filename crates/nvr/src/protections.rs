//! Operations on protected ranges.

use oriel_api::{
    Empty, Error, Page, Protection, ProtectionCreate, ProtectionList, ProtectionRef, Result,
};

use crate::Nvr;

impl Nvr {
    pub(crate) async fn list_protections(&self, _: ProtectionList) -> Result<Page<Protection>> {
        Err(Error::unavailable("Not built yet."))
    }
    pub(crate) async fn create_protection(&self, _: ProtectionCreate) -> Result<Protection> {
        Err(Error::unavailable("Not built yet."))
    }
    pub(crate) async fn delete_protection(&self, _: ProtectionRef) -> Result<Empty> {
        Err(Error::unavailable("Not built yet."))
    }
}
