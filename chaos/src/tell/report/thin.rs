//! Leaves out marks where a run has more of them than an eye can tell apart.

use crate::summary::{Mark, MarkKind};

/// What may be left out, the most ordinary first. Violations are never left out.
const ORDER: [MarkKind; 5] = [
    MarkKind::Delivered,
    MarkKind::Blame,
    MarkKind::Lie,
    MarkKind::Failed,
    MarkKind::Fault,
];

/// Each kind keeps at least this many, so that none vanishes from the picture.
const KEEP: usize = 100;

/// The marks that are drawn.
pub(super) struct Thinned<'a> {
    /// In the order of the input.
    pub(super) marks: Vec<&'a Mark>,
    /// Kinds of which some marks were left out: the kind, how many are drawn, and of how many.
    pub(super) left_out: Vec<(MarkKind, usize, usize)>,
}

/// Keeps about `limit` marks: all marks of the other kinds, and evenly spaced ones of the most ordinary kinds.
pub(super) fn thin(marks: &[Mark], limit: usize) -> Thinned<'_> {
    let mut kept: Vec<&Mark> = marks.iter().collect();
    let mut left_out = Vec::new();
    for kind in ORDER {
        let excess = kept.len().saturating_sub(limit);
        let all = kept.iter().filter(|mark| mark.kind == kind).count();
        let keep = all.saturating_sub(excess).max(KEEP.min(all));
        if keep == all {
            continue;
        }
        let mut seen = 0;
        kept.retain(|mark| {
            if mark.kind != kind {
                return true;
            }
            seen += 1;
            seen * keep / all != (seen - 1) * keep / all
        });
        left_out.push((kind, keep, all));
    }
    Thinned {
        marks: kept,
        left_out,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marks(kind: MarkKind, n: u64) -> Vec<Mark> {
        (0..n)
            .map(|at_ms| Mark {
                node: 0,
                at_ms,
                until_ms: None,
                kind,
                label: String::new(),
            })
            .collect()
    }

    #[test]
    fn few_marks_are_all_kept() {
        let all = marks(MarkKind::Delivered, 1_500);
        let thinned = thin(&all, 1_500);
        assert_eq!((thinned.marks.len(), thinned.left_out.len()), (1_500, 0));
    }

    #[test]
    fn deliveries_go_first_and_evenly() {
        let mut all = marks(MarkKind::Delivered, 10_000);
        all.extend(marks(MarkKind::Lie, 500));
        let thinned = thin(&all, 1_500);
        assert_eq!(thinned.marks.len(), 1_500);
        assert_eq!(thinned.left_out, [(MarkKind::Delivered, 1_000, 10_000)]);
        let times: Vec<u64> = thinned
            .marks
            .iter()
            .take(1_000)
            .map(|mark| mark.at_ms)
            .collect();
        assert!(times.windows(2).all(|pair| pair[1] - pair[0] == 10));
    }

    #[test]
    fn violations_are_never_left_out() {
        let mut all = marks(MarkKind::Violation, 2_000);
        all.extend(marks(MarkKind::Delivered, 2_000));
        let thinned = thin(&all, 1_500);
        assert_eq!(
            thinned
                .marks
                .iter()
                .filter(|mark| mark.kind == MarkKind::Violation)
                .count(),
            2_000
        );
        assert_eq!(thinned.left_out, [(MarkKind::Delivered, KEEP, 2_000)]);
    }
}
