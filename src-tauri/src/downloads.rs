//! Files that the page saves: the webview fetches them, here is decided where they go, and the
//! page is told what became of them.

use std::{
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use serde_json::json;
use tauri::{AppHandle, Emitter, Manager, Url, Webview, webview::DownloadEvent};

use crate::{file_name::free_path, recorder::Recorder, window};

/// What the page listens for.
const EVENT: &str = "download";
/// Where there is no folder for downloads, one in the home folder.
const FOLDER: &str = "Downloads";

/// The downloads under way.
#[derive(Default)]
pub struct Downloads(Mutex<Running>);

#[derive(Default)]
struct Running {
    last: u64,
    files: Vec<File>,
}

struct File {
    number: u64,
    url: Url,
    path: PathBuf,
}

/// How far one is, as the page is told.
#[derive(Clone, Copy)]
enum State {
    Started,
    Saved,
    Failed,
}

impl Downloads {
    /// Takes a path for a file: free, and of no other download.
    fn begin(&self, url: &Url, folder: &Path, name: &str) -> Option<(u64, PathBuf)> {
        let mut running = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A link that leads nowhere is there as well.
        let taken = |path: &Path| {
            path.symlink_metadata().is_ok() || running.files.iter().any(|f| f.path == path)
        };
        let path = free_path(folder, name, taken)?;
        running.last += 1;
        let number = running.last;
        running.files.push(File {
            number,
            url: url.clone(),
            path: path.clone(),
        });
        Some((number, path))
    }

    /// Not every webview says which file it was.
    fn end(&self, url: &Url, path: Option<&Path>) -> Option<(u64, PathBuf)> {
        let mut running = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let files = &mut running.files;
        let at = files
            .iter()
            .position(|f| path == Some(&f.path))
            .or_else(|| files.iter().position(|f| f.url == *url))?;
        let file = files.remove(at);
        Some((file.number, file.path))
    }
}

/// Whether an address is a file of the recorder to save: answered as an attachment, it leaves the
/// page where it is. `base` is the recorder's own origin.
pub fn is_download(url: &Url, base: Option<&Url>) -> bool {
    let here = base.is_some_and(|base| base.origin() == url.origin());
    here && url.path().starts_with("/api/") && url.query_pairs().any(|(key, _)| key == "download")
}

/// Decides about a download of the window. Answers whether it may go on.
pub fn decide(webview: &Webview, event: DownloadEvent<'_>) -> bool {
    let app = webview.app_handle();
    match event {
        DownloadEvent::Requested { url, destination } => {
            let base = app.state::<Recorder>().base_url();
            if !is_download(&url, base.as_ref()) {
                return false;
            }
            let name = asked_name(&url, destination);
            let folder = folder(app);
            let taken = std::fs::create_dir_all(&folder)
                .ok()
                .and_then(|()| app.state::<Downloads>().begin(&url, &folder, &name));
            let Some((number, path)) = taken else {
                tell(app, 0, State::Failed, &folder.join(name));
                return false;
            };
            tell(app, number, State::Started, &path);
            *destination = path;
            true
        }
        DownloadEvent::Finished { url, path, success } => {
            if let Some((number, path)) = app.state::<Downloads>().end(&url, path.as_deref()) {
                let saved = success && path.exists();
                let state = if saved { State::Saved } else { State::Failed };
                tell(app, number, state, &path);
            }
            true
        }
        _ => true,
    }
}

/// What the page wants the file called; else what the webview made of the answer, which may
/// already carry a number.
fn asked_name(url: &Url, suggested: &Path) -> String {
    let asked = url.query_pairs().find(|(key, _)| key == "download");
    match asked.as_ref().map(|(_, name)| name.trim()) {
        None | Some("" | "1") => suggested
            .file_name()
            .map(|n| n.to_string_lossy().into_owned()),
        Some(name) => Some(name.to_owned()),
    }
    .unwrap_or_default()
}

fn folder(app: &AppHandle) -> PathBuf {
    let paths = app.path();
    paths
        .download_dir()
        .or_else(|_| paths.home_dir().map(|home| home.join(FOLDER)))
        .unwrap_or_else(|_| PathBuf::from(FOLDER))
}

fn tell(app: &AppHandle, number: u64, state: State, path: &Path) {
    let state = match state {
        State::Started => "started",
        State::Saved => "saved",
        State::Failed => "failed",
    };
    let last = |path: &Path| path.file_name().map(|n| n.to_string_lossy().into_owned());
    let told = json!({
        "number": number,
        "state": state,
        "name": last(path),
        "folder": path.parent().and_then(last),
    });
    if let Err(error) = app.emit_to(window::LABEL, EVENT, told) {
        tracing::warn!(%error, "the page was not told of a download");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        text.parse().unwrap()
    }

    #[test]
    fn only_files_to_save_of_this_recorder_may_be_fetched() {
        let base = url("http://127.0.0.1:8642");
        let may = |text: &str| is_download(&url(text), Some(&base));
        assert!(may(
            "http://127.0.0.1:8642/api/objects/clips/a/b.mp4?exp=1&sig=x&download=Door.mp4"
        ));
        assert!(!may(
            "http://127.0.0.1:8642/api/objects/clips/a/b.mp4?exp=1&sig=x"
        ));
        assert!(!may("http://127.0.0.1:8642/live?download=1"));
        assert!(!may(
            "http://127.0.0.1:8643/api/objects/clips/a/b.mp4?download=1"
        ));
        assert!(!may("https://example.com/api/x?download=1"));
        assert!(!may("http://127.0.0.1:8642@example.com/api/x?download=1"));
        assert!(!is_download(
            &url("http://127.0.0.1:8642/api/x?download=1"),
            None
        ));
    }

    #[test]
    fn a_file_is_called_as_the_page_asked() {
        let named = |text: &str| asked_name(&url(text), Path::new("/d/c1 (1).mp4"));
        assert_eq!(
            named("http://r/api/x?sig=s&download=Break%20in.mp4"),
            "Break in.mp4"
        );
        assert_eq!(named("http://r/api/x?download=..%2Fx"), "../x");
        assert_eq!(named("http://r/api/x?download=1"), "c1 (1).mp4");
        assert_eq!(named("http://r/api/x"), "c1 (1).mp4");
    }

    #[test]
    fn two_downloads_of_one_name_get_two_paths_and_each_ends_once() {
        let folder = tempfile::tempdir().unwrap();
        let downloads = Downloads::default();
        let address = url("http://127.0.0.1:8642/api/x?download=Door.mp4");
        let (first, one) = downloads
            .begin(&address, folder.path(), "Door.mp4")
            .unwrap();
        let (second, two) = downloads
            .begin(&address, folder.path(), "Door.mp4")
            .unwrap();
        assert_eq!(two, folder.path().join("Door (2).mp4"));
        assert_eq!(downloads.end(&address, Some(&two)), Some((second, two)));
        assert_eq!(downloads.end(&address, None), Some((first, one)));
        assert_eq!(downloads.end(&address, None), None);
    }
}
