//! Signed addresses: a short-lived right to one object and one verb.
//!
//! An S3 service makes its own. For a folder we make them, by the scheme of `docs/protocol.md`
//! section 4, and whoever serves the folder over HTTP asks [`Signer::verify`].

use std::{fmt, time::Duration};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac};
use oriel_api::Timestamp;
use sha2::Sha256;
use url::Url;

use crate::{BucketError, ObjectKey};

/// Longest life of a signed address: S3's own limit of seven days.
pub(crate) const LONGEST: Duration = Duration::from_secs(7 * 24 * 3600);

/// What a signed address lets its holder do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Read the object.
    Get,
    /// Write it.
    Put,
}

impl Verb {
    /// As in HTTP.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Put => "PUT",
        }
    }

    /// The verb of a request, when it is one of ours. `HEAD` counts as reading.
    pub fn of_method(method: &str) -> Option<Self> {
        match method {
            "GET" | "HEAD" => Some(Self::Get),
            "PUT" => Some(Self::Put),
            _ => None,
        }
    }
}

/// A right as an address. `Debug` shows neither query nor signature.
#[derive(Clone, PartialEq, Eq)]
pub struct SignedUrl {
    /// The address with its signature: a secret until it ends.
    pub url: String,
    /// The verb it is for.
    pub verb: Verb,
    /// When it ends.
    pub expires: Timestamp,
    /// Headers that the request must carry exactly so.
    pub headers: Vec<(String, String)>,
}

impl fmt::Debug for SignedUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let open = self.url.split('?').next().unwrap_or_default();
        write!(f, "{} {open}?•••", self.verb.as_str())
    }
}

/// Why a signed address opens nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// It was valid once.
    #[error("This address has expired. Ask for a new one.")]
    Expired,
    /// It was never valid for this.
    #[error("This address is not valid.")]
    Invalid,
}

/// Makes and checks signed addresses of a folder.
#[derive(Clone)]
pub struct Signer {
    mac: Hmac<Sha256>,
    base: Url,
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signer")
    }
}

impl Signer {
    /// A signer with this key, for a folder served below `base`
    /// (`http://127.0.0.1:8750/api/objects/incoming/`). Two folders need two paths: the path is
    /// what is signed.
    #[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
    pub fn new(key: &[u8; 32], base: &Url) -> Result<Self, BucketError> {
        if base.cannot_be_a_base() || base.query().is_some() || base.fragment().is_some() {
            return Err(BucketError::Invalid("The folder's address is not valid."));
        }
        let mut base = base.clone();
        if !base.path().ends_with('/') {
            base.set_path(&format!("{}/", base.path()));
        }
        Ok(Self {
            mac: Hmac::new_from_slice(key).expect("any length"),
            base,
        })
    }

    fn mac(&self, verb: Verb, path: &str, exp: i64) -> Hmac<Sha256> {
        let mut mac = self.mac.clone();
        mac.update(format!("{}\n{path}\n{exp}\nobject", verb.as_str()).as_bytes());
        mac
    }

    /// A right to `verb` on `key` that ends `ttl` (1 s to 7 days) after `now`.
    pub fn sign(
        &self,
        verb: Verb,
        key: &ObjectKey,
        ttl: Duration,
        now: Timestamp,
    ) -> Result<SignedUrl, BucketError> {
        let ttl = check_ttl(ttl)?;
        let exp = now.ms().div_euclid(1000).saturating_add(ttl);
        let mut url = self.base.clone();
        // Keys need no escaping.
        url.set_path(&format!("{}{key}", self.base.path()));
        let sig = self.mac(verb, url.path(), exp).finalize().into_bytes();
        url.set_query(Some(&format!(
            "exp={exp}&sig={}",
            URL_SAFE_NO_PAD.encode(sig)
        )));
        Ok(SignedUrl {
            url: url.into(),
            verb,
            expires: Timestamp::from_ms(exp.saturating_mul(1000)),
            headers: Vec::new(),
        })
    }

