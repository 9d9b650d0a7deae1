//! Time and memory against the number of shares that a hub holds.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use dske::crypto::key_tag::{KeyTag, TAG_SECRET_BYTES};
use dske::crypto::secret::Secret;
use dske::protocol::message::{DepositOutcome, DepositedKey, Plain};
use dske::protocol::store::{Asker, Lookup, ShareStore, StoreLimits, Terms};
use dske::protocol::{KeyId, NameError};
use rand::rngs::ChaCha12Rng;
use rand::{Rng, SeedableRng};
use tokio::time::Instant;

use super::GrowthError;
use super::data::SharesPoint;
use crate::measure::machine::resident_bytes;

const KEY_BYTES: usize = 32;

/// The keys of one deposit share their terms.
const KEYS_PER_DEPOSIT: usize = 128;

/// Below this number, whole pages of memory make the figure unreliable.
const TELLING_SHARES: usize = 100_000;

/// Shares that are stored and erased while the others stay.
const PASSING: usize = 5_000;

/// Measures up to `most` shares. Also returns the store, so that the next measurement does not reuse its memory.
pub(super) fn measure(
    most: usize,
    progress: &impl Fn(&str),
) -> Result<(Vec<SharesPoint>, ShareStore), GrowthError> {
    let limits = StoreLimits {
        shares_max: most + 1,
        bytes_max: usize::MAX,
        ttl: Duration::from_secs(86_400),
        linger: Duration::ZERO,
        background: Duration::ZERO,
    };
    let master = BTreeSet::from(["carol".parse()?]);
    let mut store = ShareStore::new(limits, &BTreeMap::from([("carol".parse()?, master)]));
    let mut source = Source::new()?;
    let mut points = Vec::new();
    let before = resident()?;
    let mut shares = 1;
    while shares <= most {
        while store.len() < shares {
            let key = source.draw();
            store.deposit(source.now, &source.terms, vec![key]);
        }
        let memory = resident()?.saturating_sub(before) as f64 / shares as f64;
        let point = SharesPoint {
            shares,
            ns_per_share: pass_through(&mut store, &mut source),
            bytes_per_share: (shares >= TELLING_SHARES).then_some(memory),
        };
        progress(&format!(
            "{shares} shares: {:.0} ns each, {memory:.0} bytes each",
            point.ns_per_share
        ));
        points.push(point);
        shares *= 10;
    }
    Ok((points, store))
}

/// Stores one more share, hands it out and erases it, again and again. Returns the nanoseconds for each.
fn pass_through(store: &mut ShareStore, source: &mut Source) -> f64 {
    let slave = Asker {
        sae: &source.terms.slave_saes[0].clone(),
        start: Default::default(),
    };
    let passing: Vec<_> = (0..PASSING).map(|_| source.draw()).collect();
    let stay = store.len();
    let begun = Instant::now();
    let master = source.terms.master_sae.clone();
    for key in passing {
        let key_id = key.key_id;
        source.now += Duration::from_millis(1);
        let outcome = store.deposit(source.now, &source.terms, vec![key]);
        assert_eq!(outcome, [DepositOutcome::Stored], "there is room for one");
        let found = store.look_up(source.now, &master, &[key_id], slave);
        assert!(
            matches!(found[..], [Lookup::Found(_)]),
            "it has just been stored"
        );
        store.hand_out(source.now, &master, &[key_id], slave);
        store.expire(source.now);
    }
    let ns = begun.elapsed().as_nanos() as f64 / PASSING as f64;
    assert_eq!(store.len(), stay, "every passing share is erased");
    ns
}

/// Draws the keys of deposits.
struct Source {
    terms: Arc<Terms>,
    drawn: usize,
    now: Duration,
    rng: ChaCha12Rng,
}

impl Source {
    fn new() -> Result<Self, NameError> {
        Ok(Self {
            terms: Arc::new(Terms {
                account: 0,
                master_sae: "carol".parse()?,
                slave_saes: vec!["celia".parse()?],
                size: KEY_BYTES,
            }),
            drawn: 0,
            now: Duration::ZERO,
            rng: ChaCha12Rng::seed_from_u64(1),
        })
    }

    fn draw(&mut self) -> DepositedKey<Plain> {
        if self.drawn.is_multiple_of(KEYS_PER_DEPOSIT) {
            self.now += Duration::from_millis(1);
            self.terms = Arc::new(Terms {
                account: 0,
                master_sae: self.terms.master_sae.clone(),
                slave_saes: self.terms.slave_saes.clone(),
                size: KEY_BYTES,
            });
        }
        self.drawn += 1;
        let mut share = Secret::zeros(TAG_SECRET_BYTES + KEY_BYTES);
        self.rng.fill_bytes(&mut share);
        DepositedKey {
            key_id: KeyId::random(&mut self.rng),
            tag: KeyTag::compute(&[0; TAG_SECRET_BYTES], &share),
            share: Plain(share),
        }
    }
}

/// Resident memory of this process.
pub(super) fn resident() -> Result<u64, GrowthError> {
    resident_bytes(std::process::id()).map_err(GrowthError::Memory)
}
