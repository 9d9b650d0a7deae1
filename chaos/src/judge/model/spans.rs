//! Which bytes of a block of PSRD were used, as the end sees it that is told: `docs/protocol.md` §3.

/// Spans of used bytes, in order, that neither overlap nor touch.
#[derive(Debug, Default)]
pub struct Spans(Vec<(u32, u32)>);

impl Spans {
    /// Whether a byte from `start` to before `end` was used.
    #[must_use]
    pub fn overlaps(&self, start: u32, end: u32) -> bool {
        self.0
            .iter()
            .any(|(from, until)| *from < end && start < *until)
    }

    /// Whether so many bytes from the first one on were used.
    #[must_use]
    pub fn are_all_of(&self, size: u32) -> bool {
        self.0
            .first()
            .is_some_and(|&(from, until)| from == 0 && until >= size)
    }

    /// These bytes are used. Where there are more than `most` spans, what lies below the second one counts as used.
    pub fn add(&mut self, start: u32, end: u32, most: usize) {
        self.merge(start, end);
        if self.0.len() > most
            && let Some(&(_, floor)) = self.0.get(1)
        {
            self.merge(0, floor);
        }
    }

    fn merge(&mut self, start: u32, end: u32) {
        let touches = |&(from, until): &(u32, u32)| from <= end && start <= until;
        let merged = self.0.iter().filter(|span| touches(span));
        let merged = merged.fold((start, end), |(start, end), (from, until)| {
            (start.min(*from), end.max(*until))
        });
        self.0.retain(|span| !touches(span));
        self.0.push(merged);
        self.0.sort_unstable();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn with_too_many_gaps_the_lowest_counts_as_used() {
        let mut spans = Spans::default();
        for start in [10, 30, 20] {
            spans.add(start, start + 2, 3);
        }
        assert!(!spans.overlaps(0, 10) && !spans.overlaps(12, 20));
        assert!(spans.overlaps(11, 12) && spans.overlaps(9, 11));
        spans.add(40, 50, 3);
        assert!(spans.overlaps(0, 1) && spans.overlaps(15, 16));
        assert!(!spans.overlaps(22, 30) && !spans.are_all_of(23));
        spans.add(22, 30, 3);
        spans.add(32, 40, 3);
        assert!(spans.are_all_of(50) && !spans.are_all_of(51));
    }
}
