//! The job `pull`: fetch a stream, write fragmented MP4.
//!
//! Video is copied (H.264, H.265) or encoded to H.264 (Motion JPEG, raw pictures). Each track
//! has its own fragments, so nothing that audio does can hold video.

mod branch;
mod declared;
mod fault;
mod gather;
mod output;
mod retime;
mod source;
mod track;

use std::{
    sync::{Arc, mpsc},
    time::{Duration, Instant},
};

use gstreamer as gst;
use gstreamer::prelude::*;
use oriel_api::ReasonCode;

use crate::{
    failure::{Exit, Failure},
    job::PullJob,
    report, stop,
};
use gather::Gather;

/// Without a first frame for this long the attempt is over.
const FIRST_FRAME: Duration = Duration::from_secs(15);

/// What the main thread is told.
pub enum Ending {
    /// stdin ended, or stdout was closed.
    Stop,
    /// The first frame is on its way out.
    Started,
    /// It cannot go on.
    Failed(Failure),
}

/// Where endings go. A full channel means an ending is already there.
pub type Endings = mpsc::SyncSender<Ending>;

/// Runs until told to stop or until the stream fails.
pub fn run(job: PullJob) -> Result<(), Failure> {
    report::hide(job.password.as_deref().unwrap_or_default());
    let (sender, endings) = mpsc::sync_channel(16);
    stop::when_stdin_ends(sender.clone(), Ending::Stop);
    let output = output::Output::start(std::io::stdout(), sender.clone());
    let gather = Arc::new(Gather::new(output, sender.clone(), job.audio));
    let pipeline = gst::Pipeline::new();
    watch_bus(&pipeline, &gather, sender.clone())?;
    source::build(&pipeline, &job, &gather, &sender)?;
    let outcome = if pipeline.set_state(gst::State::Playing).is_err() {
        // The bus has the reason, if there is one.
        wait(&endings, Duration::from_secs(1))
            .and_then(|()| Err(Failure::internal("the pipeline does not start")))
    } else {
        wait(&endings, FIRST_FRAME)
    };
    stop::exit_soon(outcome.as_ref().err().map_or(Exit::Stopped, |f| f.exit));
    if let Err(failure) = &outcome {
        // Before the pipeline is taken down, which may hang.
        report::error(failure);
    }
    gather.finish();
    let _ = pipeline.set_state(gst::State::Null);
    std::process::exit(outcome.err().map_or(Exit::Stopped, |f| f.exit) as i32)
}

fn wait(endings: &mpsc::Receiver<Ending>, first: Duration) -> Result<(), Failure> {
    let started = Instant::now();
    let mut delivering = false;
    loop {
        let ending = if delivering {
            endings
                .recv()
                .map_err(|_| mpsc::RecvTimeoutError::Disconnected)
        } else {
            endings.recv_timeout(first.saturating_sub(started.elapsed()))
        };
        match ending {
            Ok(Ending::Started) => delivering = true,
            Ok(Ending::Stop) => return Ok(()),
            Ok(Ending::Failed(failure)) => return Err(failure),
            Err(mpsc::RecvTimeoutError::Timeout) => {
                return Err(Failure {
                    exit: Exit::CannotConnect,
                    reason: ReasonCode::Timeout,
                    message: format!("no picture came within {} s", first.as_secs()),
                });
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                return Err(Failure::internal("the pipeline is gone"));
            }
        }
    }
}

fn watch_bus(
    pipeline: &gst::Pipeline,
    gather: &Arc<Gather>,
    endings: Endings,
) -> Result<(), Failure> {
    let bus = pipeline
        .bus()
        .ok_or_else(|| Failure::internal("a pipeline without a bus"))?;
    let gather = Arc::downgrade(gather);
    bus.set_sync_handler(move |_, message| {
        let delivering = gather.upgrade().is_some_and(|g| g.is_delivering());
        if let Some(failure) = fault::of(message, delivering) {
            let _ = endings.try_send(Ending::Failed(failure));
        }
        gst::BusSyncReply::Drop
    });
    Ok(())
}
