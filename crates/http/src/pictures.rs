//! Where pictures for viewers come from: one child program per stream makes them, and all who
//! watch it share them. What does not belong here: how they are answered (`stills`).

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicBool, AtomicI64, Ordering::Relaxed},
    },
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use oriel_api::{ChannelId, Quality, Reason};
use oriel_child::{Child, ChildError, Packet, Program};
use oriel_media::{TrackKind, format::VIDEO_TIMESCALE};
use oriel_task::{Attempt, Severity, Status, Supervised, supervise};
use oriel_worker::{LiveItem, LiveOptions, LiveRun, LiveSubscription, Worker};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    process::{ChildStdin, ChildStdout},
    sync::{Notify, watch},
    time::{Instant, timeout},
};
use tokio_util::sync::{CancellationToken, DropGuard};

/// Longest picture taken from the child.
const LONGEST: usize = 4 * 1024 * 1024;
/// The child must take a frame within this.
const WRITE_DEADLINE: Duration = Duration::from_secs(5);
/// Widest picture made.
const MAX_WIDTH: u32 = 1280;

/// How long a source goes on after somebody asked for a single picture.
const LINGERS: Duration = Duration::from_secs(10);

/// What a source has to show.
#[derive(Clone, Debug)]
pub(crate) enum Shown {
    /// No picture: the stream stands or has only begun.
    Nothing,
    /// The newest picture.
    Picture(Picture),
    /// The channel was removed.
    Removed,
}

/// One picture.
#[derive(Clone, Debug)]
pub(crate) struct Picture {
    /// JPEG.
    pub(crate) jpeg: Bytes,
    /// When the camera took it, milliseconds since 1970 UTC.
    pub(crate) captured_ms: i64,
}

/// One source of pictures.
pub(crate) struct Source {
    shown: watch::Receiver<Shown>,
    status: watch::Receiver<Status<ChildError>>,
    /// Until when somebody is expected to ask again; `None` when nobody waits for that moment.
    wanted_until: Mutex<Option<Instant>>,
    /// Ends the child when the last viewer is gone.
    _end: DropGuard,
}

impl Source {
    /// What there is to show, as it changes.
    pub(crate) fn shown(&self) -> watch::Receiver<Shown> {
        self.shown.clone()
    }

    /// Why there will be no picture for a while, when a person has to act.
    pub(crate) fn trouble(&self) -> Option<Reason> {
        match &*self.status.borrow() {
            Status::Waiting {
                error: Some(error),
                lasting: true,
                ..
            } => Some(error.reason.clone()),
            _ => None,
        }
    }

    fn wanted_until(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        self.wanted_until
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps the source for a while, or until the recorder stops.
    fn linger(self: &Arc<Self>, closing: CancellationToken) {
        let until = Instant::now() + LINGERS;
        if self.wanted_until().replace(until).is_some() {
            return;
        }
        let source = self.clone();
        tokio::spawn(async move {
            let mut until = until;
            while closing
                .run_until_cancelled(tokio::time::sleep_until(until))
                .await
                .is_some()
            {
                let mut wanted = source.wanted_until();
                match *wanted {
                    Some(later) if later > until => until = later,
                    _ => {
                        *wanted = None;
                        return;
                    }
                }
            }
        });
    }
}

type Key = (ChannelId, Quality);

/// All sources somebody watches.
pub(crate) struct Pictures {
    worker: Arc<Worker>,
    program: Arc<Program>,
    sources: Mutex<HashMap<Key, Weak<Source>>>,
}

impl Pictures {
    pub(crate) fn new(worker: Arc<Worker>, program: Arc<Program>) -> Self {
        Self {
            worker,
            program,
            sources: Mutex::default(),
        }
    }

    /// The source of a stream, started for its first viewer.
    pub(crate) fn source(&self, key: Key) -> Arc<Source> {
        let mut sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        sources.retain(|_, source| source.strong_count() > 0);
        if let Some(source) = sources.get(&key).and_then(Weak::upgrade) {
            return source;
        }
        let (show, shown) = watch::channel(Shown::Nothing);
        let (report, status) = watch::channel(Status::Running);
        let cancel = CancellationToken::new();
        let maker = Maker {
            worker: self.worker.clone(),
            program: self.program.clone(),
            key: key.clone(),
            show,
        };
        let source = Arc::new(Source {
            shown,
            status,
            wanted_until: Mutex::default(),
            _end: cancel.clone().drop_guard(),
        });
        tokio::spawn(async move {
            supervise("pictures", maker, report, Arc::new(Notify::new()), cancel).await;
        });
        sources.insert(key, Arc::downgrade(&source));
        source
    }

    /// The source of a stream for somebody who asks for one picture and will ask again soon.
    pub(crate) fn lingering(&self, key: Key, closing: CancellationToken) -> Arc<Source> {
        let source = self.source(key);
        source.linger(closing);
        source
    }
}

/// Feeds one child from the live stream.
struct Maker {
    worker: Arc<Worker>,
    program: Arc<Program>,
    key: Key,
    show: watch::Sender<Shown>,
}

impl Supervised for Maker {
    type Error = ChildError;

