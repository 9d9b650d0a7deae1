//! Registration and refill: what a link needs before it can ask, and keeps up between exchanges.

use std::future::Future;
use std::rc::{Rc, Weak};
use std::time::Duration;

use tokio::time::timeout;

use crate::harness::{Canary, Mark, canary, reached};
use crate::protocol::channel::{ClientEnd, PoolOwner};
use crate::protocol::hub::{OobError, PsrdRequest, RegistrationRequest};
use crate::protocol::limits::BLOCKS_MAX;

use super::{Core, LinkError, State};

/// How often a link looks after itself. Often enough that a hub which starts after its clients serves them within a
/// second or two; seldom enough to cost nothing beside a single exchange.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(1);

/// Longest pause between two vain attempts to reach a hub, to which [`UPKEEP_INTERVAL`] is doubled: a hub that is
/// away for long is not bothered more often, and is back in use this soon.
const UPKEEP_PAUSE_MAX: Duration = Duration::from_secs(8);

/// Keeps a link registered and its pools filled, for as long as there is a link: without this, a hub that starts after
/// its clients would have to wait for a call. What an exchange needs at once it gets by itself.
pub(super) async fn upkeep(link: Weak<Core>) {
    let mut in_vain = UPKEEP_INTERVAL;
    while let Some(core) = link.upgrade() {
        let mut pause = UPKEEP_INTERVAL;
        match core.provision_if_needed().await {
            Err(LinkError::Unreachable(_) | LinkError::Timeout(_)) => {
                pause = in_vain;
                in_vain = (in_vain * 2).min(UPKEEP_PAUSE_MAX);
            }
            // Also a hub that refuses is there: one that has restarted is to be registered with as soon as possible.
            Ok(()) | Err(_) => in_vain = UPKEEP_INTERVAL,
        }
        // The link may be gone by the next time.
        drop(core);
        tokio::time::sleep(pause).await;
    }
}

impl Core {
    /// Provisions unless that is not necessary. `needed` are the bytes that have to be in the client's pool.
    pub(super) async fn make_ready(
        self: &Rc<Self>,
        needed: usize,
        is_ready: impl Fn(&State) -> bool,
    ) -> Result<(), LinkError> {
        if is_ready(&self.state.borrow()) {
            return Ok(());
        }
        // Before the first registration there is no pool that could be exhausted.
        let registered = self.state.borrow().registration.is_some();
        self.state.borrow_mut().counters.psrd_exhausted += u64::from(registered);
        let provisioned = self.provision(needed).await;
        if !registered && self.state.borrow().counters.registrations > 1 {
            reached(Mark::RegisteredAgain);
        }
        // One pool may have been refilled before the other failed, and that may do.
        if is_ready(&self.state.borrow()) {
            return Ok(());
        }
        provisioned
    }

    pub(super) fn provision_in_background(self: &Rc<Self>) {
        if self.provisioning.try_lock().is_ok() {
            drop(self.spawn_provisioning(0));
        }
    }

    /// Provisions unless there is no need, or it is being done.
    async fn provision_if_needed(self: &Rc<Self>) -> Result<(), LinkError> {
        let needed = self
            .state
            .borrow()
            .needs_provisioning(self.config.low_water_bytes);
        if needed && self.provisioning.try_lock().is_ok() {
            return self.provision(0).await;
        }
        Ok(())
    }

    async fn provision(self: &Rc<Self>, cost: usize) -> Result<(), LinkError> {
        // In a task of its own: the caller may give up at its deadline, but a delivery must not be left half done.
        self.spawn_provisioning(cost)
            .await
            .map_err(|e| LinkError::NoPsrd(e.to_string()))?
            .map_err(|e| match e {
                Provisioning::Refused(e) => LinkError::NoPsrd(e.to_string()),
                Provisioning::Failed(e) => e,
            })
    }

