//! Oriel's window. The recorder itself is `orield`, in this same process; here are only the
//! window, the tray and the one command the page may call. What compiles without `tauri` does
//! not belong here.

// A console window next to the app would be closed by its user, and the recording with it.
#![cfg_attr(all(windows, not(debug_assertions)), windows_subsystem = "windows")]

mod exit;
mod rpc;
mod tray;
mod window;

use std::sync::Arc;

use anyhow::{Context, bail};
use orield::{Config, System};
use tauri::{Manager, RunEvent};

fn main() -> anyhow::Result<()> {
    // tao panics without a display, so this is decided before it is asked.
    if cfg!(target_os = "linux")
        && std::env::var_os("DISPLAY").is_none()
        && std::env::var_os("WAYLAND_DISPLAY").is_none()
    {
        bail!("There is no display. Run `orield serve` for the recorder without a window.");
    }
    let config = Config::from_args_and_env()?;
    orield::logging::init("info");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    tauri::async_runtime::set(runtime.handle().clone());
    let system = Arc::new(
        runtime
            .block_on(System::start(config))
            .context("Oriel could not start")?,
    );

    let app = tauri::Builder::default()
        // A second start shows the window of the first: two recorders on one folder is never meant.
        .plugin(tauri_plugin_single_instance::init(|app, _, _| {
            window::show(app)
        }))
        .plugin(tauri_plugin_window_state::Builder::default().build())
        .manage(rpc::Recorder(system.clone()))
        .invoke_handler(tauri::generate_handler![rpc::rpc])
        .setup(|app| {
            window::open(app.handle())?;
            tray::install(app.handle());
            Ok(())
        })
        .build(tauri::generate_context!())
        .context("the window could not be made")?;

    let mut quitting = exit::Quitting::default();
    app.run(move |app, event| match event {
        RunEvent::ExitRequested { api, .. } if quitting.begin() => {
            api.prevent_exit();
            let (app, system) = (app.clone(), system.clone());
            tauri::async_runtime::spawn(async move {
                system.stop().await;
                app.exit(0);
            });
        }
        RunEvent::WindowEvent {
            label,
            event: tauri::WindowEvent::CloseRequested { api, .. },
            ..
        } if exit::keeps_recording_when_closed(app.tray_by_id(tray::ID).is_some()) => {
            api.prevent_close();
            if let Some(window) = app.get_webview_window(&label) {
                let _ = window.hide();
            }
        }
        _ => {}
    });
    Ok(())
}
