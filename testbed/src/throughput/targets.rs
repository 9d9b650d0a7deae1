//! The targets, and whether they are reached.

use dske_report::statistics::Spread;

use super::condition::{Condition, Subject, Trouble};
use super::data::{Measured, Run, Throughput};
use super::plan::{BASE, LARGE, MANY, Part, SHARES};

/// Whether a target is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// The median reaches it.
    Reached,
    /// The median misses it.
    Missed,
    /// Not measured.
    Unknown,
}

/// A target beside the figure that was measured.
#[derive(Debug, Clone, PartialEq)]
pub struct Target {
    /// What it demands.
    pub name: &'static str,
    /// The bound: the figure should be more or less.
    pub aim: f64,
    /// Whether more is better.
    pub more_is_better: bool,
    /// Unit of the figures.
    pub unit: &'static str,
    /// The figure.
    pub figure: Option<Spread>,
}

impl Target {
    /// Whether it is reached.
    #[must_use]
    pub fn standing(&self) -> Standing {
        match self.figure {
            None => Standing::Unknown,
            Some(figure) if self.more_is_better == (figure.median > self.aim) => Standing::Reached,
            Some(_) => Standing::Missed,
        }
    }

    /// How many times better than the target; below 1 the target is missed.
    #[must_use]
    pub fn factor(&self) -> Option<f64> {
        let factor = self.figure?.median / self.aim;
        Some(if self.more_is_better {
            factor
        } else {
            1.0 / factor
        })
    }
}

/// All targets, in a fixed order.
#[must_use]
pub fn targets(data: &Throughput) -> Vec<Target> {
    let figures = Figures::of(data);
    let more = |name, aim, unit, figure| Target {
        name,
        aim,
        more_is_better: true,
        unit,
        figure,
    };
    let less = |name, aim, unit, figure| Target {
        more_is_better: false,
        ..more(name, aim, unit, figure)
    };
    vec![
        more(
            "Keys a second, one key per call, concurrency 32",
            5_000.0,
            "keys/s",
            figures.keys_per_s,
        ),
        more(
            "The same as a share of the bare route",
            40.0,
            "%",
            figures.share_of_bare,
        ),
        less(
            "Median latency of both calls together, concurrency 1",
            2.0,
            "ms",
            figures.alone_ms,
        ),
        more(
            "Keys a second, 128 keys per call",
            100_000.0,
            "keys/s",
            figures.many_keys_per_s,
        ),
        more(
            "Bulk: keys of 1 Mbit",
            1_000.0,
            "Mbit/s",
            figures.bulk_mbit_per_s,
        ),
        less(
            "Memory of a hub for each share",
            300.0,
            "bytes",
            figures.bytes_per_share,
        ),
        less(
            "One hub stopped: median latency, times the undisturbed one",
            1.5,
            "×",
            figures.stopped,
        ),
        less(
            "One hub slow by one second: the same",
            1.5,
            "×",
            figures.slow,
        ),
    ]
}

/// The figures that have targets.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Figures {
    /// Keys a second at concurrency 32.
    pub keys_per_s: Option<Spread>,
    /// The same for the bare route.
    pub bare_keys_per_s: Option<Spread>,
    /// The same in percent of what the bare route reached beside it.
    pub share_of_bare: Option<Spread>,
    /// Median latency of a key at concurrency 1, in milliseconds.
    pub alone_ms: Option<Spread>,
    /// Keys a second with 128 keys in a call.
    pub many_keys_per_s: Option<Spread>,
    /// Mbit of key a second with keys of 1 Mbit.
    pub bulk_mbit_per_s: Option<Spread>,
    /// Memory that each further share takes.
    pub bytes_per_share: Option<Spread>,
    /// Median latency with one hub stopped, as a multiple of the undisturbed one; the worst of all concurrencies.
    pub stopped: Option<Spread>,
    /// The same with one hub slow.
    pub slow: Option<Spread>,
}

impl Figures {
    /// Computes all figures that were measured.
    #[must_use]
    pub fn of(data: &Throughput) -> Self {
        let limit = |condition| find(data, Part::Limit, condition);
        let bare = limit(Condition {
            subject: Subject::BareRoute,
            ..BASE
        });
        let real = limit(BASE);
        let share = real.zip(bare);
        let share = share.and_then(|(real, bare)| real.ratio_to(bare, keys_per_s));
        let of = |condition, figure| limit(condition).and_then(|m| m.spread(figure));
        let alone = Condition {
            concurrency: Some(1),
            ..BASE
        };
        Self {
            keys_per_s: real.and_then(|real| real.spread(keys_per_s)),
            bare_keys_per_s: bare.and_then(|bare| bare.spread(keys_per_s)),
            share_of_bare: share.map(|share| share.times(100.0)),
            alone_ms: of(alone, |run| run.p50_ms),
            many_keys_per_s: of(MANY, keys_per_s),
            bulk_mbit_per_s: of(LARGE, |run| run.mbit_per_s),
            bytes_per_share: bytes_per_share(data),
            stopped: slowdown(data, Trouble::Stopped),
            slow: slowdown(data, Trouble::Slow),
        }
    }
}

fn keys_per_s(run: &Run) -> f64 {
    run.keys_per_s
}

/// The measurements under a condition.
#[must_use]
pub fn find(data: &Throughput, part: Part, condition: Condition) -> Option<&Measured> {
    data.of(part).find(|m| m.condition == condition)
}

/// Memory of each share beyond that of an empty hub. `None` where the hub held too few shares for a reliable figure.
fn bytes_per_share(data: &Throughput) -> Option<Spread> {
    let (first, last) = (data.memory.first()?, data.memory.last()?);
    let shares = last.shares.checked_sub(first.shares)?;
    let bytes = last.rss_bytes.saturating_sub(first.rss_bytes);
    (shares >= SHARES / 20).then_some(())?;
    Spread::of([bytes as f64 / shares as f64])
}

/// The median latency as a multiple of the undisturbed one; the worst of all concurrencies.
fn slowdown(data: &Throughput, trouble: Trouble) -> Option<Spread> {
    let troubled = data
        .of(Part::Trouble)
        .filter(|m| m.condition.trouble == trouble);
    let ratio = |measured: &Measured| {
        let undisturbed = Condition {
            trouble: Trouble::None,
            ..measured.condition
        };
        let undisturbed = find(data, Part::Trouble, undisturbed)?;
        measured.ratio_to(undisturbed, |run| run.p50_ms)
    };
    let ratios = troubled.filter_map(ratio);
    ratios.max_by(|a, b| a.median.total_cmp(&b.median))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(more_is_better: bool, median: f64) -> Target {
        Target {
            name: "",
            aim: 100.0,
            more_is_better,
            unit: "",
            figure: Spread::of([median]),
        }
    }

    #[test]
    fn a_target_is_reached_on_its_own_side() {
        assert_eq!(target(true, 101.0).standing(), Standing::Reached);
        assert_eq!(target(true, 99.0).standing(), Standing::Missed);
        assert_eq!(target(false, 99.0).standing(), Standing::Reached);
        assert_eq!(target(false, 101.0).standing(), Standing::Missed);
        assert_eq!(target(true, f64::NAN).standing(), Standing::Unknown);
    }

    #[test]
    fn a_factor_above_one_is_always_good() {
        assert_eq!(target(true, 200.0).factor(), Some(2.0));
        assert_eq!(target(false, 50.0).factor(), Some(2.0));
        assert_eq!(target(false, 400.0).factor(), Some(0.25));
    }
}
