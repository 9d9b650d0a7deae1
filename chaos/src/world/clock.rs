//! Simulated time.

use std::time::Duration;

/// Simulated time of the host that is running, in microseconds; zero outside the simulation.
#[must_use]
pub(super) fn now_us() -> u64 {
    let elapsed = turmoil::sim_elapsed().unwrap_or_default();
    u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX)
}

/// Sleeps until so many milliseconds of the run are over.
pub(super) async fn sleep_until_ms(at_ms: u64) {
    let now = turmoil::sim_elapsed().unwrap_or_default();
    tokio::time::sleep(Duration::from_millis(at_ms).saturating_sub(now)).await;
}
