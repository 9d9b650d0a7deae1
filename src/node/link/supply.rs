//! The PSRD that a link shares with its hub: under which registration it was delivered, how much is left, and how much
//! the hub lacks. Everything here is instant; `provisioning` brings more.

use uuid::Uuid;

use crate::harness::{Canary, Mark, canary, reached};
use crate::protocol::batch::{Operation, Reply};
use crate::protocol::channel::{ClientEnd, OpenError, PoolOwner, Sent, batch_cost, seal_batch};
use crate::protocol::limits::{ATTEMPTS_MAX, blocks_max};
use crate::protocol::message::Plain;
use crate::protocol::{NodeName, Refusal, Request, Response};
use crate::psrd::{BLOCK_BYTES_MAX, Block, PoolError, PoolLimits, Spent};

use super::error::{LinkError, NoPsrd};

/// A down pool with room for fewer blocks than this gets none: one more may not fit beside what the hub adds meanwhile.
/// So full a pool has enough for any answer.
const BLOCKS_SPARE: usize = 2;

// Attempt number n wants n more blocks. One exchange alone can never want more than a pool holds.
const _: () = assert!(
    ATTEMPTS_MAX as usize * (ATTEMPTS_MAX as usize - 1) / 2
        <= blocks_max(BLOCK_BYTES_MAX) - BLOCKS_SPARE,
    "the blocks that one exchange can want fit into a pool"
);

/// PSRD for one message to the hub, set aside. There is no way to give it back: if it is dropped, it is lost and wiped.
#[derive(Debug)]
pub struct Reservation {
    /// The registration under which it was delivered.
    registration: Uuid,
    spent: Spent,
}

impl Reservation {
    /// The PSRD.
    #[must_use]
    pub fn spent(&self) -> &Spent {
        &self.spent
    }
}

/// What is remembered of a request until its response comes.
pub(super) struct Awaited {
    sent: Sent,
    operations: usize,
    /// Counted from 1: the response may belong to an earlier registration than the present one.
    attempt: u32,
    registrations: u64,
}

/// The PSRD at hand, and what there is to know about it.
pub(super) struct Supply {
    end: ClientEnd,
    limits: PoolLimits,
    low_water_bytes: usize,
    /// `None` before the first registration, and as soon as the present one is known to be void.
    registration: Option<Uuid>,
    /// Number of blocks to bring for the hub, which has said that it has too little left to answer with.
    blocks_wanted: u32,
    counters: Counters,
}

/// Counters since the start. `LinkStatus` says what they count.
#[derive(Clone, Copy, Default)]
pub(super) struct Counters {
    pub(super) registrations: u64,
    pub(super) refills: u64,
    pub(super) unverified: u64,
    pub(super) psrd_exhausted: u64,
}

impl Supply {
    pub(super) fn new(low_water_bytes: usize, limits: PoolLimits) -> Self {
        Self {
            end: ClientEnd::new(limits),
            limits,
            low_water_bytes,
            registration: None,
            blocks_wanted: 0,
            counters: Counters::default(),
        }
    }

    /// Bytes left in one of the pools.
    pub(super) fn left(&self, owner: PoolOwner) -> usize {
        self.end.left(owner)
    }

    pub(super) fn counters(&self) -> Counters {
        self.counters
    }

    pub(super) fn is_registered(&self) -> bool {
        self.registration.is_some()
    }

    /// Whether there is PSRD for a message of this cost.
    pub(super) fn holds(&self, cost: usize) -> bool {
        self.is_registered() && self.left(PoolOwner::Client) >= cost
    }

    /// Whether a message of this cost can be sent, and answered.
    pub(super) fn is_ready_for(&self, cost: usize) -> bool {
        self.holds(cost) && self.blocks_wanted == 0
    }

    /// Whether one of the pools is below its low-water mark.
    pub(super) fn is_low(&self) -> bool {
        self.is_pool_low(PoolOwner::Client) || self.is_pool_low(PoolOwner::Hub)
    }

    fn is_pool_low(&self, owner: PoolOwner) -> bool {
        let left = self.left(owner);
        left < self.low_water_bytes && (left == 0 || !canary(Canary::RefillWhenEmpty))
    }

    pub(super) fn needs_provisioning(&self) -> bool {
        !self.is_registered() || self.blocks_wanted > 0 || self.is_low()
    }

    /// An exchange has found too little. Before the first registration there is no pool that could be exhausted.
    pub(super) fn count_exhausted(&mut self) {
        self.counters.psrd_exhausted += u64::from(self.is_registered());
    }

