//! `start` and `stop` take turns: two of them at once would undo what the other one does.

use std::io;
use std::thread;
use std::time::Duration;

use super::CliError;
use super::nodes::Site;
use super::print::spinner;
use super::run_file::Turn;

/// Between two attempts.
const POLL: Duration = Duration::from_millis(20);

/// Waits until no other `start` or `stop` works in the same folder. Each has bounds of its own, so the wait has one.
pub(super) fn take_turn(site: &Site) -> Result<Option<Turn>, CliError> {
    let folder = &site.topology.log_dir;
    let spinner = spinner("waiting for another `dske start` or `dske stop`".to_owned());
    loop {
        match Turn::take(folder) {
            Ok(Some(turn)) => return Ok(Some(turn)),
            Ok(None) => thread::sleep(POLL),
            // Nodes of other machines can be stopped from where nothing can be written.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Ok(None),
            Err(error) if error.kind() == io::ErrorKind::ReadOnlyFilesystem => return Ok(None),
            Err(reason) => {
                return Err(CliError::File {
                    path: folder.clone(),
                    what: "the run state cannot be written; set log_dir in the topology to a folder that can",
                    reason,
                });
            }
        }
        spinner.tick();
    }
}
