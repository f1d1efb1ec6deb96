//! Addresses of objects: clips, snapshots, files of exports, wherever their bytes are.

use std::{collections::BTreeMap, time::Duration};

use oriel_api::{Error, Result};
use oriel_bucket::ObjectKey;

use crate::{Nvr, sign::Purpose};

/// How long an address to write to is valid.
const WRITING: Duration = Duration::from_secs(600);
/// Longest life of an address that is given to others.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 3600);

/// Path of an object on this recorder.
pub(crate) fn object_path(key: &ObjectKey) -> String {
    format!("/api/objects/{key}")
}

impl Nvr {
    /// A signed address that reads an object for `ttl` (7 days at most): relative to this
    /// recorder, or of the bucket itself where browsers may go there.
    ///
    /// # Errors
    /// `invalid_input` when it shall last longer.
    pub async fn object_url(&self, key: &ObjectKey, ttl: Duration) -> Result<String> {
        if ttl > LONGEST {
            return Err(Error::invalid("An address lasts seven days at most."));
        }
        let path = object_path(key);
        let now = self.clock_now();
        let query = self.signer.sign("GET", &path, Purpose::Object, ttl, now);
        Ok(format!("{path}?{query}"))
    }

    /// A signed address that writes one snapshot within ten minutes, and the headers that the
    /// request must carry.
    pub fn object_put_url(&self, key: &ObjectKey) -> (String, BTreeMap<String, String>) {
        let path = object_path(key);
        let now = self.clock_now();
        let query = self
            .signer
            .sign("PUT", &path, Purpose::Object, WRITING, now);
        let headers = BTreeMap::from([("content-type".to_owned(), "image/jpeg".to_owned())]);
        (format!("{path}?{query}"), headers)
    }
}
