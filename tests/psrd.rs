//! Both ends of a pool are compared with a plain model, under any interleaving of what a peer, a network and a forger can
//! do.
//!
//! The model keeps two flags for each byte: whether the allocator has handed it out, and whether the receiver has
//! accepted it. Every answer of the pools must follow from these flags.
#![allow(clippy::unwrap_used)]

use std::cell::RefCell;
use std::collections::BTreeSet;

use dske::psrd::{
    Allocation, Block, BlockId, Fragment, PoolError, PoolLimits, ReceivingPool, SpendingPool,
};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use rand::SeedableRng as _;
use rand::rngs::ChaCha12Rng;

const BLOCKS_MAX: usize = 3;
const MAC_FAILURES_MAX: u64 = 3;

/// What happens next. An index picks one of the messages that exist.
#[derive(Debug, Clone)]
enum Step {
    /// A block of this size is delivered to both ends.
    Refill(usize),
    /// The allocator takes this many bytes for a message.
    Allocate(usize),
    /// A message on its way arrives, possibly out of order.
    Deliver(prop::sample::Index),
    /// A message arrives for a second time.
    Replay(prop::sample::Index),
    /// A message on its way arrives with a wrong MAC, and may arrive intact later.
    Damage(prop::sample::Index),
    /// A message on its way never arrives.
    Lose(prop::sample::Index),
    /// Somebody who does not have the bytes names an allocation.
    Forge(Vec<AnyFragment>),
    /// The peer itself, which can compute MACs, names an allocation.
    Cheat(Vec<AnyFragment>),
}

#[derive(Debug, Clone)]
struct AnyFragment {
    block: prop::sample::Index,
    start: u32,
    size: u32,
}

fn any_fragments() -> impl Strategy<Value = Vec<AnyFragment>> {
    let fragment = (any::<prop::sample::Index>(), 0..220_u32, 1..40_u32);
    let fragment = fragment.prop_map(|(block, start, size)| AnyFragment { block, start, size });
    prop::collection::vec(fragment, 1..4)
}

