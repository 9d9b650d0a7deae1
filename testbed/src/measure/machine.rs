//! The machine on which everything runs, as proc(5) describes it.

use std::fs;
use std::io;
use std::thread::available_parallelism;

use serde::{Deserialize, Serialize};

/// The machine on which everything ran.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// Model of the processor.
    pub cpu: String,
    /// Cores that may be used.
    pub cores: usize,
    /// Release of the kernel.
    pub kernel: String,
}

impl Machine {
    /// This machine. What the system does not report is `unknown`.
    pub(crate) fn this() -> Self {
        Self {
            cpu: fs::read_to_string("/proc/cpuinfo")
                .ok()
                .and_then(|info| cpu(&info))
                .unwrap_or_else(unknown),
            cores: available_parallelism().map_or(1, usize::from),
            kernel: fs::read_to_string("/proc/sys/kernel/osrelease")
                .map_or_else(|_| unknown(), |release| format!("Linux {}", release.trim())),
        }
    }

    /// All of it in a few words.
    pub(crate) fn words(&self) -> String {
        format!("{}, {} cores, {}", self.cpu, self.cores, self.kernel)
    }
}

fn unknown() -> String {
    "unknown".to_owned()
}

fn cpu(info: &str) -> Option<String> {
    let line = info.lines().find(|line| line.starts_with("model name"))?;
    let (_, name) = line.split_once(':')?;
    Some(name.trim().to_owned())
}

/// Resident memory of a process.
pub(crate) fn resident_bytes(pid: u32) -> io::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    kib.map(|kib| kib * 1024)
        .ok_or_else(|| io::Error::other("there is no VmRSS"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_processor_is_named() {
        let info = "processor\t: 0\nmodel name\t: AMD EPYC 9R14\nflags\t\t: gfni\n";
        assert_eq!(cpu(info).as_deref(), Some("AMD EPYC 9R14"));
        assert_eq!(cpu("processor: 0\n"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_has_some_memory() {
        let bytes = resident_bytes(std::process::id()).unwrap();
        assert!(bytes > 100_000, "{bytes}");
    }

    #[test]
    fn a_process_that_does_not_exist_is_an_error() {
        assert!(resident_bytes(u32::MAX).is_err());
    }
}
