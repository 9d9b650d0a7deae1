//! Registration and refill: what a link needs before it can ask, and keeps up between exchanges.

use std::cell::{RefCell, RefMut};
use std::rc::{Rc, Weak};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::harness::{Canary, Mark, canary, reached};
use crate::protocol::channel::PoolOwner;
use crate::protocol::hub::{OobError, PsrdRequest, RegistrationRequest};

use super::super::transport::{Carried, Transport};
use super::config::LinkConfig;
use super::error::{LinkError, NoPsrd};
use super::supply::Supply;

/// How often a link maintains itself. Often enough that a hub which starts after its clients serves them within a
/// second or two; seldom enough to cost nothing beside a single exchange.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(1);

/// Longest pause between two attempts to reach a hub in vain, to which [`UPKEEP_INTERVAL`] is doubled. A hub that is
/// away for long is not bothered more often, and is back in use within this time.
const UPKEEP_PAUSE_MAX: Duration = Duration::from_secs(8);

const _: () = assert!(
    UPKEEP_INTERVAL.as_millis() <= UPKEEP_PAUSE_MAX.as_millis(),
    "a pause only grows"
);

/// Keeps the supply of PSRD up. One attempt to register and refill runs at a time, and all who need one share it.
pub(super) struct Provisioning {
    config: LinkConfig,
    transport: Rc<dyn Transport>,
    supply: RefCell<Supply>,
    running: RefCell<Option<Attempt>>,
}

/// An attempt to register and refill that is under way.
#[derive(Default)]
struct Attempt {
    /// The most bytes that anybody who waits for it needs in the client's pool.
    cost: usize,
    waiting: Vec<oneshot::Sender<Result<(), LinkError>>>,
}

impl Provisioning {
    pub(super) fn new(config: LinkConfig, transport: Rc<dyn Transport>) -> Self {
        Self {
            supply: RefCell::new(Supply::new(config.low_water_bytes, config.limits.pool())),
            config,
            transport,
            running: RefCell::default(),
        }
    }