fn honest_step() -> impl Strategy<Value = Step> {
    let index = any::<prop::sample::Index>;
    prop_oneof![
        3 => (64..200_usize).prop_map(Step::Refill),
        8 => prop_oneof![9 => 1..80_usize, 1 => 0..600_usize].prop_map(Step::Allocate),
        5 => index().prop_map(Step::Deliver),
        2 => index().prop_map(Step::Replay),
        2 => index().prop_map(Step::Damage),
        1 => index().prop_map(Step::Lose),
        2 => any_fragments().prop_map(Step::Forge),
    ]
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![6 => honest_step(), 1 => any_fragments().prop_map(Step::Cheat)]
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Gone {
    Used,
    Evicted,
    Retired,
}

struct ModelBlock {
    id: BlockId,
    bytes: Vec<u8>,
    allocated: Vec<bool>,
    received: Vec<bool>,
    mac_failures: u64,
    /// Why the receiver no longer holds it, if it does not.
    gone: Option<Gone>,
}

impl ModelBlock {
    fn is_spent(&self) -> bool {
        !self.allocated.contains(&false)
    }
}

struct Message {
    allocation: Allocation,
    bytes: Vec<u8>,
}

/// Both ends, the messages between them, and the model.
struct World {
    rng: ChaCha12Rng,
    spending: SpendingPool,
    receiving: ReceivingPool,
    on_the_way: Vec<Message>,
    arrived: Vec<Message>,
    blocks: Vec<ModelBlock>,
    /// The peer only ever allocates in order. Then it has finished with a block that makes room.
    honest: bool,
    /// Rare events that happened.
    reached: BTreeSet<&'static str>,
}

impl World {
    fn new(honest: bool) -> Self {
        Self {
            rng: ChaCha12Rng::seed_from_u64(7),
            spending: SpendingPool::new(BLOCKS_MAX),
            receiving: ReceivingPool::new(
                BLOCKS_MAX,
                PoolLimits {
                    mac_failures_max: MAC_FAILURES_MAX,
                    ..PoolLimits::default()
                },
            ),
            on_the_way: Vec::new(),
            arrived: Vec::new(),
            blocks: Vec::new(),
            honest,
            reached: BTreeSet::new(),
        }
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Refill(size) => self.refill(*size),
            Step::Allocate(size) => self.allocate(*size),
            Step::Deliver(_) | Step::Damage(_) | Step::Lose(_) if self.on_the_way.is_empty() => {}
            Step::Deliver(index) => self.deliver(index.index(self.on_the_way.len())),
            Step::Damage(index) => {
                let allocation = self.on_the_way[index.index(self.on_the_way.len())]
                    .allocation
                    .clone();
                self.fail_mac(&allocation);
            }
            Step::Lose(index) => {
                self.on_the_way.remove(index.index(self.on_the_way.len()));
            }
            Step::Replay(_) if self.arrived.is_empty() => {}
            Step::Replay(index) => {
                let allocation = self.arrived[index.index(self.arrived.len())]
                    .allocation
                    .clone();
                self.receiving.consume(&allocation).unwrap_err();
                self.fail_mac(&allocation);
            }
            Step::Forge(fragments) => {
                if let Some(allocation) = self.allocation(fragments) {
                    self.fail_mac(&allocation);
                }
            }
            Step::Cheat(fragments) => {
                if let Some(allocation) = self.allocation(fragments) {
                    self.consume(&allocation);
                }
            }
        }
        self.check();
    }

    fn refill(&mut self, size: usize) {
        let (block, _) = Block::random_pair(size, &mut self.rng).unwrap();
        let id = block.id();
        let octets = block.into_octets();
        let block = || Block::from_octets(&octets).unwrap();
        if self.blocks.iter().filter(|block| !block.is_spent()).count() == BLOCKS_MAX {
            assert_eq!(
                self.spending.add(block()),
                Err(PoolError::Full {
                    blocks: BLOCKS_MAX,
                    bytes: self.bytes(|block| !block.is_spent()),
                })
            );
            self.reached.insert("spending pool full");
            return;
        }
        // The receiver says first whether it has room.
        let held: Vec<usize> = (0..self.blocks.len())
            .filter(|i| self.blocks[*i].gone.is_none())
            .collect();
        if held.len() == BLOCKS_MAX {
            let is_finished = self.mark().is_some_and(|(block, _)| block > held[0]);
            if !is_finished {
                let full = Err(PoolError::Full {
                    blocks: BLOCKS_MAX,
                    bytes: self.bytes(|block| block.gone.is_none()),
                });
                assert_eq!(self.receiving.check_room(size), full);
                assert_eq!(self.receiving.add(block()), full);
                self.reached.insert("receiving pool full");
                return;
            }
            let oldest = &mut self.blocks[held[0]];
            oldest.gone = Some(Gone::Evicted);
            assert!(
                oldest.is_spent() || !self.honest,
                "made room at the cost of bytes still to come"
            );
            self.reached.insert("oldest block made room");
        }
        self.receiving.check_room(size).unwrap();
        self.receiving.add(block()).unwrap();
        self.spending.add(block()).unwrap();
        let duplicate = Err(PoolError::Duplicate { block: id });
        assert_eq!(self.spending.add(block()), duplicate);
        assert_eq!(self.receiving.add(block()), duplicate);
        let (allocated, received) = (vec![false; size], vec![false; size]);
        self.blocks.push(ModelBlock {
            id,
            bytes: octets[16..].to_vec(),
            allocated,
            received,
            mac_failures: 0,
            gone: None,
        });
    }

    /// Bytes of the blocks for which this holds.
    fn bytes(&self, holds: impl Fn(&ModelBlock) -> bool) -> usize {
        let blocks = self.blocks.iter().filter(|block| holds(block));
        blocks.map(|block| block.bytes.len()).sum()
    }

    fn allocate(&mut self, size: usize) {
        let fresh: usize = self
            .blocks
            .iter()
            .map(|b| b.allocated.iter().filter(|a| !**a).count())
            .sum();
        let spent = match self.spending.allocate(size) {
            Ok(spent) => spent,
            Err(PoolError::NothingWanted) => return assert_eq!(size, 0),
            Err(error) => {
                assert_eq!(
                    error,
                    PoolError::Exhausted {
                        wanted: size,
                        left: fresh
                    }
                );
                assert!(size > fresh);
                self.reached.insert("exhausted");
                return;
            }
        };
        let mut bytes = Vec::new();
        for fragment in spent.allocation().fragments() {
            let block = self
                .blocks
                .iter_mut()
                .find(|block| block.id == fragment.block())
                .unwrap();
            let range = fragment.start() as usize..fragment.end() as usize;
            assert!(
                !block.allocated[range.clone()].contains(&true),
                "handed out twice"
            );
            assert!(
                !block.allocated[..range.start].contains(&false),
                "not in order"
            );
            block.allocated[range.clone()].fill(true);
            bytes.extend_from_slice(&block.bytes[range]);
        }
        if spent.allocation().fragments().len() > 1 {
            self.reached.insert("allocation across blocks");
        }
        assert_eq!(bytes.len(), size);
        let (allocation, spent) = spent.into_parts();
        assert_eq!(bytes, *spent);
        let allocation = allocation.to_string().parse().unwrap();
        self.on_the_way.push(Message { allocation, bytes });
    }

    fn deliver(&mut self, index: usize) {
        let message = self.on_the_way.remove(index);
        if index > 0 {
            self.reached.insert("out of order");
        }
        let gone = |fragment: &Fragment| {
            self.blocks
                .iter()
                .find(|b| b.id == fragment.block())
                .unwrap()
                .gone
        };
        if self.honest
            && message
                .allocation
                .fragments()
                .iter()
                .all(|fragment| gone(fragment).is_none())
        {
            assert_eq!(
                *self
                    .receiving
                    .peek(&message.allocation, usize::MAX)
                    .unwrap(),
                message.bytes
            );
        }
        if self.consume(&message.allocation) {
            self.arrived.push(message);
        }
    }

    /// A message with the right MAC arrives. Whether it is accepted must follow from the model.
    fn consume(&mut self, allocation: &Allocation) -> bool {
        let expected = self.peeked(allocation);
        let accepted = self.receiving.consume(allocation);
        let accepted = accepted.map(|bytes| bytes.to_vec());
        assert_eq!(accepted, expected);
        match accepted {
            Err(PoolError::Retired { .. }) => self.reached.insert("retired block refused"),
            Err(PoolError::Evicted { .. }) => self.reached.insert("evicted block refused"),
            Err(PoolError::OutOfBounds { .. }) => self.reached.insert("cheat out of bounds"),
            Err(PoolError::AlreadyUsed { .. }) => self.reached.insert("cheated or cheater refused"),
            _ => false,
        };
        if accepted.is_err() {
            return false;
        }
        for fragment in allocation.fragments() {
            let block = self
                .blocks
                .iter_mut()
                .find(|block| block.id == fragment.block())
                .unwrap();
            block.received[fragment.start() as usize..fragment.end() as usize].fill(true);
            if !block.received.contains(&false) {
                block.gone = Some(Gone::Used);
            }
        }
        true
    }

    /// A message with a wrong MAC arrives.
    fn fail_mac(&mut self, allocation: &Allocation) {
        let tried = self.peeked(allocation).is_ok();
        let retired = self.receiving.mac_failed(allocation);
        let mut expected = BTreeSet::new();
        let named: BTreeSet<BlockId> = allocation.fragments().iter().map(Fragment::block).collect();
        for block in self
            .blocks
            .iter_mut()
            .filter(|block| tried && named.contains(&block.id))
        {
            block.mac_failures += 1;
            if block.mac_failures > MAC_FAILURES_MAX {
                block.gone = Some(Gone::Retired);
                expected.insert(block.id);
            }
        }
        assert_eq!(retired.into_iter().collect::<BTreeSet<_>>(), expected);
    }

    /// What the receiver must answer to a peek, according to the flags.
    fn peeked(&self, allocation: &Allocation) -> Result<Vec<u8>, PoolError> {
        let mut bytes = Vec::new();
        for fragment in allocation.fragments() {
            let (block, start, size) = (fragment.block(), fragment.start(), fragment.size());
            let Some(model) = self.blocks.iter().find(|model| model.id == block) else {
                return Err(PoolError::UnknownBlock { block });
            };
            let range = start as usize..fragment.end() as usize;
            let len = model.bytes.len();
            match model.gone {
                Some(Gone::Used) => return Err(PoolError::AlreadyUsed { block, start, size }),
                Some(Gone::Retired) => return Err(PoolError::Retired { block }),
                Some(Gone::Evicted) => return Err(PoolError::Evicted { block }),
                None if range.end > len => {
                    return Err(PoolError::OutOfBounds {
                        block,
                        start,
                        size,
                        len,
                    });
                }
                None if model.received[range.clone()].contains(&true) => {
                    return Err(PoolError::AlreadyUsed { block, start, size });
                }
                None => bytes.extend_from_slice(&model.bytes[range]),
            }
        }
        Ok(bytes)
    }

    /// The block (by index) and position of the furthest byte received.
    fn mark(&self) -> Option<(usize, usize)> {
        let furthest = |block: &ModelBlock| block.received.iter().rposition(|received| *received);
        self.blocks
            .iter()
            .enumerate()
            .rev()
            .find_map(|(index, block)| Some((index, furthest(block)?)))
    }

    /// An allocation of blocks that exist or existed, or of one that neither end knows. `None` if fragments overlap.
    fn allocation(&mut self, fragments: &[AnyFragment]) -> Option<Allocation> {
        let unknown = BlockId::random(&mut self.rng);
        let fragments = fragments.iter().map(|fragment| {
            // Mostly recent blocks, since older ones are gone.
            let recent = self.blocks.iter().rev().take(4).map(|block| block.id);
            let ids: Vec<BlockId> = recent
                .cycle()
                .take(12 * self.blocks.len().min(1))
                .chain([unknown])
                .collect();
            Fragment::new(
                ids[fragment.block.index(ids.len())],
                fragment.start,
                fragment.size,
            )
            .unwrap()
        });
        Allocation::new(fragments.collect()).ok()
    }

    /// What must hold after every step.
    fn check(&self) {
        let unspent: Vec<_> = self
            .blocks
            .iter()
            .filter(|block| !block.is_spent())
            .collect();
        let fresh = unspent.iter().map(|block| {
            block
                .allocated
                .iter()
                .filter(|allocated| !**allocated)
                .count()
        });
        assert_eq!(self.spending.left(), fresh.sum::<usize>());
        assert!(
            self.spending
                .block_ids()
                .eq(unspent.iter().map(|block| block.id))
        );

        let mark = self.mark();
        let held = self
            .blocks
            .iter()
            .enumerate()
            .filter(|(_, block)| block.gone.is_none());
        let behind = held.map(|(index, block)| {
            (0..block.bytes.len())
                .filter(|position| mark.is_none_or(|mark| (index, *position) > mark))
                .count()
        });
        assert_eq!(self.receiving.left(), behind.sum::<usize>());

        for message in &self.on_the_way {
            let peeked = self
                .receiving
                .peek(&message.allocation, usize::MAX)
                .map(|bytes| bytes.to_vec());
            assert_eq!(peeked, self.peeked(&message.allocation));
        }
        for message in &self.arrived {
            self.receiving
                .peek(&message.allocation, usize::MAX)
                .expect_err("a replay");
        }
    }
}

