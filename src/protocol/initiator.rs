//! The initiator: client A, which serves the master SAE. It draws keys and deposits their shares. `docs/protocol.md` §5.
//!
//! Keys come from the client's generator ([`Initiator::begin`]), or from PSRD: first [`Reserving`], then
//! [`Initiator::begin_from_psrd`]. The rest is the same.
//!
//! | event | [`Initiator::progress`] afterwards |
//! |---|---|
//! | the call begins | wait until the deadline |
//! | a hub stores its shares of all keys, and with it K hubs do | wait until the grace period is over |
//! | all hubs have answered, or all but late ones, and K store | done: the keys |
//! | the grace period or the deadline is over, and K store | done: the keys |
//! | a hub fails or refuses, and K can no longer be reached | failed |
//! | the deadline is over, and fewer than K store | failed |
//!
//! `quorum` has the exact conditions. The driver of a call that is done keeps sending the remaining shares in the
//! background. The driver of a call that has failed, or that nobody waits for any more, sends none, and takes back what may
//! have reached hubs: [`Initiator::to_withdraw`].

mod progress;
mod quorum;
mod reserving;

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::fmt;
use std::time::Duration;

use chacha20::ChaCha20Rng;
use rand::{CryptoRng, SeedableRng};
use serde::{Deserialize, Serialize};

use crate::crypto::key_tag::{KeyTag, TAG_SECRET_BYTES};
use crate::crypto::mac::MAC_KEY_BYTES;
use crate::crypto::secret::Secret;
use crate::crypto::shamir::{self, Share, ShareIndex, Sharing, SharingError};
use crate::harness::{Canary, Mark, canary, reached};
use crate::psrd::Spent;

use super::channel::{PadError, Pads};
use super::message::{
    DepositBody, DepositOutcome, DepositReply, DepositResult, DepositedKey, Plain,
};
use super::names::{KeyId, NodeName, SaeId};
pub use progress::{EstablishError, Patience, Progress};
use quorum::Quorum;
pub use reserving::Reserving;

/// Where the randomness of keys comes from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeySource {
    /// The client's generator.
    #[default]
    Generator,
    /// PSRD: the first K shares *are* PSRD, and the key is what they interpolate to. No generator is involved.
    Psrd,
}

impl KeySource {
    /// Its name, as files spell it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Generator => "generator",
            Self::Psrd => "psrd",
        }
    }
}

/// A key that both sides may use.
#[derive(Clone)]
pub struct EstablishedKey {
    /// Its ID.
    pub key_id: KeyId,
    /// The user key S.
    pub bytes: Secret,
}

impl fmt::Debug for EstablishedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EstablishedKey({}, <redacted>)", self.key_id)
    }
}

/// What the master SAE wants.
#[derive(Debug, Clone)]
pub struct EstablishRequest {
    /// The client that establishes the keys.
    pub client: NodeName,
    /// The SAE that asks.
    pub master_sae: SaeId,
    /// The SAEs that may fetch.
    pub slave_saes: Vec<SaeId>,
    /// Bytes of each key.
    pub size: usize,
    /// Number of keys.
    pub number: usize,
}

impl EstablishRequest {
    /// Bytes of PSRD that the deposit at a hub spends: a MAC key, and a pad for the hub's share of each key.
    #[must_use]
    pub fn deposit_cost(&self) -> usize {
        MAC_KEY_BYTES + self.number * self.secret_bytes()
    }

    /// Length of Y = u ‖ S, and of each of its shares.
    fn secret_bytes(&self) -> usize {
        TAG_SECRET_BYTES + self.size
    }
}

/// What each hub has to be sent.
pub type Deposits = BTreeMap<ShareIndex, DepositBody<Plain>>;

/// One call to establish keys.
pub struct Initiator {
    keys: Vec<EstablishedKey>,
    quorum: Quorum,
    /// Hubs that have said of every key that they do not hold a share.
    without_shares: BTreeSet<ShareIndex>,
}

impl Initiator {
    /// Draws the keys and splits them. Returns what each hub has to be sent, too.
    ///
    /// For each key in turn, the generator is asked for its ID (16 bytes), for Y = u ‖ S, then for the coefficients.
    #[must_use]
    pub fn begin(
        request: &EstablishRequest,
        sharing: Sharing,
        patience: Patience,
        rng: &mut dyn CryptoRng,
    ) -> (Self, Deposits) {
        let mut for_all = None;
        let Ok(begun) = Self::begin_with(request, sharing, patience, rng, |rng| {
            let mut secret = Secret::zeros(request.secret_bytes());
            rng.fill_bytes(&mut secret);
            let shares = if canary(Canary::CoefficientsForAll) {
                let seed = for_all.get_or_insert_with(|| rng.next_u64());
                shamir::split(&secret, sharing, &mut ChaCha20Rng::seed_from_u64(*seed))
            } else {
                shamir::split(&secret, sharing, rng)
            };
            Ok::<_, Infallible>((secret, shares))
        });
        begun
    }

