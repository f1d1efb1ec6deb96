//! Addresses of sockets: made for a caller, checked when somebody opens one.

use oriel_api::{
    Caller, ChannelId, Error, ErrorCode, EventToken, Permission, Result, Scope, StreamToken,
    StreamTokenRequest,
};

use crate::{
    Nvr, random,
    sign::{Purpose, Signed},
};

const EVENTS: &str = "/api/events/stream";

fn live_path(channel: &ChannelId) -> String {
    format!("/api/live/{channel}")
}

fn picture_path(channel: &ChannelId) -> String {
    format!("{}/jpeg", live_path(channel))
}

impl Nvr {
    fn token(&self, path: &str, purpose: Purpose) -> Signed {
        self.signer
            .signed("GET", path, purpose, purpose.lifetime(), self.clock_now())
    }

    fn check_token(&self, path: &str, purpose: Purpose, token: &str) -> Result<()> {
        let signed = Signed::from_token(token)?;
        let now = self.clock_now();
        self.signer
            .verify("GET", path, purpose, signed.exp, &signed.sig, now)?;
        Ok(())
    }

    pub(crate) async fn make_stream_token(&self, input: StreamTokenRequest) -> Result<StreamToken> {
        let row = self.channel_row(&input.id).await?;
        if row.camera.is_none() {
            return Err(Error::new(
                ErrorCode::PreconditionFailed,
                "This channel has no camera any more.",
            ));
        }
        let path = live_path(&input.id);
        let signed = self.token(&path, Purpose::Live);
        let token = signed.token();
        let pictures = picture_path(&input.id);
        let picture_token = self.token(&pictures, Purpose::Picture).token();
        Ok(StreamToken {
            url: format!("{path}?token={token}"),
            mjpeg_url: format!("{path}/mjpeg?token={token}"),
            jpeg_url: format!("{pictures}?token={picture_token}"),
            sid: ChannelId::from_random(random::bytes()?).into(),
            expires: signed.expires(),
            token,
        })
    }

    /// Whether a token opens the live stream of this channel now, as video or as pictures.
    pub fn check_live_token(&self, channel: &ChannelId, token: &str) -> Result<()> {
        self.check_token(&live_path(channel), Purpose::Live, token)
    }

    /// Whether a token opens single pictures of this channel now.
    pub fn check_picture_token(&self, channel: &ChannelId, token: &str) -> Result<()> {
        self.check_token(&picture_path(channel), Purpose::Picture, token)
    }

    pub(crate) fn make_event_token(&self, caller: &Caller) -> Result<EventToken> {
        // The stream carries the changes of every channel.
        if !caller.may(Permission::LiveView, &Scope::System) {
            return Err(Error::new(
                ErrorCode::PermissionDenied,
                "You are not allowed to do this.",
            ));
        }
        let signed = self.token(EVENTS, Purpose::Events);
        Ok(EventToken {
            url: format!("{EVENTS}?token={}", signed.token()),
            expires: signed.expires(),
        })
    }

    /// Whether a token opens the stream of changes now.
    pub fn check_event_token(&self, token: &str) -> Result<()> {
        self.check_token(EVENTS, Purpose::Events, token)
    }
}
