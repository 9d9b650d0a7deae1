//! Something bounded that several share: each has an account of its own, so that none can take what the others need.
//!
//! Each account has a guarantee, which nobody else can use. What no guarantee covers is common: it is lent to whoever
//! comes first. An account draws on its guarantee first and borrows what goes beyond.

/// How much each account has in use, and how much it may have.
///
/// What is counted is up to the user: shares, bytes, calls.
#[derive(Debug, Clone)]
pub struct Accounts {
    accounts: Vec<Account>,
    common: usize,
    borrowed: usize,
}

#[derive(Debug, Clone, Copy)]
struct Account {
    guarantee: usize,
    used: usize,
}

impl Account {
    /// How much it would borrow if so much were in use.
    fn borrows(self, used: usize) -> usize {
        used.saturating_sub(self.guarantee)
    }
}

impl Accounts {
    /// Accounts with these guarantees; what they leave of `max` is common.
    ///
    /// # Panics
    /// If the guarantees add up to more than `max`.
    #[must_use]
    pub fn new(max: usize, guarantees: impl IntoIterator<Item = usize>) -> Self {
        let open = |guarantee| Account { guarantee, used: 0 };
        let accounts: Vec<Account> = guarantees.into_iter().map(open).collect();
        let guaranteed: usize = accounts.iter().map(|account| account.guarantee).sum();
        assert!(guaranteed <= max, "guarantees of {guaranteed} out of {max}");
        Self {
            accounts,
            common: max - guaranteed,
            borrowed: 0,
        }
    }

    /// Accounts of which each is guaranteed the same part of one half of `max`. The other half is common.
    #[must_use]
    pub fn with_equal_parts(max: usize, number: usize) -> Self {
        let part = max / 2 / number.max(1);
        Self::new(max, std::iter::repeat_n(part, number))
    }

    /// Takes an amount, or nothing. Returns whether there was room for it; there is none in an account that does not
    /// exist.
    #[must_use]
    pub fn take(&mut self, account: usize, amount: usize) -> bool {
        let Self {
            accounts,
            common,
            borrowed,
        } = self;
        let Some(account) = accounts.get_mut(account) else {
            return false;
        };
        let used = account.used.saturating_add(amount);
        let would_be_borrowed =
            (*borrowed - account.borrows(account.used)).saturating_add(account.borrows(used));
        if would_be_borrowed > *common {
            return false;
        }
        *borrowed = would_be_borrowed;
        account.used = used;
        true
    }

    /// Gives back what was taken.
    ///
    /// # Panics
    /// If the account has not taken so much.
    pub fn give_back(&mut self, account: usize, amount: usize) {
        let account = self.accounts.get_mut(account);
        let left = account.and_then(|account| {
            let left = account.used.checked_sub(amount)?;
            Some((account, left))
        });
        let (account, used) = left.expect("only what was taken is given back");
        self.borrowed -= account.borrows(account.used) - account.borrows(used);
        account.used = used;
    }

    /// How much is guaranteed to an account.
    #[must_use]
    pub fn guarantee(&self, account: usize) -> usize {
        let account = self.accounts.get(account);
        account.map_or(0, |account| account.guarantee)
    }

    /// How much all accounts together have in use.
    #[must_use]
    pub fn total(&self) -> usize {
        self.accounts.iter().map(|account| account.used).sum()
    }

    /// How much an account has in use.
    #[must_use]
    pub fn used(&self, account: usize) -> usize {
        self.accounts.get(account).map_or(0, |account| account.used)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_guarantee_is_there_whatever_others_take() {
        let mut accounts = Accounts::with_equal_parts(100, 5);
        assert!(accounts.take(0, 60), "its own 10, and the common 50");
        assert!(!accounts.take(0, 1));
        for other in 1..5 {
            assert!(accounts.take(other, 10));
            assert!(!accounts.take(other, 1), "all is lent");
        }
        accounts.give_back(0, 1);
        assert!(accounts.take(4, 1), "what is given back is lent again");
        assert!(!accounts.take(0, 1));
        assert_eq!((accounts.used(4), accounts.total()), (11, 100));
    }

    #[test]
    fn too_much_takes_nothing() {
        let mut accounts = Accounts::new(10, [2, 0]);
        assert!(!accounts.take(1, 9));
        assert!(!accounts.take(0, usize::MAX));
        assert_eq!((accounts.used(0), accounts.used(1)), (0, 0));
        assert!(accounts.take(1, 8));
        assert!(accounts.take(0, 2));
    }

    #[test]
    fn an_account_that_does_not_exist_has_nothing() {
        let mut accounts = Accounts::new(10, [2, 0]);
        assert!(!accounts.take(2, 0));
        assert_eq!((accounts.guarantee(2), accounts.used(2)), (0, 0));
        assert_eq!((accounts.guarantee(0), accounts.total()), (2, 0));
    }

    proptest! {
        /// The sum never exceeds the maximum, a guarantee never fails, and whatever is refused would not have fitted.
        #[test]
        fn shared_fairly(
            guarantees in prop::collection::vec(0_usize..20, 1..5),
            spare in 0_usize..40,
            steps in prop::collection::vec((any::<prop::sample::Index>(), 0_usize..30, any::<bool>()), 0..60),
        ) {
            let max = guarantees.iter().sum::<usize>() + spare;
            let mut accounts = Accounts::new(max, guarantees.iter().copied());
            let mut used = vec![0; guarantees.len()];
            for (which, amount, gives_back) in steps {
                let which = which.index(used.len());
                if gives_back {
                    let amount = amount.min(used[which]);
                    accounts.give_back(which, amount);
                    used[which] -= amount;
                    continue;
                }
                let taken = accounts.take(which, amount);
                let would_be = |i: usize| if i == which { used[i] + amount } else { used[i] };
                let borrowed: usize = (0..used.len())
                    .map(|i| would_be(i).saturating_sub(guarantees[i]))
                    .sum();
                prop_assert_eq!(taken, borrowed <= spare);
                prop_assert!(taken || used[which] + amount > guarantees[which]);
                if taken {
                    used[which] += amount;
                }
                prop_assert!(used.iter().sum::<usize>() <= max);
                prop_assert_eq!(accounts.used(which), used[which]);
            }
        }
    }
}