    /// Makes the keys of PSRD: of what is reserved for the deposits. Returns what each hub has to be sent, too. The
    /// deposit for a hub with a reservation has to be sealed with it.
    ///
    /// Among the hubs with reservations, the pads of the K with the lowest x are their shares, and Y = u ‖ S is what those
    /// interpolate to. The generator is asked for the key IDs and nothing else.
    ///
    /// # Errors
    /// If fewer than K hubs have reservations, or one of theirs is shorter than [`EstablishRequest::deposit_cost`].
    pub fn begin_from_psrd(
        request: &EstablishRequest,
        sharing: Sharing,
        patience: Patience,
        reserved: &BTreeMap<ShareIndex, &Spent>,
        rng: &mut dyn CryptoRng,
    ) -> Result<(Self, Deposits), SharingError> {
        let lowest = reserved.iter().take(sharing.threshold().into());
        // `Pads` also encrypts the deposit, so that each key meets the pad here that its share will be encrypted with.
        let mut pads: Vec<(ShareIndex, Pads<'_>)> =
            lowest.map(|(&x, spent)| (x, Pads::of(spent))).collect();
        Self::begin_with(request, sharing, patience, rng, |_| {
            let shares = pads.iter_mut().map(|(x, pads)| {
                let pad = pads.next(request.secret_bytes());
                let pad = pad.map_err(|PadError| SharingError::Length(*x))?;
                let y = Secret::from(pad.to_vec());
                Ok(Share { x: *x, y })
            });
            let given = shares.collect::<Result<Vec<Share>, SharingError>>()?;
            shamir::complete(&given, sharing)
        })
    }

    /// What both sources have in common: `share` makes Y = u ‖ S and its shares for one key after the other.
    fn begin_with<E>(
        request: &EstablishRequest,
        sharing: Sharing,
        patience: Patience,
        rng: &mut dyn CryptoRng,
        mut share: impl FnMut(&mut dyn CryptoRng) -> Result<(Secret, Vec<Share>), E>,
    ) -> Result<(Self, Deposits), E> {
        let mut deposits: Deposits = sharing
            .indices()
            .map(|x| (x, empty_deposit(request, sharing, x)))
            .collect();
        let mut keys = Vec::with_capacity(request.number);
        let mut first = None;
        for _ in 0..request.number {
            let key_id = KeyId::random(rng);
            let mut drawn = share(rng)?;
            if canary(Canary::SameKeyTwice) {
                drawn = first.get_or_insert(drawn).clone();
            }
            let (secret, shares) = drawn;
            let (u, s) = secret.split_at(TAG_SECRET_BYTES);
            let tag = KeyTag::compute(u, s);
            for share in shares {
                if let Some(deposit) = deposits.get_mut(&share.x) {
                    deposit.keys.push(DepositedKey {
                        key_id,
                        tag,
                        share: Plain(share.y),
                    });
                }
            }
            keys.push(EstablishedKey {
                key_id,
                bytes: Secret::from(s.to_vec()),
            });
        }
        let initiator = Self {
            keys,
            quorum: Quorum::new(sharing, patience),
            without_shares: BTreeSet::new(),
        };
        Ok((initiator, deposits))
    }

    /// Says which hubs kept earlier calls waiting in vain. They are not waited for once K hubs hold their shares, but
    /// their answers count all the same.
    pub fn do_not_wait_for(&mut self, late: BTreeSet<ShareIndex>) {
        self.quorum.late = late;
    }

    /// The hubs that this call waited for and that have not answered.
    #[must_use]
    pub fn waited_in_vain(&self) -> Vec<ShareIndex> {
        self.quorum.missing().collect()
    }

    /// A hub has answered.
    pub fn on_reply(&mut self, now: Duration, x: ShareIndex, reply: &DepositReply) {
        let complete = reply.keys.len() == self.keys.len()
            && reply
                .keys
                .iter()
                .zip(&self.keys)
                .all(|(result, key)| result.key_id == key.key_id);
        let is_stored = |result: &DepositResult| result.outcome == DepositOutcome::Stored;
        if complete && !reply.keys.iter().any(is_stored) {
            self.without_shares.insert(x);
        }
        let refused = reply.keys.iter().find(|result| !is_stored(result));
        let outcome = match refused {
            _ if !complete => Err("it answered for other keys than it was asked about".to_owned()),
            Some(_) if canary(Canary::AnswerIsStored) => Ok(()),
            Some(result) => Err(match result.outcome {
                DepositOutcome::Full => "its store is full".to_owned(),
                _ => format!("it holds another share of key {}", result.key_id),
            }),
            None => Ok(()),
        };
        self.quorum.on_outcome(now, x, outcome);
    }

    /// A hub could not be made to answer.
    pub fn on_failure(&mut self, x: ShareIndex, reason: String) {
        self.quorum.on_failure(x, reason);
    }

    /// What is to be taken back if nobody is given the keys: their IDs, and the hubs that may hold shares of them. A hub
    /// that has not been heard may have its shares all the same.
    #[must_use]
    pub fn to_withdraw(&self) -> (Vec<KeyId>, Vec<ShareIndex>) {
        let key_ids = self.keys.iter().map(|key| key.key_id).collect();
        let may_hold = |x: &ShareIndex| !self.without_shares.contains(x);
        let hubs = self.quorum.hubs().filter(may_hold).collect();
        (key_ids, hubs)
    }

    /// Where the call stands at `now`.
    #[must_use]
    pub fn progress(&self, now: Duration) -> Progress<Vec<EstablishedKey>, EstablishError> {
        match self.quorum.progress(now) {
            Progress::WaitUntil(until) => Progress::WaitUntil(until),
            Progress::Done(()) => {
                if self.quorum.is_bare() {
                    reached(Mark::BareQuorum);
                }
                Progress::Done(self.keys.clone())
            }
            Progress::Failed(error) => Progress::Failed(error),
        }
    }
}

fn empty_deposit(
    request: &EstablishRequest,
    sharing: Sharing,
    x: ShareIndex,
) -> DepositBody<Plain> {
    DepositBody {
        client: request.client.clone(),
        master_sae: request.master_sae.clone(),
        slave_saes: request.slave_saes.clone(),
        hubs: sharing.shares(),
        threshold: sharing.threshold(),
        x: x.get(),
        size: request.size,
        keys: Vec::with_capacity(request.number),
    }
}
