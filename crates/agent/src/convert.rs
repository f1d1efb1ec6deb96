//! Audio to another codec, in a child program beside the native engine.
//!
//! Video never waits for this: packets that do not fit are dropped and counted, a child that
//! dies is started again, and the track was announced before the child said anything.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

use base64::Engine as _;
use bytes::{Bytes, BytesMut};
use oriel_api::ReasonCode;
use oriel_child::{Child, Packet, Program};
use oriel_media::{AudioCodec, AudioTrack, Frame, TrackKind, rescale};
use oriel_task::{Attempt, Severity, Status, Supervised, supervise};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    process::{ChildStdin, ChildStdout},
    sync::{Notify, mpsc, watch},
    time::timeout,
};
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

use crate::RunError;

/// Packets under way in each direction: about 5 s of audio.
const UNDER_WAY: usize = 256;
/// Longest packet taken from the child.
const LONGEST: usize = 64 * 1024;
/// The child must take a packet within this.
const WRITE_DEADLINE: Duration = Duration::from_secs(5);
/// No time was sent yet.
const UNSET: i64 = i64::MIN;

/// What goes in, as the camera sent it, and what is to come out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Input {
    pub codec: &'static str,
    /// `AudioSpecificConfig` of AAC, else empty.
    pub config: Bytes,
    pub sample_rate: u32,
    pub channels: u16,
    pub to: AudioCodec,
}

impl Input {
    /// The track that comes out.
    pub(crate) fn track(&self) -> AudioTrack {
        // RFC 3551 section 4.5.2: the clock of G.722 says 8000 and means 16000.
        let rate = match self.codec {
            "g722" => 16_000,
            _ => self.sample_rate,
        };
        AudioTrack::converted(self.to, rate, self.channels)
    }

    fn job(&self) -> serde_json::Value {
        let mut job = json!({
            "job": "audio",
            "codec": self.codec,
            "sample_rate": self.sample_rate,
            "channels": self.channels,
            "output": self.to.name(),
        });
        if !self.config.is_empty() {
            let config = base64::engine::general_purpose::STANDARD.encode(&self.config);
            job["config"] = config.into();
        }
        job
    }
}

/// A conversion that runs beside a connection. Ends when dropped.
pub(crate) struct Conversion {
    input: mpsc::Sender<Packet>,
    output: mpsc::Receiver<Frame>,
    status: watch::Receiver<Status<RunError>>,
    dropped: u64,
    _end: DropGuard,
}

impl Conversion {
    /// Starts converting.
    pub(crate) fn start(
        program: Arc<Program>,
        input: &Input,
        tracker: &TaskTracker,
    ) -> (Self, AudioTrack) {
        let track = input.track();
        let (packets, input_rx) = mpsc::channel(UNDER_WAY);
        let (frames, output) = mpsc::channel(UNDER_WAY);
        let (status_tx, status) = watch::channel(Status::Running);
        let cancel = CancellationToken::new();
        let converter = Converter {
            program,
            input: input.clone(),
            track: track.clone(),
            packets: input_rx,
            frames,
        };
        let end = cancel.clone().drop_guard();
        tracker.spawn(async move {
            supervise(
                "audio",
                converter,
                status_tx,
                Arc::new(Notify::new()),
                cancel,
            )
            .await;
        });
        (
            Self {
                input: packets,
                output,
                status,
                dropped: 0,
                _end: end,
            },
            track,
        )
    }

    /// Hands a packet over, or drops it.
    pub(crate) fn offer(&mut self, frame: Frame) {
        let packet = Packet {
            time: frame.dts,
            flags: Packet::KEY,
            data: frame.data,
        };
        if self.input.try_send(packet).is_err() {
            self.dropped += 1;
        }
    }

    /// The next frame that came out. Safe to drop between polls; pends for ever when there are no more.
    pub(crate) async fn next(&mut self) -> Frame {
        match self.output.recv().await {
            Some(frame) => frame,
            None => std::future::pending().await,
        }
    }

