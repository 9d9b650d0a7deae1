//! The run state of a node: a file that the node keeps locked for as long as it runs.
//!
//! The system releases the lock however the process ends, and says which process holds it. So the state is right even
//! after a crash, and no other process is mistaken for the node: neither one that got its process ID since, nor one that
//! locks the file for reasons of its own. The file says of which cluster the node is. A node that ends in order empties it.

use std::fs::{File, Permissions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use rustix::fs::{FlockOperation, fcntl_lock};
use rustix::io::Errno;
use rustix::process::{Flock, FlockType, Pid, Signal, fcntl_getlk};

use dske_testbed::identity::{ClusterId, RunId};

/// The files of a node are its owner's.
const MODE: u32 = 0o600;

/// A node locks its file, and writes into it a moment later.
const ATTEMPTS: u32 = 20;

/// Between two attempts to read what it has written.
const PAUSE: Duration = Duration::from_millis(10);

/// Longest run file that is read, in bytes: two numbers and a path.
const BYTES_MAX: u64 = 8192;

/// The run file of this process's node.
pub(super) struct RunFile(File);

/// Why a node cannot have its run file.
#[derive(Debug)]
pub(super) enum RunFileError {
    /// Another process holds it.
    Taken(Holder),
    /// The file cannot be used.
    Io(io::Error),
}

impl From<io::Error> for RunFileError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Who holds a run file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Holder {
    /// Its process, if the system tells.
    pub(super) pid: Option<i32>,
    /// Its topology file, if it is a node.
    pub(super) topology: Option<PathBuf>,
}

impl RunFile {
    /// Locks the file, and writes into it whose node this process is.
    pub(super) fn take(path: &Path, run: &RunId, topology: &Path) -> Result<Self, RunFileError> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let options = &mut File::options();
        // Not truncated: whoever holds it has written into it.
        let options = options.read(true).write(true).create(true).truncate(false);
        let mut file = options.mode(MODE).open(path)?;
        match fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::AGAIN | Errno::ACCESS) => {
                let holder = holder(&mut file)?.map(|(holder, _)| holder);
                // It may have let go in the meantime. Another attempt will do.
                return Err(RunFileError::Taken(holder.unwrap_or(Holder {
                    pid: None,
                    topology: None,
                })));
            }
            Err(error) => return Err(io::Error::from(error).into()),
        }
        file.set_permissions(Permissions::from_mode(MODE))?;
        file.set_len(0)?;
        let topology = std::path::absolute(topology).unwrap_or_else(|_| topology.to_owned());
        let (pid, cluster) = (run.process, run.cluster);
        let text = format!("{pid}\n{cluster}\n{}\n", topology.display());
        file.write_all(text.as_bytes())?;
        Ok(Self(file))
    }
}

impl Drop for RunFile {
    fn drop(&mut self) {
        // If it cannot be emptied, the node looks crashed, which is harmless.
        let _ = self.0.set_len(0);
    }
}

/// A file that exists as long as its node runs in order, and that only its owner can read.
pub(super) struct TokenFile(PathBuf);

impl TokenFile {
    /// Writes the file. Whoever reads it finds either all of it or none.
    pub(super) fn write(path: PathBuf, token: &str) -> io::Result<Self> {
        let new = path.with_extension("token.new");
        // A leftover of a crash may have another mode.
        match std::fs::remove_file(&new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let options = &mut File::options();
        let mut file = options.write(true).create_new(true).mode(MODE).open(&new)?;
        file.write_all(token.as_bytes())?;
        std::fs::rename(new, &path)?;
        Ok(Self(path))
    }
}

impl Drop for TokenFile {
    fn drop(&mut self) {
        // What is left of it opens nothing.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// What a run file tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum RunState {
    /// This process runs the node of this cluster.
    Runs { pid: i32 },
    /// The file is in use, but not by a node of this cluster.
    Foreign(Holder),
    /// The process that ran the node ended without emptying its file.
    Crashed,
    /// No process runs the node.
    Stopped,
}

/// Looks at the run file of a node of this cluster. The file need not exist.
///
/// # Errors
/// If it exists and cannot be read.
pub(super) fn look(path: &Path, cluster: &ClusterId) -> io::Result<RunState> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(RunState::Stopped),
        Err(error) => return Err(error),
    };
    let is_ours = |record: &Record| record.run.cluster.is_same(cluster);
    Ok(match holder(&mut file)? {
        Some((Holder { pid: Some(pid), .. }, Some(record))) if is_ours(&record) => {
            RunState::Runs { pid }
        }
        Some((holder, _)) => RunState::Foreign(holder),
        None if read(&mut file)?.is_some_and(|record| is_ours(&record)) => RunState::Crashed,
        None => RunState::Stopped,
    })
}

