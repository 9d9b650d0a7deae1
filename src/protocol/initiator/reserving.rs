//! Finds out which hubs have PSRD at hand, before keys can be made of it. `docs/protocol.md` §5.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::crypto::shamir::{ShareIndex, Sharing};

use super::progress::{EstablishError, Patience, Progress};
use super::quorum::Quorum;

/// How long to wait for the hubs beyond the K that suffice. PSRD that is at hand is reserved at once. PSRD that has to be
/// delivered first takes longer than this, and that hub can do without a reservation.
const GRACE: Duration = Duration::from_millis(20);

/// The first half of a call whose keys are made of PSRD. Its driver asks every hub's link for a reservation `R`: the PSRD
/// that the deposit there will spend. The table in `quorum` says when the call goes on: K reservations suffice.
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

    /// Says which hubs kept earlier calls waiting in vain. They are not waited for once K hubs have something reserved.
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

    /// Where the call stands at `now`. When it is done, it returns what is reserved: K reservations or more.
    #[must_use]
    pub fn progress(&mut self, now: Duration) -> Progress<BTreeMap<ShareIndex, R>, EstablishError> {
        match self.quorum.progress(now) {
            Progress::WaitUntil(until) => Progress::WaitUntil(until),
            Progress::Done(()) => Progress::Done(std::mem::take(&mut self.reserved)),
            // A hub with a reservation does not hold a share yet.
            Progress::Failed(error) => Progress::Failed(EstablishError { stored: 0, ..error }),
        }
    }
}
