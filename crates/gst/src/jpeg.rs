//! The job `jpeg`.
use crate::{failure::Failure, job::JpegJob};
pub fn run(_: &JpegJob) -> Result<(), Failure> {
    Ok(())
}
