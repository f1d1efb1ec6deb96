//! Operations on exports.

use oriel_api::{Caller, Empty, Error, Export, ExportCreate, ExportList, ExportRef, Page, Result};

use crate::Nvr;

impl Nvr {
    pub(crate) async fn list_exports(&self, _: &Caller, _: ExportList) -> Result<Page<Export>> {
        Err(Error::unavailable("Not built yet."))
    }
    pub(crate) async fn create_export(&self, _: &Caller, _: ExportCreate) -> Result<Export> {
        Err(Error::unavailable("Not built yet."))
    }
    pub(crate) async fn get_export(&self, _: &Caller, _: ExportRef) -> Result<Export> {
        Err(Error::unavailable("Not built yet."))
    }
    pub(crate) async fn cancel_export(&self, _: &Caller, _: ExportRef) -> Result<Export> {
        Err(Error::unavailable("Not built yet."))
    }
    pub(crate) async fn retry_export(&self, _: &Caller, _: ExportRef) -> Result<Export> {
        Err(Error::unavailable("Not built yet."))
    }
    pub(crate) async fn delete_export(&self, _: &Caller, _: ExportRef) -> Result<Empty> {
        Err(Error::unavailable("Not built yet."))
    }
}
