//! Requests without our credentials: what a browser or somebody with a signed address would see.

use std::{fmt, time::Duration};

use aws_sdk_s3::primitives::SdkBody;
use aws_smithy_http_client::{
    Connector,
    tls::{Provider, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::{
    http::{HttpConnector, SharedHttpConnector},
    orchestrator::HttpRequest,
};
use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use tokio::time::timeout;

use super::answer::ahead;
use crate::BucketError;

const DEADLINE: Duration = Duration::from_secs(15);
/// Answers to probes are short.
const LIMIT: usize = 64 * 1024;

/// An answer to a plain request.
#[derive(Debug)]
pub(crate) struct Answer {
    pub status: u16,
    pub body: Bytes,
    /// Seconds that our clock is ahead.
    pub ahead: Option<i64>,
    headers: Vec<(String, String)>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, v)| v.as_str())
    }
}

#[derive(Clone)]
pub(crate) struct Plain(SharedHttpConnector);

impl fmt::Debug for Plain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Plain")
    }
}

impl Plain {
    pub(super) fn new() -> Self {
        Self(SharedHttpConnector::new(
            Connector::builder()
                .tls_provider(Provider::Rustls(CryptoMode::Ring))
                .build(),
        ))
    }

    /// One request; redirects are not followed.
    pub(crate) async fn request(
        &self,
        method: &str,
        url: &str,
        headers: &[(String, String)],
        body: Bytes,
    ) -> Result<Answer, BucketError> {
        let length = body.len();
        let mut request = HttpRequest::new(SdkBody::from(body));
        let wrong = BucketError::Invalid("The address is not valid.");
        request.set_method(method).map_err(|_| wrong.clone())?;
        request.set_uri(url).map_err(|_| wrong.clone())?;
        for (name, value) in headers {
            let (name, value) = (name.clone(), value.clone());
            request
                .headers_mut()
                .try_insert(name, value)
                .map_err(|_| wrong.clone())?;
        }
        if length > 0 {
            request
                .headers_mut()
                .insert("content-length", length.to_string());
        }
        let call = async {
            let answer = self
                .0
                .call(request)
                .await
                .map_err(|_| BucketError::INTERRUPTED)?;
            let status = answer.status().as_u16();
            let headers: Vec<(String, String)> = answer
                .headers()
                .iter()
                .map(|(n, v)| (n.to_owned(), v.to_owned()))
                .collect();
            let ahead = answer.headers().get("date").and_then(ahead);
            let body = Limited::new(answer.into_body(), LIMIT)
                .collect()
                .await
                .map_err(|_| BucketError::INTERRUPTED)?
                .to_bytes();
            Ok(Answer {
                status,
                body,
                ahead,
                headers,
            })
        };
        timeout(DEADLINE, call)
            .await
            .unwrap_or(Err(BucketError::TIMED_OUT))
    }
}

impl super::S3Bucket {
    /// Seconds that our clock is ahead of the service's, from any answer of it.
    pub(crate) async fn clock_ahead(&self) -> Option<i64> {
        let url = match &self.settings().endpoint {
            Some(url) => url.to_string(),
            None => format!("https://s3.{}.amazonaws.com/", self.settings().region),
        };
        let answer = self.plain().request("GET", &url, &[], Bytes::new()).await;
        answer.ok()?.ahead
    }
}
