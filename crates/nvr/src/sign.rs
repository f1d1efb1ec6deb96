//! Short-lived rights to one object and one verb (`docs/protocol.md`, section 4).

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac};
use oriel_api::{Error, ErrorCode, Timestamp};
use sha2::Sha256;

/// What a signature may be used for. One made for one purpose never serves another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Reading the bytes of a segment.
    Media,
    /// Opening a live stream.
    Live,
    /// Reading or writing one object: a clip, a snapshot, a file of an export.
    Object,
    /// Asking for single pictures again and again.
    Picture,
    /// Opening the stream of changes.
    Events,
}

impl Purpose {
    const fn word(self) -> &'static str {
        match self {
            Self::Media => "media",
            Self::Object => "object",
            Self::Live => "live",
            Self::Picture => "picture",
            Self::Events => "events",
        }
    }

    /// How long a signature lasts at least.
    pub const fn lifetime(self) -> Duration {
        match self {
            Self::Media | Self::Object => Duration::from_secs(3600),
            Self::Picture => Duration::from_secs(600),
            Self::Live | Self::Events => Duration::from_secs(60),
        }
    }
}

/// Why a signature does not open anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// It was valid once.
    #[error("This address has expired. Ask for a new one.")]
    Expired,
    /// It was never valid for this.
    #[error("This address is not valid.")]
    Invalid,
}

impl From<SignatureError> for Error {
    fn from(error: SignatureError) -> Self {
        Error::new(ErrorCode::Unauthenticated, error.to_string())
    }
}

/// A signature and when it ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    /// Unix seconds.
    pub exp: i64,
    /// Base64url, without padding.
    pub sig: String,
}

impl Signed {
    /// As the query of a media URL.
    pub fn query(&self) -> String {
        format!("exp={}&sig={}", self.exp, self.sig)
    }

    /// As one word, for sockets.
    pub fn token(&self) -> String {
        format!("{}.{}", self.exp, self.sig)
    }

    /// When it ends.
    pub fn expires(&self) -> Timestamp {
        Timestamp::from_ms(self.exp.saturating_mul(1000))
    }

    /// Reads what [`Signed::token`] wrote.
    pub fn from_token(token: &str) -> Result<Self, SignatureError> {
        let (exp, sig) = token.split_once('.').ok_or(SignatureError::Invalid)?;
        Ok(Self {
            exp: exp.parse().map_err(|_| SignatureError::Invalid)?,
            sig: sig.to_owned(),
        })
    }
}

/// Makes and checks signatures with the recorder's key.
#[derive(Clone)]
pub struct Signer {
    mac: Hmac<Sha256>,
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Signer")
    }
}

impl Signer {
    /// A signer with this key.
    #[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
    pub fn new(key: &[u8; 32]) -> Self {
        Self {
            mac: Hmac::new_from_slice(key).expect("any length"),
        }
    }

    fn mac(&self, verb: &str, path: &str, purpose: Purpose, exp: i64) -> Hmac<Sha256> {
        let mut mac = self.mac.clone();
        mac.update(format!("{verb}\n{path}\n{exp}\n{}", purpose.word()).as_bytes());
        mac
    }

    /// A right to use `verb` on `path` for at least `ttl`. The end is rounded up to a multiple
    /// of a quarter of it, so that the same URL comes out for a while and can be cached.
    pub fn signed(
        &self,
        verb: &str,
        path: &str,
        purpose: Purpose,
        ttl: Duration,
        now: Timestamp,
    ) -> Signed {
        let ttl = i64::try_from(ttl.as_secs()).unwrap_or(i64::MAX / 4);
        let step = (ttl / 4).max(1);
        let end = now.ms().div_euclid(1000).saturating_add(ttl);
        let exp = end.div_euclid(step).saturating_add(1).saturating_mul(step);
        self.signed_until(verb, path, purpose, exp)
    }

    /// A right to use `verb` on `path` before a moment, in seconds since 1970 UTC, and not at it.
    pub fn signed_until(&self, verb: &str, path: &str, purpose: Purpose, exp: i64) -> Signed {
        let sig = self.mac(verb, path, purpose, exp).finalize().into_bytes();
        Signed {
            exp,
            sig: URL_SAFE_NO_PAD.encode(sig),
        }
    }

    /// Like [`Signer::signed`], as a query string.
    pub fn sign(
        &self,
        verb: &str,
        path: &str,
        purpose: Purpose,
        ttl: Duration,
        now: Timestamp,
    ) -> String {
        self.signed(verb, path, purpose, ttl, now).query()
    }

