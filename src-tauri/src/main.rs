//! Oriel's window. The recorder itself is `orield`, in this same process; here are only the
//! window, the tray and the one command the page may call. What compiles without `tauri` does
//! not belong here.

// A console window next to the app would be closed by its user, and the recording with it.
#![cfg_attr(all(windows, not(debug_assertions)), windows_subsystem = "windows")]

mod downloads;
mod exit;
mod file_name;
mod recorder;
mod rpc;
mod tray;
mod tray_host;
mod window;

use anyhow::{Context, bail};
use orield::{Config, Signals};
use tauri::{AppHandle, Manager, RunEvent, WindowEvent};
use tauri_plugin_dialog::{DialogExt, MessageDialogKind};

use crate::{downloads::Downloads, recorder::Recorder};

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
    let _within = runtime.enter();
    let signals = Signals::listen()?;

    let app = tauri::Builder::default()
        // A second start shows the window of the first and ends here, before it could want the
        // data folder: two recorders on one folder is never meant.
        .plugin(tauri_plugin_single_instance::init(|app, _, _| {
            window::show(app)
        }))
        .plugin(tauri_plugin_window_state::Builder::default().build())
        .plugin(tauri_plugin_dialog::init())
        .manage(Recorder::new())
        .manage(Downloads::default())
        .invoke_handler(tauri::generate_handler![rpc::rpc])
        .setup(move |app| {
            let handle = app.handle();
            window::open(handle)?;
            tray::install(handle);
            exit_when_told(handle.clone(), signals);
            let failed = {
                let app = handle.clone();
                move |reason| say_and_exit(&app, reason)
            };
            handle.state::<Recorder>().start(config, failed);
            Ok(())
        })
        .build(tauri::generate_context!())
        .context("the window could not be made")?;

    let mut quitting = exit::Quitting::default();
    app.run(move |app, event| match event {
        RunEvent::ExitRequested { api, code, .. } if quitting.begin() => {
            api.prevent_exit();
            let app = app.clone();
            tauri::async_runtime::spawn(async move {
                app.state::<Recorder>().stop().await;
                app.exit(code.unwrap_or(0));
            });
        }
        RunEvent::WindowEvent {
            event: WindowEvent::CloseRequested { api, .. },
            ..
        } => {
            api.prevent_close();
            let app = app.clone();
            tauri::async_runtime::spawn(async move { window::close(&app).await });
        }
        _ => {}
    });
    Ok(())
}

/// Ctrl-C, a closed terminal, the end of the session: each is a wish to exit.
fn exit_when_told(app: AppHandle, mut signals: Signals) {
    tauri::async_runtime::spawn(async move {
        loop {
            signals.next().await;
            app.exit(0);
        }
    });
}

/// Without a recorder there is nothing to see. Whoever started this from a menu sees no terminal.
fn say_and_exit(app: &AppHandle, reason: String) {
    eprintln!("Oriel could not start: {reason}");
    let exit = {
        let app = app.clone();
        move |_| app.exit(1)
    };
    app.dialog()
        .message(reason)
        .title("Oriel could not start")
        .kind(MessageDialogKind::Error)
        .show(exit);
}
