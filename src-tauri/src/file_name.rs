//! What a saved file is called, as plain decisions that can be tested without a window. Names come
//! from cameras and people.

use std::path::{Path, PathBuf};

/// Bytes of a name without its ending: what every file system takes, with room for a number.
const LONGEST_STEM: usize = 200;
/// Bytes of an ending; anything longer is no ending.
const LONGEST_ENDING: usize = 12;
/// When nothing of a name is left.
const NAMELESS: &str = "oriel";
/// Files of one name in a folder.
const MOST: u32 = 9999;

/// Names that are devices on Windows, whatever their ending.
const DEVICES: [&str; 6] = ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"];

/// The free path in a folder for a file that should be called so: never one that is `taken`.
pub fn free_path(folder: &Path, name: &str, taken: impl Fn(&Path) -> bool) -> Option<PathBuf> {
    let (stem, ending) = parts(name);
    (1..=MOST)
        .map(|n| match n {
            1 => folder.join(format!("{stem}{ending}")),
            n => folder.join(format!("{stem} ({n}){ending}")),
        })
        .find(|path| !taken(path))
}

/// The name and its ending, as every file system takes them.
fn parts(name: &str) -> (String, String) {
    let plain: String = name
        .chars()
        .filter(|c| !turns_text(*c))
        .map(|c| if is_refused(c) { '-' } else { c })
        .collect();
    let plain = plain.trim().trim_start_matches('.');
    let (stem, ending) = match plain.rsplit_once('.') {
        Some((stem, ending)) if is_ending(ending) => (stem, format!(".{ending}")),
        _ => (plain, String::new()),
    };
    let stem = cut(stem).trim_end_matches(['.', ' ']).trim_start();
    let stem = match stem {
        "" => NAMELESS.to_owned(),
        stem if is_device(stem) => format!("_{stem}"),
        stem => stem.to_owned(),
    };
    (stem, ending)
}

fn is_refused(c: char) -> bool {
    c.is_control() || r#"/\:*?"<>|"#.contains(c)
}

/// Marks that make a name read otherwise than it is, as `gpj.exe` for `exe.jpg`.
fn turns_text(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn is_ending(text: &str) -> bool {
    (1..=LONGEST_ENDING).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric())
}

fn is_device(stem: &str) -> bool {
    // `con.tar` is the device too.
    let first = stem.split('.').next().unwrap_or(stem).trim_end();
    let upper = first.to_ascii_uppercase();
    if DEVICES.contains(&upper.as_str()) {
        return true;
    }
    let number = upper
        .strip_prefix("COM")
        .or_else(|| upper.strip_prefix("LPT"));
    number.is_some_and(|n| {
        matches!(n, "¹" | "²" | "³") || (n.len() == 1 && n != "0" && n.parse::<u8>().is_ok())
    })
}

fn cut(stem: &str) -> &str {
    let mut end = stem.len().min(LONGEST_STEM);
    while !stem.is_char_boundary(end) {
        end -= 1;
    }
    &stem[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str) -> String {
        let path = free_path(Path::new("d"), name, |_| false).unwrap();
        assert_eq!(path.parent(), Some(Path::new("d")), "{path:?}");
        path.file_name().unwrap().to_str().unwrap().to_owned()
    }

    #[test]
    fn a_name_keeps_what_people_wrote() {
        for name in [
            "Ulaz šćž 14-03.mp4",
            "manifest.json",
            "a.b.c.mp4",
            "no ending",
            "日本.jpg",
        ] {
            assert_eq!(named(name), name);
        }
    }

    #[test]
    fn nothing_leads_out_of_the_folder_or_means_something_elsewhere() {
        assert_eq!(named("../../etc/passwd"), "-..-etc-passwd");
        assert_eq!(named(r"..\boot.mp4"), "-boot.mp4");
        assert_eq!(named("C:evil.mp4"), "C-evil.mp4");
        assert_eq!(named("a\0b\n\u{7f}c.mp4"), "a-b--c.mp4");
        assert_eq!(named("what?*\"<>|.mp4"), "what------.mp4");
        assert_eq!(named("harmless\u{202e}gpj.exe"), "harmlessgpj.exe");
        assert_eq!(named(".bashrc"), "bashrc");
        assert_eq!(named("..."), "oriel");
        assert_eq!(named(""), "oriel");
        assert_eq!(named(" . .mp4"), "oriel.mp4");
        assert_eq!(named("dots. . .mp4"), "dots.mp4");
    }

    #[test]
    fn names_that_windows_keeps_for_devices_are_not_given() {
        assert_eq!(named("CON.mp4"), "_CON.mp4");
        assert_eq!(named("nul"), "_nul");
        assert_eq!(named("com7.jpg"), "_com7.jpg");
        assert_eq!(named("LPT¹.mp4"), "_LPT¹.mp4");
        assert_eq!(named("aux.tar.mp4"), "_aux.tar.mp4");
        assert_eq!(named("console.mp4"), "console.mp4");
        assert_eq!(named("com0.mp4"), "com0.mp4");
        assert_eq!(named("com10.mp4"), "com10.mp4");
    }

    #[test]
    fn a_name_is_never_longer_than_file_systems_take() {
        let long = named(&format!("{}.mp4", "š".repeat(300)));
        assert!(long.ends_with("š.mp4") && long.len() <= 240, "{long}");
    }

    #[test]
    fn what_is_there_is_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let next = |name| {
            let path = free_path(folder.path(), name, Path::exists).unwrap();
            std::fs::write(&path, name).unwrap();
            path.file_name().unwrap().to_str().unwrap().to_owned()
        };
        assert_eq!(next("Door.mp4"), "Door.mp4");
        assert_eq!(next("Door.mp4"), "Door (2).mp4");
        assert_eq!(next("Door.mp4"), "Door (3).mp4");
        assert_eq!(next("Door"), "Door");
        assert_eq!(next("Door"), "Door (2)");
        assert_eq!(free_path(folder.path(), "Door.mp4", |_| true), None);
    }
}