    /// Whether a signature gives the right to use `verb` on `path` now. Takes the same time for
    /// every wrong signature.
    pub fn verify(
        &self,
        verb: &str,
        path: &str,
        purpose: Purpose,
        exp: i64,
        sig: &str,
        now: Timestamp,
    ) -> Result<(), SignatureError> {
        let sig = URL_SAFE_NO_PAD
            .decode(sig)
            .map_err(|_| SignatureError::Invalid)?;
        self.mac(verb, path, purpose, exp)
            .verify_slice(&sig)
            .map_err(|_| SignatureError::Invalid)?;
        // Said only to somebody who held a valid one.
        if now.ms().div_euclid(1000) >= exp {
            return Err(SignatureError::Expired);
        }
        Ok(())
    }

    /// A code bound to some bytes, for purposes that are not URLs.
    pub(crate) fn derive(&self, label: &str, bytes: &[u8]) -> String {
        let mut mac = self.mac.clone();
        // No verb looks like this, so no signature of a URL can be one of these.
        mac.update(b"derive\0");
        mac.update(label.as_bytes());
        mac.update(b"\0");
        mac.update(bytes);
        URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_ms(1_800_000_123_456);

    fn signer() -> Signer {
        Signer::new(&[7; 32])
    }

    #[test]
    fn opens_one_object_with_one_verb_for_one_purpose_until_it_ends() {
        let s = signer();
        let path = "/api/recordings/segment/aaaaaaaaaaaa/1.mp4";
        let ok = s.signed("GET", path, Purpose::Media, Duration::from_secs(3600), NOW);
        let try_it = |verb, path, purpose, exp, sig: &str, now| {
            signer().verify(verb, path, purpose, exp, sig, now)
        };
        let (exp, sig) = (ok.exp, ok.sig.as_str());
        assert_eq!(try_it("GET", path, Purpose::Media, exp, sig, NOW), Ok(()));
        let invalid = Err(SignatureError::Invalid);
        assert_eq!(try_it("PUT", path, Purpose::Media, exp, sig, NOW), invalid);
        assert_eq!(try_it("GET", path, Purpose::Live, exp, sig, NOW), invalid);
        let other = "/api/recordings/segment/aaaaaaaaaaab/1.mp4";
        assert_eq!(try_it("GET", other, Purpose::Media, exp, sig, NOW), invalid);
        assert_eq!(
            try_it("GET", path, Purpose::Media, exp + 1, sig, NOW),
            invalid
        );
        for bad in ["", "AAAA", "!", &sig[1..], &format!("{sig}A")] {
            assert_eq!(try_it("GET", path, Purpose::Media, exp, bad, NOW), invalid);
        }
        let foreign = Signer::new(&[8; 32]);
        assert_eq!(
            foreign.verify("GET", path, Purpose::Media, exp, sig, NOW),
            invalid
        );
        let end = Timestamp::from_ms(exp * 1000);
        assert_eq!(
            try_it("GET", path, Purpose::Media, exp, sig, end),
            Err(SignatureError::Expired)
        );
        let before = Timestamp::from_ms(exp * 1000 - 1);
        assert_eq!(
            try_it("GET", path, Purpose::Media, exp, sig, before),
            Ok(())
        );
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let s = signer();
        let ok = s.signed("GET", "/p", Purpose::Live, Duration::from_secs(60), NOW);
        let raw = URL_SAFE_NO_PAD.decode(&ok.sig).unwrap();
        for bit in 0..raw.len() * 8 {
            let mut bad = raw.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            let bad = URL_SAFE_NO_PAD.encode(bad);
            assert!(
                s.verify("GET", "/p", Purpose::Live, ok.exp, &bad, NOW)
                    .is_err()
            );
        }
    }

    #[test]
    fn the_same_address_for_some_minutes_and_never_less_than_promised() {
        let s = signer();
        let hour = Duration::from_secs(3600);
        let mut seen = std::collections::BTreeSet::new();
        for minute in 0..60 {
            let now = Timestamp::from_ms(NOW.ms() + minute * 60_000);
            let signed = s.signed("GET", "/p", Purpose::Media, hour, now);
            let left = signed.exp * 1000 - now.ms();
            assert!((3_600_000..=4_500_000).contains(&left), "{left}");
            seen.insert(signed.exp);
        }
        assert!(seen.len() <= 5);
    }

    #[test]
    fn a_token_is_read_back_and_rubbish_is_not() {
        let s = signer().signed("GET", "/p", Purpose::Live, Duration::from_secs(60), NOW);
        assert_eq!(Signed::from_token(&s.token()), Ok(s));
        for bad in ["", ".", "x.y", "99999999999999999999999.a", "1"] {
            assert!(Signed::from_token(bad).is_err());
        }
    }
}
