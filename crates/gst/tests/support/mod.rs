//! Running the child program as its parent does.

#![allow(dead_code, reason = "each test file uses its part")]

use std::{
    io::{BufRead, BufReader, Read, Write},
    process::{Child, ChildStdin, Command, Stdio},
    sync::{Arc, Mutex, mpsc},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use oriel_media::{Format, Frame, StreamItem, StreamReader, TrackKind};
use serde_json::{Value, json};

/// Generous: the machine may be busy.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A running job.
pub struct Job {
    child: Child,
    pub stdin: Option<ChildStdin>,
    pieces: mpsc::Receiver<Vec<u8>>,
    events: Arc<Mutex<Vec<String>>>,
    stderr: Option<JoinHandle<()>>,
}

impl Job {
    pub fn start(job: &Value) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_oriel-gst"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        writeln!(stdin, "{job}").unwrap();
        let mut stdout = child.stdout.take().unwrap();
        let (sender, pieces) = mpsc::sync_channel(4096);
        std::thread::spawn(move || {
            let mut bytes = vec![0; 64 * 1024];
            while let Ok(n @ 1..) = stdout.read(&mut bytes) {
                if sender.send(bytes[..n].to_vec()).is_err() {
                    break;
                }
            }
        });
        let events = Arc::new(Mutex::new(Vec::new()));
        let (lines, reader) = (events.clone(), child.stderr.take().unwrap());
        let stderr = std::thread::spawn(move || {
            for line in BufReader::new(reader).lines().map_while(Result::ok) {
                lines.lock().unwrap().push(line);
            }
        });
        Self {
            child,
            stdin: Some(stdin),
            pieces,
            events,
            stderr: Some(stderr),
        }
    }

    pub fn pull(url: &str) -> Self {
        Self::pull_with(url, json!({}))
    }

    pub fn pull_with(url: &str, more: Value) -> Self {
        let mut job = json!({"job": "pull", "url": url, "audio": "auto", "transport": "tcp"});
        for (key, value) in more.as_object().unwrap() {
            job[key] = value.clone();
        }
        Self::start(&job)
    }

    /// The next bytes of stdout, `None` at its end or after the deadline.
    pub fn piece(&self, within: Duration) -> Option<Vec<u8>> {
        self.pieces.recv_timeout(within).ok()
    }

    /// Ends stdin.
    pub fn stop(&mut self) {
        self.stdin = None;
    }

    /// Waits for the end; gives the exit code and stderr.
    pub fn wait(mut self) -> (i32, Vec<String>) {
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < deadline, "the job does not end");
            while self.pieces.try_recv().is_ok() {}
            std::thread::yield_now();
            std::thread::sleep(Duration::from_millis(5));
        };
        self.stderr.take().unwrap().join().unwrap();
        let events = self.events.lock().unwrap().clone();
        (status.code().unwrap(), events)
    }

    /// Waits for the end and gives the exit code and the reason of the last error.
    pub fn failure(self) -> (i32, String, Vec<String>) {
        let (code, events) = self.wait();
        let reason = events
            .iter()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .rfind(|event| event["event"] == "error")
            .map(|event| event["reason"].as_str().unwrap().to_owned())
            .unwrap_or_default();
        (code, reason, events)
    }

    pub fn events(&self) -> Vec<String> {
        self.events.lock().unwrap().clone()
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a pull gave.
#[derive(Default)]
pub struct Footage {
    reader: StreamReader,
    pub format: Option<Arc<Format>>,
    pub video: Vec<Frame>,
    pub audio: Vec<Frame>,
}

impl Footage {
    /// Reads until `enough` says so; panics when that does not come.
    pub fn read_until(&mut self, job: &Job, enough: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !enough(self) {
            let left = deadline.saturating_duration_since(Instant::now());
            let Some(piece) = job.piece(left) else {
                panic!(
                    "only {} video and {} audio frames came: {:?}",
                    self.video.len(),
                    self.audio.len(),
                    job.events()
                );
            };
            self.take(&piece);
        }
    }

    pub fn take(&mut self, piece: &[u8]) {
        self.reader.push(piece);
        while let Some(item) = self.reader.next().unwrap() {
            match item {
                StreamItem::Format(format) => {
                    assert!(self.format.is_none(), "the format came twice");
                    self.format = Some(format);
                }
                StreamItem::Frame(frame) => match frame.track {
                    TrackKind::Video => self.video.push(frame),
                    TrackKind::Audio => self.audio.push(frame),
                },
            }
        }
    }

    /// Reads this many video frames and stops the job in order.
    pub fn of(mut job: Job, frames: usize) -> Self {
        let mut footage = Self::default();
        footage.read_until(&job, |f| f.video.len() >= frames);
        job.stop();
        let (code, events) = job.wait();
        assert_eq!(code, 0, "{events:?}");
        footage
    }

    pub fn format(&self) -> &Format {
        self.format.as_ref().unwrap()
    }
}

/// Presentation times, ticks.
pub fn presentation(frames: &[Frame]) -> Vec<i64> {
    frames
        .iter()
        .map(|f| f.dts + i64::from(f.cts_offset))
        .collect()
}

/// Asserts that times are this far apart, give or take a tolerance.
pub fn assert_even(times: &[i64], step: i64, tolerance: i64) {
    for pair in times.windows(2) {
        let off = (pair[1] - pair[0] - step).abs();
        assert!(
            off <= tolerance,
            "{pair:?} is not {step} apart in {times:?}"
        );
    }
}
