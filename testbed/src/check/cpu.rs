//! CPU time of processes, as the system reports it. Their own metrics would not do: an older revision may lack them.

/// The CPU time that these processes have used together, in seconds. `None` where the system does not report it, or one of
/// the processes has ended.
pub(super) fn used_s(processes: &[u32]) -> Option<f64> {
    processes.iter().map(|process| used_by_s(*process)).sum()
}

/// Reads the scheduler's statistics, which count nanoseconds; the other accounts count hundredths of a second, which is too
/// coarse. Threads that have ended are not counted; nodes never end theirs.
fn used_by_s(process: u32) -> Option<f64> {
    let threads = std::fs::read_dir(format!("/proc/{process}/task")).ok()?;
    let used_ns = threads.map(|thread| {
        let path = thread.ok()?.path().join("schedstat");
        let text = std::fs::read_to_string(path).ok()?;
        // The fields: time on a processor, time waiting for one, number of time slices.
        text.split(' ').next()?.parse::<u64>().ok()
    });
    Some(used_ns.sum::<Option<u64>>()? as f64 / 1e9)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg_attr(not(target_os = "linux"), ignore = "there is no /proc")]
    fn time_grows_while_a_process_works() {
        let own = [std::process::id()];
        let before = used_s(&own).unwrap();
        let mut x = 1_u64;
        while used_s(&own).unwrap() < before + 0.01 {
            x = std::hint::black_box((0..100_000).fold(x, |x, y| x.wrapping_mul(y | 1)));
        }
    }

    #[test]
    fn a_process_that_is_gone_has_none() {
        assert_eq!(used_s(&[u32::MAX]), None);
    }
}
