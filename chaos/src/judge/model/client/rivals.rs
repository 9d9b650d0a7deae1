//! Which of two keys that fit a client saw first: the one that was drawn, or one that K hubs had made up.

use std::collections::BTreeMap;

use super::calls::Calls;
use super::end::End;
use super::known::Known;
use super::link::{Heard, Links};
use super::rules::Rules;
use super::way::moments;
use crate::judge::Facts;
use crate::plan::reached::Rivals;

/// How often the answers to a fetch made up two keys, by which was the first, and whether it was delivered.
#[must_use]
pub fn orders(facts: &Facts<'_>) -> BTreeMap<Rivals, u64> {
    let mut orders = BTreeMap::new();
    let rules = Rules::of(&facts.seen.plan);
    let links = Links::follow(facts.seen);
    for (number, parts) in Calls::of(facts, &links).fetches {
        let was_delivered = match End::of(&facts.seen.calls[number].outcome) {
            Some(End::Keys) => true,
            Some(End::Ambiguous) => false,
            _ => continue,
        };
        for asked in &parts {
            // Of each key, whether it fits that was drawn, and whether another one does.
            let mut fit = vec![(false, false); asked.what.key_ids.len()];
            let mut so_far: Vec<&Heard> = Vec::new();
            for moment in moments(&asked.heard, u64::MAX) {
                so_far.extend(moment);
                let known = Known::from(&rules, asked.what, &so_far);
                for (key, before) in known.keys.iter().zip(&mut fit) {
                    let now = key.rivals(&rules, facts);
                    let order = match (*before, now) {
                        ((true, false), (true, true)) => Some((true, was_delivered)),
                        ((false, true), (true, true)) => Some((false, was_delivered)),
                        _ => None,
                    };
                    *before = now;
                    if let Some((drawn_first, was_delivered)) = order {
                        let order = Rivals::of(drawn_first, was_delivered);
                        *orders.entry(order).or_default() += 1;
                    }
                }
            }
        }
    }
    orders
}
