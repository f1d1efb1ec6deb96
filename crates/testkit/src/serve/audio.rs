//! Audio that is late, stops, or never comes although the SDP promises it.

use std::{
    sync::Mutex,
    time::{Duration, Instant},
};

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_rtsp_server as rtsp;
use gstreamer_rtsp_server::prelude::*;

use crate::{Audio, AudioBehaviour, StreamOptions, Video};

/// Makes the audio of a media behave as asked.
///
/// Packets are dropped behind the server's session manager: before it, a stream without packets
/// would never get ready and the server would not answer DESCRIBE.
pub fn behave(media: &rtsp::RTSPMedia, stream: &StreamOptions) {
    let behaviour = stream.audio_behaviour;
    if stream.audio == Audio::None || behaviour == AudioBehaviour::Normal {
        return;
    }
    let pad_name = if stream.video == Video::None {
        "send_rtp_src_0"
    } else {
        "send_rtp_src_1"
    };
    let Some(pipeline) = media.element().parent().and_downcast::<gst::Pipeline>() else {
        return;
    };
    pipeline.connect_deep_element_added(move |_, _, element| {
        if element.factory().is_some_and(|f| f.name() == "rtpbin") {
            element.connect_pad_added(move |_, pad| {
                if pad.name() == pad_name {
                    hold_back(pad, behaviour);
                }
            });
        }
    });
}

fn hold_back(pad: &gst::Pad, behaviour: AudioBehaviour) {
    let first = Mutex::new(None);
    let mask = gst::PadProbeType::BUFFER | gst::PadProbeType::BUFFER_LIST;
    pad.add_probe(mask, move |_, _| {
        let since = first
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .get_or_insert_with(Instant::now)
            .elapsed();
        let passes = match behaviour {
            AudioBehaviour::Normal => true,
            AudioBehaviour::Late(ms) => since >= Duration::from_millis(ms.into()),
            AudioBehaviour::StopsAfter(ms) => since < Duration::from_millis(ms.into()),
            AudioBehaviour::Silent => false,
        };
        if passes {
            gst::PadProbeReturn::Ok
        } else {
            gst::PadProbeReturn::Drop
        }
    });
}