    /// Packets that could not be handed over.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Why no audio comes out now, if none does.
    pub(crate) fn trouble(&self) -> Option<String> {
        match &*self.status.borrow() {
            Status::Waiting {
                error: Some(error), ..
            } => Some(error.reason.message.clone()),
            Status::Broken { .. } => {
                Some("The audio converter broke; the log has the cause.".to_owned())
            }
            _ => None,
        }
    }
}

struct Converter {
    program: Arc<Program>,
    input: Input,
    track: AudioTrack,
    packets: mpsc::Receiver<Packet>,
    frames: mpsc::Sender<Frame>,
}

impl Supervised for Converter {
    type Error = RunError;

    async fn run_once(&mut self, cancel: CancellationToken) -> Attempt<RunError> {
        let started = Instant::now();
        let (result, healthy) = self.convert(cancel).await;
        let healthy_for = if healthy {
            started.elapsed()
        } else {
            Duration::ZERO
        };
        Attempt {
            result,
            healthy_for,
        }
    }

    fn severity(&self, error: &RunError) -> Severity {
        error.severity
    }
}

impl Converter {
    async fn convert(&mut self, cancel: CancellationToken) -> (Result<(), RunError>, bool) {
        let job = self.input.job();
        let mut child = match Child::start(&self.program, &job, None).await {
            Ok(child) => child,
            Err(error) => return (Err(error.into()), false),
        };
        // What waited while there was no child is too old.
        while self.packets.try_recv().is_ok() {}
        let Some(stdin) = child.stdin.take() else {
            return (Err(child.ended().await.into()), false);
        };
        let first_in = AtomicI64::new(UNSET);
        let mut out = Output {
            frames: &self.frames,
            track: &self.track,
            in_rate: self.input.sample_rate,
            first_in: &first_in,
            shift: None,
            last: -1,
        };
        let ended = tokio::select! {
            () = cancel.cancelled() => None,
            result = feed(stdin, &mut self.packets, &first_in) => Some(result),
            result = out.drain(&mut child.stdout) => Some(result),
        };
        let healthy = out.shift.is_some();
        let result = match ended {
            None => {
                child.stop().await;
                Ok(())
            }
            Some(Err(error)) => Err(error),
            Some(Ok(())) => Err(child.ended().await.into()),
        };
        (result, healthy)
    }
}

/// Writes packets until there are none or the child takes none.
async fn feed(
    mut stdin: ChildStdin,
    packets: &mut mpsc::Receiver<Packet>,
    first_in: &AtomicI64,
) -> Result<(), RunError> {
    let mut wire = BytesMut::new();
    while let Some(packet) = packets.recv().await {
        wire.clear();
        if packet.put(&mut wire).is_err() {
            continue;
        }
        let _ = first_in.compare_exchange(UNSET, packet.time, Ordering::Relaxed, Ordering::Relaxed);
        match timeout(WRITE_DEADLINE, stdin.write_all(&wire)).await {
            Ok(Ok(())) => {}
            // It ended; its exit says why.
            Ok(Err(_)) => return Ok(()),
            Err(_) => {
                return Err(RunError::new(
                    ReasonCode::Stalled,
                    "The audio converter does not keep up.",
                ));
            }
        }
    }
    Ok(())
}

/// Takes frames from the child and puts them at the right time.
struct Output<'a> {
    frames: &'a mpsc::Sender<Frame>,
    track: &'a AudioTrack,
    in_rate: u32,
    first_in: &'a AtomicI64,
    shift: Option<i64>,
    last: i64,
}

