//! What more seeds still bring: how many situations have been met after so many runs.
//!
//! What tells runs apart is *which* marks they met: the rare and important situations inside the nodes. How often they met
//! them does not count, nor does everything else that is counted. Otherwise no two runs would be alike, and the number of
//! different runs would say nothing.

use std::collections::{BTreeMap, BTreeSet};

use crate::plan::reached::is_consequence;
use crate::summary::CoveragePoint;

/// Points for each doubling of the number of runs: enough for a curve.
const POINTS_PER_DOUBLING: u64 = 4;

/// What has been seen so far.
#[derive(Debug, Clone, Default)]
pub struct Coverage {
    runs: u64,
    names: BTreeSet<String>,
    sets: BTreeSet<BTreeSet<String>>,
    points: Vec<CoveragePoint>,
}

impl Coverage {
    /// Adds a run by what it reached. Returns whether it is the first to meet this set of marks.
    pub fn add(&mut self, reached: &BTreeMap<String, u64>) -> bool {
        self.runs += 1;
        self.names.extend(situations(reached));
        let marks = reached.keys().filter(|name| name.starts_with("mark:"));
        let is_new = self.sets.insert(marks.cloned().collect());
        if self.runs.is_multiple_of(step(self.runs)) {
            self.points.push(self.now());
        }
        is_new
    }

    /// What has been seen so far.
    #[must_use]
    pub fn now(&self) -> CoveragePoint {
        CoveragePoint {
            runs: self.runs,
            names: self.names.len() as u64,
            sets: self.sets.len() as u64,
        }
    }

    /// The curve, with the last run at its end.
    #[must_use]
    pub fn points(mut self) -> Vec<CoveragePoint> {
        let now = self.now();
        if self.points.last().is_some_and(|last| *last != now) {
            self.points.push(now);
        }
        self.points
    }
}

/// What came about in a run. What was planned is left out, such as a fault that began or a hub that lied: it differs from
/// plan to plan, whatever the nodes do.
#[must_use]
pub fn situations(reached: &BTreeMap<String, u64>) -> BTreeSet<String> {
    let names = reached.keys().filter(|name| is_consequence(name));
    names.cloned().collect()
}

/// Every run up to eight, every second one up to sixteen, and so on.
fn step(runs: u64) -> u64 {
    (1 << runs.ilog2()) / POINTS_PER_DOUBLING.min(1 << runs.ilog2())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(names: &[&str]) -> BTreeMap<String, u64> {
        names.iter().map(|name| ((*name).to_owned(), 7)).collect()
    }

    fn point(runs: u64, names: u64, sets: u64) -> CoveragePoint {
        CoveragePoint { runs, names, sets }
    }

    #[test]
    fn presence_counts_and_what_was_planned_does_not() {
        let mut coverage = Coverage::default();
        assert!(coverage.add(&run(&["branch:retry", "fault:hold", "mark:late-share"])));
        assert!(!coverage.add(&run(&["lie:silent", "mark:late-share"])));
        assert!(coverage.add(&run(&["mark:late-share", "mark:grace-over"])));
        assert!(coverage.add(&run(&[])));
        let expected = [(1, 2, 1), (2, 2, 1), (3, 3, 2), (4, 3, 3)];
        let expected = expected.map(|(runs, names, sets)| point(runs, names, sets));
        assert_eq!(coverage.points(), expected);
    }

    #[test]
    fn the_curve_has_few_points_and_ends_with_the_last_run() {
        let mut coverage = Coverage::default();
        for _ in 0..1_001 {
            coverage.add(&run(&["branch:retry"]));
        }
        let points = coverage.points();
        assert_eq!(points.last(), Some(&point(1_001, 1, 1)));
        assert!((30..45).contains(&points.len()), "{}", points.len());
        assert!(points.windows(2).all(|pair| pair[0].runs < pair[1].runs));
        assert_eq!(Coverage::default().points(), []);
    }
}
