//! The run state of a node: a file with its process ID, which the node keeps locked for as long as it runs.
//!
//! The system releases the lock however the process ends. So the state is right even after a crash, and a process ID that
//! was given to another program since is not mistaken for the node. A node that ends in order empties its file.

use std::fs::{File, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::Path;
use std::thread;
use std::time::Duration;

/// How often a node tries to lock its file: whoever only looks at the file holds the lock for an instant, too.
const ATTEMPTS: u32 = 20;

/// Between two attempts.
const PAUSE: Duration = Duration::from_millis(50);

/// The run file of this process's node.
pub(super) struct RunFile(File);

/// Why a node cannot have its run file.
#[derive(Debug)]
pub(super) enum RunFileError {
    /// Another process runs the node.
    Taken { pid: Option<i32> },
    /// The file cannot be used.
    Io(io::Error),
}

impl From<io::Error> for RunFileError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl RunFile {
    /// Locks the file and writes the process ID into it.
    pub(super) fn take(path: &Path) -> Result<Self, RunFileError> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let options = &mut File::options();
        // Not truncated: whoever holds it has written its process ID into it.
        let options = options.read(true).write(true).create(true).truncate(false);
        let mut file = options.open(path)?;
        for attempt in 1.. {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if attempt < ATTEMPTS => thread::sleep(PAUSE),
                Err(TryLockError::WouldBlock) => {
                    let pid = read_pid(&mut file)?;
                    return Err(RunFileError::Taken { pid });
                }
                Err(TryLockError::Error(error)) => return Err(error.into()),
            }
        }
        file.set_len(0)?;
        write!(file, "{}", std::process::id())?;
        Ok(Self(file))
    }
}

impl Drop for RunFile {
    fn drop(&mut self) {
        // If it cannot be emptied, the node looks crashed, which is harmless.
        let _ = self.0.set_len(0);
    }
}

/// What a run file tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RunState {
    /// A process runs the node.
    Runs { pid: Option<i32> },
    /// The process that ran the node ended without emptying its file.
    Crashed,
    /// No process runs the node.
    Stopped,
}

/// Looks at the run file of a node, which need not exist.
///
/// # Errors
/// If it exists and cannot be read.
pub(super) fn look(path: &Path) -> io::Result<RunState> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(RunState::Stopped),
        Err(error) => return Err(error),
    };
    let free = match file.try_lock_shared() {
        Ok(()) => true,
        Err(TryLockError::WouldBlock) => false,
        Err(TryLockError::Error(error)) => return Err(error),
    };
    Ok(match (free, read_pid(&mut file)?) {
        (false, pid) => RunState::Runs { pid },
        (true, Some(_)) => RunState::Crashed,
        (true, None) => RunState::Stopped,
    })
}

fn read_pid(file: &mut File) -> io::Result<Option<i32>> {
    let mut text = String::new();
    file.rewind()?;
    file.take(32).read_to_string(&mut text)?;
    Ok(text.trim().parse().ok().filter(|pid| *pid > 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_tells_running_from_stopped_and_crashed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("logs").join("hub-hank.run");
        assert_eq!(look(&path).unwrap(), RunState::Stopped);
        let pid = Some(std::process::id() as i32);
        let held = RunFile::take(&path).unwrap();
        assert_eq!(look(&path).unwrap(), RunState::Runs { pid });
        assert!(matches!(
            RunFile::take(&path),
            Err(RunFileError::Taken { pid: taken }) if taken == pid
        ));
        drop(held);
        assert_eq!(look(&path).unwrap(), RunState::Stopped);
        // What a process leaves behind that was killed.
        std::fs::write(&path, "12345").unwrap();
        assert_eq!(look(&path).unwrap(), RunState::Crashed);
        assert!(RunFile::take(&path).is_ok());
        // Garbage is no process ID.
        for garbage in [
            "",
            "-1",
            "0",
            "x",
            "99999999999999999999999999999999999999999",
        ] {
            std::fs::write(&path, garbage).unwrap();
            assert_eq!(look(&path).unwrap(), RunState::Stopped, "{garbage}");
        }
    }
}
