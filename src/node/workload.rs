//! How much a node has in flight at the same time. Whatever would be too much is refused before it costs memory.
//!
//! Those who share it have an account each: what one of them has in flight cannot take the others' part.

use std::cell::RefCell;
use std::rc::Rc;

use crate::harness::{Canary, canary};
use crate::protocol::accounts::Accounts;

/// How much may be in flight: a client's calls, or a link's exchanges.
#[derive(Debug, Clone, Copy)]
pub struct WorkloadMax {
    /// Number of calls or exchanges.
    pub number: usize,
    /// Bytes of all of them together. One that has more counts as if it had just as many as its account can have.
    pub bytes: usize,
}

/// Counts what is in flight.
#[derive(Debug)]
pub struct Workload {
    /// Bytes that an account can have if nobody else has any.
    account_bytes_max: usize,
    in_use: RefCell<InUse>,
}

#[derive(Debug)]
struct InUse {
    number: Accounts,
    bytes: Accounts,
}

/// Too much is in flight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full;

/// One call or exchange. It counts until this is dropped.
#[derive(Debug)]
pub struct InFlight {
    workload: Rc<Workload>,
    account: usize,
    bytes: usize,
}

impl Workload {
    /// Nothing is in flight yet, in this number of accounts. Each is guaranteed the same part of one half; the other half
    /// is lent.
    #[must_use]
    pub fn new(max: WorkloadMax, accounts: usize) -> Rc<Self> {
        let part = max.bytes / 2 / accounts.max(1);
        Rc::new(Self {
            account_bytes_max: max.bytes - part * accounts.saturating_sub(1),
            in_use: RefCell::new(InUse {
                number: Accounts::with_equal_parts(max.number, accounts),
                bytes: Accounts::with_equal_parts(max.bytes, accounts),
            }),
        })
    }

    /// How many calls or exchanges are in flight.
    #[must_use]
    pub fn number(&self) -> usize {
        self.in_use.borrow().number.total()
    }

    /// Admits one call or exchange of so many bytes.
    ///
    /// # Errors
    /// If there would be too many in its account, or too many bytes.
    pub fn admit(self: &Rc<Self>, account: usize, bytes: usize) -> Result<InFlight, Full> {
        let bytes = bytes.min(self.account_bytes_max);
        let mut in_use = self.in_use.borrow_mut();
        if !in_use.number.take(account, 1) {
            return Err(Full);
        }
        if !in_use.bytes.take(account, bytes) {
            in_use.number.give_back(account, 1);
            return Err(Full);
        }
        Ok(InFlight {
            workload: Rc::clone(self),
            account,
            bytes,
        })
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        if canary(Canary::InFlightForGood) {
            return;
        }
        let mut in_use = self.workload.in_use.borrow_mut();
        in_use.number.give_back(self.account, 1);
        in_use.bytes.give_back(self.account, self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: WorkloadMax = WorkloadMax {
        number: 2,
        bytes: 10,
    };

    #[test]
    fn what_is_too_much_is_refused_until_something_is_done() {
        let workload = Workload::new(MAX, 1);
        let first = workload.admit(0, 6).unwrap();
        assert_eq!(workload.admit(0, 5).unwrap_err(), Full, "too many bytes");
        let second = workload.admit(0, 4).unwrap();
        assert_eq!(workload.admit(0, 0).unwrap_err(), Full, "too many");
        drop(first);
        let third = workload.admit(0, 6).unwrap();
        drop((second, third));
        // However large it is, one alone is admitted.
        let large = workload.admit(0, usize::MAX).unwrap();
        assert_eq!(workload.admit(0, 1).unwrap_err(), Full);
        drop(large);
        assert!(workload.admit(0, 1).is_ok());
    }

    #[test]
    fn one_that_takes_all_it_can_leaves_the_others_their_part() {
        let max = WorkloadMax {
            number: 12,
            bytes: 120,
        };
        let workload = Workload::new(max, 3);
        let mut taken = Vec::new();
        while let Ok(in_flight) = workload.admit(0, 1) {
            taken.push(in_flight);
        }
        assert_eq!(taken.len(), 2 + 6);
        for other in 1..3 {
            taken.push(workload.admit(other, 20).unwrap());
            taken.push(workload.admit(other, 0).unwrap());
            assert_eq!(workload.admit(other, 0).unwrap_err(), Full);
        }
        drop(taken);
        let large = workload.admit(0, usize::MAX).unwrap();
        assert!(
            workload.admit(1, 20).is_ok(),
            "also of one that is too large"
        );
        assert_eq!(workload.admit(1, 21).unwrap_err(), Full);
        drop(large);
        assert!(workload.admit(1, 21).is_ok());
    }
}
