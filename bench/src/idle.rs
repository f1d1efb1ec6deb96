//! An idle recorder.

use std::{thread, time::Duration};

use anyhow::Result;
use oriel_system_tests::{Recorder, RecorderOptions};

use crate::{cost, record::release, table};

/// Measures a recorder with no cameras and no viewers.
pub fn run(seconds: u64) -> Result<()> {
    let data = tempfile::tempdir()?;
    let recorder = Recorder::start(
        data.path(),
        RecorderOptions {
            program: Some(release("orield")?),
            ..Default::default()
        },
    )?;
    thread::sleep(Duration::from_secs(3));
    let before = cost::of(&[recorder.pid()])?;
    thread::sleep(Duration::from_secs(seconds));
    let after = cost::of(&[recorder.pid()])?;
    let share = (after.cpu - before.cpu) / seconds as f64 * 100.0;
    table::print(
        "Idle recorder, no cameras",
        &["% of a core", "PSS MB"],
        &[vec![format!("{share:.2}"), format!("{:.1}", after.pss)]],
    );
    Ok(())
}
