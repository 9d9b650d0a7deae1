//! The metrics of the process, under the names that Prometheus' own libraries give them, and of the build.
//!
//! They are read from the system on request, not from a state machine. Nodes that share a process would all show the same
//! values. That happens in simulations only, where nobody judges them and no trace holds them.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::registry::Unit;
use rustix::time::{ClockId, clock_gettime};

use super::family::{Families, only};

/// How this program was built. Figures measured with a debug build are worth nothing.
pub const PROFILE: &str = if cfg!(debug_assertions) {
    "debug"
} else {
    "release"
};

/// CPU time used by this process, in seconds.
#[must_use]
pub fn cpu_s() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// Resident memory of this process. `None` on a system without `/proc`.
fn resident_bytes() -> Option<u64> {
    // proc(5): total size, resident set size, …, in pages.
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = statm.split(' ').nth(1)?.parse().ok()?;
    pages.checked_mul(rustix::param::page_size() as u64)
}

#[derive(Debug)]
pub(super) struct Metrics;

impl Collector for Metrics {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut families = Families(encoder);
        families.counter_with_unit(
            "process_cpu",
            Some(&Unit::Seconds),
            "CPU time that the process has used",
            only(cpu_s()),
        )?;
        if let Some(bytes) = resident_bytes() {
            families.gauge(
                "process_resident_memory",
                Some(&Unit::Bytes),
                "Memory of the process that is resident",
                only(bytes),
            )?;
        }
        let build = [("version", env!("CARGO_PKG_VERSION")), ("profile", PROFILE)];
        families.gauge(
            "dske_build_info",
            None,
            "Version and profile of the program; always 1",
            [(build, 1_u64)],
        )
    }
}

#[cfg(test)]
mod tests {
    use super::super::of_process;
    use super::*;

    #[test]
    fn cpu_time_grows_while_work_is_done() {
        let before = cpu_s();
        let mut x = 1_u64;
        while cpu_s() < before + 0.002 {
            x = std::hint::black_box(x.wrapping_mul(3));
        }
        assert!(before > 0.0);
    }

    #[test]
    fn a_process_is_written_under_the_usual_names() {
        let text = of_process().unwrap();
        let value = |name: &str| -> f64 {
            let line = text.lines().find(|line| line.starts_with(name)).unwrap();
            line.rsplit(' ').next().unwrap().parse().unwrap()
        };
        assert!(value("process_cpu_seconds_total ") > 0.0, "{text}");
        if cfg!(target_os = "linux") {
            assert!(value("process_resident_memory_bytes ") > 1e6, "{text}");
        }
        assert_eq!(value("dske_build_info{"), 1.0);
        assert!(text.contains(&format!("profile=\"{PROFILE}\"")), "{text}");
    }
}
