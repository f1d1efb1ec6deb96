//! A still picture from a camera's own snapshot address.
//!
//! Not here: pictures made of what was recorded; those are the worker's.

use oriel_api::{Error, ErrorCode, ReasonCode, Result, link::CameraSetup};
use oriel_camera::{Address, CameraError, PictureError, PictureTarget, picture};

use crate::{look::unreachable, stream::Shared};

/// Asks the camera for a picture.
pub(crate) async fn still(shared: &Shared, setup: &CameraSetup) -> Result<Vec<u8>> {
    let Some(url) = &setup.snapshot_url else {
        return Err(Error::new(
            ErrorCode::PreconditionFailed,
            "The camera has no snapshot address. Enter one in its settings.",
        ));
    };
    let address = Address::parse(url).map_err(|e| unreachable(e.reason()))?;
    // Kept credentials go nowhere but to the host they were entered for.
    let at_home = setup.profiles.iter().any(|profile| {
        Address::parse(&profile.url)
            .is_ok_and(|stream| same_host(stream.url().host_str(), address.url().host_str()))
    });
    let credentials = match at_home {
        true => shared
            .credentials(&setup.id)
            .await
            .map_err(|e| unreachable(e.reason))?,
        false => None,
    };
    let target = PictureTarget::new(address, credentials, &shared.user_agent);
    match picture(&target).await {
        Ok(bytes) => Ok(bytes.into()),
        Err(PictureError::Camera(CameraError::PasswordMissing)) if !at_home => {
            Err(unreachable(oriel_api::Reason {
                code: ReasonCode::AuthRefused,
                message: "The snapshot address is on another host than the camera's stream and \
                          asks for a password. The camera's password is not sent there; use an \
                          address on the camera itself."
                    .to_owned(),
            }))
        }
        Err(error) => Err(unreachable(error.reason())),
    }
}

/// Schemes that browsers do not know keep a host as it was typed.
fn same_host(a: Option<&str>, b: Option<&str>) -> bool {
    matches!((a, b), (Some(a), Some(b)) if a.eq_ignore_ascii_case(b))
}