/// Runs many sequences of steps, and demands that they reach all of `rare`: otherwise the test would test too little.
fn run(honest: bool, step: impl Strategy<Value = Step>, rare: &[&'static str]) {
    let reached = RefCell::new(BTreeSet::new());
    let config = Config {
        cases: 1000,
        failure_persistence: None,
        ..Config::default()
    };
    let steps = prop::collection::vec(step, 1..150);
    let outcome = TestRunner::new(config).run(&steps, |steps| {
        let mut world = World::new(honest);
        steps.iter().for_each(|step| world.step(step));
        reached.borrow_mut().append(&mut world.reached);
        Ok(())
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
    let reached = reached.into_inner();
    let missed: Vec<_> = rare
        .iter()
        .filter(|event| !reached.contains(*event))
        .collect();
    assert!(missed.is_empty(), "never reached: {missed:?}");
}

#[test]
fn with_an_honest_peer_each_byte_is_used_once_and_is_the_same_at_both_ends() {
    let rare = [
        "spending pool full",
        "oldest block made room",
        "receiving pool full",
        "exhausted",
        "allocation across blocks",
        "out of order",
        "retired block refused",
        "evicted block refused",
    ];
    run(true, honest_step(), &rare);
}

#[test]
fn with_a_cheating_peer_the_receiver_still_takes_each_byte_once() {
    run(
        false,
        any_step(),
        &[
            "cheat out of bounds",
            "cheated or cheater refused",
            "exhausted",
        ],
    );
}