    async fn run_once(&mut self, cancel: CancellationToken) -> Attempt<ChildError> {
        let began = Instant::now();
        let mut seen = false;
        let result = cancel.run_until_cancelled(self.run(&mut seen)).await;
        let healthy_for = if seen {
            began.elapsed()
        } else {
            Duration::ZERO
        };
        Attempt {
            result: result.unwrap_or(Ok(())),
            healthy_for,
        }
    }

    fn severity(&self, error: &ChildError) -> Severity {
        use oriel_api::ReasonCode;
        match error.reason.code {
            ReasonCode::PluginMissing | ReasonCode::UnsupportedCodec => Severity::Lasting,
            _ => Severity::Transient,
        }
    }
}

impl Maker {
    /// One child per run: its job names the codec configuration.
    async fn run(&mut self, seen: &mut bool) -> Result<(), ChildError> {
        let options = LiveOptions {
            audio: false,
            silence: false,
        };
        let mut live = self.worker.subscribe(&self.key.0, self.key.1, options);
        let mut next = loop {
            match live.next().await {
                LiveItem::Start(run) => break Some(run),
                LiveItem::Removed => return self.over().await,
                _ => {}
            }
        };
        while let Some(run) = next.take() {
            let job = oriel_worker::picture_job(&run, MAX_WIDTH, 80, 1);
            let mut child = Child::start(&self.program, &job, None).await?;
            let Some(stdin) = child.stdin.take() else {
                return Err(child.ended().await);
            };
            let fed = Fed {
                epoch_ms: AtomicI64::new(run.anchor.ms()),
                stands: AtomicBool::new(false),
            };
            let end = tokio::select! {
                end = self.feed(stdin, &mut live, &fed) => end,
                () = self.drain(&mut child.stdout, &fed, seen) => FeedEnd::Child,
            };
            match end {
                FeedEnd::Child => return Err(child.ended().await),
                FeedEnd::NextRun(run) => {
                    child.stop().await;
                    next = Some(run);
                }
                FeedEnd::Removed => {
                    child.stop().await;
                    return self.over().await;
                }
            }
        }
        Ok(())
    }

    /// Ends the viewers' answers, then waits until they are gone: nothing is tried again.
    async fn over<T>(&self) -> T {
        self.show.send_replace(Shown::Removed);
        std::future::pending().await
    }

    /// Hands frames over until something else has to happen.
    async fn feed(&self, mut stdin: ChildStdin, live: &mut LiveSubscription, fed: &Fed) -> FeedEnd {
        let mut wire = BytesMut::new();
        loop {
            let frame = match live.next().await {
                LiveItem::Start(run) => return FeedEnd::NextRun(run),
                LiveItem::Frame(frame) if frame.frame.track == TrackKind::Video => frame,
                LiveItem::Removed => return FeedEnd::Removed,
                LiveItem::Waiting => {
                    // An old picture would look like a camera that works.
                    fed.stands.store(true, Relaxed);
                    self.show.send_replace(Shown::Nothing);
                    continue;
                }
                _ => continue,
            };
            let time = frame.frame.dts + i64::from(frame.frame.cts_offset);
            fed.epoch_ms
                .store(frame.wall_ms - ticks_to_ms(time), Relaxed);
            fed.stands.store(false, Relaxed);
            let packet = Packet {
                time,
                flags: if frame.frame.key { Packet::KEY } else { 0 },
                data: frame.frame.data.clone(),
            };
            wire.clear();
            if packet.put(&mut wire).is_err() {
                continue;
            }
            // A child that does not keep up makes the hub skip to a key frame, which it can take.
            match timeout(WRITE_DEADLINE, stdin.write_all(&wire)).await {
                Ok(Ok(())) => {}
                _ => return FeedEnd::Child,
            }
        }
    }

    /// Shows what the child makes, until it makes no more.
    async fn drain(&self, stdout: &mut ChildStdout, fed: &Fed, seen: &mut bool) {
        let mut buffer = BytesMut::new();
        loop {
            loop {
                match Packet::take(&mut buffer, LONGEST) {
                    Ok(Some(packet)) => {
                        *seen = true;
                        // Made of what came before the stream stood.
                        if fed.stands.load(Relaxed) {
                            continue;
                        }
                        self.show.send_replace(Shown::Picture(Picture {
                            captured_ms: fed.epoch_ms.load(Relaxed) + ticks_to_ms(packet.time),
                            jpeg: packet.data,
                        }));
                    }
                    Ok(None) => break,
                    Err(_) => return,
                }
            }
            match stdout.read_buf(&mut buffer).await {
                Ok(1..) => {}
                Ok(0) | Err(_) => return,
            }
        }
    }
}

fn ticks_to_ms(ticks: i64) -> i64 {
    ticks.saturating_mul(1000) / i64::from(VIDEO_TIMESCALE)
}

/// What a child was given, for judging what it makes.
struct Fed {
    /// Wall time of tick 0.
    epoch_ms: AtomicI64,
    /// Nothing comes at the moment.
    stands: AtomicBool,
}

/// Why a child is fed no more.
enum FeedEnd {
    /// It ended or takes nothing.
    Child,
    /// Another run begins.
    NextRun(Arc<LiveRun>),
    /// The channel is gone.
    Removed,
}
