//! Where the stream comes from: rtspsrc for RTSP, urisourcebin for everything else.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use gstreamer as gst;
use gstreamer::{glib, prelude::*};
use gstreamer_sdp::SDPMessage;
use oriel_api::AudioMode;
use url::Url;

use super::{
    Ending, Endings,
    branch::{self, Pace},
    declared::{self, DeclaredAudio},
    gather::Gather,
};
use crate::{
    elements::{make, set},
    failure::Failure,
    job::{PullJob, Transport},
};

/// Adds the source of a job to a pipeline; branches follow as its streams appear.
pub fn build(
    pipeline: &gst::Pipeline,
    job: &PullJob,
    gather: &Arc<Gather>,
    endings: &Endings,
) -> Result<(), Failure> {
    let mut url = Url::parse(&job.url).map_err(|_| Failure::bad_job("the address is not valid"))?;
    // They would show up in every message of GStreamer.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    match url.scheme() {
        "rtsp" | "rtspt" | "rtspu" | "rtsps" | "rtsph" => {
            rtsp(pipeline, &url, job, gather, endings)
        }
        _ => other(pipeline, &url, job, gather, endings),
    }
}

fn rtsp(
    pipeline: &gst::Pipeline,
    url: &Url,
    job: &PullJob,
    gather: &Arc<Gather>,
    endings: &Endings,
) -> Result<(), Failure> {
    let source = make("rtspsrc")?;
    source.set_property("location", url.as_str());
    set(
        &source,
        "user-id",
        job.username.as_deref().unwrap_or_default(),
    );
    set(
        &source,
        "user-pw",
        job.password.as_deref().unwrap_or_default(),
    );
    if matches!(url.scheme(), "rtsp" | "rtsps") {
        let tls = if url.scheme() == "rtsps" { "+tls" } else { "" };
        let how = match job.transport {
            Transport::Tcp => "tcp",
            Transport::Udp => "udp",
        };
        set(&source, "protocols", &format!("{how}{tls}"));
    }
    // Cameras have certificates of their own making; who watches chose the address.
    set(&source, "tls-validation-flags", "0");
    set(&source, "latency", "200");
    set(&source, "tcp-timeout", "8000000");
    set(&source, "timeout", "0");
    set(&source, "do-retransmission", "false");
    set(&source, "udp-reconnect", "false");
    set(&source, "user-agent", "Oriel");
    // rtpbin's idea of lip synchronisation moves a stream by seconds when its audio begins late;
    // tracks are aligned by when they came (see `retime`).
    set(&source, "max-ts-offset", "1");
    let audio_wanted = job.audio != AudioMode::Off;
    source.connect("on-sdp", false, {
        let (gather, endings) = (gather.clone(), endings.clone());
        move |values| {
            let medias: Vec<String> = values
                .get(1)
                .and_then(|value| value.get::<SDPMessage>().ok())
                .map(|sdp| {
                    sdp.medias()
                        .filter_map(|m| m.media().map(str::to_owned))
                        .collect()
                })
                .unwrap_or_default();
            if !medias.iter().any(|m| m == "video") {
                let _ = endings.try_send(Ending::Failed(Failure::no_video()));
            }
            if !medias.iter().any(|m| m == "audio") {
                gather.no_audio();
            }
            None
        }
    });
    source.connect("select-stream", false, {
        let (gather, endings) = (gather.clone(), endings.clone());
        let (have_video, have_audio) = (AtomicBool::new(false), AtomicBool::new(false));
        move |values| {
            let caps = values.get(2).and_then(|v| v.get::<gst::Caps>().ok());
            let wanted = caps.is_some_and(|caps| match branch::rtp_media(&caps).as_str() {
                "video" => {
                    if have_video.swap(true, Ordering::SeqCst) {
                        return false;
                    }
                    if declared::video(&caps).is_none() {
                        let failure = Failure::unsupported(&declared::encoding(&caps));
                        let _ = endings.try_send(Ending::Failed(failure));
                    }
                    true
                }
                "audio" => {
                    audio_wanted
                        && !have_audio.swap(true, Ordering::SeqCst)
                        && expect_audio(&caps, &gather)
                }
                _ => false,
            });
            Some(wanted.to_value())
        }
    });
    follow_pads(pipeline, &source, gather, endings, Pace::Live);
    pipeline
        .add(&source)
        .map_err(|e| Failure::internal(e.to_string()))
}

/// Tells the gatherer of audio that the description promises; false when it cannot be handled.
fn expect_audio(caps: &gst::CapsRef, gather: &Gather) -> bool {
    match declared::audio(caps, gather.mode()) {
        DeclaredAudio::Copied { track, .. } => {
            if let Some(track) = track {
                gather.expect_audio(track);
            }
            true
        }
        DeclaredAudio::Converted(target) => {
            branch::expect_converted(&target, &declared::encoding(caps), gather)
        }
        DeclaredAudio::LeftOut => {
            branch::leave_out(&declared::encoding(caps), gather);
            false
        }
    }
}

fn other(
    pipeline: &gst::Pipeline,
    url: &Url,
    job: &PullJob,
    gather: &Arc<Gather>,
    endings: &Endings,
) -> Result<(), Failure> {
    if job.audio == AudioMode::Off {
        gather.no_audio();
    }
    let source = make("urisourcebin")?;
    source.set_property("uri", url.as_str());
    let playlist = url.path().ends_with(".m3u8") || url.path().ends_with(".mpd");
    let web = matches!(url.scheme(), "http" | "https");
    let (user, password) = (job.username.clone(), job.password.clone());
    source.connect("source-setup", false, move |values| {
        if let Some(element) = values.get(1).and_then(|v| v.get::<gst::Element>().ok()) {
            for (names, value) in [
                (["user-id", "username"], &user),
                (["user-pw", "password"], &password),
            ] {
                for name in names {
                    if let Some(value) = value {
                        set(&element, name, value);
                    }
                }
            }
            if web && !playlist {
                // A camera's JPEG stream has no times; a file over HTTP has its own.
                set(&element, "do-timestamp", "true");
            }
            set(&element, "timeout", "10");
            set(&element, "ssl-strict", "false");
        }
        None
    });
    let pace = if playlist || url.scheme() == "file" {
        Pace::Clock
    } else {
        Pace::Live
    };
    follow_pads(pipeline, &source, gather, endings, pace);
    pipeline
        .add(&source)
        .map_err(|e| Failure::internal(e.to_string()))
}

fn follow_pads(
    pipeline: &gst::Pipeline,
    source: &gst::Element,
    gather: &Arc<Gather>,
    endings: &Endings,
    pace: Pace,
) {
    let pipeline: glib::WeakRef<gst::Pipeline> = pipeline.downgrade();
    let (gather, endings) = (gather.clone(), endings.clone());
    source.connect_pad_added(move |_, pad| {
        if pad.direction() != gst::PadDirection::Src {
            return;
        }
        let Some(pipeline) = pipeline.upgrade() else {
            return;
        };
        branch::attach(&pipeline, pad, &gather, &endings, pace);
    });
}
