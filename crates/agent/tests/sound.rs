//! What becomes of a camera's audio in each mode, by both engines: the track, and how it sounds.
#![allow(clippy::unwrap_used, reason = "only tests")]

mod support;

use std::process::Command;

use oriel_api::{AudioMode, Engine, EngineInUse, ReasonCode, WarningCode, link::StreamStatus};
use oriel_media::{AudioCodec, Frame, InitSegment, TrackKind, build_fragment};
use oriel_testkit::{Audio, CameraOptions, Video};
use support::{Rig, SeenRun, blocking, camera, streaming};

/// Seconds of sound that are waited for.
const LENGTH: f64 = 4.0;

/// The cameras tick once a second; this is what a decoder of others makes of a run.
struct Heard {
    codec: String,
    seconds: f64,
    /// When each tick begins.
    ticks: Vec<f64>,
}

fn run_tool(program: &str, arguments: &[&str]) -> Vec<u8> {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(
        output.status.success(),
        "{program}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    output.stdout
}

/// Writes the sound of a run as a file of ours and has it decoded.
async fn heard(run: &SeenRun) -> Heard {
    let mut bytes = InitSegment::new(&run.format).unwrap().bytes().to_vec();
    let frames: Vec<Frame> = run.of(TrackKind::Audio).into_iter().cloned().collect();
    for (n, frame) in frames.iter().enumerate() {
        let fragment = build_fragment(frame.track, n as u32 + 1, 0, std::slice::from_ref(frame));
        bytes.extend_from_slice(&fragment.bytes);
    }
    blocking(move || -> std::io::Result<Heard> {
        let file = tempfile::NamedTempFile::with_suffix(".mp4")?;
        std::fs::write(file.path(), bytes)?;
        let path = file.path().to_str().unwrap();
        #[rustfmt::skip]
        let codec = run_tool("ffprobe", &["-v", "error", "-select_streams", "a",
            "-show_entries", "stream=codec_name", "-of", "csv=p=0", path]);
        #[rustfmt::skip]
        let pcm = run_tool("ffmpeg", &["-v", "error", "-i", path, "-map", "0:a",
            "-f", "s16le", "-ac", "1", "-ar", "16000", "-"]);
        let samples: Vec<i16> = pcm
            .chunks_exact(2)
            .map(|b| i16::from_le_bytes([b[0], b[1]]))
            .collect();
        let mut ticks: Vec<f64> = Vec::new();
        for (i, sample) in samples.iter().enumerate() {
            let at = i as f64 / 16_000.0;
            if sample.unsigned_abs() > 2_000 && ticks.last().is_none_or(|last| at - last > 0.3) {
                ticks.push(at);
            }
        }
        Ok(Heard {
            codec: String::from_utf8(codec).unwrap().trim().to_owned(),
            seconds: samples.len() as f64 / 16_000.0,
            ticks,
        })
    })
    .await
}

/// Chooses a mode, and gives the run that follows once it has sound enough.
async fn choose(rig: &mut Rig, mode: AudioMode, expected: AudioCodec) -> SeenRun {
    let before = rig.worker.runs().len();
    rig.setup.audio = mode;
    rig.apply().await;
    let runs =
        rig.worker
            .until(&format!("{mode:?} to be {}", expected.name()), |runs| {
                runs.len() > before
                    && runs.last().is_some_and(|run| {
                        let track = run.format.audio.as_ref();
                        track.is_some_and(|t| {
                            t.codec == expected
                                && run.of(TrackKind::Audio).last().is_some_and(|f| {
                                    f.dts as f64 >= LENGTH * f64::from(t.sample_rate)
                                })
                        })
                    })
            })
            .await;
    if before > 0 {
        // At once: the run of before ended for this reason and no other.
        let closed = runs[before - 1].closed.as_ref().unwrap();
        assert_eq!(closed.code, ReasonCode::Ended, "{closed:?}");
        assert!(closed.message.contains("settings"), "{closed:?}");
    }
    runs.last().unwrap().clone()
}

async fn sounds_right(run: &SeenRun) {
    let heard = heard(run).await;
    let track = run.format.audio.as_ref().unwrap();
    assert_eq!(heard.codec, track.codec.name());
    let audio = run.of(TrackKind::Audio);
    let (first, last) = (audio[0], audio[audio.len() - 1]);
    let span = (last.dts - first.dts) as f64 / f64::from(track.sample_rate);
    assert!(
        (heard.seconds - span).abs() < 0.3,
        "{} s of {} for {span} s",
        heard.seconds,
        heard.codec
    );
    assert!(
        (2..=7).contains(&heard.ticks.len()),
        "{}: ticks at {:?}",
        heard.codec,
        heard.ticks
    );
    for pair in heard.ticks.windows(2) {
        let apart = pair[1] - pair[0];
        assert!(
            (apart - 1.0).abs() < 0.1,
            "{}: ticks at {:?}",
            heard.codec,
            heard.ticks
        );
    }
}

fn warns(status: &StreamStatus, code: WarningCode) -> bool {
    status.warnings.iter().any(|w| w.code == code)
}

async fn aac_is_kept_or_becomes_what_is_chosen(engine: Engine) {
    let camera = camera(CameraOptions::of(Video::H264, Audio::Aac)).await;
    let mut rig = Rig::new(&camera.url(), engine);
    for (mode, expected) in [
        (AudioMode::Copy, AudioCodec::Aac),
        (AudioMode::Opus, AudioCodec::Opus),
        (AudioMode::Mp3, AudioCodec::Mp3),
        (AudioMode::Aac, AudioCodec::Aac),
    ] {
        let run = choose(&mut rig, mode, expected).await;
        sounds_right(&run).await;
        let mp3 = expected == AudioCodec::Mp3;
        rig.nvr
            .until("warnings of this mode", |s| {
                streaming(s) && warns(s, WarningCode::Mp3) == mp3
            })
            .await;
    }
}

async fn telephone_audio_becomes_what_is_chosen_and_cannot_stay(engine: Engine) {
    let camera = camera(CameraOptions::of(Video::H264, Audio::Pcmu)).await;
    let mut rig = Rig::new(&camera.url(), engine);
    for (mode, expected) in [
        (AudioMode::Opus, AudioCodec::Opus),
        (AudioMode::Mp3, AudioCodec::Mp3),
        (AudioMode::Auto, AudioCodec::Aac),
    ] {
        let run = choose(&mut rig, mode, expected).await;
        sounds_right(&run).await;
    }
    for (mode, told) in [(AudioMode::Copy, true), (AudioMode::Off, false)] {
        let before = rig.worker.runs().len();
        rig.setup.audio = mode;
        rig.apply().await;
        rig.worker
            .until("a run without sound", |runs| {
                runs.len() > before
                    && runs.last().is_some_and(|r| {
                        r.format.audio.is_none() && r.of(TrackKind::Video).len() > 20
                    })
            })
            .await;
        let status = rig
            .nvr
            .until("what became of the audio", |s| {
                streaming(s) && warns(s, WarningCode::AudioLeftOut) == told
            })
            .await;
        if told {
            let said = status.warnings.iter().map(|w| w.message.as_str());
            assert!(
                said.clone().any(|m| m.contains("pcmu")),
                "{:?}",
                said.collect::<Vec<_>>()
            );
        }
    }
}

mod native {
    use oriel_api::Engine;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn aac_is_kept_or_becomes_what_is_chosen() {
        super::aac_is_kept_or_becomes_what_is_chosen(Engine::Native).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn telephone_audio_becomes_what_is_chosen_and_cannot_stay() {
        super::telephone_audio_becomes_what_is_chosen_and_cannot_stay(Engine::Native).await;
    }
}

mod gstreamer {
    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn aac_is_kept_or_becomes_what_is_chosen() {
        super::aac_is_kept_or_becomes_what_is_chosen(Engine::Gstreamer).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn telephone_audio_becomes_what_is_chosen_and_cannot_stay() {
        super::telephone_audio_becomes_what_is_chosen_and_cannot_stay(Engine::Gstreamer).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn opus_and_mp3_are_kept_or_become_what_is_chosen() {
        for (sent, modes) in [
            (
                Audio::Opus,
                [
                    (AudioMode::Auto, AudioCodec::Opus),
                    (AudioMode::Aac, AudioCodec::Aac),
                    (AudioMode::Mp3, AudioCodec::Mp3),
                ],
            ),
            (
                Audio::Mp3,
                [
                    (AudioMode::Auto, AudioCodec::Aac),
                    (AudioMode::Copy, AudioCodec::Mp3),
                    (AudioMode::Opus, AudioCodec::Opus),
                ],
            ),
        ] {
            let camera = camera(CameraOptions::of(Video::H264, sent)).await;
            // The native engine takes neither, and says so.
            let mut rig = Rig::new(&camera.url(), Engine::Auto);
            for (mode, expected) in modes {
                let run = choose(&mut rig, mode, expected).await;
                sounds_right(&run).await;
            }
            let by_child =
                |s: &StreamStatus| streaming(s) && s.engine == Some(EngineInUse::Gstreamer);
            rig.nvr.until("streaming by GStreamer", by_child).await;
        }
    }
}