    /// The supply. Not to be held across an await.
    pub(super) fn supply(&self) -> RefMut<'_, Supply> {
        self.supply.borrow_mut()
    }

    /// Whether a registration or refill is running.
    pub(super) fn is_running(&self) -> bool {
        self.running.borrow().is_some()
    }

    /// Keeps a link registered and its pools filled for as long as the link exists. Without this, a hub that starts
    /// after its clients would have to wait for a call. What an exchange needs at once, it gets by itself.
    pub(super) async fn upkeep(link: Weak<Self>) {
        let mut pause_in_vain = UPKEEP_INTERVAL;
        while let Some(provisioning) = link.upgrade() {
            let mut pause = UPKEEP_INTERVAL;
            match provisioning.provision_if_needed().await {
                Err(LinkError::Unreachable(_) | LinkError::Timeout(_)) => {
                    pause = pause_in_vain;
                    pause_in_vain = (pause_in_vain * 2).min(UPKEEP_PAUSE_MAX);
                }
                // A hub that refuses is there too: one that has restarted is to be registered with as soon as possible.
                Ok(()) | Err(_) => pause_in_vain = UPKEEP_INTERVAL,
            }
            // The link may be gone by the next time.
            drop(provisioning);
            tokio::time::sleep(pause).await;
        }
    }

    /// Provisions unless the supply is ready. `cost` is the number of bytes that the client's pool has to hold.
    pub(super) async fn make_ready(
        self: &Rc<Self>,
        cost: usize,
        is_ready: impl Fn(&Supply) -> bool,
    ) -> Result<(), LinkError> {
        if is_ready(&self.supply()) {
            return Ok(());
        }
        self.supply().count_exhausted();
        let was_registered = self.supply().is_registered();
        let is_late = self.is_running();
        let mut provisioned = self.provision(cost).await;
        // What was under way may have been past the pool that is too low.
        if is_late && provisioned.is_ok() && !is_ready(&self.supply()) {
            provisioned = self.provision(cost).await;
        }
        if !was_registered && self.supply().counters().registrations > 1 {
            reached(Mark::RegisteredAgain);
        }
        // One pool may have been refilled before the other failed, and that may do.
        if is_ready(&self.supply()) {
            return Ok(());
        }
        provisioned.and(Err(NoPsrd::Taken.into()))
    }

    /// Refills in the background if a pool is low.
    pub(super) fn top_up(self: &Rc<Self>) {
        if self.supply().is_low() && !self.is_running() {
            drop(self.provision(0));
        }
    }

    /// Provisions unless there is no need, or it is being done.
    async fn provision_if_needed(self: &Rc<Self>) -> Result<(), LinkError> {
        let is_needed = self.supply().needs_provisioning();
        if is_needed && !self.is_running() {
            return self.provision(0).await;
        }
        Ok(())
    }

    /// Registers and refills, or joins who does so already. It happens in a task of its own: the caller may give up at
    /// its deadline, but a delivery must not be left half done.
    fn provision(
        self: &Rc<Self>,
        cost: usize,
    ) -> impl Future<Output = Result<(), LinkError>> + use<> {
        let (waiting, provisioned) = oneshot::channel();
        let mut running = self.running.borrow_mut();
        if running.is_none() {
            let provisioning = Rc::clone(self);
            tokio::task::spawn_local(async move {
                let provisioned = provisioning.register_and_refill().await;
                if provisioned.is_err() && canary(Canary::RefillSticks) {
                    return;
                }
                let attempt = provisioning.running.take().unwrap_or_default();
                for waiting in attempt.waiting {
                    let _ = waiting.send(provisioned.clone());
                }
            });
        }
        let attempt = running.get_or_insert_default();
        attempt.cost = attempt.cost.max(cost);
        attempt.waiting.push(waiting);
        async { provisioned.await.unwrap_or(Err(NoPsrd::BrokenOff.into())) }
    }

    async fn register_and_refill(&self) -> Result<(), LinkError> {
        self.register_if_needed().await?;
        self.refill(PoolOwner::Client).await?;
        self.refill(PoolOwner::Hub).await
    }

    async fn register_if_needed(&self) -> Result<(), LinkError> {
        if self.supply().is_registered() {
            return Ok(());
        }
        let request = RegistrationRequest {
            client: self.config.client.clone(),
            start: Some(self.config.start),
        };
        let registered = self.out_of_band(self.transport.register(request)).await?;
        self.supply().register(registered.registration);
        Ok(())
    }

    /// The most bytes that the client's pool has to hold for anybody who waits.
    fn cost(&self, owner: PoolOwner) -> usize {
        let running = self.running.borrow();
        let attempt = running.as_ref().filter(|_| owner == PoolOwner::Client);
        attempt.map_or(0, |attempt| attempt.cost)
    }

    /// Fetches blocks for a pool until it needs no more.
    async fn refill(&self, owner: PoolOwner) -> Result<(), LinkError> {
        let size = self.config.block_bytes;
        loop {
            let cost = self.cost(owner);
            let Some(registration) = self.supply().needs_block(owner, cost, size) else {
                return Ok(());
            };
            let request = PsrdRequest {
                client: self.config.client.clone(),
                registration,
                owner,
                size,
            };
            match self.out_of_band(self.transport.deliver_psrd(request)).await {
                Ok(block) => self.supply().add(owner, block).map_err(NoPsrd::Pool)?,
                Err(error) => {
                    if voids_registration(&error, owner) {
                        self.supply().unregister();
                    }
                    return Err(error);
                }
            }
        }
    }

    async fn out_of_band<T>(&self, call: Carried<Result<T, OobError>>) -> Result<T, LinkError> {
        let request_timeout = self.config.request_timeout;
        let answer = timeout(request_timeout, call).await;
        let answer = answer.map_err(|_| LinkError::Timeout(request_timeout))??;
        Ok(answer.map_err(NoPsrd::Refused)?)
    }
}

/// Whether the link has to register anew after a failed delivery.
fn voids_registration(error: &LinkError, owner: PoolOwner) -> bool {
    match error {
        LinkError::NoPsrd(NoPsrd::Refused(refusal)) => match refusal {
            OobError::StaleRegistration => {
                reached(Mark::RefillStale);
                true
            }
            // The pool is full of blocks that never arrived here.
            OobError::PoolFull { .. } => true,
            _ => false,
        },
        // Nobody knows whether the block was delivered. The hub would spend a lost block of its own pool on answers
        // that nobody can verify.
        _ => owner == PoolOwner::Hub,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether a refusal makes the link register anew, for either pool.
    fn voids(refusal: OobError) -> [bool; 2] {
        let error = LinkError::NoPsrd(NoPsrd::Refused(refusal));
        [PoolOwner::Client, PoolOwner::Hub].map(|owner| voids_registration(&error, owner))
    }

    #[test]
    fn a_link_registers_anew_where_only_new_pools_help() {
        assert_eq!(voids(OobError::StaleRegistration), [true; 2]);
        let reason = "full".to_owned();
        assert_eq!(voids(OobError::PoolFull { reason }), [true; 2]);
        let client = "carol".to_owned();
        assert_eq!(voids(OobError::UnknownClient { client }), [false; 2]);
        let (size, block_bytes) = (1, 2);
        assert_eq!(voids(OobError::BlockSize { size, block_bytes }), [false; 2]);
        // A block for the hub's answers may have been delivered, and then be lost.
        let lost = LinkError::Timeout(Duration::from_secs(1));
        assert!(voids_registration(&lost, PoolOwner::Hub));
        assert!(!voids_registration(&lost, PoolOwner::Client));
    }
}
