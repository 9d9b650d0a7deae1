//! Keys that arrive, by hubs that crashed and hubs that lie.

use serde::Serialize;

use super::exchange::{Exchange, Rate, exchanges};
use super::lab::Lab;
use super::setup::{Setup, ask, close, liar, shuffled_hubs, throughout};
use super::theory;
use crate::plan::{Fault, Lie, Plan};

/// N and K of the clusters.
pub(super) const CLUSTERS: [(u8, u8); 4] = [(3, 2), (5, 3), (7, 4), (10, 6)];

/// Keys of a run at most. Each run draws anew which hubs crash and which lie.
const KEYS_MAX: usize = 10;

/// What liars do.
const LIES: [(&str, &[Lie]); 2] = [
    ("corrupt-share", &[Lie::CorruptShare]),
    ("withhold-or-silent", &[Lie::Withhold, Lie::Silent]),
];

/// Keys under the same conditions.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Cell {
    /// Hubs (N).
    pub hubs: u8,
    /// Threshold (K).
    pub threshold: u8,
    /// What the liars do.
    pub lie: String,
    /// Hubs that are down.
    pub crashed: u8,
    /// Other hubs, which lie.
    pub lying: u8,
    /// Keys that the master was given.
    pub established: u64,
    /// Keys that both sides got, of those that were asked for.
    #[serde(flatten)]
    pub arrived: Rate,
    /// Whether theory says that keys arrive.
    pub arrives_in_theory: bool,
    /// Whether a single key did otherwise.
    pub deviates: bool,
}

pub(super) fn measure(lab: &mut Lab<'_>) -> Vec<Cell> {
    measure_in(lab, &CLUSTERS)
}

fn measure_in(lab: &mut Lab<'_>, clusters: &[(u8, u8)]) -> Vec<Cell> {
    let mut conditions = Vec::new();
    for lie in 0..LIES.len() {
        for &(hubs, threshold) in clusters {
            for crashed in 0..=hubs {
                for lying in 0..=hubs - crashed {
                    conditions.push((hubs, threshold, lie, crashed, lying));
                }
            }
        }
    }
    let mut setups = LIES.map(|(name, _)| Setup::new(lab, name));
    let keys = (lab.samples(), KEYS_MAX);
    let plan = |(hubs, threshold, lie, crashed, lying): (u8, u8, usize, u8, u8), keys| {
        let plan = setups[lie].plan(hubs, threshold);
        trouble(plan, keys, crashed, lying, LIES[lie].1)
    };
    let found = lab.run_each(&conditions, keys, plan, exchanges);
    let cells = conditions.iter().zip(found);
    cells
        .map(|(&(hubs, threshold, lie, crashed, lying), found)| {
            let conditions = (hubs, threshold, LIES[lie].0, crashed, lying);
            cell(conditions, &found.concat())
        })
        .collect()
}

fn trouble(mut plan: Plan, keys: usize, crashed: u8, lying: u8, lies: &[Lie]) -> Plan {
    // Only whether keys arrive is asked, not when.
    plan.cluster.latency_ms = (4, 8);
    plan.cluster.tick_ms = 4;
    plan.cluster.request_timeout_ms = 300;
    plan.cluster.call_deadline_ms = 1_000;
    plan.cluster.share_ttl_ms = 2_000;
    let hubs = shuffled_hubs(&plan);
    let (down, up) = hubs.split_at(crashed.into());
    let crash = |&hub: &usize| throughout(Fault::CrashHub { hub });
    plan.faults = down.iter().map(crash).collect();
    let liars = up.iter().take(lying.into());
    plan.liars = liars.map(|&hub| liar(hub, lies)).collect();
    ask(&mut plan, keys, 2_000, 60);
    close(&mut plan);
    plan
}

fn cell((hubs, threshold, lie, crashed, lying): (u8, u8, &str, u8, u8), keys: &[Exchange]) -> Cell {
    let arrived = Rate::count(keys.iter().map(|key| key.fetch_us.is_some()));
    let arrives_in_theory = theory::arrives(hubs, threshold, crashed, lying);
    let as_in_theory = if arrives_in_theory { arrived.tried } else { 0 };
    Cell {
        hubs,
        threshold,
        lie: lie.to_owned(),
        crashed,
        lying,
        established: keys.iter().filter(|key| key.establish_us.is_some()).count() as u64,
        arrived,
        arrives_in_theory,
        deviates: arrived.succeeded != as_in_theory,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explore::sweep::{Options, Part, Sweep, table::tables};

    #[test]
    fn the_map_of_three_hubs_is_as_in_theory_whatever_the_number_of_jobs() {
        let map = |jobs| {
            let options = Options {
                samples: 1,
                seed: 5,
                jobs,
                parts: vec![Part::Map],
            };
            let mut lab = Lab::new(&options, |_, _, _| {});
            let map = measure_in(&mut lab, &[(3, 2)]);
            let (sweep, broken) = lab.finish(Sweep {
                map,
                ..Sweep::default()
            });
            assert!(broken.is_empty(), "{}", broken[0].violation.detail());
            sweep
        };
        let sweep = map(1);
        let again = map(3);
        assert_eq!((&sweep.map, &sweep.digest), (&again.map, &again.digest));
        assert_eq!(
            sweep.runs, 20,
            "ten ways to split three, and two kinds of lies"
        );
        for cell in &sweep.map {
            let arrives = cell.crashed + cell.lying <= 1;
            assert_eq!(cell.arrived.succeeded, u64::from(arrives), "{cell:?}");
            assert_eq!(cell.arrived.tried, 1);
            if cell.lie == "corrupt-share" {
                // These liars store what they are given: only the slave meets the lie.
                assert_eq!(cell.established, u64::from(cell.crashed <= 1), "{cell:?}");
            }
            assert!(!cell.deviates && cell.arrives_in_theory == arrives);
        }
        let csv = tables(&sweep)[0].csv();
        assert_eq!(csv.lines().count(), 21);
        assert_eq!(
            csv.lines().next().unwrap(),
            "hubs,threshold,lie,crashed,lying,established,tried,succeeded,rate,low,high,arrives_in_theory,deviates"
        );
    }

    #[test]
    fn a_single_key_that_does_otherwise_is_a_deviation() {
        let arrived = Exchange {
            from_us: 0,
            establish_us: Some(1),
            fetch_us: Some(1),
        };
        let lost = Exchange {
            fetch_us: None,
            ..arrived
        };
        let of = |lying, keys: &[Exchange]| cell((5, 3, "x", 1, lying), keys);
        assert!(!of(1, &[arrived; 3]).deviates);
        assert!(of(1, &[arrived, lost]).deviates);
        assert!(!of(2, &[lost; 3]).deviates);
        let above = of(2, &[lost, arrived]);
        assert!(above.deviates && !above.arrives_in_theory);
        assert_eq!((above.established, above.arrived.succeeded), (2, 1));
    }
}
