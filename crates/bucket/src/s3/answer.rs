//! What an S3 service's refusals mean.

use std::{error::Error, time::SystemTime};

use aws_sdk_s3::{
    error::{ProvideErrorMetadata, SdkError},
    primitives::DateTime,
};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use oriel_api::Timestamp;

use crate::{BucketError, Fault, Feature, Interruption};

/// Converts any failed call. `feature` is what the call needs beyond reading and writing, for
/// services that answer that they do not know it.
pub(super) fn failed<E>(feature: Feature) -> impl Fn(SdkError<E, HttpResponse>) -> BucketError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    move |error| convert(&error, feature)
}

fn convert<E>(error: &SdkError<E, HttpResponse>, feature: Feature) -> BucketError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    match error {
        SdkError::TimeoutError(_) => BucketError::TIMED_OUT,
        SdkError::ServiceError(context) => {
            let raw = context.raw();
            let code = context.err().code().unwrap_or_default();
            of_answer(raw.status().as_u16(), code, feature, || skew(raw))
        }
        SdkError::ResponseError(context) => match context.raw().status().as_u16() {
            // An answer that promised success and then broke.
            200..=299 => BucketError::INTERRUPTED,
            status => of_answer(status, "", feature, || skew(context.raw())),
        },
        SdkError::DispatchFailure(failure) if failure.is_timeout() => {
            // The only timeout set in the client is that of connecting.
            BucketError::Transient(Interruption::Unreachable)
        }
        other => of_chain(other),
    }
}

