//! One viewer: its queue, and what happens when it reads too slowly.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use oriel_media::TrackKind;
use tokio::sync::Notify;

use crate::sync::lock;

use super::{Hub, LiveFrame, LiveRun, Stream, StreamKey, silence::Silence};

/// A viewer further behind than this is moved to the next key frame.
const BEHIND_FRAMES: usize = 256;
const BEHIND_BYTES: usize = 8 * 1024 * 1024;

/// What a viewer wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LiveOptions {
    /// Audio frames, where the stream has any.
    pub audio: bool,
    /// Fill with silence where declared audio does not come: Media Source Extensions stand
    /// still otherwise.
    pub silence: bool,
}

/// What happens on a live stream.
#[derive(Clone, Debug)]
pub enum LiveItem {
    /// A run begins. What follows has its format until the next `Start`.
    Start(Arc<LiveRun>),
    /// A frame. The first after `Start` or `Skipped` is a video key frame.
    Frame(Arc<LiveFrame>),
    /// So many frames were left out because this viewer reads too slowly.
    Skipped(u64),
    /// The stream stands.
    Waiting,
    /// The channel was removed; nothing will come any more.
    Removed,
}

/// What a viewer gets when it comes.
pub(super) struct First {
    pub(super) run: Option<Arc<LiveRun>>,
    pub(super) removed: bool,
    pub(super) frames: Vec<Arc<LiveFrame>>,
    /// Audio is known not to come at present.
    pub(super) silent: bool,
}

/// The stream's side of a viewer.
pub(crate) struct Viewer {
    audio: bool,
    queue: Mutex<Queue>,
    ready: Notify,
}

#[derive(Default)]
struct Queue {
    items: VecDeque<LiveItem>,
    frames: usize,
    bytes: usize,
    /// Only a key frame may come next.
    needs_key: bool,
    skipped: u64,
}

impl Viewer {
    pub(super) fn new(options: LiveOptions, has_key: bool) -> Self {
        Self {
            audio: options.audio,
            queue: Mutex::new(Queue {
                needs_key: !has_key,
                ..Queue::default()
            }),
            ready: Notify::new(),
        }
    }

    pub(super) fn control(&self, item: LiveItem) {
        let mut queue = lock(&self.queue);
        // News that nobody has read is overtaken, so flapping runs do not pile up.
        while matches!(
            queue.items.back(),
            Some(LiveItem::Start(_) | LiveItem::Waiting)
        ) {
            queue.items.pop_back();
        }
        queue.items.push_back(item);
        queue.needs_key = true;
        queue.skipped = 0;
        drop(queue);
        self.ready.notify_one();
    }

    pub(super) fn frame(&self, frame: &Arc<LiveFrame>) {
        if !self.audio && frame.frame.track == TrackKind::Audio {
            return;
        }
        let mut queue = lock(&self.queue);
        if queue.needs_key {
            if !frame.starts_group() {
                if queue.skipped > 0 {
                    queue.skipped += 1;
                }
                return;
            }
            queue.needs_key = false;
            let skipped = std::mem::take(&mut queue.skipped);
            if skipped > 0 {
                queue.items.push_back(LiveItem::Skipped(skipped));
            }
        } else if queue.frames >= BEHIND_FRAMES
            || (queue.frames > 0 && queue.bytes + frame.size() > BEHIND_BYTES)
        {
            queue.skip();
            if frame.starts_group() {
                queue.needs_key = false;
                let skipped = std::mem::take(&mut queue.skipped);
                queue.items.push_back(LiveItem::Skipped(skipped));
            } else {
                queue.skipped += 1;
                return;
            }
        }
        queue.frames += 1;
        queue.bytes += frame.size();
        queue.items.push_back(LiveItem::Frame(Arc::clone(frame)));
        drop(queue);
        self.ready.notify_one();
    }

    async fn next(&self) -> LiveItem {
        loop {
            if let Some(item) = lock(&self.queue).pop() {
                return item;
            }
            self.ready.notified().await;
        }
    }
}

impl Queue {
    fn pop(&mut self) -> Option<LiveItem> {
        let item = self.items.pop_front()?;
        if let LiveItem::Frame(frame) = &item {
            self.frames -= 1;
            self.bytes -= frame.size();
        }
        Some(item)
    }

    /// Leaves out all frames that wait; of the news only the last `Start` still matters.
    fn skip(&mut self) {
        let mut start = None;
        for item in self.items.drain(..) {
            match item {
                LiveItem::Frame(_) => self.skipped += 1,
                LiveItem::Skipped(n) => self.skipped += n,
                item @ LiveItem::Start(_) => start = Some(item),
                LiveItem::Waiting | LiveItem::Removed => {}
            }
        }
        self.items.extend(start);
        self.frames = 0;
        self.bytes = 0;
        self.needs_key = true;
    }
}

/// A viewer's end of a stream. Dropping it leaves.
pub struct LiveSubscription {
    hub: Arc<Hub>,
    key: StreamKey,
    stream: Arc<Stream>,
    viewer: Arc<Viewer>,
    ready: VecDeque<LiveItem>,
    silence: Option<Silence>,
    options: LiveOptions,
    known_silent: bool,
    removed: bool,
}

impl LiveSubscription {
    pub(super) fn new(
        hub: Arc<Hub>,
        key: StreamKey,
        stream: Arc<Stream>,
        viewer: Arc<Viewer>,
        first: First,
        options: LiveOptions,
    ) -> Self {
        let mut this = Self {
            hub,
            key,
            stream,
            viewer,
            ready: VecDeque::new(),
            silence: None,
            options,
            known_silent: first.silent && !first.frames.is_empty(),
            removed: false,
        };
        match first.run {
            _ if first.removed => this.take(LiveItem::Removed),
            None => this.take(LiveItem::Waiting),
            Some(run) => {
                this.take(LiveItem::Start(run));
                for frame in first.frames {
                    this.take(LiveItem::Frame(frame));
                }
            }
        }
        this
    }

    /// The next thing that happens. Waits as long as nothing does. Safe to cancel: nothing is
    /// lost. After [`LiveItem::Removed`] it says so again and again.
    pub async fn next(&mut self) -> LiveItem {
        loop {
            if let Some(item) = self.ready.pop_front() {
                return item;
            }
            if self.removed {
                return LiveItem::Removed;
            }
            let item = self.viewer.next().await;
            self.take(item);
        }
    }

    /// Puts an item where `next` finds it, with silence around it where that is wanted.
    fn take(&mut self, item: LiveItem) {
        match &item {
            LiveItem::Start(run) => {
                self.silence = (self.options.silence && self.options.audio)
                    .then(|| Silence::new(run, std::mem::take(&mut self.known_silent)))
                    .flatten();
            }
            LiveItem::Skipped(_) => {
                if let Some(silence) = &mut self.silence {
                    silence.interrupted();
                }
            }
            LiveItem::Removed => self.removed = true,
            LiveItem::Waiting => {}
            LiveItem::Frame(frame) => {
                if let Some(silence) = &mut self.silence {
                    let passes = silence.admit(frame);
                    if passes {
                        self.ready.push_back(item);
                    }
                    self.ready.extend(silence.fill().map(LiveItem::Frame));
                    return;
                }
            }
        }
        self.ready.push_back(item);
    }
}

impl Drop for LiveSubscription {
    fn drop(&mut self) {
        self.stream.leave(&self.viewer);
        self.hub.forget_if_idle(&self.key);
    }
}
