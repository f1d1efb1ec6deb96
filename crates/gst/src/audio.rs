//! The job `audio`.
use crate::{failure::Failure, job::AudioJob};
pub fn run(_: &AudioJob) -> Result<(), Failure> {
    Ok(())
}
