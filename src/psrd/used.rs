//! Which bytes of one block have been used.

use std::collections::BTreeMap;

use crate::harness::{Canary, Mark, canary, reached};

/// Most separate spans that are kept for one block: about 64 KiB of memory. A span beyond the first means that messages
/// in between were lost or are late. A peer that leaves gaps on purpose pays with the bytes in them, not with our memory.
pub const SPANS_MAX: usize = 4096;

/// The bytes of one block that have been used, as spans that neither overlap nor touch.
#[derive(Debug, Default)]
pub(super) struct Used {
    /// The first position of each span, and the position after its last.
    spans: BTreeMap<u32, u32>,
}

impl Used {
    /// Whether any byte from `start` to before `end` has been used.
    pub(super) fn overlaps(&self, start: u32, end: u32) -> bool {
        self.spans
            .range(..end)
            .next_back()
            .is_some_and(|(_, span_end)| *span_end > start)
    }

    /// Marks the bytes from `start` to before `end` as used. With more spans than `spans_max`, which is 1 at least, it also
    /// gives up everything below some position, which then counts as used, and returns that position. Otherwise it returns 0.
    pub(super) fn insert(&mut self, start: u32, end: u32, spans_max: usize) -> u32 {
        self.merge(start, end);
        if self.spans.len() <= spans_max || canary(Canary::GapsKept) {
            return 0;
        }
        // The allocator goes upwards, so the lowest gap is the oldest.
        let Some(floor) = self.spans.values().nth(1).copied() else {
            return 0;
        };
        reached(Mark::GapGivenUp);
        self.merge(0, floor);
        floor
    }

    /// Whether all of the first `len` bytes have been used.
    pub(super) fn covers(&self, len: usize) -> bool {
        self.spans.get(&0).is_some_and(|end| *end as usize >= len)
    }

    fn merge(&mut self, mut start: u32, mut end: u32) {
        // From the back: every span that begins at or before our end, and ends at or after our start, becomes part of ours.
        while let Some((&span_start, &span_end)) = self.spans.range(..=end).next_back()
            && span_end >= start
        {
            self.spans.remove(&span_start);
            start = start.min(span_start);
            end = end.max(span_end);
        }
        self.spans.insert(start, end);
    }
}

#[cfg(test)]
#[allow(clippy::indexing_slicing)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn too_many_gaps_give_up_the_lowest() {
        let mut used = Used::default();
        for span in 0..SPANS_MAX as u32 {
            assert_eq!(used.insert(10 + span * 2, 11 + span * 2, SPANS_MAX), 0);
        }
        assert!(!used.overlaps(0, 10));
        assert!(!used.overlaps(11, 12));
        assert_eq!(used.insert(100_000, 100_001, SPANS_MAX), 13);
        assert_eq!(used.spans.len(), SPANS_MAX);
        assert!(used.overlaps(0, 1));
        assert!(used.overlaps(11, 12));
        assert!(!used.overlaps(13, 14));
        assert!(!used.overlaps(99_999, 100_000));
    }

    proptest! {
        #[test]
        fn same_as_a_list_of_flags(spans in prop::collection::vec((0..60_u32, 1..12_u32), 0..30)) {
            let mut flags = [false; 80];
            let mut used = Used::default();
            for (start, size) in spans {
                let range = start as usize..(start + size) as usize;
                prop_assert_eq!(used.overlaps(start, start + size), flags[range.clone()].contains(&true));
                prop_assert_eq!(used.insert(start, start + size, SPANS_MAX), 0);
                flags[range].fill(true);
                for position in 0..flags.len() {
                    prop_assert_eq!(used.overlaps(position as u32, position as u32 + 1), flags[position]);
                    prop_assert_eq!(used.covers(position + 1), !flags[..=position].contains(&false));
                }
                let apart: Vec<_> = used.spans.iter().collect();
                prop_assert!(apart.windows(2).all(|pair| pair[0].1 < pair[1].0), "{:?}", apart);
            }
        }
    }
}
