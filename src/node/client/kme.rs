//! The KME that all calls share. Each call runs as a future of its own.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use rand::CryptoRng;
use tokio::time::Instant;

use crate::crypto::shamir::ShareIndex;
use crate::harness::{Canary, Mark, canary, reached};
use crate::protocol::limits::NodeLimits;
use crate::protocol::message::FetchQuery;
use crate::protocol::{NodeName, SaeId};

use super::super::handed_out::{ClaimTimes, HandedOut, Unclaimable};
use super::super::workload::{Full, InFlight, Workload, WorkloadMax};
use super::capacity::Capacity;
use super::config::ClientConfig;
use super::error::KmeError;
use super::hubs::Hubs;
use super::status::Counters;

/// What the calls of a client share.
pub(super) struct Kme {
    pub(super) config: ClientConfig,
    pub(super) hubs: Hubs,
    pub(super) rng: RefCell<Box<dyn CryptoRng>>,
    pub(super) counters: RefCell<Counters>,
    pub(super) handed_out: RefCell<HandedOut>,
    claim_times: ClaimTimes,
    started: Instant,
    workload: Rc<Workload>,
    /// The account of each SAE that this client serves.
    accounts: BTreeMap<SaeId, usize>,
}

impl Kme {
    pub(super) fn new(mut config: ClientConfig, rng: Box<dyn CryptoRng>, hubs: Hubs) -> Self {
        config.keys = Capacity::new(config.block_bytes).lower(config.keys);
        let own = config.saes.iter().filter(|(_, home)| **home == config.name);
        let accounts: BTreeMap<SaeId, usize> = own.map(|(sae, _)| sae.clone()).zip(0..).collect();
        let claim_times = config.timing.claims();
        Self {
            workload: Workload::new(workload_max(config.limits, accounts.len()), accounts.len()),
            config,
            hubs,
            rng: RefCell::new(rng),
            counters: RefCell::default(),
            handed_out: RefCell::new(HandedOut::new(claim_times, accounts.len())),
            claim_times,
            started: Instant::now(),
            accounts,
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

    /// Admits a call of an SAE with so many bytes of shares.
    pub(super) fn admit(&self, caller: &SaeId, bytes: usize) -> Result<InFlight, KmeError> {
        let mut admitted = self.workload.admit(self.account_of(caller)?, bytes);
        if admitted.is_err() && canary(Canary::CallsUnbounded) {
            admitted = Workload::new(workload_max(NodeLimits::default(), 1), 1).admit(0, 0);
        }
        admitted.map_err(|Full| {
            reached(Mark::CallsFull);
            KmeError::Busy
        })
    }

    /// Claims keys for the SAE that fetches them.
    pub(super) fn claim(self: &Rc<Self>, query: FetchQuery) -> Result<Claimed, KmeError> {
        let account = self.account_of(&query.slave_sae)?;
        let claimed = self
            .handed_out
            .borrow_mut()
            .claim(self.now(), account, &query);
        match claimed {
            Ok(()) => Ok(Claimed {
                kme: Rc::clone(self),
                query,
                is_handed_out: false,
            }),
            Err(Unclaimable::Taken(key_id)) => Err(KmeError::HandedOut(key_id)),
            Err(Unclaimable::Full) => Err(KmeError::TooManyHandedOut(query.slave_sae)),
        }
    }

    /// How many hubs have to agree on a key that is fetched now.
    ///
    /// The client may have run before, and knows nothing of what it handed out then. Whatever that was, K hubs have handed
    /// their shares out for it. They do not do so again under the new registration, so that N − K hubs are left at most.
    /// Once the client has run for as long as any of them can hold a share, K hubs are enough.
    pub(super) fn hubs_needed(&self) -> u8 {
        let (n, k) = (
            self.config.sharing.shares(),
            self.config.sharing.threshold(),
        );
        if self.now() < self.claim_times.share_life && !canary(Canary::StartTrusted) {
            k.max(n - k + 1)
        } else {
            k
        }
    }

    pub(super) fn calls_in_flight(&self) -> usize {
        self.workload.number()
    }

    pub(super) fn name_of(&self, x: ShareIndex) -> Option<NodeName> {
        let mut hubs = self.config.hubs.iter();
        hubs.find(|hub| hub.x == x).map(|hub| hub.name.clone())
    }

    fn account_of(&self, caller: &SaeId) -> Result<usize, KmeError> {
        let account = self.accounts.get(caller).copied();
        account.ok_or_else(|| KmeError::UnknownCaller(caller.clone()))
    }
}

/// Keys that are claimed for a call. They are given back with this, also if nobody waits for the call any more, unless they
/// have been handed out.
pub(super) struct Claimed {
    kme: Rc<Kme>,
    query: FetchQuery,
    is_handed_out: bool,
}

impl Claimed {
    pub(super) fn query(&self) -> &FetchQuery {
        &self.query
    }

    /// The claims stay.
    pub(super) fn are_handed_out(mut self) {
        self.is_handed_out = true;
    }
}

impl Drop for Claimed {
    fn drop(&mut self) {
        if !self.is_handed_out {
            self.kme.handed_out.borrow_mut().give_back(&self.query);
        }
    }
}

/// With very many SAEs there may be more calls, so that each is guaranteed one.
fn workload_max(limits: NodeLimits, saes: usize) -> WorkloadMax {
    WorkloadMax {
        number: (2 * saes).min(limits.exchanges_max).max(limits.calls_max),
        bytes: limits.call_bytes_max,
    }
}
