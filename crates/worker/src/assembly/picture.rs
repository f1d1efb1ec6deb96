//! The last key frame of a live stream as JPEG, made by the child program.
//!
//! Not here: pictures one after another for viewers.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use bytes::BytesMut;
use oriel_api::{ChannelId, Error, Quality, Result, Timestamp};
use oriel_child::{Child, Packet};
use oriel_media::TrackKind;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};

use crate::{LiveItem, LiveOptions, LiveRun, Worker};

/// From the call to the picture.
const DEADLINE: Duration = Duration::from_secs(10);
/// Longest picture taken from the child.
const LONGEST: usize = 8 * 1024 * 1024;
/// Widest picture made: as it came, but for cameras beyond 4K.
const MAX_WIDTH: u32 = 4096;
const QUALITY: u32 = 90;

/// The job `jpeg` for a run: pictures of this width at most, so many per second of stream time, 0
/// for every one. `docs/protocol.md` section 1.
pub fn picture_job(run: &LiveRun, max_width: u32, quality: u32, rate: u32) -> serde_json::Value {
    let video = &run.format.video;
    serde_json::json!({
        "job": "jpeg",
        "codec": video.codec.name(),
        "config": BASE64.encode(&video.config),
        "max_width": max_width,
        "quality": quality,
        "rate": rate,
    })
}

pub(super) async fn last(
    worker: &Worker,
    channel: &ChannelId,
    quality: Quality,
) -> Result<(Vec<u8>, Timestamp)> {
    timeout(DEADLINE, make(worker, channel, quality))
        .await
        .unwrap_or_else(|_| Err(Error::unavailable("No picture came within ten seconds.")))
}

async fn make(
    worker: &Worker,
    channel: &ChannelId,
    quality: Quality,
) -> Result<(Vec<u8>, Timestamp)> {
    let program = worker
        .program()
        .ok_or_else(|| Error::unavailable("The program that makes pictures is not installed."))?;
    if !worker.is_live(channel, quality) {
        return Err(Error::unavailable("The camera's stream stands at present."));
    }
    let options = LiveOptions {
        audio: false,
        silence: false,
    };
    // The current group of pictures comes at once, its key frame first.
    let mut live = worker.subscribe(channel, quality, options);
    let mut run = None;
    let (run, frame) = loop {
        match live.next().await {
            LiveItem::Start(begun) => run = Some(begun),
            LiveItem::Frame(frame) if frame.frame.track == TrackKind::Video && frame.frame.key => {
                if let Some(run) = run.take() {
                    break (run, frame);
                }
            }
            LiveItem::Removed => return Err(Error::not_found("There is no such channel.")),
            LiveItem::Waiting => {
                return Err(Error::unavailable("The camera's stream stands at present."));
            }
            _ => {}
        }
    };
    drop(live);
    let job = picture_job(&run, MAX_WIDTH, QUALITY, 0);
    let mut child = Child::start(program, &job, None).await.map_err(failed)?;
    let mut wire = BytesMut::new();
    let packet = Packet {
        time: frame.frame.dts,
        flags: Packet::KEY,
        data: frame.frame.data.clone(),
    };
    packet.put(&mut wire).map_err(Error::internal)?;
    if let Some(mut stdin) = child.stdin.take() {
        // A child that does not take it says why when it ends.
        let _ = stdin.write_all(&wire).await;
        // Its end makes the decoder give what it holds back.
        drop(stdin);
    }
    let mut buffer = BytesMut::new();
    loop {
        if let Some(picture) = Packet::take(&mut buffer, LONGEST).map_err(Error::internal)? {
            child.stop().await;
            let taken = Timestamp::from_ms(frame.wall_ms);
            return Ok((picture.data.to_vec(), taken));
        }
        match child.stdout.read_buf(&mut buffer).await {
            Ok(1..) => {}
            Ok(0) | Err(_) => return Err(failed(child.ended().await)),
        }
    }
}

fn failed(error: oriel_child::ChildError) -> Error {
    Error::unavailable(error.reason.message)
}
