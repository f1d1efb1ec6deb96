//! Declares the one command, so that it needs a capability like any other.

fn main() {
    let manifest = tauri_build::AppManifest::new().commands(&["rpc"]);
    if let Err(error) =
        tauri_build::try_build(tauri_build::Attributes::new().app_manifest(manifest))
    {
        panic!("{error:#}");
    }
}
