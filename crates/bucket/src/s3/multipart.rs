//! Large objects in parts.

use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::{
    S3Bucket,
    answer::{failed, tag},
    objects::{body, length},
    quick,
};
use crate::{
    BucketError, ByteRange, Feature, ObjectKey, Part, PutOptions, Source, Upload,
    object::{STALL, resolve},
    source::Progress,
};

/// Most pages of parts that are read: S3 gives 1000 a page and allows 10,000 parts.
const PAGES: usize = 20;

impl S3Bucket {
    pub(crate) async fn begin(
        &self,
        key: &ObjectKey,
        content_type: Option<&str>,
    ) -> Result<Upload, BucketError> {
        let create = self
            .client()
            .create_multipart_upload()
            .bucket(self.name())
            .key(self.full(key))
            .set_content_type(content_type.map(ToOwned::to_owned));
        let answer =
            quick(async { create.send().await.map_err(failed(Feature::Multipart)) }).await?;
        Ok(Upload {
            key: key.clone(),
            id: answer
                .upload_id()
                .ok_or(BucketError::Unsupported(Feature::Multipart))?
                .to_owned(),
        })
    }

    pub(crate) async fn put_part(
        &self,
        upload: &Upload,
        number: u16,
        source: &Source,
        options: &PutOptions,
    ) -> Result<Part, BucketError> {
        // MD5 is what every service knows for parts.
        let sums = source.sums(true).await?;
        if options.sha256.is_some_and(|known| known != sums.sha256) {
            return Err(BucketError::Local(std::io::ErrorKind::InvalidData));
        }
        let progress = Progress::default();
        let put = self
            .client()
            .upload_part()
            .bucket(self.name())
            .key(self.full(&upload.key))
            .upload_id(&upload.id)
            .part_number(number.into())
            .content_length(length(source.len()))
            .set_content_md5(sums.md5.map(|m| STANDARD.encode(m)))
            .body(body(source, options, &progress));
        let call = async { put.send().await.map_err(failed(Feature::Multipart)) };
        let answer = progress
            .watch(source.len(), options.bandwidth.is_some(), call)
            .await
            .map_err(|e| match e {
                BucketError::Local(_) => e,
                _ if progress.source_failed() => {
                    BucketError::Local(std::io::ErrorKind::UnexpectedEof)
                }
                _ => e,
            })?;
        Ok(Part {
            number,
            size: source.len(),
            etag: tag(answer.e_tag()).ok_or(BucketError::INTERRUPTED)?,
        })
    }

    pub(crate) async fn copy_part(
        &self,
        upload: &Upload,
        number: u16,
        other: &Self,
        from: &ObjectKey,
        range: Option<ByteRange>,
    ) -> Result<Part, BucketError> {
        let unsupported = BucketError::Unsupported(Feature::PartCopy);
        if !self.same_service(other) {
            return Err(unsupported);
        }
        let (start, end) = resolve(range, other.stat(from).await?.size)?;
        let copy = self
            .client()
            .upload_part_copy()
            .bucket(self.name())
            .key(self.full(&upload.key))
            .upload_id(&upload.id)
            .part_number(number.into())
            .copy_source(other.copy_source(from))
            .set_copy_source_range(range.map(|_| format!("bytes={start}-{}", end - 1)));
        let call = async { copy.send().await.map_err(failed(Feature::PartCopy)) };
        let answer = tokio::time::timeout(STALL * 10, call)
            .await
            .map_err(|_| BucketError::TIMED_OUT)??;
        // A store that overlooks the header took our empty body for the part.
        let etag = answer.copy_part_result().and_then(|r| tag(r.e_tag()));
        Ok(Part {
            number,
            size: end - start,
            etag: etag.ok_or(unsupported)?,
        })
    }

    pub(crate) async fn parts(&self, upload: &Upload) -> Result<Vec<Part>, BucketError> {
        let mut parts: Vec<Part> = Vec::new();
        let mut marker = None;
        for _ in 0..PAGES {
            let list = self
                .client()
                .list_parts()
                .bucket(self.name())
                .key(self.full(&upload.key))
                .upload_id(&upload.id)
                .set_part_number_marker(marker);
            let answer =
                quick(async { list.send().await.map_err(failed(Feature::PartList)) }).await?;
            for part in answer.parts() {
                let number = part.part_number().and_then(|n| u16::try_from(n).ok());
                let size = part.size().and_then(|n| u64::try_from(n).ok());
                let etag = tag(part.e_tag()).unwrap_or_default();
                if let (Some(number), Some(size)) = (number, size) {
                    parts.push(Part { number, size, etag });
                }
            }
            if answer.is_truncated() != Some(true) {
                parts.sort_by_key(|p| p.number);
                return Ok(parts);
            }
            marker = answer.next_part_number_marker().map(ToOwned::to_owned);
        }
        Err(BucketError::INTERRUPTED)
    }

    pub(crate) async fn complete(
        &self,
        upload: &Upload,
        parts: &[Part],
    ) -> Result<(), BucketError> {
        let list = parts.iter().map(|p| {
            CompletedPart::builder()
                .part_number(p.number.into())
                .set_e_tag((!p.etag.is_empty()).then(|| format!("\"{}\"", p.etag)))
                .build()
        });
        let complete = self
            .client()
            .complete_multipart_upload()
            .bucket(self.name())
            .key(self.full(&upload.key))
            .upload_id(&upload.id)
            .multipart_upload(
                CompletedMultipartUpload::builder()
                    .set_parts(Some(list.collect()))
                    .build(),
            );
        let call = async { complete.send().await.map_err(failed(Feature::Multipart)) };
        let size: u64 = parts.iter().map(|p| p.size).sum();
        let longest = STALL * 10;
        match tokio::time::timeout(longest, call).await {
            Err(_) => return Err(BucketError::TIMED_OUT),
            // The answer to an earlier attempt may have been lost.
            Ok(Err(BucketError::NotFound)) => {}
            Ok(done) => {
                done?;
            }
        }
        if self.stat(&upload.key).await?.size == size {
            Ok(())
        } else {
            Err(BucketError::Corrupt)
        }
    }

    pub(crate) async fn abort(&self, upload: &Upload) -> Result<(), BucketError> {
        let abort = self
            .client()
            .abort_multipart_upload()
            .bucket(self.name())
            .key(self.full(&upload.key))
            .upload_id(&upload.id);
        match quick(async { abort.send().await.map_err(failed(Feature::Multipart)) }).await {
            Ok(_) | Err(BucketError::NotFound) => Ok(()),
            Err(e) => Err(e),
        }
    }
}
