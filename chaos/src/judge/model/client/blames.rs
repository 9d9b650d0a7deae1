//! How often clients have to blame hubs, and for what, and of how many keys they have to say that two fit: compared with their
//! last status in each of their lives.

use std::collections::{BTreeMap, BTreeSet};

use dske::protocol::message::FetchQuery;

use super::calls::Asked;
use super::known::{Blames, Known};
use super::link::{Heard, life_at};
use super::rules::Rules;
use super::way::Way;
use crate::judge::{Facts, Verdict, Violation};
use crate::world::observer::record::Call;

/// A client that was asked for its status has answered after this, or not at all.
const POLL_US: u64 = 500_000;

/// Blames that clients had counted when they were asked for their last status. Whether an answer was heard by then, and
/// whether anybody still listened, is not always known.
#[derive(Default)]
pub struct Blamed {
    /// Client and life → so many at least,
    least: BTreeMap<(usize, u32), Blames>,
    /// and so many at most.
    most: BTreeMap<(usize, u32), Blames>,
    /// The same of alarms, at least and at most.
    alarms: BTreeMap<(usize, u32), (u64, u64)>,
}

impl Blamed {
    /// Adds what a client has to make of the answers to a fetch that ended in one of these ways. Without one it is not known
    /// how long it listened.
    pub fn add<'a>(
        &mut self,
        facts: &Facts<'_>,
        call: &Call,
        asked: &Asked<'_, &FetchQuery>,
        ways: impl Iterator<Item = &'a Way> + Clone,
    ) {
        let rules = Rules::of(&facts.seen.plan);
        let life = (
            call.client,
            life_at(facts.seen, call.client, asked.first_us),
        );
        let Some(&polled_us) = facts.seen.client_polls.get(&life) else {
            return;
        };
        let heard_us = ways.clone().map(|way| way.heard_us).min().unwrap_or(0);
        let deaf_us = ways.map(|way| way.deaf_us).max();
        let deaf_us = deaf_us.unwrap_or(call.until_us + rules.deadline_us);
        let until = |at_us: u64, is_certain: bool| {
            let heard = asked.heard.iter().copied().filter(|answer: &&Heard| {
                answer.at_us <= at_us && (answer.is_certain || !is_certain)
            });
            let heard: Vec<&Heard> = heard.collect();
            let known = Known::from(&rules, asked.what, &heard);
            let blames = known.blames(&rules, facts, !is_certain);
            let alarms = known.ambiguous(&rules, facts).count() as u64;
            (blames, alarms)
        };
        let least = until(heard_us.min(polled_us.saturating_sub(1)), true);
        let most = until(deaf_us.min(polled_us + POLL_US), false);
        let (at_least, at_most) = self.alarms.entry(life).or_default();
        (*at_least, *at_most) = (*at_least + least.1, *at_most + most.1);
        for (sum, blames) in [(&mut self.least, least.0), (&mut self.most, most.0)] {
            let sum = sum.entry(life).or_default();
            for (blame, number) in blames {
                *sum.entry(blame).or_default() += number;
            }
        }
    }

    /// Compares with what clients counted.
    pub fn compare(&self, facts: &Facts<'_>, verdict: &mut Verdict) {
        for (&life, status) in &facts.seen.client_statuses {
            let at_us = facts.seen.client_polls.get(&life).copied().unwrap_or(0);
            let (least, most) = self.alarms.get(&life).copied().unwrap_or_default();
            let alarms = status.counters.alarms;
            verdict.expect((least..=most).contains(&alarms), at_us, || {
                Violation::AlarmsOutsideModel {
                    client: life.0,
                    counted: alarms,
                    least,
                    most,
                }
            });
            let counted = status.hubs.iter().flat_map(|peer| {
                let hub = usize::from(peer.x.get()) - 1;
                let blame = peer.blame.iter();
                blame.map(move |(why, &number)| ((hub, why.as_str()), number))
            });
            let counted: BTreeMap<(usize, &str), u64> = counted.collect();
            let none = Blames::new();
            let least = self.least.get(&life).unwrap_or(&none);
            let most = self.most.get(&life).unwrap_or(&none);
            let blames: BTreeSet<(usize, &str)> =
                counted.keys().chain(most.keys()).copied().collect();
            for (hub, why) in blames {
                let of = |blames: &BTreeMap<(usize, &str), u64>| {
                    blames.get(&(hub, why)).copied().unwrap_or(0)
                };
                let (counted, least, most) = (of(&counted), of(least), of(most));
                verdict.expect((least..=most).contains(&counted), at_us, || {
                    Violation::BlamedOutsideModel {
                        client: life.0,
                        hub,
                        why: why.to_owned(),
                        counted,
                        least,
                        most,
                    }
                });
            }
        }
    }
}
