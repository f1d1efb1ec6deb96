//! Rules for browsers: whether a page of ours may read and write by signed addresses.

use aws_sdk_s3::types::{CorsConfiguration, CorsRule};

use super::{S3Bucket, answer::failed, quick};
use crate::{BucketError, Feature, SignedUrl};

/// What a page needs to see of an answer.
const EXPOSED: [&str; 4] = ["ETag", "Content-Length", "Content-Range", "Accept-Ranges"];

impl S3Bucket {
    /// Asks as a browser would, before a request from a page of `origin`.
    pub(crate) async fn preflight(
        &self,
        url: &SignedUrl,
        origin: &str,
    ) -> Result<bool, BucketError> {
        let headers = [
            ("origin", origin),
            ("access-control-request-method", url.verb.as_str()),
            ("access-control-request-headers", "range"),
        ]
        .map(|(n, v)| (n.to_owned(), v.to_owned()));
        let answer = self
            .plain()
            .request("OPTIONS", &url.url, &headers, bytes::Bytes::new())
            .await?;
        let allowed = answer.header("access-control-allow-origin");
        let verbs = answer
            .header("access-control-allow-methods")
            .unwrap_or_default();
        Ok((200..300).contains(&answer.status)
            && allowed.is_some_and(|a| a == "*" || a == origin)
            && verbs
                .split(',')
                .any(|v| v.trim() == url.verb.as_str() || v.trim() == "*"))
    }

    /// Adds a rule for these origins to those that the bucket has. Rules of others stay.
    pub(crate) async fn allow_origins(&self, origins: &[String]) -> Result<(), BucketError> {
        let read = self.client().get_bucket_cors().bucket(self.name());
        let call = async { read.send().await.map_err(failed(Feature::Cors)) };
        let mut rules = match quick(call).await {
            Ok(answer) => answer.cors_rules().to_vec(),
            // A bucket without any.
            Err(BucketError::NotFound) => Vec::new(),
            Err(e) => return Err(e),
        };
        const OURS: &str = "oriel";
        rules.retain(|r| r.id() != Some(OURS));
        let rule = CorsRule::builder()
            .id(OURS)
            .set_allowed_origins(Some(origins.to_vec()))
            .set_allowed_methods(Some(["GET", "HEAD", "PUT"].map(Into::into).to_vec()))
            .allowed_headers("*")
            .set_expose_headers(Some(EXPOSED.map(Into::into).to_vec()))
            .max_age_seconds(3600)
            .build()
            .map_err(|_| BucketError::Invalid("No origins were given."))?;
        rules.push(rule);
        let rules = CorsConfiguration::builder()
            .set_cors_rules(Some(rules))
            .build()
            .map_err(|_| BucketError::Invalid("No origins were given."))?;
        let write = self
            .client()
            .put_bucket_cors()
            .bucket(self.name())
            .cors_configuration(rules);
        quick(async { write.send().await.map_err(failed(Feature::Cors)) })
            .await
            .map(|_| ())
    }
}