    /// The object that a request may touch: `path_and_query` as it came over the wire. Takes the
    /// same time for every wrong signature.
    pub fn verify(
        &self,
        verb: Verb,
        path_and_query: &str,
        now: Timestamp,
    ) -> Result<ObjectKey, SignatureError> {
        let invalid = SignatureError::Invalid;
        let (path, query) = path_and_query.split_once('?').ok_or(invalid)?;
        let key = path.strip_prefix(self.base.path()).ok_or(invalid)?;
        let key = ObjectKey::parse(key).map_err(|_| invalid)?;
        let (exp, sig) = query
            .strip_prefix("exp=")
            .and_then(|rest| rest.split_once("&sig="))
            .ok_or(invalid)?;
        let exp: i64 = exp.parse().map_err(|_| invalid)?;
        let sig = URL_SAFE_NO_PAD.decode(sig).map_err(|_| invalid)?;
        self.mac(verb, path, exp)
            .verify_slice(&sig)
            .map_err(|_| invalid)?;
        // Said only to somebody who held a valid one.
        if now.ms().div_euclid(1000) >= exp {
            return Err(SignatureError::Expired);
        }
        Ok(key)
    }
}

/// The life in whole seconds, when it is one that every store accepts.
pub(crate) fn check_ttl(ttl: Duration) -> Result<i64, BucketError> {
    let range = Duration::from_secs(1)..=LONGEST;
    if !range.contains(&ttl) {
        return Err(BucketError::Invalid(
            "A signed address lives from one second to seven days.",
        ));
    }
    i64::try_from(ttl.as_secs()).map_err(|_| BucketError::Invalid("The time is too long."))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_ms(1_800_000_123_456);

    fn signer(key: u8, base: &str) -> Signer {
        Signer::new(&[key; 32], &base.parse().unwrap()).unwrap()
    }

    fn tail(url: &SignedUrl) -> String {
        let parsed: Url = url.url.parse().unwrap();
        format!("{}?{}", parsed.path(), parsed.query().unwrap())
    }

    #[test]
    fn opens_one_object_with_one_verb_until_it_ends() {
        let s = signer(7, "http://localhost:1/objects/a");
        let key: ObjectKey = "clips/abcdefghjk23/c.mp4".parse().unwrap();
        let minute = Duration::from_secs(60);
        let url = s.sign(Verb::Get, &key, minute, NOW).unwrap();
        let tail = tail(&url);
        assert_eq!(s.verify(Verb::Get, &tail, NOW), Ok(key.clone()));
        let invalid = Err(SignatureError::Invalid);
        assert_eq!(s.verify(Verb::Put, &tail, NOW), invalid);
        assert_eq!(
            s.verify(Verb::Get, &tail.replace("c.mp4", "d.mp4"), NOW),
            invalid
        );
        assert_eq!(
            s.verify(Verb::Get, &tail.replace("exp=1", "exp=2"), NOW),
            invalid
        );
        assert_eq!(s.verify(Verb::Get, &format!("{tail}A"), NOW), invalid);
        assert_eq!(s.verify(Verb::Get, "/objects/a/clips/x", NOW), invalid);
        // Another key, and the same key serving another folder.
        assert_eq!(
            signer(8, "http://localhost:1/objects/a").verify(Verb::Get, &tail, NOW),
            invalid
        );
        let other = signer(7, "http://localhost:1/objects/b");
        assert_eq!(
            other.verify(Verb::Get, &tail.replace("/a/", "/b/"), NOW),
            invalid
        );
        assert_eq!(
            s.verify(Verb::Get, &tail, url.expires),
            Err(SignatureError::Expired)
        );
        assert!(!format!("{url:?}").contains("sig="));
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let s = signer(7, "http://localhost:1/");
        let key: ObjectKey = "a".parse().unwrap();
        let tail = tail(&s.sign(Verb::Put, &key, LONGEST, NOW).unwrap());
        let (head, sig) = tail.split_once("sig=").unwrap();
        let raw = URL_SAFE_NO_PAD.decode(sig).unwrap();
        for bit in 0..raw.len() * 8 {
            let mut bad = raw.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            let bad = format!("{head}sig={}", URL_SAFE_NO_PAD.encode(bad));
            assert!(s.verify(Verb::Put, &bad, NOW).is_err());
        }
        assert!(s.sign(Verb::Get, &key, LONGEST * 2, NOW).is_err());
        assert!(s.sign(Verb::Get, &key, Duration::ZERO, NOW).is_err());
    }
}
