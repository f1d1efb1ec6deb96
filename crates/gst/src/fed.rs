//! Jobs that are fed packets: stdin to an appsrc, an appsink to stdout.

use std::{
    io::Write,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as app;

use crate::{elements, failure::Failure, packet::Packet};

/// Bytes that may wait in front of the pipeline; the parent is held beyond.
const WAITING: u64 = 32 << 20;
/// How long the last packets may take once stdin has ended.
const DRAIN: Duration = Duration::from_millis(1200);

/// stdout, shared by a pipeline and the one that replaces it.
#[derive(Clone)]
pub struct Out(Arc<Mutex<std::io::Stdout>>);

impl Out {
    /// stdout.
    pub fn new() -> Self {
        Self(Arc::new(Mutex::new(std::io::stdout())))
    }

    /// Writes a packet. A parent that is gone ends the process: there is nobody to work for.
    pub fn write(&self, packet: &Packet) {
        let mut stdout = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if packet.write(&mut *stdout).is_err() || stdout.flush().is_err() {
            std::process::exit(0);
        }
    }
}

/// A running pipeline with its input.
pub struct Fed {
    pipeline: gst::Pipeline,
    source: app::AppSrc,
}

impl Fed {
    /// `appsrc ! elements… ! appsink`; `decodebin` may be among them. Each sample that comes out
    /// is given to `take`.
    pub fn start(
        caps: &gst::Caps,
        stages: Vec<gst::Element>,
        mut take: impl FnMut(&gst::Sample) + Send + 'static,
    ) -> Result<Self, Failure> {
        let pipeline = gst::Pipeline::new();
        let source = app::AppSrc::builder()
            .caps(caps)
            .format(gst::Format::Time)
            .max_bytes(WAITING)
            .block(true)
            .build();
        let sink = elements::sink(false, move |sample| {
            take(&sample);
            Ok(gst::FlowSuccess::Ok)
        });
        let mut all = vec![source.clone().upcast::<gst::Element>()];
        all.extend(stages);
        all.push(sink.upcast());
        elements::chain(pipeline.upcast_ref(), &all)?;
        pipeline
            .set_state(gst::State::Playing)
            .map_err(|e| Failure::internal(e.to_string()))?;
        Ok(Self { pipeline, source })
    }

    /// Hands a payload in. False when the pipeline does not take any more.
    pub fn push(&self, payload: Vec<u8>, pts: Option<gst::ClockTime>, key: bool) -> bool {
        let mut buffer = gst::Buffer::from_mut_slice(payload);
        if let Some(fresh) = buffer.get_mut() {
            fresh.set_pts(pts);
            if !key {
                fresh.set_flags(gst::BufferFlags::DELTA_UNIT);
            }
        }
        self.source.push_buffer(buffer).is_ok() && self.error().is_none()
    }

    /// The error that stopped the pipeline, if one did.
    pub fn error(&self) -> Option<String> {
        let message = self
            .pipeline
            .bus()?
            .pop_filtered(&[gst::MessageType::Error])?;
        match message.view() {
            gst::MessageView::Error(error) => Some(error.error().message().to_owned()),
            _ => None,
        }
    }

    /// Ends the input and lets out what is inside. Returns in bounded time.
    pub fn drain(&self) {
        if self.source.end_of_stream().is_ok()
            && let Some(bus) = self.pipeline.bus()
        {
            let ends = [gst::MessageType::Eos, gst::MessageType::Error];
            let _ = bus.timed_pop_filtered(
                gst::ClockTime::from_nseconds(DRAIN.as_nanos() as u64),
                &ends,
            );
        }
    }
}

impl Drop for Fed {
    fn drop(&mut self) {
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}

/// Ticks to time; `None` before zero.
pub fn to_time(ticks: i64, timescale: u32) -> Option<gst::ClockTime> {
    let ticks = u128::from(u64::try_from(ticks).ok()?);
    let nanoseconds = ticks * 1_000_000_000 / u128::from(timescale.max(1));
    // The last value means "none" to GStreamer.
    u64::try_from(nanoseconds)
        .ok()
        .filter(|n| *n < u64::MAX)
        .map(gst::ClockTime::from_nseconds)
}

/// Time to ticks, to the nearest.
pub fn to_ticks(time: gst::ClockTime, timescale: u32) -> i64 {
    let ticks = (u128::from(time.nseconds()) * u128::from(timescale) + 500_000_000) / 1_000_000_000;
    i64::try_from(ticks).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_survive_the_way_through_nanoseconds() {
        for timescale in [8000, 16_000, 44_100, 90_000] {
            for ticks in [0, 1, 2, 3, 44_099, 1_234_567_891] {
                let time = to_time(ticks, timescale).unwrap();
                assert_eq!(to_ticks(time, timescale), ticks);
            }
        }
        assert_eq!(to_time(-1, 90_000), None);
        assert_eq!(to_time(i64::MAX, 1), None);
    }
}
