//! How a bucket is reached.

use oriel_api::Secret;
use url::Url;

use crate::{BucketError, KeyPrefix};

/// How the bucket's name gets into the address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Addressing {
    /// `https://host/bucket/key`: MinIO, Garage and most servers of one's own.
    #[default]
    Path,
    /// `https://bucket.host/key`: AWS.
    VirtualHost,
}

/// Where the access key comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CredentialSource {
    /// Entered by somebody.
    Keys {
        /// Access key id.
        key_id: Secret,
        /// Secret access key.
        secret: Secret,
        /// Of temporary keys.
        session_token: Option<Secret>,
    },
    /// The standard chain of AWS: environment, profile files, web identity, container, machine.
    /// Without single sign-on.
    Chain {
        /// Instead of `AWS_PROFILE` or `default`.
        profile: Option<String>,
    },
}

/// A bucket and the way to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct S3Settings {
    /// Address of the service; `None` is AWS in the region.
    pub endpoint: Option<Url>,
    /// Region; `us-east-1` or `auto` where the service has none.
    pub region: String,
    /// Name of the bucket.
    pub bucket: String,
    /// What comes before every key.
    pub prefix: KeyPrefix,
    /// Where the bucket's name goes.
    pub addressing: Addressing,
    /// Where the access key comes from.
    pub credentials: CredentialSource,
}

impl S3Settings {
    /// Whether the settings make sense; nothing is sent.
    pub fn check(&self) -> Result<(), BucketError> {
        let invalid = |text| Err(BucketError::Invalid(text));
        if let Some(url) = &self.endpoint {
            if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
                return invalid("The storage's address begins with http:// or https://.");
            }
            // A password in an address would be shown wherever the address is.
            if !url.username().is_empty()
                || url.password().is_some()
                || url.query().is_some()
                || url.fragment().is_some()
            {
                return invalid("The storage's address is only a host and a port.");
            }
        }
        // Amazon's rules, with the dots, underscores and capitals of older and other services.
        let of_name = |b: u8| b.is_ascii_alphanumeric() || b"-._".contains(&b);
        let name = self.bucket.as_bytes();
        if !(3..=63).contains(&name.len())
            || !name.iter().copied().all(of_name)
            || self.bucket.contains("..")
            || !name[0].is_ascii_alphanumeric()
        {
            return invalid("The bucket's name has 3 to 63 letters, digits, dots and hyphens.");
        }
        if self.region.is_empty()
            || self.region.len() > 64
            || !self
                .region
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-')
        {
            return invalid("The region has letters, digits and hyphens; without one, us-east-1.");
        }
        if let CredentialSource::Keys { key_id, secret, .. } = &self.credentials
            && (key_id.expose().is_empty() || secret.expose().is_empty())
        {
            return invalid("The access key has an id and a secret.");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nonsense_is_refused_before_anything_is_sent() {
        let good = S3Settings {
            endpoint: Some("http://localhost:9000".parse().unwrap()),
            region: "us-east-1".into(),
            bucket: "footage".into(),
            prefix: KeyPrefix::default(),
            addressing: Addressing::Path,
            credentials: CredentialSource::Keys {
                key_id: Secret::new("id"),
                secret: Secret::new("hidden-secret"),
                session_token: None,
            },
        };
        assert_eq!(good.check(), Ok(()));
        assert!(!format!("{good:?}").contains("hidden-secret"));
        for url in [
            "ftp://host",
            "http://u:p@host",
            "http://host/?a=b",
            "data:x",
        ] {
            let endpoint = Some(url.parse().unwrap());
            assert!(
                S3Settings {
                    endpoint,
                    ..good.clone()
                }
                .check()
                .is_err(),
                "{url}"
            );
        }
        for bucket in ["", "ab", "a/b", "a..b", "-ab", "ä-bucket", &"a".repeat(64)] {
            let bucket = bucket.to_owned();
            assert!(
                S3Settings {
                    bucket,
                    ..good.clone()
                }
                .check()
                .is_err()
            );
        }
        let region = "eu west".to_owned();
        assert!(
            S3Settings {
                region,
                ..good.clone()
            }
            .check()
            .is_err()
        );
        let credentials = CredentialSource::Keys {
            key_id: Secret::new(""),
            secret: Secret::new("x"),
            session_token: None,
        };
        assert!(
            S3Settings {
                credentials,
                ..good
            }
            .check()
            .is_err()
        );
    }
}
