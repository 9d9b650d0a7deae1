//! Delta debugging (Zeller and Hildebrandt, "Simplifying and isolating failure-inducing input", 2002): take chunks
//! away, large ones first, and keep what still fails.
//!
//! Only complements are tried, as is usual today: the subsets of the original rarely fail where no complement does, and
//! cost as many runs again.

use super::search::Search;
use crate::plan::Plan;

/// Reduces a list. `places` gives the indices at which there is something left to reduce, and `reduce` does it at some
/// of them, after which they are not among the places any more.
pub(super) fn ddmin(
    search: &mut Search<'_>,
    places: impl Fn(&Plan) -> Vec<usize> + Sync,
    reduce: impl Fn(&mut Plan, &[usize]) + Sync,
) {
    // All at once is the first chunk: most parts of a plan have nothing to do with the failure.
    let mut size = places(search.plan()).len();
    while size > 0 {
        let mut from = 0;
        loop {
            let places = places(search.plan());
            let left = places.get(from..).unwrap_or_default();
            let chunks: Vec<&[usize]> = left.chunks(size).collect();
            let taken = search.take_first(chunks.len(), |plan, i| reduce(plan, chunks[i]));
            match taken {
                // What comes after it has moved to its place.
                Some(i) => from += i * size,
                None => break,
            }
        }
        size = if size == 1 { 0 } else { size.div_ceil(2) };
    }
}

/// Takes elements away.
pub(super) fn remove<T>(list: &mut Vec<T>, places: &[usize]) {
    let mut index = 0;
    list.retain(|_| {
        index += 1;
        !places.contains(&(index - 1))
    });
}

#[cfg(test)]
mod tests {
    use super::super::Progress;
    use super::super::testing::{big, violation};
    use super::*;

    /// Shrinks the calls of a plan of 100 to those without which it does not break.
    fn left(needed: &[u32]) -> (Vec<u32>, u32) {
        let ids = |plan: &Plan| -> Vec<u32> { plan.calls.iter().map(|call| call.id).collect() };
        let breaks = |plan: &Plan| {
            let ids = ids(plan);
            needed
                .iter()
                .all(|id| ids.contains(id))
                .then(|| violation(1))
        };
        let mut plan = big();
        plan.calls.truncate(100);
        let mut progress = |_: Progress<'_>| {};
        let mut search = Search::new(&plan, &violation(0), &breaks, 2, 1_000, &mut progress);
        ddmin(
            &mut search,
            |plan| (0..plan.calls.len()).collect(),
            |plan, places| remove(&mut plan.calls, places),
        );
        let shrunk = search.finish(true);
        (ids(&shrunk.plan), shrunk.runs)
    }

    #[test]
    fn what_is_needed_is_left_and_few_runs_are_made() {
        for (needed, runs_max) in [
            (&[][..], 1),
            (&[7][..], 15),
            (&[0], 15),
            (&[99], 15),
            (&[3, 60], 40),
            (&[0, 1, 2, 50, 51, 98, 99], 90),
        ] {
            let (left, runs) = left(needed);
            assert_eq!(left, needed);
            assert!(runs <= runs_max, "{needed:?} took {runs}");
        }
    }
}
