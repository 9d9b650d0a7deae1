//! The initiator: client A, which serves the master SAE, draws keys and deposits their shares. `docs/protocol.md` §5.
//!
//! Keys come from the client's generator ([`Initiator::begin`]), or from PSRD ([`Reserving`], then
//! [`Initiator::begin_from_psrd`]). The rest is the same.
//!
//! The call is over as soon as every hub has answered, or K have and the grace period is over, or K cannot be
//! reached any more, or the deadline has come. Who drives it keeps sending the remaining shares in the background.

mod quorum;
mod reserving;

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::fmt;
use std::time::Duration;

use crate::crypto::secret::Secret;
use rand::CryptoRng;
use serde::{Deserialize, Serialize};

use crate::crypto::key_tag::{KeyTag, TAG_SECRET_BYTES};
use crate::crypto::mac::MAC_KEY_BYTES;
use crate::crypto::shamir::{self, Share, ShareIndex, Sharing, SharingError};
use crate::harness::{Canary, Mark, canary, reached};
use crate::psrd::Spent;

use self::quorum::Quorum;
pub use self::reserving::Reserving;
use super::channel::{PadError, Pads};
use super::message::{DepositBody, DepositOutcome, DepositReply, DepositedKey, Plain};
use super::names::{KeyId, NodeName, SaeId};
use super::reasons::Reasons;

/// Where the randomness of keys comes from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeySource {
    /// The client's generator.
    #[default]
    Generator,
    /// PSRD: the first K shares *are* PSRD, and the key is what they interpolate to. No generator has a part in it.
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
    /// PSRD that the deposit at a hub spends: a MAC key, and a pad for the hub's share of each key.
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

/// How long things may take.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// When the call has to be over.
    pub deadline: Duration,
    /// How long to wait for the other hubs once K have answered.
    pub grace: Duration,
}

/// Where a call stands.
#[derive(Debug)]
pub enum Progress<T, E> {
    /// Nothing to do until the next answer, or this time.
    WaitUntil(Duration),
    /// It is over, well.
    Done(T),
    /// It is over, badly.
    Failed(E),
}

/// Why keys could not be established. No key is handed out, and what hubs hold of it expires.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{stored} of {hubs} hubs hold a share, {threshold} are needed{reasons}")]
pub struct EstablishError {
    /// Hubs that hold shares of all keys.
    pub stored: usize,
    /// Hubs in the topology.
    pub hubs: u8,
    /// Hubs needed.
    pub threshold: u8,
    /// What each of the other hubs said, or why it said nothing.
    pub reasons: Reasons,
}

/// One call to establish keys.
pub struct Initiator {
    keys: Vec<EstablishedKey>,
    quorum: Quorum,
}

impl Initiator {
    /// Draws the keys and splits them. The second part is what each hub has to be sent.
    ///
    /// From the generator come, for each key in turn: its ID (16 bytes), Y = u ‖ S, then the coefficients.
    #[must_use]
    pub fn begin(
        request: &EstablishRequest,
        sharing: Sharing,
        patience: Patience,
        rng: &mut dyn CryptoRng,
    ) -> (Self, Deposits) {
        let Ok(begun) = Self::begin_with(request, sharing, patience, rng, |rng| {
            let mut secret = Secret::zeros(request.secret_bytes());
            rng.fill_bytes(&mut secret);
            let shares = shamir::split(&secret, sharing, rng);
            Ok::<_, Infallible>((secret, shares))
        });
        begun
    }

    /// Makes the keys of PSRD: of what is reserved for each hub's deposit. The second part is what each hub has to be
    /// sent, together with what is reserved for it, if anything is.
    ///
    /// The pads of the K hubs with the lowest x are their shares, and Y = u ‖ S is what those interpolate to. From the
    /// generator come the key IDs, and nothing else.
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
        // The same reader by which the deposit is encrypted: the pad at a key's place is the one that it will get.
        let mut pads: Vec<(ShareIndex, Pads<'_>)> = lowest
            .map(|(&x, spent)| (x, Pads::after_key(spent.bytes())))
            .collect();
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

    /// Whatever the source is: `share` makes Y = u ‖ S and its shares for one key after the other.
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
        let quorum = Quorum::new(sharing, patience);
        Ok((Self { keys, quorum }, deposits))
    }

    /// Once K hubs have answered, these are not waited for: they have kept calls waiting in vain before. Their answers
    /// count all the same.
    pub fn do_not_wait_for(&mut self, late: BTreeSet<ShareIndex>) {
        self.quorum.late = late;
    }

    /// The hubs that were waited for when the call was over, and have not answered.
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
        let refused = reply
            .keys
            .iter()
            .find(|result| result.outcome != DepositOutcome::Stored);
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
