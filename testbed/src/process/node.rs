//! One node in an operating-system process of its own: how it is started, and what its log says.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use dske::protocol::NodeName;
use dske::topology::Role;

use crate::files::LOG_FILE_VARIABLE;

/// Lines of a log that are shown when a node fails.
const LOG_LINES: usize = 5;

/// Most bytes of a log that are read for that.
const LOG_BYTES_MAX: u64 = 16 * 1024;

/// How long the allocator of a node keeps freed memory, in milliseconds.
///
/// A hub keeps a share for ten seconds after it was fetched. Without this, memory that comes and goes with the load
/// would be given back to the system, which clears it for each new share.
const MEMORY_KEPT_MS: &str = "60000";

/// What the process of a node is started with, unless the environment says otherwise. `mimalloc` reads it before `main`.
fn node_environment() -> Vec<(&'static str, &'static str)> {
    let ours = [("MIMALLOC_PURGE_DELAY", MEMORY_KEPT_MS)];
    let is_unset = |(name, _): &(&str, &str)| std::env::var_os(name).is_none();
    ours.into_iter().filter(is_unset).collect()
}

/// How to start the process of a node.
#[derive(Debug, Clone)]
pub struct NodeCommand<'a> {
    /// The `dske` command.
    pub program: &'a Path,
    /// The topology file.
    pub topology: &'a Path,
    /// Hub or client.
    pub role: Role,
    /// Its name in the topology.
    pub name: &'a NodeName,
    /// The file to which its output is appended. Folders that are missing are made.
    pub log: &'a Path,
    /// How long it runs.
    pub lifetime: Lifetime,
}

/// How long the process of a node runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lifetime {
    /// Until it is stopped. It is in a process group of its own, so that Ctrl-C in the terminal does not reach it.
    Background,
    /// No longer than its [`NodeProcess`], which kills it when it is dropped.
    Owned,
}

/// Why the process of a node could not be started.
#[derive(Debug, thiserror::Error)]
pub enum SpawnError {
    /// Its log cannot be written.
    #[error("its log cannot be written: {0}")]
    Log(io::Error),
    /// The system refuses the process.
    #[error("its process cannot be started: {0}")]
    Process(io::Error),
}

/// The process of a node.
#[derive(Debug)]
pub struct NodeProcess {
    role: Role,
    name: NodeName,
    log: PathBuf,
    /// Where the log ended before this process wrote to it.
    log_from: u64,
    process: ChildGuard,
}

impl NodeProcess {
    /// Starts a node. It is not ready yet: see [`wait_until_ready`](super::wait_until_ready).
    ///
    /// # Errors
    /// If its log cannot be written, or its process cannot be started.
    pub fn spawn(node: &NodeCommand<'_>) -> Result<Self, SpawnError> {
        let log = open_log(node.log).map_err(SpawnError::Log)?;
        let log_from = log.metadata().map_err(SpawnError::Log)?.len();
        let error_log = log.try_clone().map_err(SpawnError::Log)?;
        let mut command = Command::new(node.program);
        command
            .arg("--topology")
            .arg(node.topology)
            .args([node.role.as_str(), node.name.as_str()])
            .envs(node_environment())
            .env(LOG_FILE_VARIABLE, node.log)
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(error_log);
        #[cfg(unix)]
        if node.lifetime == Lifetime::Background {
            std::os::unix::process::CommandExt::process_group(&mut command, 0);
        }
        let child = command.spawn().map_err(SpawnError::Process)?;
        Ok(Self {
            role: node.role,
            name: node.name.clone(),
            log: node.log.to_owned(),
            log_from,
            process: ChildGuard {
                child,
                is_killed: node.lifetime == Lifetime::Owned,
            },
        })
    }

    /// Hub or client.
    #[must_use]
    pub fn role(&self) -> Role {
        self.role
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &NodeName {
        &self.name
    }

    /// Its log.
    #[must_use]
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// Its process ID.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.process.child.id()
    }

    /// How it ended, if it has.
    pub fn exit_status(&mut self) -> Option<ExitStatus> {
        self.process.child.try_wait().ok()?
    }

    /// The last lines that it has written to its log.
    #[must_use]
    pub fn end_of_log(&self) -> Vec<String> {
        let text = self.tail_of_log();
        let text = text.unwrap_or_else(|error| format!("(cannot be read: {error})"));
        let lines: Vec<&str> = text.lines().collect();
        let first = lines.len().saturating_sub(LOG_LINES);
        lines.into_iter().skip(first).map(str::to_owned).collect()
    }

    fn tail_of_log(&self) -> io::Result<String> {
        let mut file = File::open(&self.log)?;
        let end = file.metadata()?.len();
        // A log that was full when the node started has been set aside since.
        let own = if self.log_from <= end {
            self.log_from
        } else {
            0
        };
        let from = own.max(end.saturating_sub(LOG_BYTES_MAX));
        file.seek(SeekFrom::Start(from))?;
        let mut bytes = Vec::new();
        file.take(LOG_BYTES_MAX).read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

fn open_log(path: &Path) -> io::Result<File> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    File::options().create(true).append(true).open(path)
}

/// A child process that does not outlive this, unless it is meant to.
#[derive(Debug)]
pub(crate) struct ChildGuard {
    child: Child,
    is_killed: bool,
}

impl ChildGuard {
    /// Kills the process when this is dropped.
    #[cfg(feature = "measure")]
    pub(crate) fn new(child: Child) -> Self {
        Self {
            child,
            is_killed: true,
        }
    }
}

impl Drop for ChildGuard {
    fn drop(&mut self) {
        if self.is_killed {
            // It may have ended already: then there is nothing to kill.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}