    /// Begins anew, with empty pools.
    pub(super) fn register(&mut self, registration: Uuid) {
        self.end = ClientEnd::new(self.limits);
        self.registration = Some(registration);
        self.blocks_wanted = 0;
        self.counters.registrations += 1;
    }

    /// The registration is void. What is in the pools is lost with the next one.
    pub(super) fn unregister(&mut self) {
        self.registration = None;
    }

    /// The registration under which to fetch one more block for a pool, if the pool needs one. It has to be above its
    /// low-water mark, hold `cost` bytes, and have as many new blocks as the hub lacks.
    pub(super) fn needs_block(
        &mut self,
        owner: PoolOwner,
        cost: usize,
        block_bytes: usize,
    ) -> Option<Uuid> {
        let left = self.left(owner);
        let full_enough = block_bytes * (blocks_max(block_bytes) - BLOCKS_SPARE);
        if owner == PoolOwner::Hub && left > full_enough {
            self.blocks_wanted = 0;
        }
        let wanted = owner == PoolOwner::Hub && self.blocks_wanted > 0;
        let suffices = !self.is_pool_low(owner) && left >= cost && !wanted;
        if suffices || (canary(Canary::RefillForgotten) && self.counters.refills >= 2) {
            return None;
        }
        self.registration
    }

    /// Takes a block that was delivered.
    pub(super) fn add(&mut self, owner: PoolOwner, block: Block) -> Result<(), PoolError> {
        self.end.add(owner, block)?;
        self.counters.refills += 1 + u64::from(canary(Canary::CountedTwice));
        if owner == PoolOwner::Hub {
            self.blocks_wanted = self.blocks_wanted.saturating_sub(1);
        }
        Ok(())
    }

    /// Sets PSRD aside.
    pub(super) fn reserve(&mut self, bytes: usize) -> Result<Reservation, NoPsrd> {
        let registration = self.registration.ok_or(NoPsrd::NotRegistered)?;
        let spent = self.end.spend(bytes)?;
        Ok(Reservation {
            registration,
            spent,
        })
    }

    /// Whether a reservation is of just this many bytes, and the hub still has them too.
    pub(super) fn accepts(&self, reserved: &Reservation, cost: usize) -> bool {
        self.registration == Some(reserved.registration) && reserved.spent.size() == cost
    }

    /// Makes a request of operations, with what is reserved for it or with fresh PSRD.
    pub(super) fn seal(
        &mut self,
        client: &NodeName,
        attempt: u32,
        operations: Vec<Operation<Plain>>,
        reserved: Option<Reservation>,
    ) -> Result<(Request, Awaited), LinkError> {
        let count = operations.len();
        let reservation = match reserved {
            Some(reservation) => reservation,
            None => self.reserve(batch_cost(&operations))?,
        };
        let (request, sent) = seal_batch(reservation.spent, client, operations);
        let awaited = Awaited {
            sent,
            operations: count,
            attempt,
            registrations: self.counters.registrations,
        };
        Ok((request, awaited))
    }

    /// Verifies and reads a response, and draws conclusions from one that is not accepted. `is_refilling` says whether a
    /// block may be on its way.
    pub(super) fn open(
        &mut self,
        awaited: &Awaited,
        response: &Response,
        is_refilling: bool,
    ) -> Result<Vec<Reply<Plain>>, OpenError> {
        let opened = self
            .end
            .open_batch_reply(&awaited.sent, awaited.operations, response);
        if let Err(error) = &opened {
            self.counters.unverified += u64::from(!matches!(
                error,
                OpenError::Refused(_) | OpenError::AuthenticMalformed(_)
            ));
            let names_unknown =
                matches!(error, OpenError::Allocation(PoolError::UnknownBlock { .. }));
            if names_unknown && is_refilling {
                // The hub may answer with a block as soon as it has drawn it. If it is lost on its way, the refill fails.
                reached(Mark::AnswerAhead);
            } else if self.counters.registrations == awaited.registrations {
                self.learn_from_error(error, awaited.attempt);
            } else {
                // What belongs to an earlier registration does no harm to the present one.
                reached(Mark::StaleAnswer);
            }
        }
        opened
    }

    /// Draws conclusions from a response that was not accepted. Hints may be forged: the worst that they can cause is a
    /// new registration, at most one for each attempt, and a full pool.
    fn learn_from_error(&mut self, error: &OpenError, attempt: u32) {
        if canary(Canary::NoNewRegistration) {
            return;
        }
        match error {
            OpenError::BadMac if canary(Canary::RegisteredForNothing) => self.unregister(),
            OpenError::Hint(Refusal::Unregistered { .. } | Refusal::UnknownPsrd { .. })
            | OpenError::Allocation(PoolError::UnknownBlock { .. }) => self.unregister(),
            OpenError::Hint(refusal) => self.learn_from_refusal(refusal, attempt),
            _ => {}
        }
    }

