//! What the pictures show, drawn straight into the source's buffers (I420).

use std::{
    sync::{Mutex, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use gstreamer as gst;
use gstreamer::prelude::*;

use super::launch::{CLOCK, PICTURE};
use crate::{Look, StreamOptions, stamp};

/// Draws every picture that the source of this bin makes.
pub fn draw_into(bin: &gst::Bin, stream: &StreamOptions) {
    let Some(pad) = bin.by_name(PICTURE).and_then(|e| e.static_pad("src")) else {
        return;
    };
    let clock = bin.by_name(CLOCK);
    if let (Look::Named(name), Some(overlay)) = (&stream.look, bin.by_name("name")) {
        overlay.set_property("text", name);
    }
    let canvas = Canvas::new(stream);
    pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        let seconds = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        if let Some(clock) = &clock {
            let now = jiff::Zoned::now().strftime("%Y-%m-%d  %H:%M:%S%.3f");
            clock.set_property("text", now.to_string());
        }
        if let Some(buffer) = info.buffer_mut()
            && let Ok(mut map) = buffer.make_mut().map_writable()
        {
            canvas.draw(map.as_mut_slice(), seconds.as_millis() as u64);
        }
        gst::PadProbeReturn::Ok
    });
}

/// The part that never changes, and where things are in a picture.
struct Canvas {
    background: Vec<u8>,
    stride: usize,
    width: usize,
    height: usize,
    stamped: bool,
}

impl Canvas {
    fn new(stream: &StreamOptions) -> Self {
        let (width, height) = (stream.width as usize, stream.height as usize);
        let stride = width.next_multiple_of(4);
        let rows = height.next_multiple_of(2);
        let chroma_stride = width.div_ceil(2).next_multiple_of(4);
        let (stamped, hue) = match &stream.look {
            Look::Stamped => (true, 0),
            Look::Named(name) => (false, name.bytes().map(usize::from).sum::<usize>() % 3),
        };
        let mut background = Vec::with_capacity(stride * rows + chroma_stride * rows);
        for y in 0..rows {
            // Dark sky above, a lighter ground below: gentle enough to cost an encoder nothing.
            let value = if y < height * 2 / 3 {
                58 + 50 * y / height
            } else {
                72 - 30 * (y - height * 2 / 3) / height
            };
            background.extend(std::iter::repeat_n(value as u8, stride));
        }
        let (u, v) = [(140, 118), (122, 136), (118, 118)][hue];
        background.extend(std::iter::repeat_n(u, chroma_stride * rows / 2));
        background.extend(std::iter::repeat_n(v, chroma_stride * rows / 2));
        Self {
            background,
            stride,
            width,
            height,
            stamped,
        }
    }

    fn draw(&self, picture: &mut [u8], unix_ms: u64) {
        let length = picture.len().min(self.background.len());
        picture[..length].copy_from_slice(&self.background[..length]);
        self.ball(picture, unix_ms);
        if self.stamped {
            stamp::draw(picture, self.stride, self.width as u32, unix_ms);
        }
    }

    /// A ball that rolls along the horizon, to and fro in eight seconds.
    fn ball(&self, picture: &mut [u8], unix_ms: u64) {
        const PERIOD: u64 = 8000;
        let radius = (self.height / 18) as i64;
        let phase = unix_ms % PERIOD;
        let along = phase.min(PERIOD - phase) as i64 * 2;
        let span = self.width as i64 - 4 * radius;
        let (cx, cy) = (
            2 * radius + span * along / PERIOD as i64,
            (self.height * 2 / 3) as i64 - radius,
        );
        for dy in -radius..=radius {
            let half = ((radius * radius - dy * dy) as f64).sqrt() as i64;
            let row = (cy + dy).max(0) as usize * self.stride;
            let (from, to) = ((cx - half).max(0) as usize, (cx + half).max(0) as usize);
            if let Some(line) = picture.get_mut(row + from..row + to) {
                line.fill((200 - 40 * dy / radius.max(1)) as u8);
            }
        }
    }
}

/// Lets a moving band of noise run through the pictures, so that an encoder needs its bitrate.
pub fn add_noise(bin: &gst::Pipeline, stream: &StreamOptions) {
    let Some(pad) = bin.by_name(PICTURE).and_then(|e| e.static_pad("src")) else {
        return;
    };
    let (width, height) = (stream.width as usize, stream.height as usize);
    let stride = width.next_multiple_of(4);
    let progress = Mutex::new((1u32, 0usize));
    pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        let mut progress = progress.lock().unwrap_or_else(PoisonError::into_inner);
        let (seed, count) = &mut *progress;
        if let Some(buffer) = info.buffer_mut()
            && let Ok(mut map) = buffer.make_mut().map_writable()
        {
            let from = (*count * 8 % height.max(1)) * stride;
            let to = (from + height / 3 * stride).min(stride * height);
            for value in map.as_mut_slice()[from..to].iter_mut() {
                *seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                *value = value.wrapping_add((*seed >> 28) as u8);
            }
            *count += 1;
        }
        gst::PadProbeReturn::Ok
    });
}
