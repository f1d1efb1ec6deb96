//! Who is let in, and whose requests are refused before anything happens.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod support;

use oriel_api::{OPERATIONS, Permission};
use serde_json::json;
use support::World;

fn address_of(path: &str) -> String {
    format!("/api{}", path.replace("{id}", "aaaaaaaaaaaa"))
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_reach_nothing_but_what_is_public() {
    let world = World::new().await;
    let token = &world.token;
    let shown = [
        String::new(),
        "Authorization: Bearer".into(),
        "Authorization: Bearer ".into(),
        "Authorization: Bearer wrong".into(),
        format!("Authorization: Bearer {token}x"),
        format!("Authorization: Bearer {}", &token[1..]),
        format!("Authorization: Basic {token}"),
        format!("Authorization: {token}"),
        "Authorization: Bearer \u{1F511}".into(),
        format!("Authorization: Bearer {token}\r\nAuthorization: Bearer {token}"),
        "Cookie: oriel_session=wrong".into(),
        format!("Cookie: oriel_session={token}"),
        "Cookie: oriel_session=a; oriel_session=b".into(),
        // What is wrong is not made right by something else that is shown.
        format!("Authorization: Bearer wrong\r\nCookie: oriel_session={token}"),
    ];
    for header in &shown {
        let headers: &[&str] = if header.is_empty() { &[] } else { &[header] };
        for path in [
            "/api/cameras",
            "/metrics",
            "/api/recordings/segment/aaaaaaaaaaaa/1.mp4",
        ] {
            let answer = world.raw("GET", path, headers, b"").await;
            assert_eq!(answer.status, 401, "{path} {header}");
            assert_eq!(answer.code(), "unauthenticated");
        }
    }
    for operation in OPERATIONS {
        let answer = world
            .raw(
                operation.method.as_str(),
                &address_of(operation.path),
                &[],
                b"{not json",
            )
            .await;
        let public = operation.permission == Permission::Public;
        assert_eq!(
            answer.status,
            if public { 200 } else { 401 },
            "{}",
            operation.name
        );
    }
    let document = world.raw("GET", "/api/openapi.json", &[], b"").await;
    assert_eq!(document.status, 200);
    assert_eq!(document.json()["openapi"], "3.1.0");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_operation_has_a_route() {
    let world = World::new().await;
    for operation in OPERATIONS {
        let answer = world
            .call(operation.method.as_str(), &address_of(operation.path), None)
            .await;
        assert_ne!(answer.status, 405, "{}", operation.name);
        assert_ne!(
            answer.json()["error"]["message"],
            "There is nothing at this address.",
            "{}",
            operation.name
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_reads_freely_and_changes_only_with_its_csrf_token() {
    let world = World::new().await;
    let none = world.raw("GET", "/api/session", &[], b"").await;
    assert_eq!(
        (none.status, none.json()),
        (200, json!({ "signed_in": false }))
    );

    let code = json!({ "code": world.nvr.create_link().unwrap() }).to_string();
    let json_type = "Content-Type: application/json";
    let open = world
        .raw("POST", "/api/session/open", &[json_type], code.as_bytes())
        .await;
    assert_eq!(open.status, 200, "{}", open.text());
    let again = world
        .raw("POST", "/api/session/open", &[json_type], code.as_bytes())
        .await;
    assert_eq!(again.status, 401);

    let set = open.header("set-cookie").unwrap();
    for part in ["HttpOnly", "SameSite=Strict", "Path=/"] {
        assert!(set.contains(part), "{set}");
    }
    let cookie = format!("Cookie: other=1; {}", set.split(';').next().unwrap());
    let session = world
        .raw("GET", "/api/session", &[&cookie], b"")
        .await
        .json();
    assert_eq!(session["signed_in"], true);
    let csrf = format!("X-Oriel-CSRF: {}", session["csrf"].as_str().unwrap());

    assert_eq!(
        world
            .raw("GET", "/api/settings", &[&cookie], b"")
            .await
            .status,
        200
    );
    let change = br#"{"segment_seconds":10}"#;
    for headers in [
        &[cookie.as_str(), json_type][..],
        &[&cookie, json_type, "X-Oriel-CSRF: "],
        &[&cookie, json_type, "X-Oriel-CSRF: wrong"],
    ] {
        let answer = world.raw("PATCH", "/api/settings", headers, change).await;
        assert_eq!(answer.status, 403, "{headers:?}");
    }
    let kept = world.raw("GET", "/api/settings", &[&cookie], b"").await;
    assert_eq!(kept.json()["segment_seconds"], 30);
    let answer = world
        .raw(
            "PATCH",
            "/api/settings",
            &[&cookie, json_type, &csrf],
            change,
        )
        .await;
    assert_eq!(answer.json()["segment_seconds"], 10);

    assert_eq!(
        world
            .raw("DELETE", "/api/session", &[&cookie], b"")
            .await
            .status,
        403
    );
    let bye = world
        .raw("DELETE", "/api/session", &[&cookie, &csrf], b"")
        .await;
    assert_eq!(bye.status, 200);
    assert!(bye.header("set-cookie").unwrap().contains("Max-Age=0"));
    assert_eq!(
        world
            .raw("GET", "/api/settings", &[&cookie], b"")
            .await
            .status,
        401
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_others_control_are_refused() {
    let world = World::new().await;
    let bearer = world.bearer();
    let port = world.address.split(':').nth(1).unwrap();
    for host in [
        format!("Host: localhost:{port}"),
        format!("Host: 127.0.0.1:{port}"),
        "Host: [::1]".into(),
    ] {
        let answer = world
            .exact("GET", "/api/cameras", &[&host, &bearer], b"")
            .await;
        assert_eq!(answer.status, 200, "{host}");
    }
    for host in [
        "Host: evil.example",
        "Host: localhost.evil.example",
        "Host: 192.168.1.1",
        "Host: ",
        "Host: localhost\r\nHost: evil.example",
        "X-None: 1",
    ] {
        for path in ["/api/cameras", "/", "/open?code=x"] {
            let answer = world.exact("GET", path, &[host, &bearer], b"").await;
            assert_eq!(answer.status, 400, "{host}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_others_can_change_nothing() {
    let world = World::new().await;
    let bearer = world.bearer();
    let json_type = "Content-Type: application/json";
    let own = format!("Origin: http://{}", world.address);
    let change = br#"{"sync_seconds":7}"#;
    for origin in [
        "Origin: http://evil.example",
        "Origin: null",
        "Origin: http://127.0.0.1:1",
        "Origin: https://localhost",
        "Origin: tauri://localhost.evil.example",
        "Origin: ",
    ] {
        let answer = world
            .raw(
                "PATCH",
                "/api/settings",
                &[&bearer, json_type, origin],
                change,
            )
            .await;
        assert_eq!(answer.status, 403, "{origin}");
        let upgrade = [
            origin,
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
        ];
        let answer = world.raw("GET", "/api/events/stream", &upgrade, b"").await;
        assert_eq!(answer.status, 403, "{origin}");
        assert_eq!(answer.header("access-control-allow-origin"), None);
    }
    for origin in [
        own.as_str(),
        "Origin: tauri://localhost",
        "Origin: http://tauri.localhost",
    ] {
        let answer = world
            .raw(
                "PATCH",
                "/api/settings",
                &[&bearer, json_type, origin],
                change,
            )
            .await;
        assert_eq!(answer.status, 200, "{origin}");
        assert_eq!(
            answer.header("access-control-allow-origin"),
            None,
            "media only"
        );
    }
    let window = "Origin: tauri://localhost";
    let media = "/api/recordings/segment/aaaaaaaaaaaa/1.mp4";
    let answer = world.raw("GET", media, &[window, &bearer], b"").await;
    assert_eq!(
        answer.header("access-control-allow-origin"),
        Some("tauri://localhost")
    );
    let answer = world.raw("OPTIONS", media, &[window], b"").await;
    assert_eq!(answer.status, 204);
    let answer = world
        .raw("GET", media, &["Origin: http://evil.example", &bearer], b"")
        .await;
    assert_eq!(answer.header("access-control-allow-origin"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_requests_get_the_right_code_as_json() {
    let world = World::new().await;
    let bearer = world.bearer();
    let json_type = "Content-Type: application/json";
    let nothing = world.call("GET", "/api/nothing", None).await;
    assert_eq!(
        (nothing.status, nothing.code().as_str()),
        (404, "not_found")
    );
    let wrong = world.call("DELETE", "/api/health", None).await;
    assert_eq!(
        (wrong.status, wrong.code().as_str()),
        (405, "invalid_argument")
    );

    let (camera, channel) = world.camera().await;
    let path = format!("/api/cameras/{camera}");
    for (method, path, content, body, status) in [
        ("PATCH", path.as_str(), json_type, "{", 400),
        ("PATCH", &path, json_type, "[]", 400),
        ("PATCH", &path, json_type, "\"x\"", 400),
        ("PATCH", &path, "Content-Type: text/plain", "{}", 400),
        ("PATCH", &path, "X-None: 1", "{}", 400),
        ("PATCH", &path, json_type, r#"{"id":"aaaaaaaaaaaa"}"#, 400),
        ("PATCH", &path, json_type, r#"{"unknown":1}"#, 400),
        ("PATCH", &path, json_type, r#"{"name":7}"#, 400),
        ("PATCH", &format!("{path}?name=x"), json_type, "{}", 400),
        ("GET", &format!("{path}?id={camera}"), json_type, "", 400),
        ("GET", &format!("{path}?unknown=1"), json_type, "", 400),
        ("GET", "/api/cameras/aaaaaaaaaaaa", json_type, "", 404),
        ("GET", "/api/cameras/%2e%2e%2f", json_type, "", 404),
        ("GET", "/api/cameras/%ff", json_type, "", 404),
        ("GET", "/api/events?limit=x", json_type, "", 400),
        ("GET", "/api/events?limit=1&limit=2", json_type, "", 400),
        (
            "GET",
            &format!(
                "/api/channels/{channel}/timeline?start=2026-01-02T00:00:00Z&end=2026-01-01T00:00:00Z"
            ),
            json_type,
            "",
            400,
        ),
    ] {
        let answer = world
            .raw(method, path, &[&bearer, content], body.as_bytes())
            .await;
        assert_eq!(
            answer.status,
            status,
            "{method} {path} {body}: {}",
            answer.text()
        );
        answer.code();
    }
    let long = format!(r#"{{"name":"{}"}}"#, "x".repeat(70_000));
    let answer = world
        .call("PATCH", &path, Some(serde_json::from_str(&long).unwrap()))
        .await;
    assert_eq!(answer.status, 400, "{}", answer.text());

    let named = world
        .call("PATCH", &path, Some(json!({ "name": "Gate" })))
        .await;
    assert_eq!(named.json()["name"], "Gate");
    // Nothing of a password that went into the wrong field comes back.
    let answer = world
        .call(
            "PATCH",
            &path,
            Some(json!({ "watchdog": "hunter2", "name": { "x": "hunter2" } })),
        )
        .await;
    assert!(!answer.text().contains("hunter2"), "{}", answer.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_is_served_and_nothing_beside_it() {
    let world = World::new().await;
    for path in ["/", "/cameras/abc", "/playback"] {
        let answer = world.raw("GET", path, &[], b"").await;
        assert_eq!(answer.status, 200, "{path}");
        assert!(
            answer
                .header("content-type")
                .unwrap()
                .starts_with("text/html")
        );
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.contains("default-src 'self'") && policy.contains("frame-ancestors 'none'"));
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
    }
    for path in [
        "/../Cargo.toml",
        "/..%2fCargo.toml",
        "/%2e%2e/%2e%2e/Cargo.toml",
        "/assets/../../Cargo.toml",
        "/assets/missing.js",
        "/.git/config",
        "/c:/windows/win.ini",
        "//etc/passwd.txt",
        "/api",
    ] {
        let answer = world.raw("GET", path, &[], b"").await;
        assert_eq!(answer.status, 404, "{path}: {}", answer.text());
        assert!(!answer.text().contains("[workspace]"), "{path}");
    }
    assert_eq!(world.raw("POST", "/", &[], b"").await.status, 405);
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_name_every_channel() {
    let world = World::new().await;
    let (_, channel) = world.camera().await;
    let answer = world.call("GET", "/metrics", None).await;
    assert_eq!(answer.status, 200);
    let text = answer.text();
    for line in [
        format!("oriel_live_viewers{{channel=\"{channel}\",quality=\"high\"}} 0"),
        format!("oriel_recording_lost_frames_total{{channel=\"{channel}\"}} 0"),
        format!("oriel_recording_active{{channel=\"{channel}\"}} 0"),
        format!("oriel_stream_state{{channel=\"{channel}\",state=\"streaming\"}} 0"),
    ] {
        assert!(text.contains(&line), "{line} is not in\n{text}");
    }
}
