//! The machine on which everything runs.

use std::fs;
use std::thread::available_parallelism;

use super::data::Machine;

/// This machine. What the system does not tell is `unknown`.
pub(crate) fn this() -> Machine {
    Machine {
        cpu: fs::read_to_string("/proc/cpuinfo")
            .ok()
            .and_then(|info| cpu(&info))
            .unwrap_or_else(unknown),
        cores: available_parallelism().map_or(1, usize::from),
        kernel: fs::read_to_string("/proc/sys/kernel/osrelease")
            .map_or_else(|_| unknown(), |release| format!("Linux {}", release.trim())),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_processor_is_named() {
        let info = "processor\t: 0\nmodel name\t: AMD EPYC 9R14\nflags\t\t: gfni\n";
        assert_eq!(cpu(info).as_deref(), Some("AMD EPYC 9R14"));
        assert_eq!(cpu("processor: 0\n"), None);
    }
}
