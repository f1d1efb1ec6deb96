//! The real program: starts, says so, lets in whom it should, stops when told.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::Path,
    process::{Child, Command, ExitStatus, Output, Stdio},
    time::{Duration, Instant},
};

/// Nothing here takes long; this only ends a test that hangs.
const PATIENCE: Duration = Duration::from_secs(60);

fn orield(data: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_orield"));
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("ORIEL_DATA", data)
        .env("ORIEL_SECRETS", "file")
        .stdin(Stdio::null());
    #[cfg(windows)]
    command.env("SystemRoot", std::env::var_os("SystemRoot").unwrap());
    command
}

fn run(data: &Path, arguments: &[&str]) -> Output {
    orield(data).args(arguments).output().unwrap()
}

fn stdout(output: &Output) -> String {
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

struct Recorder {
    child: Child,
    address: String,
    link: String,
    log: Option<std::thread::JoinHandle<String>>,
}

impl Drop for Recorder {
    /// A test that fails leaves no program behind.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Recorder {
    fn start(data: &Path) -> Self {
        let mut child = orield(data)
            .args(["serve", "--listen", "127.0.0.1:0"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stderr = child.stderr.take().unwrap();
        let log = std::thread::spawn(move || {
            let mut text = String::new();
            let _ = stderr.read_to_string(&mut text);
            text
        });
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let ready = lines.next().expect("it ended before it was ready").unwrap();
        let address = ready
            .strip_prefix("Oriel is ready at http://")
            .unwrap()
            .to_owned();
        let link = lines.next().unwrap().unwrap();
        let link = link.strip_prefix("Open ").unwrap().to_owned();
        std::thread::spawn(move || lines.for_each(drop));
        Self {
            child,
            address,
            link,
            log: Some(log),
        }
    }

    /// Status, head and body of an answer.
    fn get(&self, path: &str, header: &str) -> (u16, String, String) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{header}\r\n",
            self.address
        )
        .unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, head.to_owned(), body.to_owned())
    }

    fn wait(&mut self) -> ExitStatus {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < until, "it does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    #[cfg(unix)]
    fn signal(&self, name: &str) {
        let status = Command::new("kill")
            .args([name, &self.child.id().to_string()])
            .status();
        assert!(status.unwrap().success());
    }

    /// Both at once.
    #[cfg(unix)]
    fn signal_twice(&self, first: &str, second: &str) {
        let pid = self.child.id();
        let line = format!("kill {first} {pid}; kill {second} {pid}");
        let status = Command::new("sh").args(["-c", &line]).status();
        assert!(status.unwrap().success());
    }

    /// Ends it and gives its log.
    fn end(mut self) -> String {
        #[cfg(unix)]
        self.signal("-TERM");
        #[cfg(not(unix))]
        self.child.kill().unwrap();
        self.wait();
        self.log()
    }

    /// All it has written to its log; returns when it has ended.
    fn log(&mut self) -> String {
        self.log.take().unwrap().join().unwrap()
    }
}

#[test]
fn the_token_opens_the_api_and_nothing_else_does() {
    let data = tempfile::tempdir().unwrap();
    let recorder = Recorder::start(data.path());
    let (status, _, body) = recorder.get("/api/health", "");
    assert_eq!(status, 200);
    assert!(body.contains("\"ready\""), "{body}");
    assert_eq!(recorder.get("/api/cameras", "").0, 401);
    let token = stdout(&run(data.path(), &["token"]));
    let header = format!("Authorization: Bearer {token}\r\n");
    let (status, _, body) = recorder.get("/api/cameras", &header);
    assert_eq!((status, body.as_str()), (200, "{\"items\":[]}"));
    let wrong = format!("Authorization: Bearer {token}x\r\n");
    assert_eq!(recorder.get("/api/cameras", &wrong).0, 401);
    let log = recorder.end();
    assert!(!log.contains(&token), "the token is in the log");
}

#[test]
fn a_link_signs_in_once_and_a_new_one_again() {
    let data = tempfile::tempdir().unwrap();
    let recorder = Recorder::start(data.path());
    let path = |link: &str| {
        link.strip_prefix(&format!("http://{}", recorder.address))
            .unwrap()
            .to_owned()
    };
    let printed = recorder.link.clone();
    let asked = stdout(&run(data.path(), &["link"]));
    let asked = asked.strip_prefix("Open ").unwrap();
    for link in [printed.as_str(), asked] {
        let (status, head, _) = recorder.get(&path(link), "");
        assert_eq!(status, 303, "{head}");
        let cookie = head
            .lines()
            .find_map(|l| l.strip_prefix("set-cookie: "))
            .unwrap();
        assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"));
        let cookie = format!("Cookie: {}\r\n", cookie.split(';').next().unwrap());
        assert_eq!(recorder.get("/api/cameras", &cookie).0, 200);
        let (status, _, page) = recorder.get(&path(link), "");
        assert_eq!(status, 401);
        assert!(page.contains("orield link"), "{page}");
    }
    let log = recorder.end();
    assert!(!log.contains("code="), "a link is in the log");
}

#[test]
fn the_token_is_not_shown_to_whoever_has_the_port_of_a_recorder_that_crashed() {
    let data = tempfile::tempdir().unwrap();
    let stranger = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = stranger.local_addr().unwrap();
    let left = format!("{{\"base_url\":\"http://{address}\",\"pid\":1}}");
    std::fs::write(data.path().join("run.json"), left).unwrap();
    std::fs::write(data.path().join("lock"), "").unwrap();
    let output = run(data.path(), &["link"]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("does not run"), "{said}");
    stranger.set_nonblocking(true).unwrap();
    assert!(stranger.accept().is_err(), "somebody knocked");
}

#[test]
fn a_second_recorder_on_the_same_folder_is_refused() {
    let data = tempfile::tempdir().unwrap();
    let recorder = Recorder::start(data.path());
    let second = run(data.path(), &["serve", "--listen", "127.0.0.1:0"]);
    assert_eq!(second.status.code(), Some(1));
    let said = String::from_utf8_lossy(&second.stderr);
    assert!(said.contains("Another Oriel uses the folder"), "{said}");
    let repair = run(data.path(), &["check", "--repair"]);
    assert_eq!(repair.status.code(), Some(1));
    assert_eq!(recorder.get("/api/health", "").0, 200);
    recorder.end();
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[test]
fn it_keeps_few_heaps() {
    let data = tempfile::tempdir().unwrap();
    let recorder = Recorder::start(data.path());
    let environment = std::fs::read(format!("/proc/{}/environ", recorder.child.id())).unwrap();
    let environment = String::from_utf8_lossy(&environment).into_owned();
    assert!(
        environment.contains("MALLOC_ARENA_MAX=4\0"),
        "{environment}"
    );
    recorder.end();
}

/// A slow disk may hold other phases of the stop; each has its budget.
#[cfg(unix)]
fn assert_viewers_did_not_hold_it(log: &str) {
    let late = log.lines().find_map(|l| l.split_once("late=["));
    let (_, late) = late.unwrap_or_else(|| panic!("{log}"));
    assert!(!late.contains("viewers"), "{log}");
}

#[cfg(unix)]
#[test]
fn told_to_stop_it_ends_in_order_and_starts_again_on_the_same_data() {
    let data = tempfile::tempdir().unwrap();
    let token = stdout(&run(data.path(), &["token"]));
    for signal in ["-TERM", "-INT"] {
        let mut recorder = Recorder::start(data.path());
        // A connection that says nothing must not hold the end.
        let idle = TcpStream::connect(&recorder.address).unwrap();
        assert!(data.path().join("run.json").exists());
        recorder.signal(signal);
        assert_eq!(recorder.wait().code(), Some(0));
        assert!(!data.path().join("run.json").exists());
        drop(idle);
        let log = recorder.log();
        assert_viewers_did_not_hold_it(&log);
    }
    assert_eq!(stdout(&run(data.path(), &["token"])), token);
    let check = stdout(&run(data.path(), &["check"]));
    assert!(check.contains("All is well."), "{check}");
}

#[cfg(unix)]
#[test]
fn one_key_press_that_arrives_twice_is_one_wish() {
    let data = tempfile::tempdir().unwrap();
    let mut recorder = Recorder::start(data.path());
    let idle = TcpStream::connect(&recorder.address).unwrap();
    recorder.signal_twice("-INT", "-TERM");
    assert_eq!(recorder.wait().code(), Some(0));
    drop(idle);
    let log = recorder.log();
    assert_viewers_did_not_hold_it(&log);
}

#[test]
fn wrong_use_is_told_and_ends_with_2() {
    let data = tempfile::tempdir().unwrap();
    for arguments in [
        &["serve", "--listen", "nonsense"][..],
        &["nonsense"],
        &["serve", "--config", "/does/not/exist.toml"],
        &["probe"],
        &["probe", "not an address"],
    ] {
        let output = run(data.path(), arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(!output.stderr.is_empty());
    }
    let open = run(data.path(), &["serve", "--listen", "0.0.0.0:0"]);
    assert_eq!(open.status.code(), Some(1));
    assert!(
        String::from_utf8_lossy(&open.stderr).contains("not an address of this computer alone")
    );
}

#[test]
fn a_probe_of_nobody_says_so_without_the_password() {
    let data = tempfile::tempdir().unwrap();
    // Bound and closed again: nobody listens there.
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let output = orield(data.path())
        .args(["probe", "--json", &format!("rtsp://127.0.0.1:{port}/a")])
        .env("ORIEL_USERNAME", "somebody")
        .env("ORIEL_PASSWORD", "hunter2-secret")
        .env("ORIEL_LOG", "trace")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(said.contains("unreachable"), "{said}");
    assert!(!said.contains("hunter2"), "{said}");
}
