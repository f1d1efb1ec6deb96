//! Basic and digest authentication.

use gstreamer as gst;
use gstreamer_rtsp_server as rtsp;
use gstreamer_rtsp_server::prelude::*;

use crate::Auth;

const VIEWER: &str = "viewer";

/// Makes a server ask for a password.
pub fn require(server: &rtsp::RTSPServer, auth: &Auth) {
    let token = rtsp::RTSPToken::builder()
        .field(rtsp::RTSP_TOKEN_MEDIA_FACTORY_ROLE, VIEWER)
        .build();
    let check = rtsp::RTSPAuth::new();
    match auth {
        Auth::None => return,
        Auth::Basic { user, password } => {
            let basic = rtsp::RTSPAuth::make_basic(user, password);
            check.set_supported_methods(gstreamer_rtsp_server::gst_rtsp::RTSPAuthMethod::Basic);
            check.add_basic(&basic, &token);
        }
        Auth::Digest { user, password } => {
            check.set_supported_methods(gstreamer_rtsp_server::gst_rtsp::RTSPAuthMethod::Digest);
            check.add_digest(user, password, &token);
        }
    }
    server.set_auth(Some(&check));
}

/// Lets those with a password see a stream.
pub fn admit(factory: &rtsp::RTSPMediaFactory) {
    let role = gst::Structure::builder(VIEWER)
        .field(rtsp::RTSP_PERM_MEDIA_FACTORY_ACCESS, true)
        .field(rtsp::RTSP_PERM_MEDIA_FACTORY_CONSTRUCT, true)
        .build();
    factory.add_role_from_structure(&role);
}
