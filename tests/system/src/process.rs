//! The recorder's process.

use std::{
    fs::File,
    io::{BufRead, BufReader},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::Once,
    time::Duration,
};

use anyhow::{Context, Result, ensure};

use crate::{Api, wait};

/// Where cargo put a program of this workspace. Built on first use when it is not there, so that
/// `cargo test -p oriel-system-tests` alone works.
pub fn binary(name: &str) -> PathBuf {
    static BUILT: Once = Once::new();
    let folder = match std::env::var_os("ORIEL_BIN_DIR") {
        Some(folder) => PathBuf::from(folder),
        None => {
            BUILT.call_once(|| {
                let status = Command::new(env!("CARGO"))
                    .args([
                        "build",
                        "-q",
                        "-p",
                        "orield",
                        "-p",
                        "oriel-gst",
                        "-p",
                        "oriel-testkit",
                    ])
                    .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
                    .status();
                assert!(
                    status.is_ok_and(|s| s.success()),
                    "the programs under test could not be built"
                );
            });
            let here = std::env::current_exe().unwrap_or_default();
            here.ancestors()
                .find(|a| a.join("orield").exists())
                .map(Path::to_owned)
                .unwrap_or_default()
        }
    };
    folder.join(format!("{name}{}", std::env::consts::EXE_SUFFIX))
}

/// How to run a recorder.
#[derive(Clone, Debug, Default)]
pub struct RecorderOptions {
    /// Demonstration cameras file.
    pub demo_cameras: Option<PathBuf>,
    /// More environment.
    pub env: Vec<(String, String)>,
    /// Program to run instead of the debug build.
    pub program: Option<PathBuf>,
    /// Recordings go to a disk of their own, of so many MB: one in memory that only this program
    /// sees. It is empty again after a restart. See [`small_disks`].
    pub disk_mb: Option<u32>,
}

/// Whether this system lets a program have a disk of its own: Linux with user namespaces, or with
/// the right to mount.
pub fn small_disks() -> bool {
    apart().is_some()
}

/// What runs a program with mounts of its own.
fn apart() -> Option<&'static str> {
    ["-rm", "-m"].into_iter().find(|how| {
        let tried = Command::new("unshare")
            .args([how, "sh", "-c", "mount -t tmpfs tmpfs /mnt"])
            .stderr(Stdio::null())
            .status();
        tried.is_ok_and(|s| s.success())
    })
}

/// A running `orield serve`. Dropping it kills it.
pub struct Recorder {
    child: Child,
    data: PathBuf,
    address: String,
    options: RecorderOptions,
    api: Api,
}

impl Recorder {
    /// Starts a recorder on a data folder and waits until it says that it is ready.
    pub fn start(data: &Path, options: RecorderOptions) -> Result<Self> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let address = format!("127.0.0.1:{port}");
        let (child, token) = launch(data, &address, &options)?;
        let api = Api::new(&address, &token);
        Ok(Self {
            child,
            data: data.to_owned(),
            address,
            options,
            api,
        })
    }

    /// Its API, signed in as the owner.
    pub fn api(&self) -> &Api {
        &self.api
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its data folder.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// Its folder of recordings, wherever that is mounted.
    pub fn recordings(&self) -> PathBuf {
        let folder = self.data.join("recordings");
        match (self.options.disk_mb, folder.strip_prefix("/")) {
            (Some(_), Ok(inside)) => Path::new("/proc")
                .join(self.pid().to_string())
                .join("root")
                .join(inside),
            _ => folder,
        }
    }

    /// `127.0.0.1:PORT`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Everything it has logged so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.data.join("test.log")).unwrap_or_default()
    }

    /// kill -9.
    pub fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Starts it again on the same folder and address.
    pub fn restart(&mut self) -> Result<()> {
        let (child, token) = launch(&self.data, &self.address, &self.options)?;
        self.child = child;
        self.api = Api::new(&self.address, &token);
        Ok(())
    }

    /// Asks it to stop in order.
    pub fn stop(&mut self) -> Result<ExitStatus> {
        terminate(self.child.id())?;
        let mut status = None;
        wait::until("the recorder stops when asked", || {
            status = self.child.try_wait().ok().flatten();
            status.map(|_| ())
        });
        status.context("stopped")
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(unix)]
fn terminate(pid: u32) -> Result<()> {
    ensure!(
        Command::new("kill")
            .arg("-TERM")
            .arg(pid.to_string())
            .status()?
            .success(),
        "kill -TERM"
    );
    Ok(())
}

#[cfg(windows)]
fn terminate(pid: u32) -> Result<()> {
    ensure!(
        Command::new("taskkill")
            .args(["/PID", &pid.to_string()])
            .status()?
            .success(),
        "taskkill"
    );
    Ok(())
}

fn launch(data: &Path, address: &str, options: &RecorderOptions) -> Result<(Child, String)> {
    std::fs::create_dir_all(data)?;
    let log = File::options()
        .create(true)
        .append(true)
        .open(data.join("test.log"))?;
    let program = options.program.clone().unwrap_or_else(|| binary("orield"));
    let mut command = match options.disk_mb {
        None => Command::new(&program),
        Some(mb) => {
            let folder = data.join("recordings");
            std::fs::create_dir_all(&folder)?;
            let mut command = Command::new("unshare");
            command
                .arg(apart().context("no disk of its own")?)
                .args(["sh", "-c"])
                .arg(format!(
                    "mount -t tmpfs -o size={mb}m tmpfs \"$0\" && exec \"$@\""
                ))
                .arg(&folder)
                .arg(&program);
            command
        }
    };
    command
        .args(["serve", "--listen", address, "--data"])
        .arg(data);
    if let Some(list) = &options.demo_cameras {
        command.arg("--demo-cameras").arg(list);
    }
    command
        .env("ORIEL_SECRETS", "file")
        .envs(options.env.iter().map(|(k, v)| (k, v)))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(log);
    let mut child = command
        .spawn()
        .with_context(|| format!("start {}", program.display()))?;
    let stdout = child.stdout.take().context("stdout")?;
    let mut lines = BufReader::new(stdout).lines();
    let ready = loop {
        match lines.next() {
            Some(line)
                if line
                    .as_ref()
                    .is_ok_and(|l| l.starts_with("Oriel is ready at")) =>
            {
                break true;
            }
            Some(Ok(_)) => {}
            _ => break false,
        }
    };
    // Keep reading, or a full pipe would stop the program under test.
    std::thread::spawn(move || lines.for_each(drop));
    if !ready {
        let _ = child.kill();
        let _ = child.wait();
        anyhow::bail!(
            "the recorder did not become ready:\n{}",
            std::fs::read_to_string(data.join("test.log"))?
        );
    }
    let token = Command::new(&program)
        .args(["token", "--data"])
        .arg(data)
        .env("ORIEL_SECRETS", "file")
        .output()?;
    ensure!(
        token.status.success(),
        "orield token: {}",
        String::from_utf8_lossy(&token.stderr)
    );
    Ok((child, String::from_utf8(token.stdout)?.trim().to_owned()))
}

/// How long a camera may take to be picked up again.
pub const RECONNECT: Duration = Duration::from_secs(90);
