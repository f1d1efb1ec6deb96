//! The queue itself: long polls, and taking away what was read.

use std::{sync::Arc, time::Duration};

use aws_sdk_sqs::{
    Client,
    config::{BehaviorVersion, Credentials, Region, retry::RetryConfig, timeout::TimeoutConfig},
    error::{ProvideErrorMetadata, SdkError},
    types::DeleteMessageBatchRequestEntry,
};
use aws_smithy_http_client::{
    Builder,
    tls::{Provider, rustls_provider::CryptoMode},
};
use tokio::time::timeout;
use url::Url;

use super::event::{Notice, Watched, read};
use crate::CredentialSource;

/// How long the queue may keep a question open.
const POLL: i32 = 20;
/// Messages of one answer; SQS gives at most ten.
const BATCH: i32 = 10;
const DEADLINE: Duration = Duration::from_secs(35);

/// A queue and the way to it.
#[derive(Clone, Debug)]
pub struct NoticeSettings {
    /// Address of the queue, as SQS names it.
    pub queue: Url,
    /// Its region.
    pub region: String,
    /// Where the access key comes from.
    pub credentials: CredentialSource,
    /// Buckets whose notices are wanted.
    pub watched: Vec<Watched>,
}

/// Why no notices come. Sentences for the person who set the queue up.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoticeError {
    /// The address is not one of a queue.
    #[error("The address of the queue is like https://sqs.REGION.amazonaws.com/ACCOUNT/NAME.")]
    Address,
    /// It cannot be reached or did not answer in time.
    #[error("The queue cannot be reached.")]
    Unreachable,
    /// It is not there.
    #[error("There is no such queue. Check its address and region.")]
    NoSuchQueue,
    /// The key is not accepted, or may not do this.
    #[error("The queue refuses access. The key needs sqs:ReceiveMessage and sqs:DeleteMessage.")]
    Refused,
    /// Anything else it answered.
    #[error("The queue answered with a fault.")]
    Fault,
}

impl NoticeError {
    /// Whether somebody has to act.
    pub fn lasts(&self) -> bool {
        matches!(self, Self::Address | Self::NoSuchQueue | Self::Refused)
    }
}

/// A message, read. It stays in the queue until [`NoticeQueue::done`].
#[derive(Debug)]
pub struct NoticeMessage {
    /// Objects of ours that it tells of.
    pub notices: Vec<Notice>,
    /// Records about nothing of ours, or that make no sense.
    pub ignored: u64,
    receipt: String,
}

/// A queue of notices. Cheap to clone.
#[derive(Clone)]
pub struct NoticeQueue(Arc<Opened>);

struct Opened {
    client: Client,
    queue: Url,
    watched: Vec<Watched>,
}

// The client would show the id of the access key.
impl std::fmt::Debug for NoticeQueue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NoticeQueue")
            .field("queue", &self.0.queue.as_str())
            .field("watched", &self.0.watched)
            .finish_non_exhaustive()
    }
}

