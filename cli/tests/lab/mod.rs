//! A folder with a topology of its own, on free ports, in which tests run the `dske` command.
#![allow(dead_code, reason = "each test binary uses its part")]

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;
use tokio::time::Instant;

/// The example topology.
pub(crate) const TOPOLOGY: &str = include_str!("../../../topology.toml");

/// Far longer than anything takes on a machine that has other things to do.
const PATIENCE: Duration = Duration::from_secs(120);

/// Polls until something has come true, or fails with what was seen last.
#[track_caller]
pub(crate) fn eventually(mut look: impl FnMut() -> Result<(), String>) {
    let deadline = Instant::now() + PATIENCE;
    while let Err(seen) = look() {
        assert!(
            Instant::now() < deadline,
            "it never came true; last seen: {seen}"
        );
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The same for nodes that wait for each other however long it takes: for tests that are not about time-outs.
pub(crate) fn patient() -> String {
    let ms = PATIENCE.as_millis();
    format!("{TOPOLOGY}\n[timing]\nrequest_timeout_ms = {ms}\ncall_deadline_ms = {ms}\n")
}

pub(crate) struct Lab {
    folder: TempDir,
    pub(crate) base_port: u16,
}

pub(crate) struct Output {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Lab {
    /// `topology` is a variant of the example.
    pub(crate) fn new(topology: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let base_port = dske_testbed::process::free_ports(10).unwrap();
        let topology = topology.replace("base_port = 8100", &format!("base_port = {base_port}"));
        assert!(topology.contains(&base_port.to_string()));
        std::fs::write(folder.path().join("topology.toml"), topology).unwrap();
        Self { folder, base_port }
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dske"));
        command
            .current_dir(self.folder())
            .env_remove("DSKE_LOG")
            .args(args);
        command
    }

    pub(crate) fn dske(&self, args: &[&str]) -> Output {
        let output = self.command(args).output().unwrap();
        Output {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Runs a command that has to succeed, and returns its standard output.
    #[track_caller]
    pub(crate) fn ok(&self, args: &[&str]) -> String {
        let output = self.dske(args);
        assert_eq!(
            output.code,
            Some(0),
            "{args:?}: {}{}",
            output.stdout,
            output.stderr
        );
        output.stdout
    }

    /// Runs a command that has to fail with this exit code, and returns its standard error.
    #[track_caller]
    pub(crate) fn fails(&self, code: i32, args: &[&str]) -> String {
        let output = self.dske(args);
        assert_eq!(
            output.code,
            Some(code),
            "{args:?}: {}{}",
            output.stdout,
            output.stderr
        );
        output.stderr
    }

    /// Runs a command with this standard output.
    pub(crate) fn run_into(&self, stdout: Stdio, args: &[&str]) -> Output {
        let mut command = self.command(args);
        let output = command.stdout(stdout).stderr(Stdio::piped()).output();
        let output = output.unwrap();
        Output {
            code: output.status.code(),
            stdout: String::new(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Starts a command that keeps running.
    pub(crate) fn spawn(&self, args: &[&str]) -> Child {
        let mut command = self.command(args);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().unwrap()
    }

    /// Waits until a node answers.
    #[track_caller]
    pub(crate) fn wait_for(&self, role: &str, name: &str) {
        let only = format!("--{role}");
        eventually(|| match self.dske(&["status", &only, name]) {
            Output { code: Some(0), .. } => Ok(()),
            Output { stdout, .. } => Err(stdout),
        });
    }

    /// A node's status, straight from its management route.
    pub(crate) fn management(&self, name: &str) -> Value {
        let topology =
            dske::topology::Topology::read(&self.folder().join("topology.toml")).unwrap();
        let is_hub = topology.hubs.iter().any(|hub| hub.name.as_str() == name);
        let path = match is_hub {
            true => dske::http::paths::HUB_STATUS,
            false => dske::http::paths::CLIENT_STATUS,
        };
        let address = topology.address(&name.parse().unwrap()).unwrap().to_owned();
        actix_rt::System::new().block_on(async {
            let url = format!("http://{address}{path}");
            let mut response = awc::Client::default().get(url).send().await.unwrap();
            serde_json::from_slice(&response.body().await.unwrap()).unwrap()
        })
    }

    /// The process in a run file.
    pub(crate) fn process(&self, file: &str) -> Pid {
        let path = self.folder().join("logs").join(format!("{file}.run"));
        let text = std::fs::read_to_string(path).unwrap();
        let pid = text.lines().next().unwrap().parse().unwrap();
        Pid::from_raw(pid).unwrap()
    }

    /// Sends a signal to the process in a run file.
    pub(crate) fn signal(&self, file: &str, signal: Signal) {
        kill_process(self.process(file), signal).unwrap();
    }
}

impl Drop for Lab {
    /// Stops all nodes, however the test ends.
    fn drop(&mut self) {
        let topology = self.folder().join("topology.toml");
        if topology.exists() {
            self.dske(&["stop"]);
        }
    }
}
