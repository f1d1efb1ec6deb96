//! An address opens one thing, for one verb, for a while, at the recorder that signed it.

#![allow(
    clippy::unwrap_used,
    reason = "a test stops where something is not as it should be"
)]

use std::time::Duration;

use oriel_api::Segment;
use oriel_system_tests::{Api, LiveSocket, Recorder, RecorderOptions, wait};
use oriel_testkit::{CameraOptions, TestCamera};
use serde_json::json;

/// Longer than the shortest-lived address lives.
const LIFE: Duration = Duration::from_secs(150);

/// Without signing in.
fn asked(verb: &str, url: &str) -> u16 {
    let answer = match verb {
        "PUT" => ureq::put(url).send(&b"x"[..]),
        _ => ureq::get(url).call(),
    };
    match answer {
        Ok(answer) => answer.status().as_u16(),
        Err(ureq::Error::StatusCode(status)) => status,
        Err(other) => panic!("{url}: {other}"),
    }
}

fn recording(api: &Api, url: &str) -> (String, Vec<Segment>) {
    api.settings(json!({ "segment_seconds": 5 })).unwrap();
    let added = api
        .add_camera(json!({ "name": "Door", "url": url }))
        .unwrap();
    let segments = api.wait_closed(added.id.as_str(), 2);
    (added.channel_id.unwrap().to_string(), segments)
}

#[test]
fn tampered_expired_and_foreign_addresses_are_refused() {
    let camera = TestCamera::start(CameraOptions::default()).unwrap();
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let [ours, theirs] = folders
        .each_ref()
        .map(|f| Recorder::start(f.path(), RecorderOptions::default()).unwrap());
    let (channel, segments) = recording(ours.api(), &camera.url());
    let (_, foreign) = recording(theirs.api(), &camera.url());
    let at = |address: &str| format!("http://{}{address}", ours.address());
    let [first, second] = [&segments[0], &segments[1]].map(|s| s.url.clone().unwrap());
    assert_eq!(asked("GET", &at(&first)), 200);
    assert_eq!(asked("GET", &at(&second)), 200);

    let (path, query) = first.split_once('?').unwrap();
    let (other, _) = second.split_once('?').unwrap();
    let (exp, sig) = query
        .strip_prefix("exp=")
        .and_then(|rest| rest.split_once("&sig="))
        .unwrap();
    let exp: i64 = exp.parse().unwrap();
    let flipped = if sig.starts_with('A') { "B" } else { "A" };
    for wrong in [
        path.to_owned(),
        format!("{path}?exp={exp}"),
        format!("{path}?exp={exp}&sig={flipped}{}", &sig[1..]),
        format!("{path}?exp={exp}&sig={}", &sig[1..]),
        format!("{path}?exp={}&sig={sig}", exp + 3600),
        format!("{path}?exp={}&sig={sig}", exp - 100_000),
        format!("{other}?{query}"),
        foreign[0].url.clone().unwrap(),
    ] {
        assert_eq!(asked("GET", &at(&wrong)), 401, "{wrong}");
    }
    let put = asked("PUT", &at(&first));
    assert!([401, 405].contains(&put), "{put}");
    // It is good where it was signed.
    let there = format!(
        "http://{}{}",
        theirs.address(),
        foreign[0].url.as_ref().unwrap()
    );
    assert_eq!(asked("GET", &there), 200);

    let live = ours.api().live_path(&channel).unwrap();
    // The socket says what is wrong after it is open.
    let open = || LiveSocket::open(ours.address(), &live).and_then(|mut socket| socket.read());
    assert!(open().is_ok());
    let error = wait::within(LIFE, "an address comes to its end", || open().err());
    assert!(error.to_string().contains("4401"), "{error}");
}
