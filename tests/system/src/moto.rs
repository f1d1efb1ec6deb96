//! Moto: a stand-in for S3 and SQS that sends a bucket's notices to a queue. It is installed into
//! a folder of its own beside what cargo builds.

use std::{
    net::TcpListener,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, ensure};

use crate::{binary, wait};

const VERSION: &str = "5.2.5";
/// Its one account.
const ACCOUNT: &str = "123456789012";

/// A running Moto with the bucket `footage`, whose notices go to the queue `oriel`.
pub struct Moto {
    child: Child,
    port: u16,
    agent: ureq::Agent,
}

impl Moto {
    /// Installs it when it is not there, and starts it.
    pub fn start() -> Result<Self> {
        let program = install()?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let child = Command::new(program)
            .args(["-H", "127.0.0.1", "-p", &port.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let agent = ureq::Agent::config_builder()
            .timeout_global(Some(Duration::from_secs(30)))
            .build()
            .into();
        let moto = Self { child, port, agent };
        wait::until("Moto answers", || {
            moto.agent.get(moto.url("moto-api/")).call().ok()
        });
        moto.set_up()?;
        Ok(moto)
    }

    fn set_up(&self) -> Result<()> {
        self.agent
            .post(self.url(""))
            .header("authorization", signed("sqs"))
            .header("content-type", "application/x-www-form-urlencoded")
            .send("Action=CreateQueue&QueueName=oriel&Version=2012-11-05")
            .context("queue")?;
        self.agent
            .put(self.url("footage"))
            .send_empty()
            .context("bucket")?;
        self.agent
            .put(self.url("footage?notification"))
            .header("content-type", "application/xml")
            .send(format!(
                "<NotificationConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
                 <QueueConfiguration><Id>1</Id><Queue>arn:aws:sqs:us-east-1:{ACCOUNT}:oriel</Queue>\
                 <Event>s3:ObjectCreated:*</Event></QueueConfiguration></NotificationConfiguration>"
            ))
            .context("notices")?;
        Ok(())
    }

    fn url(&self, tail: &str) -> String {
        format!("{}/{tail}", self.endpoint())
    }

    /// `http://127.0.0.1:PORT`, of both services.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The queue's address.
    pub fn queue(&self) -> String {
        self.url(&format!("{ACCOUNT}/oriel"))
    }

    /// Writes an object, as somebody else would.
    pub fn put(&self, key: &str, bytes: &[u8]) -> Result<()> {
        self.agent
            .put(self.url(&format!("footage/{key}")))
            .header("authorization", signed("s3"))
            .header("content-type", "video/mp4")
            .send(bytes)?;
        Ok(())
    }

    /// The bytes of an object.
    pub fn get(&self, key: &str) -> Result<Vec<u8>> {
        let mut answer = self
            .agent
            .get(self.url(&format!("footage/{key}")))
            .header("authorization", signed("s3"))
            .call()?;
        Ok(answer
            .body_mut()
            .with_config()
            .limit(1 << 30)
            .read_to_vec()?)
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Somebody with a key; the signature is not checked.
fn signed(service: &str) -> String {
    format!(
        "AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/{service}/aws4_request, \
         SignedHeaders=host, Signature=0"
    )
}

/// Its program.
fn install() -> Result<PathBuf> {
    let built = binary("orield");
    let target = built.ancestors().nth(2).context("target folder")?;
    let folder = target.join("tools").join(format!("moto-{VERSION}"));
    let programs = folder.join(if cfg!(windows) { "Scripts" } else { "bin" });
    let program = programs.join(format!("moto_server{}", std::env::consts::EXE_SUFFIX));
    let mark = folder.join("installed");
    if mark.exists() {
        return Ok(program);
    }
    let python = if cfg!(windows) { "python" } else { "python3" };
    done(Command::new(python).args(["-m", "venv"]).arg(&folder))?;
    // Not the extra `server`, which brings what no test here needs.
    let wanted = [&format!("moto[s3,sqs]=={VERSION}"), "flask<4", "flask-cors"];
    done(
        Command::new(programs.join(format!("python{}", std::env::consts::EXE_SUFFIX)))
            .args(["-m", "pip", "install", "-q", "--disable-pip-version-check"])
            .args(wanted),
    )?;
    std::fs::write(mark, "")?;
    Ok(program)
}

fn done(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("{command:?}"))?;
    ensure!(status.success(), "{command:?}: {status}");
    Ok(())
}
