//! A few seconds of video encoded once and served for ever, with times that go on.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context;
use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as app;

use super::{launch, picture};
use crate::StreamOptions;

const SOURCE: &str = "recorded";

/// Access units of a loop, in order; the first is a key frame.
pub struct Recorded {
    units: Vec<gst::Buffer>,
    frame: Duration,
}

impl Recorded {
    /// Encodes. Takes a fraction of the loop's length.
    pub fn encode(stream: &StreamOptions, seconds: u32) -> anyhow::Result<Self> {
        // Noise brings the stream to its bitrate; a still picture would stay far below.
        let text = format!(
            "videotestsrc name={} num-buffers={} pattern=smpte \
             ! video/x-raw,format=I420,width={},height={},framerate={}/1 \
             ! {} ! h264parse ! video/x-h264,stream-format=byte-stream,alignment=au \
             ! appsink name=units sync=false",
            launch::PICTURE,
            stream.fps * seconds,
            stream.width,
            stream.height,
            stream.fps,
            launch::h264(stream),
        );
        let pipeline = gst::parse::launch(&text)?
            .downcast::<gst::Pipeline>()
            .ok()
            .context("not a pipeline")?;
        picture::add_noise(&pipeline, stream);
        let sink = pipeline
            .by_name("units")
            .and_downcast::<app::AppSink>()
            .context("no sink")?;
        pipeline.set_state(gst::State::Playing)?;
        let mut units = Vec::new();
        while let Ok(sample) = sink.pull_sample() {
            let mut unit = sample.buffer_owned().context("a sample without a buffer")?;
            let times = unit.make_mut();
            times.set_pts(None);
            times.set_dts(None);
            units.push(unit);
        }
        pipeline.set_state(gst::State::Null)?;
        anyhow::ensure!(!units.is_empty(), "nothing was encoded");
        Ok(Self {
            units,
            frame: Duration::from_secs(1) / stream.fps,
        })
    }
}

/// A pipeline for the factory.
pub fn launch(stream: &StreamOptions) -> String {
    format!(
        "( appsrc name={SOURCE} is-live=true format=time max-buffers=4 block=false \
         caps=video/x-h264,stream-format=byte-stream,alignment=au,width={},height={},\
         framerate={}/1 \
         ! rtph264pay pt=96 config-interval=-1 aggregate-mode=zero-latency name=pay0 )",
        stream.width, stream.height, stream.fps
    )
}

/// Feeds a media. The source's own thread sleeps until the next frame is due, so an unwatched
/// media costs nothing.
pub fn feed(bin: &gst::Bin, recorded: Arc<Recorded>) {
    let Some(source) = bin.by_name(SOURCE).and_downcast::<app::AppSrc>() else {
        return;
    };
    let mut started: Option<(Instant, gst::ClockTime)> = None;
    let mut count = 0u32;
    source.set_callbacks(
        app::AppSrcCallbacks::builder()
            .need_data(move |source, _| {
                let (start, zero) = *started.get_or_insert_with(|| {
                    let running = source.current_running_time().unwrap_or_default();
                    (Instant::now(), running)
                });
                let offset = recorded.frame * count;
                std::thread::sleep((start + offset).saturating_duration_since(Instant::now()));
                let index = count as usize % recorded.units.len();
                let mut unit = recorded.units[index].copy();
                let times = unit.make_mut();
                let pts = zero + gst::ClockTime::from_nseconds(offset.as_nanos() as u64);
                times.set_pts(pts);
                times.set_dts(pts);
                count += 1;
                // Refused only while the media stops.
                let _ = source.push_buffer(unit);
            })
            .build(),
    );
}
