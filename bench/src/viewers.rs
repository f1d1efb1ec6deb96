//! Viewers as a process of their own, so that their cost is not counted as the recorder's.

use anyhow::Result;
use oriel_system_tests::LiveSocket;

/// Reads every path until killed.
pub fn run(address: &str, paths: &[String]) -> Result<()> {
    let threads: Vec<_> = paths
        .iter()
        .map(|path| {
            let (address, path) = (address.to_owned(), path.clone());
            std::thread::spawn(move || -> Result<()> {
                let mut socket = LiveSocket::open(&address, &path)?;
                loop {
                    socket.read()?;
                }
            })
        })
        .collect();
    for thread in threads {
        thread
            .join()
            .map_err(|_| anyhow::anyhow!("a viewer panicked"))??;
    }
    Ok(())
}
