//! The job `audio`: packets of one codec in, frames of AAC, Opus or MP3 out.

use std::str::FromStr;

use gstreamer as gst;
use oriel_media::{AudioCodec, AudioTrack};

use crate::{
    elements::{first_of, make, set},
    encode::encoder,
    failure::{Exit, Failure},
    fed::{Fed, Out, to_ticks, to_time},
    job::{AudioJob, AudioName, RawAudioCodec},
    packet::{CONFIG, KEY, Packet},
    report, stop,
};

/// AAC decoders in order of preference; the last two belong to macOS and Windows.
const AAC_DECODERS: [&str; 5] = ["avdec_aac", "fdkaacdec", "faad", "atdec", "mfaacdec"];

/// Runs until stdin ends.
pub fn run(job: &AudioJob) -> Result<(), Failure> {
    let codec = match job.output {
        AudioName::Aac => AudioCodec::Aac,
        AudioName::Opus => AudioCodec::Opus,
        AudioName::Mp3 => AudioCodec::Mp3,
    };
    let target = AudioTrack::converted(codec, actual_rate(job), job.channels);
    let mut stages = decoder(job)?;
    stages.extend(encoder(&target)?);
    let (rate, samples) = (target.sample_rate, i64::from(target.frame_samples));
    let out = Out::new();
    let sink = out.clone();
    let caps = gst::Caps::from_str(&caps(job)).map_err(|e| Failure::internal(e.to_string()))?;
    let mut first = codec == AudioCodec::Opus;
    let fed = Fed::start(&caps, stages, move |sample| {
        let Some(buffer) = sample.buffer() else {
            return;
        };
        // Headers are told by the configuration.
        if buffer.flags().contains(gst::BufferFlags::HEADER) {
            return;
        }
        if let (Some(pts), Ok(map)) = (buffer.pts(), buffer.map_readable()) {
            // opusenc shortens the first packet by what it looks ahead; its end is where the
            // next begins, and players play all of it.
            let time = match (std::mem::take(&mut first), buffer.duration()) {
                (true, Some(duration)) => to_ticks(pts + duration, rate) - samples,
                _ => to_ticks(pts, rate),
            };
            sink.write(&Packet {
                time,
                flags: KEY,
                payload: map.to_vec(),
            });
        }
    })?;
    out.write(&Packet {
        time: 0,
        flags: CONFIG,
        payload: target.config.to_vec(),
    });
    report::track("audio", codec.name());
    report::ready();
    let mut stdin = std::io::stdin().lock();
    loop {
        match Packet::read(&mut stdin) {
            Ok(Some(packet)) => {
                let pts = to_time(packet.time, job.sample_rate);
                // Before time zero there is nothing to place it at.
                if pts.is_some() && !fed.push(unpacked(job.codec, packet.payload), pts, true) {
                    let why = fed.error().unwrap_or_else(|| "it stopped".into());
                    return Err(Failure::internal(format!("audio conversion: {why}")));
                }
            }
            Ok(None) => break,
            Err(e) => return Err(Failure::bad_job(format!("a packet cannot be read: {e}"))),
        }
    }
    stop::exit_soon(Exit::Stopped);
    fed.drain();
    Ok(())
}

/// RFC 3551 section 4.5.2: the RTP clock of G.722 is 8000, its samples are 16000 a second.
fn actual_rate(job: &AudioJob) -> u32 {
    match job.codec {
        RawAudioCodec::G722 => 16_000,
        _ => job.sample_rate,
    }
}

fn caps(job: &AudioJob) -> String {
    let (rate, channels) = (actual_rate(job), job.channels);
    match job.codec {
        RawAudioCodec::Pcmu => format!("audio/x-mulaw,rate={rate},channels={channels}"),
        RawAudioCodec::Pcma => format!("audio/x-alaw,rate={rate},channels={channels}"),
        RawAudioCodec::G722 => format!("audio/G722,rate={rate},channels={channels}"),
        RawAudioCodec::G726 => format!(
            "audio/x-adpcm,layout=g726,rate={rate},channels={channels},bitrate={}",
            4 * rate
        ),
        RawAudioCodec::L16 => {
            format!("audio/x-raw,format=S16BE,layout=interleaved,rate={rate},channels={channels}")
        }
        RawAudioCodec::Aac => {
            let hex: String = job
                .config()
                .unwrap_or_default()
                .iter()
                .map(|b| format!("{b:02x}"))
                .collect();
            format!(
                "audio/mpeg,mpegversion=4,stream-format=raw,framed=true,rate={rate},\
                 channels={channels},codec_data=(buffer){hex}"
            )
        }
    }
}

fn decoder(job: &AudioJob) -> Result<Vec<gst::Element>, Failure> {
    let name = match job.codec {
        RawAudioCodec::Pcmu => "mulawdec",
        RawAudioCodec::Pcma => "alawdec",
        RawAudioCodec::G722 => "avdec_g722",
        RawAudioCodec::G726 => "avdec_g726",
        RawAudioCodec::L16 => return Ok(Vec::new()),
        RawAudioCodec::Aac => first_of(&AAC_DECODERS)
            .ok_or_else(|| Failure::plugin_missing("avdec_aac (gst-libav) or faad"))?,
    };
    let decoder = make(name)?;
    // A packet that cannot be decoded is a moment of silence, however many there are.
    set(&decoder, "max-errors", "-1");
    Ok(vec![decoder])
}

/// RFC 3551 section 4.5.4 packs the first sample of G.726 into the low bits, decoders want it in
/// the high ones.
fn unpacked(codec: RawAudioCodec, mut payload: Vec<u8>) -> Vec<u8> {
    if codec == RawAudioCodec::G726 {
        for byte in &mut payload {
            *byte = byte.rotate_left(4);
        }
    }
    payload
}
