//! The bytes of segments: ranges, growth, signatures, and names that lead elsewhere.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod support;

use oriel_api::{CameraId, Reason, ReasonCode, Segment, SegmentState, Timestamp};
use oriel_media::TrackKind;
use support::{World, footage};

const NOON: Timestamp = Timestamp::from_ms(1_767_225_600_000);

fn over() -> Reason {
    Reason {
        code: ReasonCode::Ended,
        message: "The test is over.".into(),
    }
}

/// Three seconds of a camera, recorded and closed.
async fn recorded(world: &World) -> (CameraId, Segment, Vec<u8>) {
    let (camera, channel) = world.camera().await;
    let (format, frames) = footage("h264-aac.mp4");
    let mut sink = world.run(&channel, &format, NOON);
    for frame in frames {
        sink.push(frame);
    }
    sink.close(over(), None);
    let segments = world
        .segments_when(&camera, NOON, |s| {
            s.len() == 1 && s[0].state == SegmentState::Local
        })
        .await;
    let segment = segments[0].clone();
    let path = world
        .folder
        .path()
        .join(format!("recordings/{channel}/{}", segment.name));
    let bytes = std::fs::read(path).unwrap();
    assert!(bytes.len() > 10_000);
    (camera, segment, bytes)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_segment_whole_and_in_parts() {
    let world = World::new().await;
    let (camera, segment, bytes) = recorded(&world).await;
    let path = format!("/api/recordings/segment/{camera}/{}", segment.name);
    let bearer = world.bearer();
    let get = async |headers: &[&str]| {
        let headers: Vec<&str> = headers.iter().copied().chain([bearer.as_str()]).collect();
        world.raw("GET", &path, &headers, b"").await
    };
    let len = bytes.len();
    let whole = get(&[]).await;
    assert_eq!(whole.status, 200);
    assert_eq!(whole.body, bytes);
    assert_eq!(whole.header("content-type"), Some("video/mp4"));
    assert_eq!(whole.header("accept-ranges"), Some("bytes"));
    let cache = whole.header("cache-control").unwrap();
    assert!(
        cache.contains("immutable") && cache.contains("private"),
        "{cache}"
    );
    let tag = whole.header("etag").unwrap().to_owned();

    for (range, first, last) in [
        ("bytes=0-".to_owned(), 0, len - 1),
        ("bytes=100-199".to_owned(), 100, 199),
        (format!("bytes={}-", len - 5), len - 5, len - 1),
        ("bytes=-7".to_owned(), len - 7, len - 1),
        (format!("bytes=0-{}", len * 2), 0, len - 1),
    ] {
        let part = get(&[&format!("Range: {range}")]).await;
        assert_eq!(part.status, 206, "{range}");
        assert_eq!(part.body, bytes[first..=last], "{range}");
        let said = format!("bytes {first}-{last}/{len}");
        assert_eq!(part.header("content-range"), Some(said.as_str()));
    }
    let beyond = get(&[&format!("Range: bytes={len}-")]).await;
    assert_eq!(beyond.status, 416);
    assert_eq!(
        beyond.header("content-range"),
        Some(format!("bytes */{len}").as_str())
    );
    assert_eq!(get(&["Range: bytes=0-1,5-6"]).await.body, bytes);
    assert_eq!(
        get(&["Range: bytes=0-9", &format!("If-Range: {tag}")])
            .await
            .status,
        206
    );
    assert_eq!(
        get(&["Range: bytes=0-9", "If-Range: \"old\""]).await.body,
        bytes
    );
    assert_eq!(get(&[&format!("If-None-Match: {tag}")]).await.status, 304);

    let head = world.raw("HEAD", &path, &[&bearer], b"").await;
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(
        head.header("content-length"),
        Some(len.to_string().as_str())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_url_opens_its_own_segment_and_nothing_else() {
    let world = World::new().await;
    let (camera, segment, bytes) = recorded(&world).await;
    let url = segment.url.unwrap();
    assert_eq!(world.raw("GET", &url, &[], b"").await.body, bytes);
    assert_eq!(world.raw("HEAD", &url, &[], b"").await.status, 200);
    let file = world
        .raw("GET", &format!("{url}&download=1"), &[], b"")
        .await;
    assert_eq!(file.body, bytes);
    let named = file.header("content-disposition").unwrap();
    let begins = "attachment; filename=\"Yard-2026-01-01T00-00-00.000Z.mp4\"";
    assert!(named.starts_with(begins), "{named}");
    let asked = format!("{url}&download=Break-in.mp4");
    let asked = world.raw("GET", &asked, &[], b"").await;
    let named = asked.header("content-disposition").unwrap();
    let begins = "attachment; filename=\"Break_in.mp4\"";
    assert!(named.starts_with(begins), "{named}");
    let shown = world.raw("GET", &url, &[], b"").await;
    assert_eq!(shown.header("content-disposition"), None);
    let (_, query) = url.split_once('?').unwrap();
    let (exp, sig) = query.split_once('&').unwrap();
    let path = format!("/api/recordings/segment/{camera}/{}", segment.name);
    for wrong in [
        path.clone(),
        format!("{path}?{exp}"),
        format!("{path}?{sig}"),
        format!("{path}?download=1"),
        format!("{path}?{exp}&{sig}A&download=1"),
        format!("{path}?{exp}&sig="),
        format!("{path}?{exp}&{sig}A"),
        format!("{path}?{exp}0&{sig}"),
        format!("{path}?exp=x&{sig}"),
        format!("{path}?{query}&{query}"),
        format!("{path}?{query}&more=1"),
        format!("/api/recordings/segment/{camera}/1.mp4?{query}"),
        format!(
            "/api/recordings/segment/aaaaaaaaaaaa/{}?{query}",
            segment.name
        ),
    ] {
        let answer = world.raw("GET", &wrong, &[], b"").await;
        assert_eq!(answer.status, 401, "{wrong}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_lead_elsewhere_are_not_found() {
    let world = World::new().await;
    let (camera, segment, _) = recorded(&world).await;
    let bearer = world.bearer();
    let name = &segment.name;
    let ms = name.strip_suffix(".mp4").unwrap();
    for tail in [
        format!("{camera}/..%2f{camera}%2f{name}"),
        format!("{camera}/%2e%2e%2f%2e%2e%2foriel.db"),
        format!("{camera}/../../oriel.db"),
        format!("{camera}/..%5c..%5coriel.db"),
        format!("{camera}/c:%5cwindows%5cwin.ini"),
        format!("{camera}/{name}%00"),
        format!("{camera}/{name}.part"),
        format!("{camera}/+{name}"),
        format!("{camera}/0{name}"),
        format!("{camera}/{ms}.MP4"),
        format!("{camera}/{ms}"),
        format!("{camera}/-1.mp4"),
        format!("{camera}/99999999999999999999999.mp4"),
        format!("{camera}/1.mp4"),
        format!("../{camera}/{name}"),
        format!("%2e%2e/{name}"),
        format!("aaaaaaaaaaaa/{name}"),
        format!("{camera}/{name}/"),
        format!("{camera}/"),
    ] {
        let path = format!("/api/recordings/segment/{tail}");
        let answer = world.raw("GET", &path, &[&bearer], b"").await;
        assert_eq!(answer.status, 404, "{tail}: {}", answer.text());
        assert_eq!(answer.code(), "not_found");
        let folder = world.folder.path().to_str().unwrap().to_owned();
        assert!(!answer.text().contains(&folder), "{tail}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_segment_being_written_is_served_as_far_as_it_is() {
    let world = World::new().await;
    let (camera, channel) = world.camera().await;
    let (format, frames) = footage("h264-aac.mp4");
    let mut sink = world.run(&channel, &format, NOON);
    let second = |n: i64| {
        frames.clone().into_iter().filter(move |f| {
            let rate = match f.track {
                TrackKind::Video => 90_000,
                TrackKind::Audio => i64::from(format_rate()),
            };
            (n * rate..(n + 1) * rate).contains(&f.dts)
        })
    };
    fn format_rate() -> u32 {
        footage("h264-aac.mp4")
            .0
            .audio
            .as_ref()
            .unwrap()
            .sample_rate
    }
    for n in 0..2 {
        second(n).for_each(|f| sink.push(f));
    }
    let open = |s: &[Segment]| s.last().is_some_and(|s| s.state == SegmentState::Open);
    let segment = world
        .segments_when(&camera, NOON, open)
        .await
        .pop()
        .unwrap();
    let url = segment.url.clone().unwrap();
    let early = world.raw("GET", &url, &[], b"").await;
    assert_eq!(early.status, 200);
    assert_eq!(early.header("cache-control"), Some("no-store"));
    assert_eq!(early.header("etag"), None);
    assert_eq!(&early.body[4..8], b"ftyp");

    second(2).for_each(|f| sink.push(f));
    sink.close(over(), None);
    let segment = world
        .segments_when(&camera, NOON, |s| {
            s.len() == 1 && s[0].state == SegmentState::Local
        })
        .await
        .pop()
        .unwrap();
    let late = world.raw("GET", &segment.url.unwrap(), &[], b"").await;
    assert!(late.body.len() > early.body.len());
    assert!(late.header("cache-control").unwrap().contains("immutable"));
}
