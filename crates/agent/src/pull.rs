//! The GStreamer engine: a child program fetches a stream and writes it as fragmented MP4.

use std::{sync::Arc, time::Instant};

use bytes::BytesMut;
use oriel_api::{AudioMode, Credentials, ReasonCode};
use oriel_camera::{Address, Received, SourceAudio};
use oriel_child::{Child, Program};
use oriel_media::format::VIDEO_TIMESCALE;
use oriel_media::{Format, Frame, ReadError, StreamItem, StreamReader, TrackKind, rescale};
use serde_json::json;
use tokio::io::AsyncReadExt;

use crate::RunError;

/// Read at once from the child.
const CHUNK: usize = 64 * 1024;

/// A stream that a child program fetches.
pub(crate) struct Pull {
    child: Child,
    reader: StreamReader,
    chunk: BytesMut,
    format: Arc<Format>,
    audio: SourceAudio,
    zero: i64,
    first: Option<Received>,
    pub(crate) b_frames: bool,
}

impl Pull {
    /// Starts the child and waits for the first key frame. The caller sets the deadline.
    pub(crate) async fn start(
        program: &Program,
        address: &Address,
        credentials: Option<Credentials>,
        audio: AudioMode,
    ) -> Result<Self, RunError> {
        let job = json!({
            "job": "pull",
            "url": address.url().as_str(),
            "username": credentials.as_ref().map(|c| c.username.as_str()),
            "password": credentials.as_ref().map(|c| c.password.expose()),
            "audio": audio,
            "transport": "tcp",
        });
        let secret = credentials.map(|c| c.password);
        let mut child = Child::start(program, &job, secret).await?;
        let mut reader = StreamReader::new();
        let mut chunk = BytesMut::with_capacity(CHUNK);
        let mut format = None;
        loop {
            match read(&mut child, &mut reader, &mut chunk).await? {
                StreamItem::Format(f) => format = Some(f),
                StreamItem::Frame(frame) if frame.track == TrackKind::Video && frame.key => {
                    let Some(format) = format else { continue };
                    let mut pull = Self {
                        audio: source_audio(&child, &format, audio),
                        child,
                        reader,
                        chunk,
                        format,
                        zero: frame.dts,
                        first: None,
                        b_frames: false,
                    };
                    pull.first = pull.place(frame);
                    return Ok(pull);
                }
                StreamItem::Frame(_) => {}
            }
        }
    }

    pub(crate) fn format(&self) -> &Arc<Format> {
        &self.format
    }

    pub(crate) fn audio(&self) -> &SourceAudio {
        &self.audio
    }

    /// What the child warns of, if anything.
    pub(crate) fn warning(&self) -> Option<String> {
        self.child.warning()
    }

    /// The next frame. Safe to drop between polls.
    pub(crate) async fn next(&mut self) -> Result<Received, RunError> {
        if let Some(first) = self.first.take() {
            return Ok(first);
        }
        loop {
            match read(&mut self.child, &mut self.reader, &mut self.chunk).await? {
                StreamItem::Format(format) if *format != *self.format => {
                    return Err(RunError::new(
                        ReasonCode::FormatChanged,
                        "The picture format changed.",
                    ));
                }
                StreamItem::Format(_) => {}
                StreamItem::Frame(frame) => {
                    if let Some(received) = self.place(frame) {
                        return Ok(received);
                    }
                }
            }
        }
    }

    /// Ends the child in order.
    pub(crate) async fn stop(&mut self) {
        self.child.stop().await;
    }

    fn place(&mut self, mut frame: Frame) -> Option<Received> {
        let rate = self.format.timescale(frame.track);
        frame.dts = frame
            .dts
            .checked_sub(rescale(self.zero, VIDEO_TIMESCALE, rate))?;
        if frame.track == TrackKind::Video {
            self.b_frames |= frame.cts_offset != 0;
        }
        (frame.dts >= 0).then(|| Received {
            frame,
            at: Instant::now(),
        })
    }
}

fn source_audio(child: &Child, format: &Format, mode: AudioMode) -> SourceAudio {
    match (&format.audio, child.source_audio(), mode) {
        (Some(track), _, _) => SourceAudio::Ready(track.clone()),
        (None, Some(codec), mode) if mode != AudioMode::Off => SourceAudio::LeftOut {
            codec,
            as_it_is: mode == AudioMode::Copy,
        },
        _ => SourceAudio::None,
    }
}

async fn read(
    child: &mut Child,
    reader: &mut StreamReader,
    chunk: &mut BytesMut,
) -> Result<StreamItem, RunError> {
    loop {
        if let Some(item) = reader.next().map_err(unreadable)? {
            return Ok(item);
        }
        chunk.clear();
        chunk.reserve(CHUNK);
        match child.stdout.read_buf(chunk).await {
            Ok(n @ 1..) => reader.push(&chunk[..n]),
            Ok(0) | Err(_) => return Err(child.ended().await.into()),
        }
    }
}

fn unreadable(error: ReadError) -> RunError {
    match error {
        ReadError::NoVideo => RunError::new(ReasonCode::NoVideo, "The stream has no video."),
        ReadError::UnsupportedVideo(_) => RunError::new(
            ReasonCode::UnsupportedCodec,
            "The video codec cannot be recorded. Choose H.264 or H.265 in the camera's settings.",
        ),
        other => RunError::new(
            ReasonCode::Malformed,
            format!("What GStreamer made of the stream cannot be read: {other}."),
        ),
    }
}
