//! From a pad of a source to a sink: depayload, parse, and convert what cannot be copied.

use std::sync::Arc;

use gstreamer as gst;
use gstreamer::{glib, prelude::*};
use gstreamer_app as app;
use oriel_api::AudioMode;
use oriel_media::{AudioCodec, AudioTrack, Fate, TrackKind, fate};

use super::{
    Ending, Endings,
    declared::{self, DeclaredAudio, DeclaredVideo},
    gather::Gather,
    retime,
};
use crate::{
    elements::{chain, filter, first_of, make, set, sink},
    encode::encoder,
    failure::Failure,
    report,
};

/// H.264 encoders in order of preference; the last two belong to macOS and Windows.
const ENCODERS: [&str; 4] = ["x264enc", "openh264enc", "vtenc_h264", "mfh264enc"];

/// When samples leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// As they come.
    Live,
    /// At their time: the source gives them faster.
    Clock,
}

/// `video`, `audio`, or what else an RTP stream carries.
pub fn rtp_media(caps: &gst::CapsRef) -> String {
    caps.structure(0)
        .and_then(|s| s.get::<String>("media").ok())
        .unwrap_or_default()
}

/// Announces audio that will be converted; false when there is no encoder. `sent` is what the
/// camera sends.
pub fn expect_converted(target: &AudioTrack, sent: &str, gather: &Gather) -> bool {
    match encoder(target) {
        Ok(_) => {
            gather.expect_audio(target.clone());
            true
        }
        Err(failure) => {
            gather.leave_out(sent, &failure.message);
            false
        }
    }
}

/// Leaves out audio that cannot be kept as it is, if anybody wants audio at all.
pub fn leave_out(sent: &str, gather: &Gather) {
    if gather.mode() == AudioMode::Off {
        gather.no_audio();
    } else {
        gather.leave_out(sent, &format!("{sent} cannot be kept as it is"));
    }
}

/// Builds what a new pad needs. A fault of a video branch ends the job, one of an audio branch
/// is a warning.
pub fn attach(
    pipeline: &gst::Pipeline,
    pad: &gst::Pad,
    gather: &Arc<Gather>,
    endings: &Endings,
    pace: Pace,
) {
    let caps = pad.current_caps().unwrap_or_else(|| pad.query_caps(None));
    let Some(structure) = caps.structure(0) else {
        return;
    };
    let branch = Branch {
        pipeline: pipeline.clone(),
        gather: gather.clone(),
        endings: endings.clone(),
        pace,
    };
    let name = structure.name().to_string();
    let media = if name == "application/x-rtp" {
        rtp_media(&caps)
    } else {
        name.split('/').next().unwrap_or_default().to_owned()
    };
    if name == "application/x-rtp"
        && let Ok(rate) = structure.get::<i32>("clock-rate")
    {
        retime::follow_camera_clock(pad, rate.max(1) as u32);
    }
    let done = match (name.as_str(), media.as_str()) {
        ("application/x-rtp", "video") => branch.rtp_video(pad, &caps),
        ("application/x-rtp", "audio") => branch.rtp_audio(pad, &caps),
        ("video/x-h264", _) => branch.copied_video(pad, Vec::new(), DeclaredVideo::H264),
        ("video/x-h265", _) => branch.copied_video(pad, Vec::new(), DeclaredVideo::H265),
        ("image/jpeg", _) => branch.encoded_video(pad, Some("jpegdec")),
        ("video/x-raw", _) => branch.encoded_video(pad, None),
        (_, "audio") => branch.parsed_audio(pad, structure),
        (_, "video" | "image") if structure.name() != "video/quicktime" && is_parsed(&caps) => {
            Err(Failure::unsupported(&name))
        }
        ("application/x-rtp", _) => branch.ignored(pad),
        _ => branch.containers(pad),
    };
    if let Err(failure) = done {
        if media == "audio" {
            let sent = match name.as_str() {
                "application/x-rtp" => declared::encoding(&caps),
                _ => name.clone(),
            };
            gather.leave_out(&sent, &failure.message);
        } else {
            let _ = endings.try_send(Ending::Failed(failure));
        }
    }
}

/// Elementary video says its size or that it is parsed; containers do not.
fn is_parsed(caps: &gst::CapsRef) -> bool {
    caps.structure(0)
        .is_some_and(|s| s.has_field("width") || s.get::<bool>("parsed").unwrap_or(false))
}

