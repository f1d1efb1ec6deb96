//! A bucket of any S3-compatible service. Only address and credentials differ between services;
//! what some of them lack is noticed and said, never assumed.

mod answer;
mod cors;
mod multipart;
mod objects;
mod plain;
mod settings;

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    time::Duration,
};

use aws_sdk_s3::{
    Client,
    config::{
        BehaviorVersion, Credentials, Region, RequestChecksumCalculation,
        ResponseChecksumValidation, StalledStreamProtectionConfig, retry::RetryConfig,
        timeout::TimeoutConfig,
    },
};
use aws_smithy_http_client::{
    Builder,
    tls::{Provider, rustls_provider::CryptoMode},
};
use tokio::time::timeout;

use crate::{BucketError, ObjectKey};
use plain::Plain;
pub use settings::{Addressing, CredentialSource, S3Settings};

/// How long a call may take that moves no content.
const DEADLINE: Duration = Duration::from_secs(30);
const CONNECT: Duration = Duration::from_secs(5);

/// A bucket, or the part of one below a prefix.
#[derive(Clone, Debug)]
pub struct S3Bucket {
    inner: Arc<Inner>,
}

struct Inner {
    client: Client,
    settings: S3Settings,
    plain: Plain,
    sums: AtomicU8,
}

// The client would show the id of the access key, and pages of its own.
impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.settings.fmt(f)
    }
}

/// What the store has been seen to confirm about what it stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Confirms {
    Unknown,
    /// It repeats the SHA-256 it was told, having checked it.
    Sha256,
    /// Its ETag is the MD5.
    Md5,
    /// Nothing but the size.
    Size,
}

impl S3Bucket {
    /// Prepares access. Makes no request to the bucket; a chain of credentials may ask the
    /// machine's own metadata service. `Invalid` when a setting makes no sense.
    pub async fn open(settings: S3Settings) -> Result<Self, BucketError> {
        settings.check()?;
        // One pool of connections with ring, which builds everywhere without cmake or nasm.
        let http = Builder::new()
            .tls_provider(Provider::Rustls(CryptoMode::Ring))
            .pool_idle_timeout(Duration::from_secs(20))
            .build_https();
        let mut config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(settings.region.clone()))
            .force_path_style(settings.addressing == Addressing::Path)
            // Some servers refuse the sums that the SDK appends to streamed bodies.
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
            // Standstill is watched here, where our own limit is known.
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            // One repetition hides a pooled connection that the server had closed. All other
            // repetition belongs to the caller.
            .retry_config(
                RetryConfig::standard()
                    .with_max_attempts(2)
                    .with_initial_backoff(Duration::from_millis(100)),
            )
            .timeout_config(TimeoutConfig::builder().connect_timeout(CONNECT).build())
            .http_client(http.clone());
        if let Some(endpoint) = &settings.endpoint {
            config = config.endpoint_url(endpoint.as_str().trim_end_matches('/'));
        }
        config = match &settings.credentials {
            CredentialSource::Keys {
                key_id,
                secret,
                session_token,
            } => config.credentials_provider(Credentials::new(
                key_id.expose(),
                secret.expose(),
                session_token.as_ref().map(|t| t.expose().to_owned()),
                None,
                "oriel",
            )),
            CredentialSource::Chain { profile } => {
                let mut loader = aws_config::defaults(BehaviorVersion::latest())
                    .http_client(http)
                    .region(Region::new(settings.region.clone()));
                if let Some(profile) = profile {
                    loader = loader.profile_name(profile);
                }
                let shared = timeout(DEADLINE, loader.load())
                    .await
                    .map_err(|_| BucketError::TIMED_OUT)?;
                config.set_credentials_provider(shared.credentials_provider());
                config
            }
        };
        Ok(Self {
            inner: Arc::new(Inner {
                client: Client::from_conf(config.build()),
                settings,
                plain: Plain::new(),
                sums: AtomicU8::new(Confirms::Unknown as u8),
            }),
        })
    }

    /// How it is reached.
    pub fn settings(&self) -> &S3Settings {
        &self.inner.settings
    }

    pub(crate) fn plain(&self) -> &Plain {
        &self.inner.plain
    }

    fn client(&self) -> &Client {
        &self.inner.client
    }

    fn name(&self) -> &str {
        &self.inner.settings.bucket
    }

    /// The key as the service knows it.
    fn full(&self, key: &ObjectKey) -> String {
        self.inner.settings.prefix.join(key.as_str())
    }

    /// As a source of a copy. Keys need no escaping; the prefix neither.
    fn copy_source(&self, key: &ObjectKey) -> String {
        format!("{}/{}", self.name(), self.full(key))
    }

    /// Whether objects can be copied from the other without passing through here.
    fn same_service(&self, other: &Self) -> bool {
        let (a, b) = (&self.inner.settings, &other.inner.settings);
        a.endpoint == b.endpoint && a.region == b.region && a.credentials == b.credentials
    }

    fn confirms(&self) -> Confirms {
        match self.inner.sums.load(Ordering::Relaxed) {
            1 => Confirms::Sha256,
            2 => Confirms::Md5,
            3 => Confirms::Size,
            _ => Confirms::Unknown,
        }
    }

    fn learn(&self, confirms: Confirms) {
        self.inner.sums.store(confirms as u8, Ordering::Relaxed);
    }
}

/// A call that moves no content.
async fn quick<T>(call: impl Future<Output = Result<T, BucketError>>) -> Result<T, BucketError> {
    timeout(DEADLINE, call)
        .await
        .unwrap_or(Err(BucketError::TIMED_OUT))
}
