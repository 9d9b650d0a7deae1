//! Keys that colluding hubs find out, by an attack that is really made.

use std::collections::BTreeMap;

use dske::crypto::secret::Secret;
use dske::protocol::KeyId;
use dske::protocol::initiator::KeySource;
use rand::seq::SliceRandom;
use serde::Serialize;

use super::attack::attack;
use super::exchange::Rate;
use super::lab::Lab;
use super::map::CLUSTERS;
use super::setup::{Setup, ask, close};
use super::theory;
use crate::judge::Facts;
use crate::plan::stream::stream;
use crate::world::observer::record::CallKind;

/// Keys of a run at most.
const KEYS_MAX: usize = 25;

/// Keys that hubs tried to find out.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Point {
    /// Hubs (N).
    pub hubs: u8,
    /// Threshold (K).
    pub threshold: u8,
    /// Where the keys come from.
    pub key_source: String,
    /// Hubs that pool what they hold.
    pub colluding: u8,
    /// Keys that they found, of all that were delivered.
    #[serde(flatten)]
    pub found: Rate,
    /// Keys that they believed to have found, and were wrong.
    pub mistaken: u64,
    /// Whether theory says that they find all of them, rather than none.
    pub found_in_theory: bool,
}

pub(super) fn measure(lab: &mut Lab<'_>) -> Vec<Point> {
    let sources = [KeySource::Generator, KeySource::Psrd];
    let conditions: Vec<_> = CLUSTERS
        .into_iter()
        .flat_map(|cluster| sources.map(|source| (cluster, source)))
        .collect();
    let keys = (lab.samples(), KEYS_MAX);
    let mut setup = Setup::new(lab, "attack");
    let plan = |((hubs, threshold), source), keys| {
        let mut plan = setup.plan(hubs, threshold);
        plan.cluster.key_source = source;
        ask(&mut plan, keys, 2_000, 100);
        close(&mut plan);
        plan
    };
    let found = lab.run_each(&conditions, keys, plan, try_all);
    let mut points = Vec::new();
    for (&((hubs, threshold), source), found) in conditions.iter().zip(found) {
        for colluding in 0..=hubs {
            let tries = found.iter();
            let tries: Vec<&Tried> = tries
                .filter_map(|t| t.get(usize::from(colluding)))
                .collect();
            points.push(Point {
                hubs,
                threshold,
                key_source: source.as_str().to_owned(),
                colluding,
                found: Rate::of(
                    tries.iter().map(|tried| tried.right).sum(),
                    tries.iter().map(|tried| tried.keys).sum(),
                ),
                mistaken: tries.iter().map(|tried| tried.wrong).sum(),
                found_in_theory: theory::is_found_out(threshold, colluding),
            });
        }
    }
    points
}

/// The result of an attack.
#[derive(Debug, Clone, Copy, Default)]
struct Tried {
    keys: u64,
    right: u64,
    wrong: u64,
}

/// An attack by no hub, by one, and so on, up to all. Which ones is drawn.
fn try_all(facts: &Facts<'_>) -> Vec<Tried> {
    let plan = &facts.seen.plan;
    let mut rng = stream(&plan.campaign, plan.seed, "colluding");
    let delivered = delivered(facts);
    let attacks = (0..=usize::from(plan.cluster.hubs)).map(|number| {
        let mut hubs: Vec<usize> = (0..usize::from(plan.cluster.hubs)).collect();
        hubs.shuffle(&mut rng);
        hubs.truncate(number);
        let found = attack(facts.seen, &hubs);
        let mut tried = Tried::default();
        for (key_id, key) in &delivered {
            tried.keys += 1;
            match found.get(key_id) {
                Some(found) if found == *key => tried.right += 1,
                Some(_) => tried.wrong += 1,
                None => {}
            }
        }
        tried
    });
    attacks.collect()
}

/// The keys that masters were given: those that are worth an attack.
fn delivered<'a>(facts: &Facts<'a>) -> BTreeMap<KeyId, &'a Secret> {
    let keys = facts
        .calls(CallKind::Master)
        .filter_map(|call| call.outcome.keys());
    keys.flatten().map(|key| (key.id, &key.bytes)).collect()
}
