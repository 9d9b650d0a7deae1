//! The simulated world: every option of the simulator, set explicitly.

use std::time::{Duration, SystemTime};

/// What a simulated world is made of.
#[derive(Debug, Clone, Copy)]
pub struct WorldOptions {
    /// Decides everything random in the network and in tokio.
    pub seed: u64,
    /// Shortest and longest latency of a message, one way, in whole milliseconds.
    pub latency: (Duration, Duration),
    /// The step of simulated time. Messages arrive at ticks: a longer tick is faster and less exact.
    pub tick: Duration,
    /// A simulation that has not ended after this fails.
    pub duration_max: Duration,
}

impl WorldOptions {
    /// A local network: 1 to 5 ms one way, with ticks of 2 ms.
    #[must_use]
    pub fn with_seed(seed: u64) -> Self {
        Self {
            seed,
            latency: (Duration::from_millis(1), Duration::from_millis(5)),
            tick: Duration::from_millis(2),
            duration_max: Duration::from_secs(24 * 60 * 60),
        }
    }

    /// An empty world.
    #[must_use]
    pub fn build<'a>(&self) -> turmoil::Sim<'a> {
        turmoil::Builder::new()
            // The default is the present time.
            .epoch(SystemTime::UNIX_EPOCH)
            // The default is drawn by the operating system.
            .rng_seed(self.seed)
            .tick_duration(self.tick)
            .simulation_duration(self.duration_max)
            .min_message_latency(self.latency.0)
            .max_message_latency(self.latency.1)
            // Loss would be a random partition that heals at random, outside the fault schedule: faults are drawn
            // by the campaign alone.
            .fail_rate(0.0)
            .repair_rate(0.0)
            .ip_version(turmoil::IpVersion::V4)
            .ephemeral_ports(1024..=65535)
            // Segments in a receive buffer. A body of 4 MiB in segments of 64 KiB, and a flood beside it; the
            // default of 64 makes the simulator panic.
            .tcp_capacity(16 * 1024)
            .udp_capacity(64)
            // Hosts that always run in the same order would hide races between them.
            .enable_random_order()
            .build()
    }
}
