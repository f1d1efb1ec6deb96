//! The one window.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use tauri::{AppHandle, Manager, WebviewUrl, WebviewWindowBuilder};
use tauri_plugin_dialog::{DialogExt, MessageDialogButtons};

use crate::{
    downloads,
    exit::{Closing, on_close},
    recorder::Recorder,
    tray, tray_host,
};

/// Its label.
pub const LABEL: &str = "main";

/// Makes the window, or shows it when it is there.
pub fn open(app: &AppHandle) -> tauri::Result<()> {
    if app.get_webview_window(LABEL).is_some() {
        show(app);
        return Ok(());
    }
    let handle = app.clone();
    WebviewWindowBuilder::new(app, LABEL, WebviewUrl::App("index.html".into()))
        .title("Oriel")
        .inner_size(1360.0, 860.0)
        .min_inner_size(480.0, 480.0)
        // The page's own background, so that nothing flashes white while it loads.
        .background_color(tauri::window::Color(0x0f, 0x12, 0x16, 0xff))
        // A link that leads elsewhere must not replace the app, which has no way back.
        .on_navigation(move |url| {
            let base = handle.state::<Recorder>().base_url();
            is_own_page(url) || downloads::is_download(url, base.as_ref())
        })
        .on_download(|webview, event| downloads::decide(&webview, event))
        .build()?;
    Ok(())
}

/// Whether an address is the page inside the program, which each system's webview spells in its
/// own way.
fn is_own_page(url: &tauri::Url) -> bool {
    url.scheme() == "tauri" || url.host_str() == Some("tauri.localhost")
}

/// Brings the window back from the tray or from behind others.
pub fn show(app: &AppHandle) {
    if let Some(window) = app.get_webview_window(LABEL) {
        let _ = window.show();
        let _ = window.unminimize();
        let _ = window.set_focus();
    }
}

/// What the close button does.
pub async fn close(app: &AppHandle) {
    /// The question is asked once, however often the button is pressed meanwhile.
    static ASKED: AtomicBool = AtomicBool::new(false);
    let Some(window) = app.get_webview_window(LABEL) else {
        return;
    };
    let shown = tray_host::shows_icons().await;
    match on_close(app.tray_by_id(tray::ID).is_some(), shown) {
        Closing::Hide => {
            let _ = window.hide();
        }
        Closing::Ask if ASKED.swap(true, Relaxed) => {}
        Closing::Ask => {
            let app = app.clone();
            app.clone()
                .dialog()
                .message("Oriel records only while it runs.")
                .title("Close Oriel?")
                // Escape is the second: what ends recording is never the accident.
                .buttons(MessageDialogButtons::OkCancelCustom(
                    "Stop recording and quit".into(),
                    "Keep recording".into(),
                ))
                .parent(&window)
                .show(move |quit| {
                    ASKED.store(false, Relaxed);
                    if quit {
                        app.exit(0);
                    } else if let Some(window) = app.get_webview_window(LABEL) {
                        let _ = window.minimize();
                    }
                });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_page_itself_may_fill_the_window() {
        let may = |text: &str| is_own_page(&text.parse().unwrap());
        assert!(may("tauri://localhost/index.html"));
        assert!(may("http://tauri.localhost/live"));
        assert!(!may("http://127.0.0.1:8642/api/recordings/segment/x/1.mp4"));
        assert!(!may("https://example.com/tauri.localhost"));
    }
}
