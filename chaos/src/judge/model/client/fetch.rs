//! Get key with key IDs: how a call can end, and whom the client blames. `docs/protocol.md` §8.
//!
//! Several ends are possible where the client knows what the observer does not: answers of one moment may have been heard in
//! any order, and a hub that has not said its last word may have been given up, once there was time for all attempts. At
//! the deadline the call ends as things are.

use dske::protocol::message::FetchQuery;

use super::end::End;
use super::known::{Known, KnownKey};
use super::link::Heard;
use super::rules::Rules;
use super::way::{Way, moments};
use crate::judge::Facts;

/// The ways in which keys can be had, or not, if just these answers are accepted. `needed` shares have to agree on a key.
#[must_use]
pub fn ways(
    facts: &Facts<'_>,
    query: &FetchQuery,
    (from_us, until_us): (u64, u64),
    needed: usize,
    heard: &[&Heard],
) -> Vec<Way> {
    let rules = &Rules::of(&facts.seen.plan);
    let given_up_us = from_us + rules.patience_us;
    let mut ways = Vec::new();
    let mut so_far: Vec<&Heard> = Vec::new();
    let mut last_us = from_us;
    for moment in moments(heard, until_us) {
        let at_us = moment[0].at_us;
        let before = Known::from(rules, query, &so_far);
        if at_us >= given_up_us {
            ways.extend(given_up(rules, facts, &before, needed, last_us, at_us));
        }
        so_far.extend(moment);
        last_us = at_us;
        let known = Known::from(rules, query, &so_far);
        let is_alone = moment.len() == 1;
        let is_ambiguous = known.ambiguous(rules, facts).next().is_some();
        // Of answers of one moment those that make up the second key may have come after the keys were delivered.
        let is_solved = known.is_solved(rules, facts, needed) && !(is_ambiguous && is_alone);
        if is_solved {
            ways.push(Way {
                end: End::Keys,
                over_us: at_us,
                heard_us: from_us + rules.deadline_us,
                deaf_us: until_us + rules.deadline_us,
            });
        }
        if is_ambiguous {
            ways.push(ended(End::Ambiguous, at_us, is_alone));
        }
        let is_over = is_solved && known.is_found(rules, facts, needed);
        if is_over || is_ambiguous {
            return ways;
        }
        let ends = hopeless_ends(rules, facts, (&before, &known), needed, moment.len());
        if !ends.is_empty() {
            let ends = ends.into_iter();
            ways.extend(ends.map(|end| ended(end, at_us, is_alone)));
            return ways;
        }
    }
    if until_us >= given_up_us {
        let known = Known::from(rules, query, &so_far);
        ways.extend(given_up(rules, facts, &known, needed, last_us, until_us));
    }
    ways
}

/// A call fails because of what it hears at a moment. Nothing is known of what else it heard then.
fn ended(end: End, at_us: u64, is_alone: bool) -> Way {
    Way {
        end,
        over_us: at_us,
        heard_us: at_us - u64::from(!is_alone),
        deaf_us: at_us,
    }
}

/// How a call ends that gives up between two moments.
fn given_up<'a>(
    rules: &'a Rules,
    facts: &'a Facts<'_>,
    known: &'a Known<'_>,
    needed: usize,
    heard_us: u64,
    deaf_us: u64,
) -> impl Iterator<Item = Way> + 'a {
    let unsolved = known
        .keys
        .iter()
        .filter(move |key| !key.is_found(rules, facts, needed));
    unsolved.map(move |key| Way {
        end: without(rules, key),
        over_us: deaf_us,
        heard_us,
        deaf_us,
    })
}

/// How a call ends because the hubs that are silent cannot help any more, if it is so after these answers of one moment.
fn hopeless_ends(
    rules: &Rules,
    facts: &Facts<'_>,
    (before, after): (&Known<'_>, &Known<'_>),
    needed: usize,
    answers: usize,
) -> Vec<End> {
    let mut ends = Vec::new();
    for (before, key) in before.keys.iter().zip(&after.keys) {
        let is_hopeless = key.largest() + after.silent < needed
            || after.silent == 0 && !key.is_found(rules, facts, needed);
        if !is_hopeless {
            continue;
        }
        let end = without(rules, key);
        ends.push(end);
        if answers > 1 {
            // Some of the others may have come after the end.
            if end == End::Forbidden && key.not_found > 0 {
                ends.push(End::NotFound);
            }
            let says_no = |key: &KnownKey<'_>| key.not_found + key.forbidden;
            if says_no(key) - says_no(before) < answers || needed > rules.threshold {
                ends.push(End::Unavailable);
            }
        }
    }
    ends
}