/// Failures without an answer, told apart by the words of those who report them: their types are
/// private.
fn of_chain(error: &(dyn Error + 'static)) -> BucketError {
    let mut words = String::new();
    let mut next = Some(error);
    while let Some(e) = next {
        if let Some(ours) = e.downcast_ref::<BucketError>() {
            return ours.clone();
        }
        words.push_str(&e.to_string().to_ascii_lowercase());
        words.push('\n');
        next = e.source();
    }
    let any = |list: &[&str]| list.iter().any(|w| words.contains(w));
    if any(&[
        "certificate",
        "tls",
        "handshake",
        "corruptmessage",
        "invalidcontenttype",
    ]) {
        BucketError::Destination(Fault::Tls)
    } else if any(&["credential", "identity"]) {
        BucketError::Destination(Fault::NoCredentials)
    } else if any(&[
        "connect error",
        "dns",
        "tcp connect",
        "connection refused",
        "unreachable",
    ]) {
        BucketError::Transient(Interruption::Unreachable)
    } else {
        BucketError::INTERRUPTED
    }
}

/// What a status and S3's error code mean.
pub(super) fn of_answer(
    status: u16,
    code: &str,
    feature: Feature,
    skew: impl Fn() -> Option<i64>,
) -> BucketError {
    use BucketError::{Destination, Transient};
    match code {
        "NoSuchBucket" => return Destination(Fault::NoSuchBucket),
        "NoSuchKey" | "NotFound" | "NoSuchUpload" => return BucketError::NotFound,
        "InvalidRange" => return BucketError::OutOfRange,
        "RequestTimeTooSkewed" => return Destination(Fault::ClockSkew(skew())),
        "InvalidAccessKeyId"
        | "SignatureDoesNotMatch"
        | "NotSignedUp"
        | "InvalidSecurity"
        | "InvalidToken"
        | "UnrecognizedClientException" => {
            return Destination(Fault::BadCredentials);
        }
        "ExpiredToken" | "TokenRefreshRequired" => return Destination(Fault::ExpiredCredentials),
        "AccessDenied" | "AllAccessDisabled" | "AccountProblem" => {
            return Destination(Fault::AccessDenied);
        }
        "PermanentRedirect"
        | "IllegalLocationConstraintException"
        | "IncorrectEndpoint"
        | "AuthorizationHeaderMalformed" => return Destination(Fault::WrongRegion),
        "BadDigest"
        | "InvalidDigest"
        | "IncompleteBody"
        | "XAmzContentSHA256Mismatch"
        | "XAmzContentChecksumMismatch" => return BucketError::Corrupt,
        "PreconditionFailed" => return BucketError::AlreadyExists,
        "SlowDown" | "Throttling" | "TooManyRequests" | "RequestLimitExceeded" => {
            return Transient(Interruption::Throttled);
        }
        "InternalError" | "ServiceUnavailable" => {
            return Transient(Interruption::ServerFault(status));
        }
        "RequestTimeout" | "OperationAborted" | "ConditionalRequestConflict" => {
            return BucketError::INTERRUPTED;
        }
        "QuotaExceeded" | "XMinioStorageFull" => return Destination(Fault::Full),
        "EntityTooLarge" => {
            return BucketError::Invalid("The storage takes no object of this size at once.");
        }
        "NotImplemented" | "MethodNotAllowed" => return BucketError::Unsupported(feature),
        "EntityTooSmall" => return BucketError::Unsupported(Feature::SmallParts),
        _ => {}
    }
    match status {
        // Long calls promise success and tell of failure in the body; without a code it is an
        // answer that only other programs can read.
        200..=299 if code.is_empty() => BucketError::Unsupported(feature),
        200..=299 => BucketError::INTERRUPTED,
        301 | 307 | 308 => Destination(Fault::WrongRegion),
        401 => Destination(Fault::BadCredentials),
        // A question without a body gets an answer without a reason.
        403 => match skew().filter(|s| s.abs() > 15 * 60) {
            Some(seconds) => Destination(Fault::ClockSkew(Some(seconds))),
            None => Destination(Fault::AccessDenied),
        },
        404 => BucketError::NotFound,
        405 | 501 => BucketError::Unsupported(feature),
        408 => BucketError::TIMED_OUT,
        409 => BucketError::INTERRUPTED,
        412 => BucketError::AlreadyExists,
        416 => BucketError::OutOfRange,
        429 => Transient(Interruption::Throttled),
        507 => Destination(Fault::Full),
        500..=599 => Transient(Interruption::ServerFault(status)),
        _ => Destination(Fault::Refused(status)),
    }
}

/// Seconds that our clock is ahead of the one in the answer.
fn skew(raw: &HttpResponse) -> Option<i64> {
    ahead(raw.headers().get("date")?)
}

/// Seconds that our clock is ahead of a `Date` header.
pub(super) fn ahead(date: &str) -> Option<i64> {
    let theirs = httpdate::parse_http_date(date).ok()?;
    let seconds = |t: SystemTime| {
        let since = t.duration_since(SystemTime::UNIX_EPOCH).ok()?;
        i64::try_from(since.as_secs()).ok()
    };
    Some(seconds(SystemTime::now())? - seconds(theirs)?)
}

pub(super) fn time(at: Option<&DateTime>) -> Option<Timestamp> {
    at?.to_millis().ok().map(Timestamp::from_ms)
}

/// A tag without its quotes, when it is one.
pub(super) fn tag(etag: Option<&str>) -> Option<String> {
    let etag = etag?.trim_matches('"');
    (!etag.is_empty()).then(|| etag.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(status: u16, code: &str) -> BucketError {
        of_answer(status, code, Feature::Copy, || None)
    }

    #[test]
    fn waiting_helps_or_somebody_must_act() {
        for (status, code) in [
            (500, "InternalError"),
            (503, "SlowDown"),
            (503, ""),
            (502, ""),
            (429, ""),
            (408, ""),
            (400, "RequestTimeout"),
            (400, "BadDigest"),
            (200, "InternalError"),
            (200, "AnythingElse"),
            (409, "OperationAborted"),
        ] {
            assert!(of(status, code).is_transient(), "{status} {code}");
        }
        for (status, code, fault) in [
            (403, "", Fault::AccessDenied),
            (403, "SignatureDoesNotMatch", Fault::BadCredentials),
            (403, "RequestTimeTooSkewed", Fault::ClockSkew(None)),
            (404, "NoSuchBucket", Fault::NoSuchBucket),
            (301, "PermanentRedirect", Fault::WrongRegion),
            (400, "AuthorizationHeaderMalformed", Fault::WrongRegion),
            (507, "", Fault::Full),
            (418, "", Fault::Refused(418)),
        ] {
            assert_eq!(of(status, code).fault(), Some(&fault));
            assert!(!of(status, code).is_transient());
        }
        // One object that is too large says nothing about the others.
        assert_eq!(of(400, "EntityTooLarge").fault(), None);
        assert_eq!(of(501, ""), BucketError::Unsupported(Feature::Copy));
        assert_eq!(of(200, ""), BucketError::Unsupported(Feature::Copy));
        let late = of_answer(403, "", Feature::Request, || Some(3600));
        assert_eq!(late.fault(), Some(&Fault::ClockSkew(Some(3600))));
    }
}
