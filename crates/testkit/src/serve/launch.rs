//! Pipelines of live streams.

use crate::{Audio, Look, StreamOptions, Video};

/// Name of the element whose pictures are drawn over.
pub const PICTURE: &str = "picture";
/// Name of the element that shows the clock.
pub const CLOCK: &str = "clock";

/// A pipeline for the factory: payloaders `pay0`, `pay1`.
pub fn live(stream: &StreamOptions) -> String {
    let mut parts = Vec::new();
    if stream.video != Video::None {
        parts.push(format!(
            "{} ! {} name=pay{}",
            pictures(stream),
            encoder(stream),
            parts.len()
        ));
    }
    if let Some(sound) = sound(stream) {
        parts.push(format!("{sound} name=pay{}", parts.len()));
    }
    format!("( {} )", parts.join(" "))
}

/// Raw pictures; what they show is drawn by [`super::picture`].
pub fn pictures(stream: &StreamOptions) -> String {
    let overlay = match stream.look {
        Look::Stamped => String::new(),
        Look::Named(_) => format!(
            " ! textoverlay name=name valignment=top halignment=left xpad=48 ypad=36 \
             shaded-background=false font-desc=\"Sans Bold {size}\" \
             ! textoverlay name={CLOCK} valignment=bottom halignment=left xpad=48 ypad=36 \
             font-desc=\"Monospace {size}\"",
            size = 22
        ),
    };
    format!(
        "videotestsrc name={PICTURE} is-live=true pattern=black \
         ! video/x-raw,format=I420,width={},height={},framerate={}/1{overlay}",
        stream.width, stream.height, stream.fps
    )
}

/// Encoder and payloader.
fn encoder(stream: &StreamOptions) -> String {
    match stream.video {
        Video::None => String::new(),
        Video::H264 => format!(
            "{} ! h264parse ! rtph264pay pt=96 config-interval=-1 aggregate-mode=zero-latency",
            h264(stream)
        ),
        Video::H265 => format!(
            "x265enc speed-preset=ultrafast tune=zerolatency bitrate={} key-int-max={} \
             option-string=\"pools=none:frame-threads=1:scenecut=0:log-level=none\" \
             ! h265parse ! rtph265pay pt=96 config-interval=-1 aggregate-mode=zero-latency",
            stream.bitrate, stream.gop
        ),
        Video::Mjpeg => "jpegenc quality=60 ! rtpjpegpay pt=26".into(),
    }
}

/// x264 with key frames exactly `gop` apart.
pub fn h264(stream: &StreamOptions) -> String {
    let (bitrate, gop) = (stream.bitrate, stream.gop);
    if stream.bframes {
        format!(
            "x264enc speed-preset=superfast bitrate={bitrate} key-int-max={gop} threads=1 \
             bframes=2 b-adapt=false rc-lookahead=0 sync-lookahead=0 \
             option-string=\"scenecut=0\" ! video/x-h264,profile=main"
        )
    } else {
        format!(
            "x264enc speed-preset=ultrafast tune=zerolatency bitrate={bitrate} \
             key-int-max={gop} threads=1 option-string=\"scenecut=0\" \
             ! video/x-h264,profile=constrained-baseline"
        )
    }
}

fn sound(stream: &StreamOptions) -> Option<String> {
    let (rate, encoder) = match stream.audio {
        Audio::None => return None,
        Audio::Aac => (48_000, "avenc_aac bitrate=64000 ! rtpmp4gpay pt=97"),
        Audio::Pcmu => (8_000, "mulawenc ! rtppcmupay pt=0"),
        Audio::Pcma => (8_000, "alawenc ! rtppcmapay pt=8"),
        Audio::Opus => (48_000, "opusenc bitrate=32000 ! rtpopuspay pt=98"),
        Audio::Mp3 => (
            48_000,
            "lamemp3enc target=bitrate bitrate=64 ! mpegaudioparse ! rtpmpapay pt=14",
        ),
    };
    Some(format!(
        "audiotestsrc is-live=true wave=ticks volume=0.3 samplesperbuffer={} \
         ! audio/x-raw,rate={rate},channels=1 ! audioconvert ! {encoder}",
        rate / 50
    ))
}
