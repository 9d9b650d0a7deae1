//! The initiator: client A, which serves the master SAE, draws keys and deposits their shares. `docs/protocol.md` §5.
//!
//! The call is over as soon as every hub has answered, or K have and the grace period is over, or K cannot be
//! reached any more, or the deadline has come. Who drives it keeps sending the remaining shares in the background.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use rand::CryptoRng;
use zeroize::Zeroizing;

use crate::crypto::key_tag::{KeyTag, TAG_SECRET_BYTES};
use crate::crypto::shamir::{self, ShareIndex, Sharing};

use super::message::{DepositBody, DepositOutcome, DepositReply, DepositedKey, Plain};
use super::names::{KeyId, NodeName, SaeId};

/// A key that both sides may use.
#[derive(Clone)]
pub struct EstablishedKey {
    /// Its ID.
    pub key_id: KeyId,
    /// The user key S.
    pub bytes: Zeroizing<Vec<u8>>,
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
#[error(
    "{stored} of {hubs} hubs hold a share, {threshold} are needed{}",
    list(reasons)
)]
pub struct EstablishError {
    /// Hubs that hold shares of all keys.
    pub stored: usize,
    /// Hubs in the topology.
    pub hubs: u8,
    /// Hubs needed.
    pub threshold: u8,
    /// What each of the other hubs said, or why it said nothing.
    pub reasons: Vec<(ShareIndex, String)>,
}

pub(super) fn list(reasons: &[(ShareIndex, String)]) -> String {
    reasons
        .iter()
        .map(|(x, reason)| format!("; hub {x}: {reason}"))
        .collect()
}

/// One call to establish keys.
pub struct Initiator {
    sharing: Sharing,
    patience: Patience,
    keys: Vec<EstablishedKey>,
    outcomes: BTreeMap<ShareIndex, Result<(), String>>,
    threshold_reached: Option<Duration>,
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
    ) -> (Self, BTreeMap<ShareIndex, DepositBody<Plain>>) {
        let mut deposits: BTreeMap<ShareIndex, DepositBody<Plain>> = sharing
            .indices()
            .map(|x| (x, empty_deposit(request, sharing, x)))
            .collect();
        let mut keys = Vec::with_capacity(request.number);
        for _ in 0..request.number {
            let key_id = KeyId::random(rng);
            let mut secret = Zeroizing::new(vec![0; TAG_SECRET_BYTES + request.size]);
            rng.fill_bytes(&mut secret);
            let (u, s) = secret.split_at(TAG_SECRET_BYTES);
            let tag = KeyTag::compute(u, s);
            for share in shamir::split(&secret, sharing, rng) {
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
                bytes: Zeroizing::new(s.to_vec()),
            });
        }
        let initiator = Self {
            sharing,
            patience,
            keys,
            outcomes: BTreeMap::new(),
            threshold_reached: None,
        };
        (initiator, deposits)
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
            Some(result) => Err(match result.outcome {
                DepositOutcome::Full => "its store is full".to_owned(),
                _ => format!("it holds another share of key {}", result.key_id),
            }),
            None => Ok(()),
        };
        self.outcomes.insert(x, outcome);
        if self.threshold_reached.is_none()
            && self.stored() >= usize::from(self.sharing.threshold())
        {
            self.threshold_reached = Some(now);
        }
    }

    /// A hub could not be made to answer.
    pub fn on_failure(&mut self, x: ShareIndex, reason: String) {
        self.outcomes.insert(x, Err(reason));
    }

    /// Where the call stands at `now`.
    #[must_use]
    pub fn progress(&self, now: Duration) -> Progress<Vec<EstablishedKey>, EstablishError> {
        let hubs = usize::from(self.sharing.shares());
        let all_answered = self.outcomes.len() == hubs;
        match self.threshold_reached {
            Some(since) => {
                let until = (since + self.patience.grace).min(self.patience.deadline);
                if all_answered || now >= until {
                    Progress::Done(self.keys.clone())
                } else {
                    Progress::WaitUntil(until)
                }
            }
            None => {
                let failed = self.outcomes.len() - self.stored();
                let hopeless = hubs - failed < usize::from(self.sharing.threshold());
                if all_answered || hopeless || now >= self.patience.deadline {
                    Progress::Failed(self.error())
                } else {
                    Progress::WaitUntil(self.patience.deadline)
                }
            }
        }
    }

    fn stored(&self) -> usize {
        self.outcomes.values().filter(|o| o.is_ok()).count()
    }

    fn error(&self) -> EstablishError {
        EstablishError {
            stored: self.stored(),
            hubs: self.sharing.shares(),
            threshold: self.sharing.threshold(),
            reasons: reasons(self.sharing, &self.outcomes),
        }
    }
}

/// Why each hub that did not do its part did not.
pub(super) fn reasons(
    sharing: Sharing,
    outcomes: &BTreeMap<ShareIndex, Result<(), String>>,
) -> Vec<(ShareIndex, String)> {
    sharing
        .indices()
        .filter_map(|x| match outcomes.get(&x) {
            Some(Ok(())) => None,
            Some(Err(reason)) => Some((x, reason.clone())),
            None => Some((x, "no answer in time".to_owned())),
        })
        .collect()
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
