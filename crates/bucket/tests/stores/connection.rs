//! The connection test says what works and what is missing.

use oriel_bucket::{Bucket, Outcome, Report, StepKind};

use crate::server::{Do, Folder, S3};

async fn test(bucket: &Bucket) -> Report {
    bucket
        .test_connection(&["http://localhost:8750".to_owned()])
        .await
}

fn limited(report: &Report, kind: StepKind) -> bool {
    matches!(report.outcome(kind), Some(Outcome::Limited(_)))
}

#[tokio::test]
async fn a_good_service() {
    let server = S3::start().await;
    let bucket = server.bucket().await;
    let report = test(&bucket).await;
    assert!(report.usable(), "{report:#?}");
    for kind in [
        StepKind::Write,
        StepKind::ReadBack,
        StepKind::Clock,
        StepKind::SignedGet,
        StepKind::SignedPut,
        StepKind::Multipart,
        StepKind::Copy,
        StepKind::IfNoneMatch,
        StepKind::Delete,
    ] {
        assert_eq!(report.outcome(kind), Some(&Outcome::Ok), "{report:#?}");
    }
    // This one knows nothing of browsers.
    assert!(limited(&report, StepKind::Cors), "{report:#?}");
    let c = report.capabilities;
    assert!(c.copy && c.part_copy && c.range && c.if_none_match && c.multipart);
    assert!(report.clock_ahead_s.is_some_and(|s| s.abs() < 100));
    // Nothing is left behind.
    let page = bucket.list(None, None, 10).await.unwrap();
    assert_eq!((page.objects.len(), page.foreign), (0, 0));
}

#[tokio::test]
async fn a_good_folder() {
    let place = Folder::start().await;
    let report = test(&place.bucket().await).await;
    for step in &report.steps {
        assert_eq!(step.outcome, Outcome::Ok, "{report:#?}");
    }
    assert_eq!(report.steps.len(), 10);
    let left: Vec<_> = std::fs::read_dir(place.folder.path()).unwrap().collect();
    assert_eq!(left.len(), 1);
}

#[tokio::test]
async fn a_poor_service_is_usable_and_its_limits_are_told() {
    let server = S3::start().await;
    server.rule(|asked| {
        let lacks = ["x-amz-copy-source", "if-none-match"];
        if lacks.iter().any(|h| asked.headers.contains_key(*h)) {
            Do::Refuse(501, "NotImplemented")
        } else {
            Do::WholeForRange
        }
    });
    let report = test(&server.bucket().await).await;
    assert!(report.usable(), "{report:#?}");
    for kind in [StepKind::ReadBack, StepKind::Copy, StepKind::IfNoneMatch] {
        assert!(limited(&report, kind), "{report:#?}");
    }
    let c = report.capabilities;
    assert!(!c.copy && !c.part_copy && !c.range && !c.if_none_match && c.multipart);
}

#[tokio::test]
async fn a_service_whose_lists_of_parts_make_no_sense_is_usable() {
    let server = S3::start().await;
    server.rule(|asked| {
        let lists = asked.method == "GET" && asked.query.contains("uploadId");
        if lists {
            Do::Say("<OtherResult><Bucket>footage</Bucket></OtherResult>".to_owned())
        } else {
            Do::Right
        }
    });
    let report = test(&server.bucket().await).await;
    assert!(report.usable(), "{report:#?}");
    assert!(limited(&report, StepKind::Multipart), "{report:#?}");
    let c = report.capabilities;
    assert!(c.multipart && c.part_copy);
}

#[tokio::test]
async fn a_service_that_may_only_be_read() {
    let server = S3::start().await;
    server.rule(|asked| match asked.method.as_str() {
        "GET" | "HEAD" => Do::Right,
        _ => Do::Refuse(403, "AccessDenied"),
    });
    let report = test(&server.bucket().await).await;
    assert!(!report.usable());
    let Some(Outcome::Failed(text)) = report.outcome(StepKind::Write) else {
        panic!("{report:#?}")
    };
    assert!(text.contains("write"), "{text}");
    assert_eq!(report.outcome(StepKind::Copy), Some(&Outcome::Skipped));
}

#[tokio::test]
async fn a_service_that_may_not_delete() {
    let server = S3::start().await;
    server.rule(|asked| {
        let delete = asked.method == "DELETE" || asked.query.starts_with("delete");
        if delete {
            Do::Refuse(403, "AccessDenied")
        } else {
            Do::Right
        }
    });
    let report = test(&server.bucket().await).await;
    assert!(matches!(
        report.outcome(StepKind::Delete),
        Some(Outcome::Failed(_))
    ));
}
