//! The KME that all calls share. Each call runs as a future of its own.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use rand::CryptoRng;
use tokio::time::Instant;

use crate::crypto::shamir::ShareIndex;
use crate::protocol::NodeName;

use super::super::handed_out::HandedOut;
use super::super::link;
use super::super::workload::{Full, InFlight, Workload, WorkloadMax};
use super::capacity::Capacity;
use super::config::ClientConfig;
use super::error::KmeError;
use super::hubs::Hubs;
use super::status::Counters;

/// Calls in flight, at most, and the bytes of their shares, which are in memory once for each hub.
const WORKLOAD_MAX: WorkloadMax = WorkloadMax {
    number: 1024,
    bytes: 256 * 1024 * 1024,
};

const _: () = assert!(
    WORKLOAD_MAX.number <= link::WORKLOAD_MAX.number,
    "each call has one exchange with each hub"
);

/// What the calls of a client share.
pub(super) struct Kme {
    pub(super) config: ClientConfig,
    pub(super) hubs: Hubs,
    pub(super) rng: RefCell<Box<dyn CryptoRng>>,
    pub(super) counters: RefCell<Counters>,
    pub(super) handed_out: RefCell<HandedOut>,
    started: Instant,
    workload: Rc<Workload>,
}

impl Kme {
    pub(super) fn new(mut config: ClientConfig, rng: Box<dyn CryptoRng>, hubs: Hubs) -> Self {
        config.keys = Capacity::new(config.block_bytes).lower(config.keys);
        // The linger time begins when hubs hand a share out, which is before the deadline of the call.
        let handed_out = HandedOut::new(config.timing.call_deadline + config.timing.linger);
        Self {
            config,
            hubs,
            rng: RefCell::new(rng),
            counters: RefCell::default(),
            handed_out: RefCell::new(handed_out),
            started: Instant::now(),
            workload: Workload::new(WORKLOAD_MAX, 1),
        }
    }

    /// Time as the state machines count it.
    pub(super) fn now(&self) -> Duration {
        self.started.elapsed()
    }

    /// A time of the state machines, as the clock shows it.
    pub(super) fn clock(&self, at: Duration) -> Instant {
        self.started + at
    }

    /// Admits a call with so many bytes of shares.
    pub(super) fn admit(&self, bytes: usize) -> Result<InFlight, KmeError> {
        self.workload.admit(0, bytes).map_err(|Full| KmeError::Busy)
    }

    pub(super) fn name_of(&self, x: ShareIndex) -> Option<NodeName> {
        let mut hubs = self.config.hubs.iter();
        hubs.find(|hub| hub.x == x).map(|hub| hub.name.clone())
    }
}