/// Who holds the file, if somebody does, and what it has written there.
fn holder(file: &mut File) -> io::Result<Option<(Holder, Option<Record>)>> {
    let mut pid = None;
    for _ in 0..ATTEMPTS {
        let Some(lock) = fcntl_getlk(&*file, &Flock::from(FlockType::WriteLock))? else {
            return Ok(None);
        };
        pid = lock.pid.map(Pid::as_raw_pid);
        let record = read(file)?
            .filter(|record| i64::from(record.run.process) == i64::from(pid.unwrap_or(0)));
        if let Some(record) = record {
            let topology = Some(record.topology.clone());
            return Ok(Some((Holder { pid, topology }, Some(record))));
        }
        thread::sleep(PAUSE);
    }
    let topology = None;
    Ok(Some((Holder { pid, topology }, None)))
}

/// Sends a signal to the process that runs a node, and to no other. Whether there was one.
///
/// # Errors
/// If the run file cannot be read, or the system refuses.
pub(super) fn signal(path: &Path, cluster: &ClusterId, signal: Signal) -> io::Result<bool> {
    let RunState::Runs { pid } = look(path, cluster)? else {
        return Ok(false);
    };
    let Some(process) = Pid::from_raw(pid) else {
        return Ok(false);
    };
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{PidfdFlags, pidfd_open, pidfd_send_signal};
        let pinned = match pidfd_open(process, PidfdFlags::empty()) {
            Ok(pinned) => pinned,
            Err(Errno::SRCH) => return Ok(false),
            Err(error) => return Err(error.into()),
        };
        // What holds the lock now is what was pinned: a process ID is not given away while somebody has it pinned.
        if look(path, cluster)? != (RunState::Runs { pid }) {
            return Ok(false);
        }
        pidfd_send_signal(&pinned, signal)?;
    }
    #[cfg(not(target_os = "linux"))]
    rustix::process::kill_process(process, signal)?;
    Ok(true)
}

/// What a node has written into its file.
struct Record {
    run: RunId,
    topology: PathBuf,
}

fn read(file: &mut File) -> io::Result<Option<Record>> {
    let mut bytes = Vec::new();
    file.rewind()?;
    file.take(BYTES_MAX).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let mut lines = text.lines();
    let mut next = || lines.next().unwrap_or_default();
    let run = format!("{} {}", next(), next()).parse().ok();
    let topology = PathBuf::from(next());
    Ok(run.map(|run| Record { run, topology }))
}

/// Keeps commands that start or stop nodes of a folder apart, until it is dropped.
pub(super) struct Turn {
    _file: File,
}

impl Turn {
    /// Takes the turn, if nobody has it.
    ///
    /// # Errors
    /// If the file cannot be used.
    pub(super) fn take(folder: &Path) -> io::Result<Option<Self>> {
        std::fs::create_dir_all(folder)?;
        let options = &mut File::options();
        let options = options.read(true).write(true).create(true).truncate(false);
        let file = options.mode(MODE).open(folder.join("dske.lock"))?;
        match fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(Self { _file: file })),
            Err(Errno::AGAIN | Errno::ACCESS) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: &str = "1111111111111111-2222222222222222";

    fn ours() -> ClusterId {
        OURS.parse().unwrap()
    }

    // How a running node looks is seen by processes only: tests/command.rs and tests/accidents.rs.
    #[test]
    fn what_nobody_holds_is_stopped_or_crashed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("logs").join("hub-hank.run");
        assert_eq!(look(&path, &ours()).unwrap(), RunState::Stopped);
        let run = RunId {
            process: std::process::id(),
            cluster: ours(),
        };
        let held = RunFile::take(&path, &run, Path::new("a.toml")).unwrap();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, MODE);
        drop(held);
        assert_eq!(look(&path, &ours()).unwrap(), RunState::Stopped);
        // What a process leaves behind that was killed.
        std::fs::write(&path, format!("12345\n{OURS}\n/a.toml\n")).unwrap();
        assert_eq!(look(&path, &ours()).unwrap(), RunState::Crashed);
        let theirs = "3333333333333333-4444444444444444".parse().unwrap();
        assert_eq!(look(&path, &theirs).unwrap(), RunState::Stopped);
        assert!(!signal(&path, &ours(), Signal::KILL).unwrap());
        // Garbage is no process ID.
        for garbage in ["", "-1", "0", "x", "12345", "99999999999999999999999999\nx"] {
            std::fs::write(&path, garbage).unwrap();
            assert_eq!(
                look(&path, &ours()).unwrap(),
                RunState::Stopped,
                "{garbage}"
            );
        }
    }

    #[test]
    fn a_token_is_readable_by_its_owner_alone_and_goes_with_its_node() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hub-hank.token");
        std::fs::write(&path, "old").unwrap();
        let file = TokenFile::write(path.clone(), "new").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "new");
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, MODE);
        drop(file);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
