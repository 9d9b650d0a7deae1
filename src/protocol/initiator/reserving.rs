//! Before keys can be made of PSRD: which hubs have some at hand. `docs/protocol.md` §5.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::crypto::shamir::{ShareIndex, Sharing};

use super::quorum::Quorum;
use super::{EstablishError, Patience, Progress};

/// How long the hubs beyond the K that suffice are waited for. Where there is PSRD at hand it is reserved at once;
/// where it has to be delivered first, which takes longer than this, the hub can do without a reservation.
const GRACE: Duration = Duration::from_millis(20);

/// The first half of a call whose keys are made of PSRD. Who drives it asks for a reservation `R` at every hub's link:
/// the PSRD that the deposit there will spend.
pub struct Reserving<R> {
    quorum: Quorum,
    reserved: BTreeMap<ShareIndex, R>,
}

impl<R> Reserving<R> {
    /// Nothing is reserved yet.
    #[must_use]
    pub fn begin(sharing: Sharing, deadline: Duration) -> Self {
        let patience = Patience {
            deadline,
            grace: GRACE,
        };
        Self {
            quorum: Quorum::new(sharing, patience),
            reserved: BTreeMap::new(),
        }
    }

    /// Once K hubs have something reserved, these are not waited for: they have kept calls waiting in vain before.
    pub fn do_not_wait_for(&mut self, late: BTreeSet<ShareIndex>) {
        self.quorum.late = late;
    }

    /// PSRD is reserved for a hub.
    pub fn on_reserved(&mut self, now: Duration, x: ShareIndex, reservation: R) {
        self.reserved.insert(x, reservation);
        self.quorum.on_outcome(now, x, Ok(()));
    }

    /// There is no PSRD for a hub.
    pub fn on_failure(&mut self, x: ShareIndex, reason: String) {
        self.quorum.on_failure(x, reason);
    }

    /// Where the call stands at `now`. What is reserved comes out when it is done, K reservations or more.
    #[must_use]
    pub fn progress(&mut self, now: Duration) -> Progress<BTreeMap<ShareIndex, R>, EstablishError> {
        match self.quorum.progress(now) {
            Progress::WaitUntil(until) => Progress::WaitUntil(until),
            Progress::Done(()) => Progress::Done(std::mem::take(&mut self.reserved)),
            // A reservation is not a share that a hub holds.
            Progress::Failed(error) => Progress::Failed(EstablishError { stored: 0, ..error }),
        }
    }
}
