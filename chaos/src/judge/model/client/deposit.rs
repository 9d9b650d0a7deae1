//! Get key: how a call can end. `docs/protocol.md` §5.

use std::collections::BTreeSet;

use dske::protocol::KeyId;
use dske::protocol::batch::Reply;
use dske::protocol::message::DepositOutcome;

use super::end::End;
use super::link::Heard;
use super::rules::Rules;
use super::way::moments;

/// The ends that a call for these keys can come to by `until_us`, if just these answers are accepted. Hubs that have not said
/// their last word may be given up from `given_up_us` on.
#[must_use]
pub fn ends(
    rules: &Rules,
    key_ids: &[KeyId],
    (given_up_us, until_us): (u64, u64),
    heard: &[&Heard],
) -> BTreeSet<End> {
    let mut ends = BTreeSet::new();
    let (mut holders, mut others) = (0, 0);
    for moment in moments(heard, until_us) {
        if moment[0].at_us >= given_up_us {
            ends.insert(End::NotEstablished);
        }
        let held = moment
            .iter()
            .filter(|answer| holds(answer, key_ids))
            .count();
        holders += held;
        others += moment.len() - held;
        let is_over_by = |us: u64| until_us <= us + rules.way_us;
        if holders >= rules.threshold {
            ends.extend(is_over_by(moment[0].at_us + rules.grace_us).then_some(End::Keys));
            return ends;
        }
        if others >= rules.enough_without() {
            ends.extend(is_over_by(moment[0].at_us).then_some(End::NotEstablished));
            return ends;
        }
    }
    if until_us >= given_up_us {
        ends.insert(End::NotEstablished);
    }
    ends
}

/// The hubs that a call which ended at `until_us` with keys did not wait for: those that had not answered, if the grace period
/// was not over then.
#[must_use]
pub fn left_out(rules: &Rules, key_ids: &[KeyId], until_us: u64, heard: &[&Heard]) -> Vec<usize> {
    let in_time = heard.iter().filter(|answer| answer.at_us <= until_us);
    let holders = in_time.clone().filter(|answer| holds(answer, key_ids));
    let since_us = holders.map(|answer| answer.at_us).nth(rules.threshold - 1);
    if since_us.is_none_or(|us| us + rules.grace_us <= until_us) {
        return Vec::new();
    }
    let answered: Vec<usize> = in_time.map(|answer| answer.hub).collect();
    (0..rules.hubs)
        .filter(|hub| !answered.contains(hub))
        .collect()
}

/// Whether a hub says that it holds all the keys.
fn holds(answer: &Heard, key_ids: &[KeyId]) -> bool {
    let Some(Reply::Deposit(reply)) = &answer.reply else {
        return false;
    };
    let ids = reply.keys.iter().map(|result| result.key_id);
    let mut outcomes = reply.keys.iter().map(|result| result.outcome);
    ids.eq(key_ids.iter().copied()) && outcomes.all(|outcome| outcome == DepositOutcome::Stored)
}

#[cfg(test)]
mod tests {
    use DepositOutcome::{Conflict, Full, Stored};

    use super::super::testing::Drawn;
    use super::*;

    fn ends(until_ms: u64, said: &[(u64, usize, [DepositOutcome; 2])]) -> Vec<End> {
        let drawn = Drawn::new();
        let heard = said
            .iter()
            .map(|&(at_ms, hub, outcomes)| drawn.stored(at_ms, hub, outcomes));
        let heard: Vec<Heard> = heard.collect();
        let heard: Vec<&Heard> = heard.iter().collect();
        let rules = Rules::of(&drawn.scene.see().plan);
        let key_ids: Vec<KeyId> = drawn.keys.iter().map(|key| key.id).collect();
        let times = (rules.patience_us, until_ms * 1_000);
        super::ends(&rules, &key_ids, times, &heard)
            .into_iter()
            .collect()
    }

    #[test]
    fn keys_are_given_once_k_hubs_hold_all_of_them() {
        let yes = [Stored, Stored];
        let said = [
            (2, 0, yes),
            (4, 1, [Stored, Full]),
            (6, 2, yes),
            (8, 3, yes),
        ];
        assert_eq!(ends(100, &said), [End::Keys]);
        // The grace period is 200 ms, and the way to the SAE 82 ms at most.
        assert_eq!(ends(290, &said), [End::Keys]);
        assert_eq!(ends(291, &said), []);
        assert_eq!(ends(100, &said[..3]), []);
        assert_eq!(ends(750, &said[..3]), [End::NotEstablished]);
        assert_eq!(ends(7, &said), []);
    }

    #[test]
    fn a_call_fails_once_no_k_hubs_are_left() {
        let (yes, no) = ([Stored, Stored], [Conflict, Conflict]);
        let said = [(2, 0, no), (4, 1, [Full, Stored]), (6, 2, yes), (8, 3, no)];
        // The way to the SAE takes 82 ms at most.
        assert_eq!(ends(90, &said), [End::NotEstablished]);
        assert_eq!(ends(91, &said), []);
        assert_eq!(ends(90, &said[..3]), []);
    }

    #[test]
    fn what_comes_after_hubs_may_have_been_given_up_may_be_too_late() {
        let yes = [Stored, Stored];
        let said = [(2, 0, yes), (749, 1, yes), (750, 2, yes)];
        assert_eq!(ends(1_000, &said), [End::Keys, End::NotEstablished]);
        let said = [(2, 0, yes), (748, 1, yes), (749, 2, yes)];
        assert_eq!(ends(1_000, &said), [End::Keys]);
    }

    #[test]
    fn hubs_that_have_not_answered_are_waited_for_until_the_grace_period_is_over() {
        let drawn = Drawn::new();
        let heard = [(2, 0), (4, 4), (6, 2), (9, 3)];
        let heard = heard.map(|(at_ms, hub)| drawn.stored(at_ms, hub, [Stored, Stored]));
        let heard: Vec<&Heard> = heard.iter().collect();
        let rules = Rules::of(&drawn.scene.see().plan);
        let key_ids: Vec<KeyId> = drawn.keys.iter().map(|key| key.id).collect();
        let left_out = |until_ms: u64| left_out(&rules, &key_ids, until_ms * 1_000, &heard);
        assert_eq!(left_out(5), [0_usize; 0]);
        assert_eq!(left_out(6), [1, 3]);
        assert_eq!(left_out(205), [1]);
        assert_eq!(left_out(206), [0_usize; 0]);
    }
}
