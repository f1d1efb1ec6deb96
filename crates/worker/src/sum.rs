//! SHA-256 of files.

use std::io::{self, Read};

use sha2::{Digest, Sha256};

/// Bytes read at once: they stay in the processor's cache between reading and summing.
const CHUNK: usize = 64 * 1024;

/// The sum of all that a reader gives. Waits for the disk.
pub(crate) fn sha256(mut reader: impl Read) -> io::Result<[u8; 32]> {
    let mut sum = Sha256::new();
    let mut chunk = vec![0; CHUNK];
    loop {
        match reader.read(&mut chunk) {
            Ok(0) => return Ok(sum.finalize().into()),
            Ok(n) => sum.update(&chunk[..n]),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_that_of_all_bytes_in_their_order() -> io::Result<()> {
        let bytes: Vec<u8> = (0..CHUNK * 2 + 7).map(|n| (n % 251) as u8).collect();
        let whole: [u8; 32] = Sha256::digest(&bytes).into();
        assert_eq!(sha256(bytes.as_slice())?, whole);
        assert_ne!(sha256(&bytes[1..])?, whole);
        assert_eq!(sha256(io::empty())?, <[u8; 32]>::from(Sha256::digest(b"")));
        Ok(())
    }
}