struct Branch {
    pipeline: gst::Pipeline,
    gather: Arc<Gather>,
    endings: Endings,
    pace: Pace,
}

impl Branch {
    fn rtp_video(&self, pad: &gst::Pad, caps: &gst::CapsRef) -> Result<(), Failure> {
        match declared::video(caps) {
            Some(DeclaredVideo::H264) => {
                self.copied_video(pad, vec![make("rtph264depay")?], DeclaredVideo::H264)
            }
            Some(DeclaredVideo::H265) => {
                self.copied_video(pad, vec![make("rtph265depay")?], DeclaredVideo::H265)
            }
            Some(DeclaredVideo::Jpeg) => {
                let depay = make("rtpjpegdepay")?;
                chain(self.pipeline.upcast_ref(), std::slice::from_ref(&depay))?;
                link(pad, &depay)?;
                let src = depay
                    .static_pad("src")
                    .ok_or_else(|| Failure::internal("a depayloader without a pad"))?;
                self.encoded_video(&src, Some("jpegdec"))
            }
            None => Err(Failure::unsupported(&declared::encoding(caps))),
        }
    }

    fn rtp_audio(&self, pad: &gst::Pad, caps: &gst::CapsRef) -> Result<(), Failure> {
        match declared::audio(caps, self.gather.mode()) {
            DeclaredAudio::Copied { depay, parse, .. } => {
                self.copied_audio(pad, vec![depay, parse])
            }
            DeclaredAudio::Converted(target) => {
                self.converted_audio(pad, &target, &declared::encoding(caps))
            }
            // Its stream was not asked for.
            DeclaredAudio::LeftOut => self.ignored(pad),
        }
    }

    /// Audio out of a container.
    fn parsed_audio(&self, pad: &gst::Pad, structure: &gst::StructureRef) -> Result<(), Failure> {
        let number = |field| structure.get::<i32>(field).unwrap_or(0).max(0);
        let (sent, parse) = match (structure.name().as_str(), number("mpegversion")) {
            ("audio/mpeg", 1) if number("layer") == 3 => (Some(AudioCodec::Mp3), "mpegaudioparse"),
            ("audio/mpeg", 2 | 4) => (Some(AudioCodec::Aac), "aacparse"),
            ("audio/x-opus", _) => (Some(AudioCodec::Opus), "opusparse"),
            _ => (None, ""),
        };
        match fate(self.gather.mode(), sent) {
            Fate::Kept => self.copied_audio(pad, vec![parse]),
            Fate::Converted(codec) => {
                let (rate, channels) = (number("rate") as u32, number("channels") as u16);
                let target = AudioTrack::converted(codec, rate, channels);
                self.converted_audio(pad, &target, structure.name())
            }
            Fate::LeftOut => {
                leave_out(structure.name(), &self.gather);
                self.ignored(pad)
            }
        }
    }

    fn copied_video(
        &self,
        pad: &gst::Pad,
        mut elements: Vec<gst::Element>,
        codec: DeclaredVideo,
    ) -> Result<(), Failure> {
        let (parse, timestamper, caps) = match codec {
            DeclaredVideo::H265 => (
                "h265parse",
                "h265timestamper",
                "video/x-h265,stream-format=hvc1,alignment=au",
            ),
            DeclaredVideo::H264 | DeclaredVideo::Jpeg => (
                "h264parse",
                "h264timestamper",
                "video/x-h264,stream-format=avc,alignment=au",
            ),
        };
        if self.pace == Pace::Clock {
            elements.push(make("queue")?);
        }
        elements.push(make(parse)?);
        if first_of(&[timestamper]).is_some() {
            elements.push(make(timestamper)?);
        } else {
            report::warning(&format!(
                "{timestamper} is not installed: streams with B-frames get wrong times"
            ));
        }
        elements.push(filter(caps)?);
        elements.push(self.sink(TrackKind::Video).upcast());
        self.finish(pad, &elements)
    }

