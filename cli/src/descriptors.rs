//! How many descriptors a node has, and what for.
//!
//! Half of them are for connections that it serves, a quarter for such that are ending or have not been looked at, and the
//! rest is its own: connections to hubs, files. So no number of callers leaves it without any.

use rustix::process::{Resource, getrlimit, setrlimit};

/// Raises the soft limit to the hard one, and returns how many connections the node may serve at the same time.
pub(super) fn for_connections() -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = rustix::process::Rlimit {
        current: limit.maximum,
        ..limit
    };
    // Where it cannot be raised, the node makes do with what it has.
    let limit = setrlimit(Resource::Nofile, raised).map_or(limit, |()| raised);
    let descriptors = limit.current.unwrap_or(u64::MAX);
    usize::try_from(descriptors / 2).unwrap_or(usize::MAX)
}

/// How many connections may be open when so many are served.
pub(super) fn for_accepted(served: usize) -> usize {
    served + served / 2
}
