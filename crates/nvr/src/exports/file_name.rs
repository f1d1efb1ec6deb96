//! Names of the files of an export: what is left of a camera's name in the alphabet of object
//! keys, and the moment the export begins.

use std::collections::BTreeSet;

use oriel_api::{Error, Result, Timestamp};

/// Characters of a camera's name.
const LONGEST: usize = 40;

/// A name that is not among `taken`, where it is put.
pub(super) fn of(camera: &str, start: Timestamp, taken: &mut BTreeSet<String>) -> Result<String> {
    let time = jiff::Timestamp::from_millisecond(start.ms())
        .map_err(|_| Error::invalid("The time is out of range."))?
        .strftime("%Y%m%dt%H%M%Sz");
    let plain = plain(camera);
    let mut name = format!("{plain}-{time}.mp4");
    let mut number = 1;
    while !taken.insert(name.clone()) {
        number += 1;
        name = format!("{plain}-{number}-{time}.mp4");
    }
    Ok(name)
}

fn plain(camera: &str) -> String {
    let mut out = String::new();
    for c in camera.chars().flat_map(char::to_lowercase) {
        if c.is_ascii_lowercase() || c.is_ascii_digit() {
            out.push(c);
        } else if !out.is_empty() && !out.ends_with('-') {
            out.push('-');
        }
        if out.len() >= LONGEST {
            break;
        }
    }
    let out = out.trim_end_matches('-');
    if out.is_empty() {
        "camera".into()
    } else {
        out.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use oriel_bucket::ObjectKey;

    #[test]
    fn names_are_keys_whatever_a_camera_is_called_and_never_the_same_twice() {
        let start = Timestamp::from_ms(1_795_262_400_000);
        let mut taken = BTreeSet::new();
        let mut seen = BTreeSet::new();
        let long = "x".repeat(300);
        for camera in [
            "Front door",
            "front-door",
            "FRONT DOOR!",
            "../../etc/passwd",
            "con",
            "NUL",
            "Вхід",
            "   ",
            "",
            "a\u{0}b\r\nc",
            "manifest.json",
            &long,
            &long,
        ] {
            let name = of(camera, start, &mut taken).unwrap();
            ObjectKey::export("aaaaaaaaaaaa", &name).unwrap();
            assert!(name.len() <= 80 && seen.insert(name.clone()), "{name}");
        }
        assert!(seen.contains("front-door-20261121t120000z.mp4"), "{seen:?}");
        assert!(seen.contains("front-door-3-20261121t120000z.mp4"));
        assert!(seen.contains("etc-passwd-20261121t120000z.mp4"));
        assert!(seen.contains("camera-20261121t120000z.mp4"));
    }
}
