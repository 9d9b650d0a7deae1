//! Runs that came near rare situations: what the search starts from.

use std::collections::{BTreeMap, BTreeSet};

use rand::RngExt;
use rand::rngs::ChaCha12Rng;

use crate::plan::Plan;

/// A situation is rare if at most one of this many runs met it.
pub(super) const RARE_ONE_IN: u64 = 10;

/// Runs that are kept. More would spread the search over what is not so rare.
const ENTRIES_MAX: usize = 48;

/// The unit in which rarity is counted: a situation that one run in all has met weighs as much.
const WEIGHT: u64 = 1 << 20;

/// How many runs met each situation.
pub(super) type Counts = BTreeMap<String, u64>;

/// The runs that are kept.
#[derive(Debug, Default)]
pub(super) struct Corpus {
    entries: Vec<Entry>,
    /// Sets of rare situations that a run has met together.
    met: BTreeSet<BTreeSet<String>>,
}

#[derive(Debug)]
struct Entry {
    plan: Plan,
    rare: BTreeSet<String>,
}

impl Corpus {
    /// Keeps a run if it met rare situations, together, as none before it has.
    pub(super) fn consider(
        &mut self,
        plan: &Plan,
        situations: &BTreeSet<String>,
        counts: &Counts,
        runs: u64,
    ) {
        let is_rare = |name: &&String| {
            let count = counts.get(*name).copied().unwrap_or_default();
            // What is met for the first time counts from the beginning, so that there is soon something to mutate.
            count == 1 || count * RARE_ONE_IN <= runs
        };
        let rare: BTreeSet<String> = situations.iter().filter(is_rare).cloned().collect();
        if rare.is_empty() || !self.met.insert(rare.clone()) {
            return;
        }
        let plan = plan.clone();
        self.entries.push(Entry { plan, rare });
        if self.entries.len() > ENTRIES_MAX {
            let weights = self.entries.iter().map(|entry| entry.weight(counts));
            // Of several that weigh the least, the oldest goes.
            let least = weights.enumerate().min_by_key(|(_, weight)| *weight);
            if let Some((place, _)) = least {
                self.entries.remove(place);
            }
        }
    }

    /// Draws a run, the rarer what it met, the likelier.
    pub(super) fn draw(&self, counts: &Counts, rng: &mut ChaCha12Rng) -> Option<&Plan> {
        let weights: Vec<u64> = self.entries.iter().map(|e| e.weight(counts)).collect();
        let sum: u64 = weights.iter().sum();
        if sum == 0 {
            return None;
        }
        let mut left = rng.random_range(0..sum);
        for (entry, weight) in self.entries.iter().zip(weights) {
            match left.checked_sub(weight) {
                None => return Some(&entry.plan),
                Some(rest) => left = rest,
            }
        }
        None
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }
}

impl Entry {
    fn weight(&self, counts: &Counts) -> u64 {
        let count = |name: &String| counts.get(name).copied().unwrap_or_default().max(1);
        self.rare.iter().map(|name| WEIGHT / count(name)).sum()
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;
    use crate::campaign::load;

    fn plan(seed: u64) -> Plan {
        load("calm").unwrap().plan(seed)
    }

    fn set(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn counts(of: &[(&str, u64)]) -> Counts {
        of.iter()
            .map(|(name, n)| ((*name).to_owned(), *n))
            .collect()
    }

    #[test]
    fn only_what_is_rare_and_new_is_kept() {
        let counts = counts(&[("often", 90), ("seldom", 5), ("once", 1)]);
        let mut corpus = Corpus::default();
        corpus.consider(&plan(1), &set(&["often"]), &counts, 100);
        assert_eq!(corpus.len(), 0);
        corpus.consider(&plan(1), &set(&["often", "seldom"]), &counts, 100);
        corpus.consider(&plan(2), &set(&["seldom"]), &counts, 100);
        assert_eq!(corpus.len(), 1, "the same rare situations, whatever else");
        corpus.consider(&plan(3), &set(&["seldom", "once"]), &counts, 100);
        assert_eq!(corpus.len(), 2);
    }

    #[test]
    fn what_is_rarer_is_drawn_more_often() {
        let counts = counts(&[("seldom", 50), ("once", 1)]);
        let mut corpus = Corpus::default();
        corpus.consider(&plan(1), &set(&["seldom"]), &counts, 1_000);
        corpus.consider(&plan(2), &set(&["once"]), &counts, 1_000);
        let mut rng = ChaCha12Rng::seed_from_u64(1);
        let mut draw = || corpus.draw(&counts, &mut rng).unwrap().seed;
        let rarest = (0..200).filter(|_| draw() == 2).count();
        assert!((180..200).contains(&rarest), "{rarest} of 200");
        assert!(Corpus::default().draw(&counts, &mut rng).is_none());
    }

    #[test]
    fn the_corpus_is_bounded_and_what_has_become_common_goes_first() {
        let mut corpus = Corpus::default();
        let names: Vec<String> = (0..ENTRIES_MAX).map(|i| format!("rare {i}")).collect();
        let mut counts: Counts = names.iter().map(|name| (name.clone(), 1)).collect();
        for name in &names {
            corpus.consider(&plan(1), &set(&[name]), &counts, 1_000);
        }
        counts.insert("rare 7".to_owned(), 40);
        counts.insert("new".to_owned(), 1);
        corpus.consider(&plan(2), &set(&["new"]), &counts, 1_000);
        assert_eq!(corpus.len(), ENTRIES_MAX);
        let kept = |name: &str| corpus.entries.iter().any(|e| e.rare.contains(name));
        assert!(!kept("rare 7") && kept("rare 6") && kept("new"));
    }
}