impl Output<'_> {
    async fn drain(&mut self, stdout: &mut ChildStdout) -> Result<(), RunError> {
        let mut buffer = BytesMut::with_capacity(8 * 1024);
        loop {
            while let Some(packet) = Packet::take(&mut buffer, LONGEST).map_err(|_| too_long())? {
                self.packet(packet)?;
            }
            match stdout.read_buf(&mut buffer).await {
                Ok(1..) => {}
                Ok(0) | Err(_) => return Ok(()),
            }
        }
    }

    fn packet(&mut self, Packet { time, flags, data }: Packet) -> Result<(), RunError> {
        if flags & Packet::CONFIG != 0 {
            // The first two bytes name what matters (object type, rate and channels of AAC);
            // extensions may follow. MP3 has none.
            return match data.get(..2) == self.track.config.get(..2) {
                true => Ok(()),
                false => Err(RunError::new(
                    ReasonCode::UnsupportedCodec,
                    "The audio converter makes another format than was announced.",
                )),
            };
        }
        let first_in = self.first_in.load(Ordering::Relaxed);
        if first_in == UNSET || data.is_empty() {
            return Ok(());
        }
        // The first frame out is made of the first packet in: its time hides the encoder's
        // priming.
        let shift = *self.shift.get_or_insert_with(|| {
            rescale(first_in, self.in_rate, self.track.sample_rate).saturating_sub(time)
        });
        let dts = time.saturating_add(shift);
        if dts <= self.last || dts < 0 {
            return Ok(());
        }
        self.last = dts;
        // When nobody takes them the connection is ending.
        let _ = self.frames.try_send(Frame {
            track: TrackKind::Audio,
            key: true,
            dts,
            cts_offset: 0,
            duration: self.track.frame_samples,
            data,
        });
        Ok(())
    }
}

fn too_long() -> RunError {
    RunError::new(
        ReasonCode::Internal,
        "The audio converter wrote a packet that is too long.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input(codec: &'static str, sample_rate: u32, to: AudioCodec) -> Input {
        Input {
            codec,
            config: Bytes::new(),
            sample_rate,
            channels: 1,
            to,
        }
    }

    #[test]
    fn the_job_says_what_the_track_promises() {
        let track = input("g722", 8_000, AudioCodec::Mp3).track();
        assert_eq!((track.codec, track.sample_rate), (AudioCodec::Mp3, 32_000));
        let telephone = input("pcmu", 8_000, AudioCodec::Aac);
        assert_eq!(telephone.track().config[..], [0x14, 0x08]);
        assert_eq!(telephone.job()["output"], "aac");
        assert_eq!(telephone.job().get("config"), None);
        let aac = Input {
            config: Bytes::from_static(&[0x11, 0x88]),
            ..input("aac", 48_000, AudioCodec::Opus)
        };
        assert_eq!(aac.job()["config"], "EYg=");
        assert_eq!(aac.job()["output"], "opus");
    }

    #[test]
    fn times_begin_where_the_input_began_whatever_the_priming() {
        let (frames, mut got) = mpsc::channel(8);
        let track = input("pcmu", 8_000, AudioCodec::Aac).track();
        let first_in = AtomicI64::new(4_000);
        let mut out = Output {
            frames: &frames,
            track: &track,
            in_rate: 8_000,
            first_in: &first_in,
            shift: None,
            last: -1,
        };
        let packet = |time, flags, data: &'static [u8]| Packet {
            time,
            flags,
            data: Bytes::from_static(data),
        };
        out.packet(packet(0, Packet::CONFIG, &[0x14, 0x08, 0x56]))
            .unwrap();
        for time in [7_488, 8_512, 8_512, 9_536] {
            out.packet(packet(time, Packet::KEY, b"x")).unwrap();
        }
        let times: Vec<i64> = std::iter::from_fn(|| got.try_recv().ok())
            .map(|f| f.dts)
            .collect();
        assert_eq!(times, [8_000, 9_024, 10_048]);
        assert!(
            out.packet(packet(0, Packet::CONFIG, &[0x12, 0x10]))
                .is_err()
        );
    }
}
