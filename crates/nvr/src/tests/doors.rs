//! Signing in, tokens and signed addresses.

use oriel_api::{ErrorCode, Timestamp};
use oriel_secrets::SecretStore;
use serde_json::json;

use super::fakes::Recorder;
use crate::{
    auth::{self, AuthError, LINK_LIFETIME, SESSION_LIFETIME, same},
    sign::Purpose,
};

const DAY: i64 = 24 * 3600 * 1000;

#[tokio::test]
async fn the_owners_token_is_made_once_and_opens() {
    let r = Recorder::new().await;
    let token = auth::owner_token(&*r.vault).unwrap();
    assert_eq!(token.expose().len(), 43);
    assert!(
        !r.nvr
            .authenticate_bearer(token.expose())
            .unwrap()
            .is_anonymous()
    );
    for bad in [
        "",
        "x",
        &token.expose()[1..],
        &format!("{} ", token.expose()),
    ] {
        assert!(matches!(
            r.nvr.authenticate_bearer(bad),
            Err(AuthError::Refused)
        ));
    }
    let r = r.restarted(false).await;
    assert!(r.nvr.authenticate_bearer(token.expose()).is_ok());
}

#[tokio::test]
async fn a_loud_guesser_is_told_to_wait_and_the_owner_is_not_locked_out() {
    let r = Recorder::new().await;
    let mut told = 0;
    for n in 0..200 {
        match r.nvr.authenticate_bearer(&format!("guess {n}")) {
            Err(AuthError::TooMany) => told += 1,
            Err(AuthError::Refused) => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(told, 170);
    let link = r.nvr.open_link("guess").await;
    assert!(matches!(link, Err(AuthError::TooMany)));
    let token = auth::owner_token(&*r.vault).unwrap();
    assert!(r.nvr.authenticate_bearer(token.expose()).is_ok());
    r.pass(60_000);
    assert!(matches!(
        r.nvr.authenticate_bearer("x"),
        Err(AuthError::Refused)
    ));
    // A clock that is set back locks nobody out.
    for _ in 0..50 {
        let _ = r.nvr.authenticate_bearer("x");
    }
    r.pass(-DAY);
    assert!(matches!(
        r.nvr.authenticate_bearer("x"),
        Err(AuthError::Refused)
    ));
}

#[tokio::test]
async fn a_link_opens_one_session_once_within_ten_minutes() {
    let r = Recorder::new().await;
    let code = r.nvr.create_link().unwrap();
    let late = r.nvr.create_link().unwrap();
    let opened = r.nvr.open_link(&code).await.unwrap();
    assert!(matches!(
        r.nvr.open_link(&code).await,
        Err(AuthError::Refused)
    ));
    r.pass(LINK_LIFETIME.as_millis() as i64);
    assert!(matches!(
        r.nvr.open_link(&late).await,
        Err(AuthError::Refused)
    ));
    let session = r
        .nvr
        .authenticate_session(opened.cookie.expose())
        .await
        .unwrap();
    assert!(same(&session.csrf, &opened.csrf));
    assert!(!same(&session.csrf, ""));
    assert_eq!(session.caller.name(), "owner");
}

#[tokio::test]
async fn links_are_bounded_and_the_oldest_goes() {
    let r = Recorder::new().await;
    let mut codes = Vec::new();
    for _ in 0..17 {
        codes.push(r.nvr.create_link().unwrap());
        r.pass(10);
    }
    assert!(r.nvr.open_link(&codes[0]).await.is_err());
    assert!(r.nvr.open_link(&codes[1]).await.is_ok());
    assert!(r.nvr.open_link(&codes[16]).await.is_ok());
}

#[tokio::test]
async fn a_session_slides_survives_a_restart_and_ends() {
    let r = Recorder::new().await;
    let opened = r.nvr.open_session().await.unwrap();
    let other = r.nvr.open_session().await.unwrap();
    assert!(!same(&opened.csrf, &other.csrf));
    let cookie = opened.cookie.expose();
    let life = SESSION_LIFETIME.as_millis() as i64;

    r.pass(DAY / 2);
    let session = r.nvr.authenticate_session(cookie).await.unwrap();
    assert!(!session.extended, "a write a day is enough");
    r.pass(DAY / 2);
    let session = r.nvr.authenticate_session(cookie).await.unwrap();
    assert!(session.extended);
    assert_eq!(session.expires, Timestamp::from_ms(r.now() + life));

    let r = r.restarted(false).await;
    r.pass(life - 1);
    let session = r.nvr.authenticate_session(cookie).await.unwrap();
    assert!(same(&session.csrf, &opened.csrf));
    // The other was not used.
    let unused = r.nvr.authenticate_session(other.cookie.expose()).await;
    assert!(matches!(unused, Err(AuthError::Refused)));

    r.nvr.logout(cookie).await.unwrap();
    let gone = r.nvr.authenticate_session(cookie).await;
    assert!(matches!(gone, Err(AuthError::Refused)));
    r.nvr.logout(cookie).await.unwrap();
}

#[tokio::test]
async fn tokens_open_their_own_socket_for_a_minute() {
    let r = Recorder::new().await;
    let (_, door) = r.camera("Door", "rtsp://door/1").await;
    let (_, yard) = r.camera("Yard", "rtsp://yard/1").await;
    let out = r.ok("stream_token", json!({ "id": door })).await;
    let token = out["token"].as_str().unwrap();
    let url = out["url"].as_str().unwrap();
    assert_eq!(url, format!("/api/live/{door}?token={token}"));
    assert_eq!(
        out["mjpeg_url"],
        format!("/api/live/{door}/mjpeg?token={token}")
    );
    let pictures = out["jpeg_url"].as_str().unwrap();
    let pictures = pictures
        .strip_prefix(&format!("/api/live/{door}/jpeg?token="))
        .unwrap();
    r.nvr.check_picture_token(&door, pictures).unwrap();
    assert!(r.nvr.check_picture_token(&yard, pictures).is_err());
    assert!(r.nvr.check_picture_token(&door, token).is_err());
    assert!(r.nvr.check_live_token(&door, pictures).is_err());
    r.nvr.check_live_token(&door, token).unwrap();
    assert!(r.nvr.check_live_token(&yard, token).is_err());
    assert!(r.nvr.check_event_token(token).is_err());
    assert!(r.nvr.check_live_token(&door, "").is_err());

    let out = r.ok("event_token", json!({})).await;
    let events = out["url"].as_str().unwrap();
    let events = events.strip_prefix("/api/events/stream?token=").unwrap();
    r.nvr.check_event_token(events).unwrap();
    assert!(r.nvr.check_live_token(&door, events).is_err());

    r.pass(76_000);
    r.nvr.check_picture_token(&door, pictures).unwrap();
    let error = r.nvr.check_live_token(&door, token).unwrap_err();
    assert_eq!(error.code, ErrorCode::Unauthenticated);
    assert!(error.message.contains("expired"));
    assert!(r.nvr.check_event_token(events).is_err());
    r.pass(13 * 60_000);
    assert!(r.nvr.check_picture_token(&door, pictures).is_err());
}

#[tokio::test]
async fn signatures_outlive_a_restart_and_not_the_key() {
    let r = Recorder::new().await;
    let now = Timestamp::from_ms(r.now());
    let purpose = Purpose::Media;
    let signed = r
        .nvr
        .signer()
        .signed("GET", "/p", purpose, purpose.lifetime(), now);
    let check = |r: &Recorder| {
        r.nvr
            .signer()
            .verify("GET", "/p", purpose, signed.exp, &signed.sig, now)
    };
    let r = r.restarted(false).await;
    check(&r).unwrap();
    r.vault.delete("signing-key").unwrap();
    let r = r.restarted(false).await;
    assert!(check(&r).is_err());
}
