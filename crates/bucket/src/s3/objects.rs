//! Objects of a bucket: write, read, list, delete, copy, sign.

use std::{collections::BTreeMap, time::Duration};

use aws_sdk_s3::{
    presigning::PresigningConfig,
    primitives::{ByteStream, SdkBody},
    types::{Delete, ObjectIdentifier},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use futures::{StreamExt, TryStreamExt};
use http_body::Frame;
use http_body_util::StreamBody;
use oriel_api::Timestamp;

use super::{
    Confirms, S3Bucket,
    answer::{failed, tag, time},
    quick,
};
use crate::{
    BucketError, ByteRange, Feature, Object, ObjectKey, Page, PutOptions, SignedUrl, Source, Stat,
    Stored, Verb, Verified,
    address::check_ttl,
    object::{Body, STALL, resolve},
    source::{Progress, Sums},
};

const DEFAULT_TYPE: &str = "application/octet-stream";

/// The body of a source, made anew for each attempt.
pub(super) fn body(source: &Source, options: &PutOptions, progress: &Progress) -> ByteStream {
    let (source, progress) = (source.clone(), progress.clone());
    if let (Source::Bytes(bytes), None) = (&source, &options.bandwidth) {
        return ByteStream::from(bytes.clone());
    }
    let bandwidth = options.bandwidth.clone();
    ByteStream::new(SdkBody::retryable(move || {
        let frames = source
            .stream(bandwidth.clone(), progress.clone())
            .map_ok(Frame::data);
        SdkBody::from_body_1_x(StreamBody::new(Box::pin(frames)))
    }))
}

pub(super) fn length(len: u64) -> i64 {
    i64::try_from(len).unwrap_or(i64::MAX)
}

fn hex(sum: &[u8]) -> String {
    sum.iter().map(|b| format!("{b:02x}")).collect()
}

impl S3Bucket {
    pub(crate) async fn put(
        &self,
        key: &ObjectKey,
        source: &Source,
        options: &PutOptions,
    ) -> Result<Stored, BucketError> {
        let mut confirms = self.confirms();
        let sums = self.sums(source, options, confirms).await?;
        let mut sent = self.send(key, source, options, &sums, confirms).await;
        if matches!(confirms, Confirms::Unknown | Confirms::Sha256)
            && matches!(
                sent,
                Err(BucketError::Unsupported(_)
                    | BucketError::Destination(crate::Fault::Refused(400)))
            )
        {
            // Perhaps it does not know the header. What it does know is asked once.
            confirms = Confirms::Md5;
            let again = source.sums(true).await?;
            sent = self.send(key, source, options, &again, confirms).await;
            let (etag, echo) = sent?;
            return self
                .confirmed(key, source, again, confirms, etag, echo)
                .await;
        }
        if sent == Err(BucketError::Corrupt) && options.sha256.is_some() {
            // Whose fault is it? A file that differs from what is known will never be accepted.
            let now = source.sums(false).await?;
            if options.sha256 != Some(now.sha256) {
                return self.had_before(key, source, &sums).await;
            }
        }
        let (etag, echo) = sent?;
        self.confirmed(key, source, sums, confirms, etag, echo)
            .await
    }

    /// A file differs from what it must be, and the store refused it. Some have taken it all the
    /// same, and it may not stay; others still have the right one, from before.
    async fn had_before(
        &self,
        key: &ObjectKey,
        source: &Source,
        sums: &Sums,
    ) -> Result<Stored, BucketError> {
        match self.get(key, None).await {
            Ok(object) => {
                let (size, etag) = (object.size, object.etag.clone());
                if size == source.len() && object.sha256().await? == sums.sha256 {
                    return Ok(Stored {
                        size,
                        sha256: sums.sha256,
                        etag,
                        verified: Verified::ReadBack,
                    });
                }
                self.delete(key).await?;
            }
            Err(BucketError::NotFound) => {}
            Err(error) => return Err(error),
        }
        Err(BucketError::Local(std::io::ErrorKind::InvalidData))
    }

    async fn sums(
        &self,
        source: &Source,
        options: &PutOptions,
        confirms: Confirms,
    ) -> Result<Sums, BucketError> {
        match (options.sha256, confirms) {
            (Some(sha256), Confirms::Sha256) => Ok(Sums { sha256, md5: None }),
            (known, _) => {
                let md5 = matches!(confirms, Confirms::Unknown | Confirms::Md5);
                let sums = source.sums(md5).await?;
                if known.is_some_and(|k| k != sums.sha256) {
                    return Err(BucketError::Local(std::io::ErrorKind::InvalidData));
                }
                Ok(sums)
            }
        }
    }

    /// One PUT. Gives the ETag and the SHA-256 that the store repeated.
    async fn send(
        &self,
        key: &ObjectKey,
        source: &Source,
        options: &PutOptions,
        sums: &Sums,
        confirms: Confirms,
    ) -> Result<(Option<String>, Option<String>), BucketError> {
        let progress = Progress::default();
        let mut put = self
            .client()
            .put_object()
            .bucket(self.name())
            .key(self.full(key))
            .content_type(options.content_type.unwrap_or(DEFAULT_TYPE))
            .content_length(length(source.len()))
            .body(body(source, options, &progress));
        match (confirms, sums.md5) {
            (Confirms::Unknown | Confirms::Sha256, _) => {
                put = put.checksum_sha256(STANDARD.encode(sums.sha256));
            }
            (Confirms::Md5, Some(md5)) => put = put.content_md5(STANDARD.encode(md5)),
            _ => {}
        }
        if options.if_none_match {
            put = put.if_none_match("*");
        }
        let feature = if options.if_none_match {
            Feature::IfNoneMatch
        } else {
            Feature::Request
        };
        let call = async { put.send().await.map_err(failed(feature)) };
        let answer = progress
            .watch(source.len(), options.bandwidth.is_some(), call)
            .await;
        match answer {
            Ok(answer) => Ok((
                tag(answer.e_tag()),
                answer.checksum_sha256().map(ToOwned::to_owned),
            )),
            // The body broke off because our file did.
            Err(e) if progress.source_failed() => match e {
                BucketError::Local(_) => Err(e),
                _ => Err(BucketError::Local(std::io::ErrorKind::UnexpectedEof)),
            },
            Err(e) => Err(e),
        }
    }

    /// Makes sure that the store has what was sent, by the best means it offers.
    async fn confirmed(
        &self,
        key: &ObjectKey,
        source: &Source,
        sums: Sums,
        confirms: Confirms,
        etag: Option<String>,
        echo: Option<String>,
    ) -> Result<Stored, BucketError> {
        let verified = if let Some(echo) = echo {
            if STANDARD.decode(echo).ok().as_deref() != Some(&sums.sha256) {
                return Err(BucketError::Corrupt);
            }
            self.learn(Confirms::Sha256);
            Verified::Sha256
        } else if let (Some(md5), Some(etag)) = (&sums.md5, &etag)
            && etag.eq_ignore_ascii_case(&hex(md5))
        {
            self.learn(Confirms::Md5);
            Verified::Md5
        } else if confirms == Confirms::Size {
            if self.stat(key).await?.size != source.len() {
                return Err(BucketError::Corrupt);
            }
            Verified::Size
        } else {
            // Either the bytes differ, or this store's tags are no sums. Looking tells.
            let object = self.get(key, None).await?;
            if object.size != source.len() || object.sha256().await? != sums.sha256 {
                return Err(BucketError::Corrupt);
            }
            // Next time a sum is asked for again unless it never gave one.
            self.learn(if confirms == Confirms::Unknown {
                Confirms::Size
            } else {
                Confirms::Unknown
            });
            Verified::ReadBack
        };
        Ok(Stored {
            size: source.len(),
            sha256: sums.sha256,
            etag,
            verified,
        })
    }

    pub(crate) async fn get(
        &self,
        key: &ObjectKey,
        range: Option<ByteRange>,
    ) -> Result<Object, BucketError> {
        let mut get = self
            .client()
            .get_object()
            .bucket(self.name())
            .key(self.full(key));
        if let Some(ByteRange { start, end }) = range {
            let last = match end {
                Some(end) if end <= start => return Err(BucketError::OutOfRange),
                Some(end) => (end - 1).to_string(),
                None => String::new(),
            };
            get = get.range(format!("bytes={start}-{last}"));
        }
        let answer = quick(async { get.send().await.map_err(failed(Feature::Request)) }).await?;
        let sent = answer.content_length().and_then(|n| u64::try_from(n).ok());
        let part = answer.content_range().map(content_range);
        let (size, start, end, skip) = match (part, sent) {
            // An answer for another range than the one asked for is of no use.
            (Some(Some((start, end, size))), _) => {
                if resolve(range, size)? != (start, end) {
                    return Err(BucketError::INTERRUPTED);
                }
                (size, start, end, 0)
            }
            (Some(None), _) | (None, None) => return Err(BucketError::INTERRUPTED),
            (None, Some(size)) => {
                let (start, end) = resolve(range, size)?;
                (size, start, end, start)
            }
        };
        Ok(Object {
            size,
            start,
            len: end - start,
            modified: time(answer.last_modified()),
            etag: tag(answer.e_tag()),
            content_type: answer.content_type().map(ToOwned::to_owned),
            range_ignored: range.is_some() && part.is_none(),
            body: Body::S3(answer.body),
            skip,
            left: end - start,
        })
    }

    pub(crate) async fn stat(&self, key: &ObjectKey) -> Result<Stat, BucketError> {
        let head = self
            .client()
            .head_object()
            .bucket(self.name())
            .key(self.full(key));
        let answer = quick(async { head.send().await.map_err(failed(Feature::Request)) }).await?;
        let size = answer.content_length().and_then(|n| u64::try_from(n).ok());
        Ok(Stat {
            key: key.clone(),
            size: size.ok_or(BucketError::INTERRUPTED)?,
            modified: time(answer.last_modified()),
            etag: tag(answer.e_tag()),
        })
    }

    pub(crate) async fn list(
        &self,
        under: Option<&ObjectKey>,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page, BucketError> {
        let prefix = &self.settings().prefix;
        let under = under.map_or_else(String::new, |k| format!("{k}/"));
        let list = self
            .client()
            .list_objects_v2()
            .bucket(self.name())
            .prefix(prefix.join(&under))
            .max_keys(i32::try_from(limit).unwrap_or(1000))
            .set_start_after(after.map(|a| prefix.join(a)));
        let answer = quick(async { list.send().await.map_err(failed(Feature::Request)) }).await?;
        let mut page = Page::default();
        let mut last = None;
        for object in answer.contents() {
            let Some(key) = object.key().and_then(|k| k.strip_prefix(prefix.as_str())) else {
                continue;
            };
            last = Some(key.to_owned());
            match (ObjectKey::parse(key), object.size().map(u64::try_from)) {
                (Ok(key), Some(Ok(size))) => page.objects.push(Stat {
                    key,
                    size,
                    modified: time(object.last_modified()),
                    etag: tag(object.e_tag()),
                }),
                _ => page.foreign += 1,
            }
        }
        if answer.is_truncated() == Some(true) {
            // A page that does not move on would be asked for without end.
            page.next = last.filter(|l| after.is_none_or(|a| l.as_str() > a));
            if page.next.is_none() {
                return Err(BucketError::INTERRUPTED);
            }
        }
        Ok(page)
    }

    pub(crate) async fn delete(&self, key: &ObjectKey) -> Result<(), BucketError> {
        let delete = self
            .client()
            .delete_object()
            .bucket(self.name())
            .key(self.full(key));
        match quick(async { delete.send().await.map_err(failed(Feature::Request)) }).await {
            Ok(_) | Err(BucketError::NotFound) => Ok(()),
            Err(e) => Err(e),
        }
    }

    /// Deletes at most 1000 objects in one request, or one by one where the store has no such
    /// request. Gives those that are still there.
    pub(crate) async fn delete_batch(
        &self,
        keys: &[ObjectKey],
    ) -> Result<Vec<(ObjectKey, BucketError)>, BucketError> {
        let names: BTreeMap<String, &ObjectKey> = keys.iter().map(|k| (self.full(k), k)).collect();
        let ids = names
            .keys()
            .map(|name| ObjectIdentifier::builder().key(name).build())
            .collect::<Result<Vec<_>, _>>();
        let delete =
            ids.and_then(|ids| Delete::builder().set_objects(Some(ids)).quiet(true).build());
        let delete = delete.map_err(|_| BucketError::Invalid("There is nothing to delete."))?;
        let call = self
            .client()
            .delete_objects()
            .bucket(self.name())
            .delete(delete);
        let feature = Feature::Request;
        match quick(async { call.send().await.map_err(failed(feature)) }).await {
            Ok(answer) => {
                let mut left = Vec::new();
                for error in answer.errors() {
                    let Some(key) = error.key().and_then(|k| names.get(k)) else {
                        // One of ours is still there, and which one cannot be known.
                        return Ok(self.delete_each(keys).await);
                    };
                    let code = error.code().unwrap_or_default();
                    match super::answer::of_answer(500, code, feature, || None) {
                        BucketError::NotFound => {}
                        error => left.push(((*key).clone(), error)),
                    }
                }
                Ok(left)
            }
            // Some services have no such request, others want another sum with it.
            Err(
                BucketError::Unsupported(_)
                | BucketError::NotFound
                | BucketError::Corrupt
                | BucketError::Destination(crate::Fault::Refused(_)),
            ) => Ok(self.delete_each(keys).await),
            Err(e) => Err(e),
        }
    }

    /// Deletes one by one. Gives those that are still there.
    async fn delete_each(&self, keys: &[ObjectKey]) -> Vec<(ObjectKey, BucketError)> {
        futures::stream::iter(keys.to_vec())
            .map(|key| async move {
                let result = self.delete(&key).await;
                (key, result)
            })
            .buffer_unordered(8)
            .filter_map(|(key, result)| async { result.err().map(|e| (key, e)) })
            .collect()
            .await
    }

    pub(crate) async fn copy_from(
        &self,
        other: &Self,
        from: &ObjectKey,
        to: &ObjectKey,
    ) -> Result<Stat, BucketError> {
        let unsupported = BucketError::Unsupported(Feature::Copy);
        if !self.same_service(other) {
            return Err(unsupported);
        }
        let size = other.stat(from).await?.size;
        let copy = self
            .client()
            .copy_object()
            .bucket(self.name())
            .key(self.full(to))
            .copy_source(other.copy_source(from));
        let call = async { copy.send().await.map_err(failed(Feature::Copy)) };
        // The store answers when it is done, and nothing moves here meanwhile.
        let answer = tokio::time::timeout(STALL * 10, call)
            .await
            .map_err(|_| BucketError::TIMED_OUT)??;
        let done = answer.copy_object_result().is_some();
        let stat = self.stat(to).await?;
        // A store that overlooks the header has stored our empty body.
        if stat.size != size {
            self.delete(to).await?;
            return Err(if done {
                BucketError::Corrupt
            } else {
                unsupported
            });
        }
        Ok(stat)
    }

    pub(crate) async fn presign(
        &self,
        verb: Verb,
        key: &ObjectKey,
        ttl: Duration,
        content_type: Option<&str>,
        now: Timestamp,
    ) -> Result<SignedUrl, BucketError> {
        let ttl = check_ttl(ttl)?;
        let life = Duration::from_secs(ttl.unsigned_abs());
        let config = PresigningConfig::expires_in(life)
            .map_err(|_| BucketError::Invalid("The time is not valid."))?;
        let (bucket, key) = (self.name(), self.full(key));
        let call = async {
            match verb {
                Verb::Get => {
                    let get = self.client().get_object().bucket(bucket).key(key);
                    get.presigned(config)
                        .await
                        .map_err(failed(Feature::SignedUrls))
                }
                Verb::Put => {
                    let put = self.client().put_object().bucket(bucket).key(key);
                    let put = put.set_content_type(content_type.map(ToOwned::to_owned));
                    put.presigned(config)
                        .await
                        .map_err(failed(Feature::SignedUrls))
                }
            }
        };
        let signed = quick(call).await?;
        Ok(SignedUrl {
            url: signed.uri().to_owned(),
            verb,
            expires: Timestamp::from_ms(now.ms().saturating_add(ttl * 1000)),
            headers: signed
                .headers()
                .map(|(n, v)| (n.to_owned(), v.to_owned()))
                .collect(),
        })
    }
}

/// `bytes 0-499/1234` as start, end and size.
fn content_range(text: &str) -> Option<(u64, u64, u64)> {
    let (range, size) = text.strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let (start, last): (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
    Some((start, last.checked_add(1)?, size.parse().ok()?))
}
