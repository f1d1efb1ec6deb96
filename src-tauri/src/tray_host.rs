//! Whether this desktop shows tray icons.

#[cfg(not(target_os = "linux"))]
/// Whether an icon can be seen. Windows and macOS always show them.
pub async fn shows_icons() -> bool {
    true
}

#[cfg(target_os = "linux")]
/// Whether an icon can be seen: whether something on the session bus displays them. Stock GNOME
/// has nobody who does.
pub async fn shows_icons() -> bool {
    use std::time::Duration;
    // A bus that does not answer shows nothing either.
    const DEADLINE: Duration = Duration::from_secs(1);
    let asked = tauri::async_runtime::spawn_blocking(|| ask().unwrap_or(false));
    matches!(tokio::time::timeout(DEADLINE, asked).await, Ok(Ok(true)))
}

#[cfg(target_os = "linux")]
fn ask() -> zbus::Result<bool> {
    const WATCHER: &str = "org.kde.StatusNotifierWatcher";
    let bus = zbus::blocking::Connection::session()?;
    let owned = bus.call_method(
        Some("org.freedesktop.DBus"),
        "/org/freedesktop/DBus",
        Some("org.freedesktop.DBus"),
        "NameHasOwner",
        &WATCHER,
    )?;
    if !owned.body().deserialize::<bool>()? {
        return Ok(false);
    }
    let displayed = bus.call_method(
        Some(WATCHER),
        "/StatusNotifierWatcher",
        Some("org.freedesktop.DBus.Properties"),
        "Get",
        &(WATCHER, "IsStatusNotifierHostRegistered"),
    )?;
    let body = displayed.body();
    let value: zbus::zvariant::Value<'_> = body.deserialize()?;
    Ok(bool::try_from(value)?)
}
