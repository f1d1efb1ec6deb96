//! The tray icon: proof that recording goes on, and the way back to the window.

use tauri::{
    AppHandle,
    menu::{Menu, MenuItem},
    tray::{TrayIconBuilder, TrayIconEvent},
};

use crate::window;

/// Id of the icon.
pub const ID: &str = "oriel";

/// Shows the icon. A desktop without a tray is no fault: closing the window then quits.
pub fn install(app: &AppHandle) {
    if let Err(error) = build(app) {
        tracing::info!(%error, "no tray icon on this desktop");
    }
}

fn build(app: &AppHandle) -> tauri::Result<()> {
    let menu = Menu::with_items(
        app,
        &[
            &MenuItem::with_id(app, "open", "Open Oriel", true, None::<&str>)?,
            &MenuItem::with_id(app, "quit", "Stop recording and quit", true, None::<&str>)?,
        ],
    )?;
    let mut tray = TrayIconBuilder::with_id(ID)
        .tooltip("Oriel is recording")
        .menu(&menu)
        .on_menu_event(|app, event| match event.id().as_ref() {
            "open" => window::show(app),
            "quit" => app.exit(0),
            _ => {}
        })
        .on_tray_icon_event(|tray, event| {
            if let TrayIconEvent::DoubleClick { .. } = event {
                window::show(tray.app_handle());
            }
        });
    if let Some(icon) = app.default_window_icon() {
        tray = tray.icon(icon.clone());
    }
    tray.build(app)?;
    Ok(())
}