    fn spawn_provisioning(
        self: &Rc<Self>,
        cost: usize,
    ) -> impl Future<Output = Result<Result<(), Provisioning>, tokio::task::JoinError>> + use<>
    {
        let core = Rc::clone(self);
        tokio::task::spawn_local(async move {
            let _one_at_a_time = core.provisioning.lock().await;
            core.register_if_needed().await?;
            core.refill(PoolOwner::Client, cost).await?;
            core.refill(PoolOwner::Hub, 0).await
        })
    }

    async fn register_if_needed(&self) -> Result<(), Provisioning> {
        if self.state.borrow().registration.is_some() {
            return Ok(());
        }
        let request = RegistrationRequest {
            client: self.config.client.clone(),
        };
        let registration = self.out_of_band(self.transport.register(request)).await?;
        let mut state = self.state.borrow_mut();
        state.end = ClientEnd::default();
        state.registration = Some(registration.registration);
        state.blocks_wanted = 0;
        state.epoch += 1;
        state.counters.registrations += 1;
        Ok(())
    }

    /// Fetches blocks until a pool is above its low-water mark and holds `cost` bytes, and as many as the hub lacks.
    async fn refill(&self, owner: PoolOwner, cost: usize) -> Result<(), Provisioning> {
        loop {
            let (left, wanted, registration) = {
                let mut state = self.state.borrow_mut();
                let left = state.end.left(owner);
                if owner == PoolOwner::Hub && left > self.config.block_bytes * (BLOCKS_MAX - 2) {
                    // One more may not fit. So nearly full a pool has enough for any answer.
                    state.blocks_wanted = 0;
                }
                let wanted = owner == PoolOwner::Hub && state.blocks_wanted > 0;
                (left, wanted, state.registration)
            };
            if left >= self.config.low_water_bytes && left >= cost && !wanted {
                return Ok(());
            }
            if canary(Canary::RefillForgotten) && self.state.borrow().counters.refills >= 2 {
                return Ok(());
            }
            let Some(registration) = registration else {
                return Ok(());
            };
            let request = PsrdRequest {
                client: self.config.client.clone(),
                registration,
                owner,
                size: self.config.block_bytes,
            };
            let delivered = self.out_of_band(self.transport.deliver_psrd(request)).await;
            let mut state = self.state.borrow_mut();
            match delivered {
                Ok(block) => {
                    state
                        .end
                        .add(owner, block)
                        .map_err(|e| Provisioning::Failed(LinkError::NoPsrd(e.to_string())))?;
                    state.counters.refills += 1;
                    if owner == PoolOwner::Hub {
                        state.blocks_wanted = state.blocks_wanted.saturating_sub(1);
                    }
                }
                Err(error) => {
                    if let Provisioning::Refused(OobError::StaleRegistration) = &error {
                        reached(Mark::RefillStale);
                    }
                    // A lost block of the hub's own pool would be spent by the hub on answers that nobody can
                    // verify: start over.
                    let lost = matches!(error, Provisioning::Failed(_)) && owner == PoolOwner::Hub;
                    // A hub that says that the pool is full holds blocks that never arrived here: the same.
                    let stale = matches!(
                        error,
                        Provisioning::Refused(
                            OobError::StaleRegistration | OobError::PoolFull { .. }
                        )
                    );
                    if lost || stale {
                        state.registration = None;
                    }
                    return Err(error);
                }
            }
        }
    }

    async fn out_of_band<T, E>(
        &self,
        call: impl Future<Output = Result<Result<T, OobError>, E>>,
    ) -> Result<T, Provisioning>
    where
        E: std::fmt::Display,
    {
        let timeout_after = self.config.request_timeout;
        timeout(timeout_after, call)
            .await
            .map_err(|_| Provisioning::Failed(LinkError::Timeout(timeout_after)))?
            .map_err(|e| Provisioning::Failed(LinkError::Unreachable(e.to_string())))?
            .map_err(Provisioning::Refused)
    }
}

/// Why PSRD could not be got.
#[derive(Debug)]
enum Provisioning {
    /// The hub refused: nothing was delivered.
    Refused(OobError),
    /// Nobody knows whether something was delivered.
    Failed(LinkError),
}
