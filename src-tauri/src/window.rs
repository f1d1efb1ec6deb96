//! The one window.

use tauri::{AppHandle, Manager, WebviewUrl, WebviewWindowBuilder};

const LABEL: &str = "main";

/// Makes the window, or shows it when it is there.
pub fn open(app: &AppHandle) -> tauri::Result<()> {
    if app.get_webview_window(LABEL).is_some() {
        show(app);
        return Ok(());
    }
    WebviewWindowBuilder::new(app, LABEL, WebviewUrl::App("index.html".into()))
        .title("Oriel")
        .inner_size(1360.0, 860.0)
        .min_inner_size(480.0, 480.0)
        // The page's own background, so that nothing flashes white while it loads.
        .background_color(tauri::window::Color(0x0f, 0x12, 0x16, 0xff))
        .build()?;
    Ok(())
}

/// Brings the window back from the tray or from behind others.
pub fn show(app: &AppHandle) {
    if let Some(window) = app.get_webview_window(LABEL) {
        let _ = window.show();
        let _ = window.unminimize();
        let _ = window.set_focus();
    }
}
