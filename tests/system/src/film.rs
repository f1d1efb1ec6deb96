//! Judging files by a player that is not ours.

use std::{path::Path, process::Command};

use anyhow::{Context, Result, bail};

/// Has ffmpeg decode every frame of a file; a word of complaint is an error. The file is kept
/// then, because those of a test go with it.
pub fn decode(path: &Path) -> Result<()> {
    let out = Command::new("ffmpeg")
        .args(["-v", "error", "-i"])
        .arg(path)
        // In the file's own time base: ffmpeg's guess from the frame rate is too coarse where a
        // hole lowers it.
        .args(["-enc_time_base", "-1", "-f", "null", "-"])
        .output()
        .context("ffmpeg")?;
    if out.status.success() && out.stderr.is_empty() {
        return Ok(());
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let kept = std::env::temp_dir().join(format!("oriel-broken-{}-{name}", std::process::id()));
    let where_it_is = match std::fs::copy(path, &kept) {
        Ok(_) => format!("It is kept as {}.", kept.display()),
        Err(error) => format!("It could not be kept: {error}."),
    };
    bail!("{}\n{where_it_is}", String::from_utf8_lossy(&out.stderr))
}