    /// If the hub has too little PSRD to answer with, it is to get as many blocks as the attempt's number: 1 after the
    /// first attempt, 2 after the second. Other exchanges may spend what was brought for this one; but before its last
    /// attempt each brings as many blocks as it may need alone, so that there is enough for all.
    pub(super) fn learn_from_refusal(&mut self, refusal: &Refusal, attempt: u32) {
        if *refusal == Refusal::PsrdExhausted {
            self.blocks_wanted += attempt;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::time::Duration;

    use rand::SeedableRng;
    use rand::rngs::ChaCha12Rng;

    use super::*;
    use crate::crypto::shamir::{ShareIndex, Sharing};
    use crate::protocol::hub::{Hub, HubConfig, PsrdRequest, RegistrationRequest};
    use crate::protocol::limits::NodeLimits;
    use crate::protocol::message::Withdrawal;
    use crate::protocol::store::StoreLimits;

    const BLOCK_BYTES: usize = 1_024;

    fn hub(client: &NodeName) -> Hub {
        let saes = BTreeSet::from(["a".parse().unwrap()]);
        let config = HubConfig {
            name: "hub".parse().unwrap(),
            x: ShareIndex::new(1).unwrap(),
            sharing: Sharing::new(2, 2).unwrap(),
            clients: BTreeMap::from([(client.clone(), saes)]),
            store: StoreLimits {
                shares_max: 10,
                bytes_max: 1 << 20,
                ttl: Duration::from_secs(60),
                linger: Duration::from_secs(5),
                background: Duration::from_secs(20),
            },
            block_bytes: BLOCK_BYTES,
            limits: NodeLimits::default(),
        };
        Hub::new(config, Box::new(ChaCha12Rng::seed_from_u64(1)))
    }

    #[test]
    fn an_answer_that_is_faster_than_its_block_does_not_void_the_registration() {
        let client: NodeName = "a".parse().unwrap();
        for is_refilling in [true, false] {
            let mut hub = hub(&client);
            let request = RegistrationRequest {
                client: client.clone(),
                start: None,
            };
            let registration = hub.register(&request).unwrap().registration;
            let mut deliver = |owner| {
                let request = PsrdRequest {
                    client: client.clone(),
                    registration,
                    owner,
                    size: BLOCK_BYTES,
                };
                hub.deliver_psrd(&request).unwrap()
            };
            let mut supply = Supply::new(100, PoolLimits::default());
            supply.register(registration);
            let up = deliver(PoolOwner::Client);
            supply.add(PoolOwner::Client, up).unwrap();
            // On its way.
            let _down = deliver(PoolOwner::Hub);
            let withdrawal = Operation::Withdraw(Withdrawal {
                client: client.clone(),
                master_sae: "a".parse().unwrap(),
                key_ids: vec![],
            });
            let sealed = supply.seal(&client, 1, vec![withdrawal], None);
            let (request, awaited) = sealed.unwrap();
            let response = hub.handle(Duration::ZERO, &request);
            let error = supply.open(&awaited, &response, is_refilling).unwrap_err();
            assert!(
                matches!(error, OpenError::Allocation(PoolError::UnknownBlock { .. })),
                "{error}"
            );
            assert_eq!(supply.is_registered(), is_refilling);
        }
    }

    #[test]
    fn no_more_blocks_are_brought_for_a_hub_than_its_pool_takes() {
        let (mut rng, registration) = (ChaCha12Rng::seed_from_u64(1), Uuid::from_u128(1));
        let mut supply = Supply::new(100, PoolLimits::default());
        supply.register(registration);
        let full_enough = blocks_max(BLOCK_BYTES) - BLOCKS_SPARE;
        for brought in 0..=full_enough {
            // Whatever the hub says that it lacks.
            supply.learn_from_refusal(&Refusal::PsrdExhausted, 3);
            let wanted = supply.needs_block(PoolOwner::Hub, 0, BLOCK_BYTES);
            assert_eq!(wanted, Some(registration), "{brought} blocks");
            let (block, _) = Block::random_pair(BLOCK_BYTES, &mut rng).unwrap();
            supply.add(PoolOwner::Hub, block).unwrap();
        }
        assert_eq!(supply.needs_block(PoolOwner::Hub, 0, BLOCK_BYTES), None);
        assert!(supply.is_ready_for(0));
    }
}