/// What an SAE is told of a key that cannot be had.
fn without(rules: &Rules, key: &KnownKey<'_>) -> End {
    if key.forbidden >= rules.enough_without() {
        End::Forbidden
    } else if key.forbidden + key.not_found >= rules.enough_without() {
        End::NotFound
    } else {
        End::Unavailable
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::testing::{Drawn, Says};
    use super::*;

    /// How a call from 0 until a time can end, if N = 5, K = 3, and hubs say this at these times.
    fn ends(until_ms: u64, needed: usize, said: &[(u64, usize, Says)]) -> BTreeSet<End> {
        let drawn = Drawn::new();
        let heard = said
            .iter()
            .map(|&(at_ms, hub, says)| drawn.heard(at_ms, hub, says));
        let heard: Vec<Heard> = heard.collect();
        let heard: Vec<&Heard> = heard.iter().collect();
        let seen = drawn.scene.see();
        let facts = Facts::new(&seen);
        let times = (0, until_ms * 1_000);
        let ways = ways(&facts, &drawn.query(), times, needed, &heard);
        ways.into_iter().map(|way| way.end).collect()
    }

    fn only(end: End) -> BTreeSet<End> {
        BTreeSet::from([end])
    }

    use Says::{Forbidden, NotFound, OtherKeys, Refusal, Share, WrongShare, WrongTag};

    #[test]
    fn k_shares_that_agree_make_the_keys_and_no_other_end_is_left() {
        let said = [
            (2, 0, Share),
            (4, 3, WrongShare),
            (6, 1, Share),
            (8, 4, Share),
        ];
        assert_eq!(ends(100, 3, &said), only(End::Keys));
        assert_eq!(ends(7, 3, &said), BTreeSet::new());
        // Four of them have to agree.
        assert_eq!(ends(100, 4, &said), BTreeSet::new());
        let more = [&said[..], &[(10, 2, Share)]].concat();
        assert_eq!(ends(100, 4, &more), only(End::Keys));
    }

    #[test]
    fn a_key_is_not_found_when_so_many_hubs_say_so_that_no_k_are_left() {
        let said = [(2, 0, NotFound), (4, 1, NotFound), (6, 2, NotFound)];
        assert_eq!(ends(100, 3, &said), only(End::NotFound));
        assert_eq!(ends(100, 3, &said[..2]), BTreeSet::new());
        // After a while the others may have been given up.
        assert_eq!(ends(750, 3, &said[..2]), only(End::Unavailable));
        assert_eq!(ends(749, 3, &said[..2]), BTreeSet::new());
    }

    #[test]
    fn it_is_forbidden_only_if_so_many_hubs_forbid_it() {
        let said = [(2, 0, Forbidden), (4, 1, Forbidden), (6, 2, Forbidden)];
        assert_eq!(ends(100, 3, &said), only(End::Forbidden));
        let said = [(2, 0, Forbidden), (4, 1, NotFound), (6, 2, Forbidden)];
        assert_eq!(ends(100, 3, &said), only(End::NotFound));
    }

    #[test]
    fn a_call_ends_as_soon_as_the_silent_hubs_cannot_help() {
        let said = [
            (2, 0, NotFound),
            (4, 1, OtherKeys),
            (6, 2, Refusal),
            (8, 3, NotFound),
        ];
        assert_eq!(ends(100, 3, &said), only(End::Unavailable));
        assert_eq!(ends(7, 3, &said[..2]), BTreeSet::new());
        // All have answered, and no three agree.
        let said = [
            (2, 0, Share),
            (4, 1, Share),
            (6, 2, WrongShare),
            (8, 3, WrongShare),
            (10, 4, WrongShare),
        ];
        assert_eq!(ends(100, 3, &said), only(End::Unavailable));
        assert_eq!(ends(100, 3, &said[..4]), BTreeSet::new());
        let said = [
            (2, 0, Share),
            (4, 1, Share),
            (6, 2, WrongTag),
            (8, 3, WrongTag),
        ];
        assert_eq!(ends(100, 3, &said), BTreeSet::new());
        let said = [&said[..], &[(10, 4, WrongTag)]].concat();
        assert_eq!(ends(100, 3, &said), only(End::Unavailable));
    }

    #[test]
    fn answers_of_one_moment_may_come_in_any_order() {
        // The wrong one may have been first, or last.
        let said = [
            (2, 0, NotFound),
            (2, 1, NotFound),
            (2, 2, NotFound),
            (2, 3, OtherKeys),
        ];
        let either = BTreeSet::from([End::NotFound, End::Unavailable]);
        assert_eq!(ends(100, 3, &said), either);
        let said = [
            (2, 0, Forbidden),
            (2, 1, NotFound),
            (2, 2, Forbidden),
            (2, 3, Forbidden),
        ];
        let either = BTreeSet::from([End::Forbidden, End::NotFound]);
        assert_eq!(ends(100, 3, &said), either);
        // Nothing that came at the same moment, and before, could have kept it from the keys.
        let said = [
            (2, 0, Share),
            (2, 1, OtherKeys),
            (2, 2, Share),
            (2, 3, Share),
            (2, 4, NotFound),
        ];
        assert_eq!(ends(100, 3, &said), only(End::Keys));
        let said = [(2, 0, NotFound), (2, 1, NotFound), (2, 2, NotFound)];
        assert_eq!(ends(100, 3, &said), only(End::NotFound));
        // It may have ended when two had forbidden it, and one had no share.
        let said = [
            (2, 0, NotFound),
            (4, 1, Forbidden),
            (4, 2, Forbidden),
            (4, 3, Forbidden),
        ];
        assert_eq!(ends(100, 3, &said), either);
    }

    #[test]
    fn a_call_that_ends_early_hears_nothing_of_what_comes_later() {
        let drawn = Drawn::new();
        let said = [
            (2, 0, NotFound),
            (4, 1, NotFound),
            (6, 2, NotFound),
            (8, 3, WrongTag),
        ];
        let heard: Vec<Heard> = said
            .map(|(at, hub, says)| drawn.heard(at, hub, says))
            .into();
        let heard: Vec<&Heard> = heard.iter().collect();
        let seen = drawn.scene.see();
        let facts = Facts::new(&seen);
        let ways = ways(&facts, &drawn.query(), (0, 100_000), 3, &heard);
        let end = Way {
            end: End::NotFound,
            over_us: 6_000,
            heard_us: 6_000,
            deaf_us: 6_000,
        };
        // Each of the keys says so.
        assert_eq!(BTreeSet::from_iter(ways), BTreeSet::from([end]));
    }
}