    fn encoded_video(&self, pad: &gst::Pad, decoder: Option<&str>) -> Result<(), Failure> {
        let encoder = first_of(&ENCODERS)
            .ok_or_else(|| Failure::plugin_missing("x264enc (gst-plugins-ugly) or openh264enc"))?;
        // Behind a camera that is faster than this machine, pictures are left out.
        let queue = make("queue")?;
        set(&queue, "max-size-buffers", "3");
        set(&queue, "leaky", "downstream");
        let mut elements = vec![queue];
        if let Some(decoder) = decoder {
            elements.push(make(decoder)?);
        }
        elements.push(make("videoconvert")?);
        elements.push(filter("video/x-raw,format=I420")?);
        let element = make(encoder)?;
        match encoder {
            "x264enc" => {
                set(&element, "tune", "zerolatency");
                set(&element, "speed-preset", "superfast");
                set(&element, "pass", "qual");
                set(&element, "quantizer", "25");
                set(&element, "key-int-max", "30");
            }
            "openh264enc" => {
                set(&element, "gop-size", "30");
                set(&element, "bitrate", "4000000");
            }
            _ => {
                set(&element, "realtime", "true");
                set(&element, "allow-frame-reordering", "false");
                set(&element, "max-keyframe-interval", "30");
                set(&element, "gop-size", "30");
                set(&element, "bitrate", "4000");
            }
        }
        elements.push(element);
        elements.push(make("h264parse")?);
        elements.push(filter("video/x-h264,stream-format=avc,alignment=au")?);
        elements.push(self.sink(TrackKind::Video).upcast());
        self.finish(pad, &elements)
    }

    fn copied_audio(&self, pad: &gst::Pad, names: Vec<&str>) -> Result<(), Failure> {
        let mut elements = Vec::new();
        if self.pace == Pace::Clock {
            elements.push(make("queue")?);
        }
        for name in &names {
            elements.push(make(name)?);
        }
        if names.contains(&"aacparse") {
            elements.push(filter("audio/mpeg,mpegversion=4,stream-format=raw")?);
        }
        elements.push(self.sink(TrackKind::Audio).upcast());
        self.finish(pad, &elements)
    }

    /// decodebin knows how to unpack and decode whatever it is.
    fn converted_audio(
        &self,
        pad: &gst::Pad,
        target: &AudioTrack,
        sent: &str,
    ) -> Result<(), Failure> {
        let mut elements = encoder(target)?;
        elements.push(self.sink(TrackKind::Audio).upcast());
        chain(self.pipeline.upcast_ref(), &elements)?;
        expect_converted(target, sent, &self.gather);
        let decode = make("decodebin")?;
        decode.connect("deep-element-added", false, |values| {
            if let Some(element) = values.get(2).and_then(|v| v.get::<gst::Element>().ok()) {
                // Cameras pack G.726 as RFC 3551 says, GStreamer takes it for AAL2.
                set(&element, "force-aal2", "false");
            }
            None
        });
        let first = elements.first().map(|e| e.downgrade());
        decode.connect_pad_added(move |_, pad| {
            let first = first.as_ref().and_then(glib::WeakRef::upgrade);
            if let Some(first) = first
                && let Err(failure) = link(pad, &first)
            {
                report::warning(&format!("no audio: {}", failure.message));
            }
        });
        self.finish(pad, &[decode])
    }

    /// Whatever it is, take it apart; its streams come back as pads.
    fn containers(&self, pad: &gst::Pad) -> Result<(), Failure> {
        let parse = make("parsebin")?;
        let (gather, endings, pace) = (self.gather.clone(), self.endings.clone(), self.pace);
        let pipeline = self.pipeline.downgrade();
        parse.connect_pad_added(move |_, pad| {
            if let Some(pipeline) = pipeline.upgrade() {
                attach(&pipeline, pad, &gather, &endings, pace);
            }
        });
        self.finish(pad, &[parse])
    }

    fn ignored(&self, pad: &gst::Pad) -> Result<(), Failure> {
        let element = make("fakesink")?;
        set(&element, "sync", "false");
        set(&element, "async", "false");
        self.finish(pad, &[element])
    }

    fn finish(&self, pad: &gst::Pad, elements: &[gst::Element]) -> Result<(), Failure> {
        chain(self.pipeline.upcast_ref(), elements)?;
        match elements.first() {
            Some(first) => link(pad, first),
            None => Ok(()),
        }
    }

    fn sink(&self, track: TrackKind) -> app::AppSink {
        let gather = self.gather.clone();
        sink(self.pace == Pace::Clock, move |sample| match track {
            TrackKind::Video => gather.video(&sample),
            TrackKind::Audio => gather.audio(&sample),
        })
    }
}

fn link(pad: &gst::Pad, element: &gst::Element) -> Result<(), Failure> {
    let sink = element
        .static_pad("sink")
        .ok_or_else(|| Failure::internal("an element without a pad"))?;
    pad.link(&sink)
        .map(|_| ())
        .map_err(|e| Failure::internal(format!("cannot link {}: {e:?}", element.name())))
}
