//! Randomness for ids and keys.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use oriel_api::{Error, Result};

/// Random bytes from the system.
pub(crate) fn bytes<const N: usize>() -> Result<[u8; N]> {
    let mut out = [0; N];
    getrandom::fill(&mut out).map_err(Error::internal)?;
    Ok(out)
}

/// 256 random bits as text for URLs and headers.
pub(crate) fn text() -> Result<String> {
    Ok(URL_SAFE_NO_PAD.encode(bytes::<32>()?))
}
