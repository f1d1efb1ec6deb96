//! Listing a folder in the order in which a bucket lists its keys.

use std::{fs, io, path::Path};

use super::{OWN, disk};
use crate::{ObjectKey, Page};

struct Walk<'a> {
    prefix: &'a str,
    after: &'a str,
    limit: usize,
    page: Page,
    full: bool,
}

/// Up to `limit` objects whose keys begin with `prefix` and follow `after`.
pub(super) fn page(root: &Path, prefix: &str, after: &str, limit: usize) -> io::Result<Page> {
    let mut walk = Walk {
        prefix,
        after,
        limit,
        page: Page::default(),
        full: false,
    };
    walk.folder(root, "")?;
    let mut page = walk.page;
    page.next = page
        .objects
        .last()
        .filter(|_| walk.full)
        .map(|last| last.key.to_string());
    Ok(page)
}

impl Walk<'_> {
    fn folder(&mut self, folder: &Path, above: &str) -> io::Result<()> {
        let mut entries = Vec::new();
        let listing = match fs::read_dir(folder) {
            // Deleted while we looked.
            Err(e) if disk::is_missing(&e) => return Ok(()),
            listing => listing?,
        };
        for entry in listing {
            let entry = entry?;
            let kind = entry.file_type()?;
            if above.is_empty() && entry.file_name() == OWN {
                continue;
            }
            let Ok(name) = entry.file_name().into_string() else {
                self.page.foreign += 1;
                continue;
            };
            // With the slash a folder sorts where its content belongs: `a-b` before `a/b`.
            let slash = if kind.is_dir() { "/" } else { "" };
            let key = format!("{above}{name}{slash}");
            if kind.is_dir() {
                if self.may_hold(&key) {
                    entries.push((key, true));
                }
            } else if key.starts_with(self.prefix) && key.as_str() > self.after {
                entries.push((key, false));
            }
        }
        entries.sort_unstable();
        for (key, is_folder) in entries {
            let path = folder.join(key[above.len()..].trim_end_matches('/'));
            if is_folder {
                self.folder(&path, &key)?;
            } else {
                self.file(&path, key)?;
            }
            if self.full {
                break;
            }
        }
        Ok(())
    }

    fn may_hold(&self, folder: &str) -> bool {
        // The name of a folder that is no part of a key ends the descent, and its depth with it.
        ObjectKey::parse(folder.trim_end_matches('/')).is_ok()
            && (folder.starts_with(self.prefix) || self.prefix.starts_with(folder))
            && (folder > self.after || self.after.starts_with(folder))
    }

    fn file(&mut self, path: &Path, key: String) -> io::Result<()> {
        let meta = match path.symlink_metadata() {
            Err(e) if disk::is_missing(&e) => return Ok(()),
            meta => meta?,
        };
        match ObjectKey::parse(key) {
            Ok(_) if self.page.objects.len() == self.limit => self.full = true,
            Ok(key) if meta.is_file() => self.page.objects.push(disk::stat(key, &meta)),
            _ => self.page.foreign += 1,
        }
        Ok(())
    }
}
