//! The job `jpeg`: access units in, JPEG pictures out.

use std::sync::{Mutex, PoisonError};

use base64::Engine as _;
use gstreamer as gst;
use gstreamer::prelude::*;
use oriel_api::ReasonCode;
use oriel_media::format::VIDEO_TIMESCALE;

use crate::{
    elements::{filter, first_of, make, set},
    failure::{Exit, Failure},
    fed::{Fed, Out, to_ticks, to_time},
    job::{JpegJob, VideoName},
    packet::{KEY, Packet},
    report, stop,
};

/// Decoders that broke one after another without a picture: then it is not the access units.
const ATTEMPTS: u32 = 8;

/// Runs until stdin ends. What cannot be decoded is left out.
pub fn run(job: &JpegJob) -> Result<(), Failure> {
    let config = base64::engine::general_purpose::STANDARD
        .decode(&job.config)
        .map_err(|_| Failure::bad_job("config is not base64"))?;
    match job.codec {
        VideoName::H264 => oriel_media::avc_codec_string(&config),
        VideoName::H265 => oriel_media::hevc_codec_string(&config),
    }
    .map_err(|e| Failure::bad_job(format!("config is not usable: {e}")))?;
    let out = Out::new();
    let mut decoder = start(job, &config, &out)?;
    report::ready();
    let mut stdin = std::io::stdin().lock();
    let (mut broken, mut wants_key) = (0, true);
    loop {
        let packet = match Packet::read(&mut stdin) {
            Ok(Some(packet)) => packet,
            Ok(None) => break,
            Err(e) => return Err(Failure::bad_job(format!("a packet cannot be read: {e}"))),
        };
        let key = packet.flags & KEY != 0;
        if packet.payload.is_empty() || (wants_key && !key) {
            continue;
        }
        wants_key = false;
        let pts = to_time(packet.time, VIDEO_TIMESCALE);
        if decoder.fed.push(packet.payload, pts, key) {
            continue;
        }
        broken = if decoder.gave_pictures() {
            1
        } else {
            broken + 1
        };
        let why = decoder.fed.error().unwrap_or_else(|| "it stopped".into());
        if broken >= ATTEMPTS {
            return Err(Failure {
                exit: Exit::Unsupported,
                reason: ReasonCode::UnsupportedCodec,
                message: format!("the video cannot be decoded: {why}"),
            });
        }
        report::warning(&format!("the decoder was started again: {why}"));
        decoder = start(job, &config, &out)?;
        wants_key = true;
    }
    stop::exit_soon(Exit::Stopped);
    decoder.fed.drain();
    Ok(())
}

struct Decoder {
    fed: Fed,
    pictures: std::sync::Arc<std::sync::atomic::AtomicBool>,
}

impl Decoder {
    fn gave_pictures(&self) -> bool {
        self.pictures.load(std::sync::atomic::Ordering::Relaxed)
    }
}

fn start(job: &JpegJob, config: &[u8], out: &Out) -> Result<Decoder, Failure> {
    let (name, format, parser, native) = match job.codec {
        VideoName::H264 => ("video/x-h264", "avc", "h264parse", "avdec_h264"),
        VideoName::H265 => ("video/x-h265", "hvc1", "h265parse", "avdec_h265"),
    };
    let caps = gst::Caps::builder(name)
        .field("stream-format", format)
        .field("alignment", "au")
        .field("codec_data", gst::Buffer::from_slice(config.to_vec()))
        .build();
    // libav gets the access units as they are: it survives broken ones, a parser may not.
    let mut stages = if first_of(&[native]).is_some() {
        let decoder = make(native)?;
        // More threads hold pictures back.
        set(&decoder, "max-threads", "1");
        set(&decoder, "max-errors", "-1");
        vec![decoder]
    } else {
        let decoder = first_decoder(name).ok_or_else(|| Failure::plugin_missing(native))?;
        vec![make(parser)?, decoder]
    };
    if let Some(pad) = stages.last().and_then(|d| d.static_pad("src")) {
        limit_rate(&pad, job.rate);
    }
    let encoder = make("jpegenc")?;
    set(&encoder, "quality", &job.quality.to_string());
    stages.extend([
        make("videoconvert")?,
        make("videoscale")?,
        filter(&format!(
            "video/x-raw,format=I420,width=[2,{}],height=[2,8192],pixel-aspect-ratio=1/1",
            job.max_width
        ))?,
        encoder,
    ]);
    let pictures = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let (seen, out) = (pictures.clone(), out.clone());
    let fed = Fed::start(&caps, stages, move |sample| {
        let Some(buffer) = sample.buffer() else {
            return;
        };
        if let Ok(map) = buffer.map_readable() {
            seen.store(true, std::sync::atomic::Ordering::Relaxed);
            out.write(&Packet {
                time: to_ticks(buffer.pts().unwrap_or_default(), VIDEO_TIMESCALE),
                flags: KEY,
                payload: map.to_vec(),
            });
        }
    })?;
    Ok(Decoder { fed, pictures })
}

/// The decoder GStreamer ranks highest for a codec: the platform's own.
fn first_decoder(codec: &str) -> Option<gst::Element> {
    let decoders = gst::ElementFactory::factories_with_type(
        gst::ElementFactoryType::DECODER | gst::ElementFactoryType::MEDIA_VIDEO,
        gst::Rank::MARGINAL,
    );
    let caps = gst::Caps::new_empty_simple(codec);
    decoders
        .iter()
        .filter(|factory| factory.can_sink_any_caps(&caps))
        .max_by_key(|factory| factory.rank())
        .and_then(|factory| factory.create().build().ok())
}

/// Drops pictures that come sooner than `rate` allows, before they cost scaling and encoding.
fn limit_rate(pad: &gst::Pad, rate: f64) {
    if rate <= 0.0 {
        return;
    }
    // A little less: times are rounded.
    let distance = (990_000_000.0 / rate) as u64;
    let last = Mutex::new(None::<u64>);
    pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        let Some(pts) = info.buffer().and_then(|b| b.pts()).map(|t| t.nseconds()) else {
            return gst::PadProbeReturn::Ok;
        };
        let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
        match *last {
            Some(last) if pts >= last && pts - last < distance => gst::PadProbeReturn::Drop,
            _ => {
                *last = Some(pts);
                gst::PadProbeReturn::Ok
            }
        }
    });
}