impl NoticeQueue {
    /// Prepares access; asks nothing of the queue yet.
    pub async fn open(settings: NoticeSettings) -> Result<Self, NoticeError> {
        let queue = settings.queue;
        let plain = matches!(queue.scheme(), "http" | "https")
            && queue.host_str().is_some()
            && queue.username().is_empty()
            && queue.password().is_none()
            && queue.query().is_none()
            && queue.path().len() > 1;
        if !plain {
            return Err(NoticeError::Address);
        }
        let http = Builder::new()
            .tls_provider(Provider::Rustls(CryptoMode::Ring))
            .build_https();
        let mut config = aws_sdk_sqs::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(settings.region.clone()))
            .endpoint_url(queue.origin().ascii_serialization())
            // The one who calls repeats.
            .retry_config(RetryConfig::disabled())
            .timeout_config(
                TimeoutConfig::builder()
                    .connect_timeout(Duration::from_secs(5))
                    .build(),
            )
            .http_client(http.clone());
        match &settings.credentials {
            CredentialSource::Keys {
                key_id,
                secret,
                session_token,
            } => {
                config = config.credentials_provider(Credentials::new(
                    key_id.expose(),
                    secret.expose(),
                    session_token.as_ref().map(|t| t.expose().to_owned()),
                    None,
                    "oriel",
                ));
            }
            CredentialSource::Chain { profile } => {
                let mut loader = aws_config::defaults(BehaviorVersion::latest())
                    .http_client(http)
                    .region(Region::new(settings.region));
                if let Some(profile) = profile {
                    loader = loader.profile_name(profile);
                }
                let shared = timeout(DEADLINE, loader.load())
                    .await
                    .map_err(|_| NoticeError::Unreachable)?;
                config.set_credentials_provider(shared.credentials_provider());
            }
        }
        Ok(Self(Arc::new(Opened {
            client: Client::from_conf(config.build()),
            queue,
            watched: settings.watched,
        })))
    }

    /// Whether both were opened together.
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Waits up to 20 s for messages and gives at most ten.
    pub async fn receive(&self) -> Result<Vec<NoticeMessage>, NoticeError> {
        let call = self
            .0
            .client
            .receive_message()
            .queue_url(self.0.queue.as_str())
            .wait_time_seconds(POLL)
            .max_number_of_messages(BATCH)
            .send();
        let answer = timeout(DEADLINE, call)
            .await
            .map_err(|_| NoticeError::Unreachable)?
            .map_err(|e| judge(&e))?;
        let messages = answer.messages.unwrap_or_default();
        Ok(messages
            .into_iter()
            .filter_map(|message| {
                let read = read(message.body.as_deref().unwrap_or_default(), &self.0.watched);
                Some(NoticeMessage {
                    notices: read.notices,
                    ignored: read.ignored,
                    receipt: message.receipt_handle?,
                })
            })
            .collect())
    }

    /// Takes messages out of the queue. One that stays in spite of that comes again, which does
    /// no harm.
    pub async fn done(&self, messages: &[NoticeMessage]) -> Result<(), NoticeError> {
        for batch in messages.chunks(10) {
            let mut call = self
                .0
                .client
                .delete_message_batch()
                .queue_url(self.0.queue.as_str());
            for (number, message) in batch.iter().enumerate() {
                let entry = DeleteMessageBatchRequestEntry::builder()
                    .id(number.to_string())
                    .receipt_handle(&message.receipt)
                    .build()
                    .map_err(|_| NoticeError::Fault)?;
                call = call.entries(entry);
            }
            timeout(DEADLINE, call.send())
                .await
                .map_err(|_| NoticeError::Unreachable)?
                .map_err(|e| judge(&e))?;
        }
        Ok(())
    }
}

fn judge<E>(error: &SdkError<E>) -> NoticeError
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let SdkError::ServiceError(answer) = error else {
        return NoticeError::Unreachable;
    };
    let code = answer.err().code().unwrap_or_default();
    match answer.raw().status().as_u16() {
        _ if code.ends_with("NonExistentQueue") || code.ends_with("QueueDoesNotExist") => {
            NoticeError::NoSuchQueue
        }
        401 | 403 => NoticeError::Refused,
        _ if code.contains("AccessDenied") || code.contains("InvalidClientTokenId") => {
            NoticeError::Refused
        }
        _ => NoticeError::Fault,
    }
}

#[cfg(test)]
mod tests {
    use oriel_api::Secret;

    use super::*;

    #[tokio::test]
    async fn an_address_that_is_no_queue_is_refused() {
        let open = |queue: &str| {
            NoticeQueue::open(NoticeSettings {
                queue: queue.parse().unwrap(),
                region: "us-east-1".into(),
                credentials: CredentialSource::Keys {
                    key_id: Secret::new("id"),
                    secret: Secret::new("secret"),
                    session_token: None,
                },
                watched: Vec::new(),
            })
        };
        for bad in [
            "ftp://host/1/q",
            "https://u:p@host/1/q",
            "https://host/",
            "https://host/1/q?x=y",
            "data:x",
        ] {
            assert_eq!(open(bad).await.err(), Some(NoticeError::Address), "{bad}");
        }
        assert!(
            open("https://sqs.us-east-1.amazonaws.com/1/q")
                .await
                .is_ok()
        );
    }
}
