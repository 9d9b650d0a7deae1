//! What a client knows of the keys that it fetches, once it has heard some answers: `docs/protocol.md` §8, without its order of steps.
//!
//! The observer knows which shares were drawn. So nothing is searched: shares agree on a key if they are as they were
//! drawn. Others agree on one only if hubs have made them up together. K of these hubs have a key of their own, so that two
//! keys fit. Fewer may have found another polynomial through the same key, which the observer knows of; then every K
//! shares are tried.

use std::collections::{BTreeMap, BTreeSet};

use dske::protocol::KeyId;
use dske::protocol::batch::Reply;
use dske::protocol::message::{FetchAnswer, FetchQuery, FoundShare, Plain};

use super::field::{fits, value_at};
use super::link::Heard;
use super::rules::Rules;
use crate::judge::Facts;
use crate::plan::Lie;

/// Hub and reason → how often.
pub type Blames = BTreeMap<(usize, &'static str), u64>;

/// What a client knows of the keys of a call.
pub struct Known<'a> {
    /// Of each key, in the order in which they are asked for.
    pub keys: Vec<KnownKey<'a>>,
    /// Hubs that have not said their last word.
    pub silent: usize,
    /// Lies that need no other answer to be seen.
    blames: Blames,
}

/// What a client knows of one key.
pub struct KnownKey<'a> {
    key_id: KeyId,
    /// How many hubs say that they have no share.
    pub not_found: usize,
    /// How many say that they have none for this SAE.
    pub forbidden: usize,
    /// Shares by what else their hubs say of the key. Honest hubs all say the same.
    groups: Vec<Vec<(usize, &'a FoundShare<Plain>)>>,
}

/// Shares that agree on a key.
pub struct Agreement {
    /// The group that they are in.
    group: usize,
    /// The hubs.
    hubs: Vec<usize>,
}

impl<'a> Known<'a> {
    /// What follows from these answers.
    #[must_use]
    pub fn from(rules: &Rules, query: &FetchQuery, heard: &[&'a Heard]) -> Self {
        let keys = query.key_ids.iter().map(|&key_id| KnownKey {
            key_id,
            not_found: 0,
            forbidden: 0,
            groups: Vec::new(),
        });
        let mut known = Self {
            keys: keys.collect(),
            silent: rules.hubs.saturating_sub(heard.len()),
            blames: Blames::new(),
        };
        for answer in heard {
            known.hear(rules, query, answer);
        }
        known
    }

    fn hear(&mut self, rules: &Rules, query: &FetchQuery, answer: &'a Heard) {
        let hub = answer.hub;
        let reply = match &answer.reply {
            Some(Reply::Fetch(reply)) => reply,
            Some(Reply::Refused(_)) => return,
            Some(Reply::Deposit(_) | Reply::Withdraw) | None => {
                return self.blame(hub, "malformed");
            }
        };
        let answered = reply.keys.iter().map(|result| result.key_id);
        if !answered.eq(query.key_ids.iter().copied()) {
            return self.blame(hub, "wrong-key");
        }
        for (number, result) in reply.keys.iter().enumerate() {
            let key = &mut self.keys[number];
            match &result.answer {
                FetchAnswer::NotFound => key.not_found += 1,
                FetchAnswer::Forbidden => key.forbidden += 1,
                FetchAnswer::Found(found) => match impossible(rules, query, hub, found) {
                    Some(why) => self.blame(hub, why),
                    None => key.add(hub, found),
                },
            }
        }
    }

    fn blame(&mut self, hub: usize, why: &'static str) {
        *self.blames.entry((hub, why)).or_default() += 1;
    }

    /// Which hubs are to be blamed for what, after these answers. Where K shares or more are wrong, the liars may have made
    /// the client take the right ones for wrong: then there is no telling, and only `at_most` names them.
    #[must_use]
    pub fn blames(&self, rules: &Rules, facts: &Facts<'_>, at_most: bool) -> Blames {
        let mut blames = self.blames.clone();
        for key in &self.keys {
            let Some(agreement) = key.agreement(rules, facts, rules.threshold) else {
                continue;
            };
            if !at_most && !key.is_found(rules, facts, rules.threshold) {
                continue;
            }
            let mut blame = |hub, why| *blames.entry((hub, why)).or_default() += 1;
            if key.is_ambiguous(rules, facts) {
                // Nobody is blamed any more. Until the second key was seen, its hubs were: whichever was the second.
                for &(hub, _) in key.groups.iter().flatten().filter(|_| at_most) {
                    blame(hub, "wrong-public-parts");
                    blame(hub, "wrong-share");
                }
                continue;
            }
            for (number, group) in key.groups.iter().enumerate() {
                let is_other = number != agreement.group;
                let right = key.as_drawn(facts, number);
                let wrong = group.len() - right.len();
                let is_sure = right.len() >= rules.beyond_doubt() && wrong < rules.threshold;
                for &(hub, _) in group {
                    if is_other {
                        blame(hub, "wrong-public-parts");
                    } else if is_sure && !right.contains(&hub)
                        || wrong >= rules.threshold && at_most
                    {
                        blame(hub, "wrong-share");
                    }
                }
            }
        }
        blames
    }

    /// Whether so many shares agree on each key.
    #[must_use]
    pub fn is_solved(&self, rules: &Rules, facts: &Facts<'_>, needed: usize) -> bool {
        let solved = |key: &KnownKey<'_>| key.agreement(rules, facts, needed).is_some();
        self.keys.iter().all(solved)
    }

    /// Whether a client finds each of these keys, whatever the order of its steps. A small budget may not be enough.
    #[must_use]
    pub fn is_found(&self, rules: &Rules, facts: &Facts<'_>, needed: usize) -> bool {
        let mut keys = self.keys.iter();
        keys.all(|key| key.is_found(rules, facts, needed))
    }

    /// The keys of which two different ones fit.
    pub fn ambiguous<'b>(
        &'b self,
        rules: &'b Rules,
        facts: &'b Facts<'_>,
    ) -> impl Iterator<Item = &'b KnownKey<'a>> {
        let keys = self.keys.iter();
        keys.filter(|key| key.is_ambiguous(rules, facts))
    }

    /// The values of a key, each from K shares that agree on it. There is one, unless two keys fit.
    #[must_use]
    pub fn values(&self, rules: &Rules, facts: &Facts<'_>, key_id: KeyId) -> Vec<Vec<u8>> {
        let key = self.keys.iter().find(|key| key.key_id == key_id);
        let secrets = key.map_or_else(BTreeSet::new, |key| key.secrets(rules, facts));
        let values = secrets.into_iter().map(|secret| secret[48..].to_vec());
        values.collect()
    }
}

impl<'a> KnownKey<'a> {
    fn add(&mut self, hub: usize, found: &'a FoundShare<Plain>) {
        let public = |found: &'a FoundShare<Plain>| (&found.slave_saes, found.size, found.tag);
        let mut groups = self.groups.iter_mut();
        match groups.find(|group| public(group[0].1) == public(found)) {
            Some(group) => group.push((hub, found)),
            None => self.groups.push(vec![(hub, found)]),
        }
    }

    /// The most shares that may agree on it, if all do that say the same of it.
    #[must_use]
    pub fn largest(&self) -> usize {
        self.groups.iter().map(Vec::len).max().unwrap_or(0)
    }

    /// The hubs of a group whose shares are as they were drawn, if its tag is.
    fn as_drawn(&self, facts: &Facts<'_>, group: usize) -> Vec<usize> {
        let (tag, drawn) = (facts.tags.get(&self.key_id), facts.shares.get(&self.key_id));
        let right = self.groups[group].iter().filter(|(hub, found)| {
            let x = x_of(*hub);
            let drawn = drawn.and_then(|shares| shares.values().find(|share| share.x.get() == x));
            tag == Some(&found.tag) && drawn.is_some_and(|share| share.y[..] == found.share.0[..])
        });
        right.map(|(hub, _)| *hub).collect()
    }

    /// Shares that agree on a key whose tag fits, if there are so many.
    #[must_use]
    pub fn agreement(&self, rules: &Rules, facts: &Facts<'_>, needed: usize) -> Option<Agreement> {
        let mut agreements = self.agreements(rules, facts, needed).into_iter();
        agreements.next()
    }

    /// Whether a client finds the key, whatever the order of its steps.
    #[must_use]
    pub fn is_found(&self, rules: &Rules, facts: &Facts<'_>, needed: usize) -> bool {
        self.agreement(rules, facts, needed)
            .is_some_and(|agreement| {
                let right = agreement.hubs.len();
                rules.finds(right, self.groups[agreement.group].len() - right)
            })
    }

    /// All of them.
    fn agreements(&self, rules: &Rules, facts: &Facts<'_>, needed: usize) -> Vec<Agreement> {
        let is_framed = facts
            .seen
            .lies
            .iter()
            .any(|lie| lie.lie == Lie::FrameTogether && lie.key_ids.contains(&self.key_id));
        let mut agreements = Vec::new();
        for (group, shares) in self.groups.iter().enumerate() {
            let drawn = self.as_drawn(facts, group);
            let others = shares.iter().filter(|(hub, _)| !drawn.contains(hub));
            let made_up = all_on_first(others.copied().collect(), rules.threshold);
            let mut ways = vec![drawn, made_up];
            if is_framed && ways.iter().all(|hubs| hubs.len() < needed) {
                ways.push(largest_that_fits(shares, rules.threshold));
            }
            ways.retain(|hubs| hubs.len() >= needed);
            agreements.extend(ways.into_iter().map(|hubs| Agreement { group, hubs }));
        }
        agreements
    }

    /// The secrets on which K shares agree.
    fn secrets(&self, rules: &Rules, facts: &Facts<'_>) -> BTreeSet<Vec<u8>> {
        let agreements = self.agreements(rules, facts, rules.threshold).into_iter();
        let secrets = agreements.filter_map(|agreement| {
            let group = &self.groups[agreement.group];
            let chosen = group.iter().filter(|(hub, _)| agreement.hubs.contains(hub));
            let points: Vec<_> = chosen.take(rules.threshold).map(point).collect();
            let secret = value_at(0, &points);
            fits(&group[0].1.tag.to_string(), &secret).then_some(secret)
        });
        secrets.collect()
    }

    /// Whether two different keys fit.
    #[must_use]
    pub fn is_ambiguous(&self, rules: &Rules, facts: &Facts<'_>) -> bool {
        let agreements = self.agreements(rules, facts, rules.threshold);
        agreements.len() > 1 && self.secrets(rules, facts).len() > 1
    }

    /// Whether K shares agree on the key that was drawn, and whether K agree on another one.
    #[must_use]
    pub fn rivals(&self, rules: &Rules, facts: &Facts<'_>) -> (bool, bool) {
        let secrets = self.secrets(rules, facts);
        let drawn = facts.secret(self.key_id).map(|secret| secret.to_vec());
        let (right, others): (Vec<_>, Vec<_>) = secrets
            .into_iter()
            .partition(|secret| Some(secret) == drawn.as_ref());
        (!right.is_empty(), !others.is_empty())
    }
}

/// The hubs whose shares lie on the polynomial of the first K, if its value at zero has the tag.
fn all_on_first(shares: Vec<(usize, &FoundShare<Plain>)>, threshold: usize) -> Vec<usize> {
    let Some(first) = shares.get(..threshold) else {
        return Vec::new();
    };
    let points: Vec<_> = first.iter().map(point).collect();
    if points.is_empty() || !fits(&first[0].1.tag.to_string(), &value_at(0, &points)) {
        return Vec::new();
    }
    let on = shares
        .iter()
        .filter(|(hub, found)| value_at(x_of(*hub), &points) == *found.share.0);
    on.map(|(hub, _)| *hub).collect()
}

/// Why no honest hub would say this, whatever the key is.
fn impossible(
    rules: &Rules,
    query: &FetchQuery,
    hub: usize,
    found: &FoundShare<Plain>,
) -> Option<&'static str> {
    if found.x != x_of(hub) {
        Some("wrong-index")
    } else if usize::from(found.hubs) != rules.hubs {
        Some("wrong-hubs")
    } else if usize::from(found.threshold) != rules.threshold {
        Some("wrong-threshold")
    } else if found.master_sae != query.master_sae || !found.slave_saes.contains(&query.slave_sae) {
        Some("wrong-saes")
    } else if found.share.0.len() != found.size.saturating_add(48) {
        Some("wrong-size")
    } else {
        None
    }
}

/// The hubs of the most shares that lie on one polynomial whose value at zero has the tag: every K of them are tried.
fn largest_that_fits(group: &[(usize, &FoundShare<Plain>)], threshold: usize) -> Vec<usize> {
    let mut largest = Vec::new();
    let numbers = 0..1_u32 << group.len();
    for chosen in numbers.filter(|number| number.count_ones() as usize == threshold) {
        let is_chosen = |place: &usize| chosen >> place & 1 == 1;
        let points: Vec<_> = (0..group.len())
            .filter(is_chosen)
            .map(|place| point(&group[place]))
            .collect();
        if !fits(&group[0].1.tag.to_string(), &value_at(0, &points)) {
            continue;
        }
        let on = group
            .iter()
            .filter(|(hub, found)| value_at(x_of(*hub), &points) == *found.share.0);
        let hubs: Vec<usize> = on.map(|(hub, _)| *hub).collect();
        if hubs.len() > largest.len() {
            largest = hubs;
        }
    }
    largest
}

fn point<'a>((hub, found): &(usize, &'a FoundShare<Plain>)) -> (u8, &'a [u8]) {
    (x_of(*hub), &found.share.0)
}

fn x_of(hub: usize) -> u8 {
    u8::try_from(hub + 1).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Drawn, Says};
    use super::*;

    /// Whom a client of N = 5 and K = 3 blames for one of the two keys or both, after it has heard this.
    fn blames(said: &[(usize, Says)], at_most: bool) -> Vec<(usize, &'static str, u64)> {
        let drawn = Drawn::new();
        let heard = said.iter().map(|&(hub, says)| drawn.heard(2, hub, says));
        let heard: Vec<Heard> = heard.collect();
        let heard: Vec<&Heard> = heard.iter().collect();
        let seen = drawn.scene.see();
        let facts = Facts::new(&seen);
        let rules = Rules::of(&seen.plan);
        let known = Known::from(&rules, &drawn.query(), &heard);
        let blames = known.blames(&rules, &facts, at_most).into_iter();
        blames
            .map(|((hub, why), number)| (hub, why, number))
            .collect()
    }

    use Says::{
        Nonsense, NotFound, OtherKeys, Refusal, Rival, RivalWithTag, Share, WrongShare, WrongTag,
        WrongThreshold,
    };

    #[test]
    fn what_needs_no_other_answer_is_blamed_at_once() {
        for (says, blamed) in [
            (WrongThreshold, vec![(2, "wrong-threshold", 2)]),
            (OtherKeys, vec![(2, "wrong-key", 1)]),
            (Nonsense, vec![(2, "malformed", 1)]),
            (NotFound, vec![]),
            (Refusal, vec![]),
            (WrongTag, vec![]),
            (WrongShare, vec![]),
        ] {
            assert_eq!(blames(&[(2, says)], false), blamed, "{says:?}");
        }
    }

    #[test]
    fn other_public_parts_are_blamed_once_the_key_is_known() {
        let said = [(2, WrongTag), (0, Share), (1, Share)];
        assert_eq!(blames(&said, false), []);
        let said = [&said[..], &[(4, Share)]].concat();
        assert_eq!(blames(&said, false), [(2, "wrong-public-parts", 2)]);
    }

    #[test]
    fn a_share_is_blamed_where_it_is_wrong_beyond_doubt() {
        let said = [(2, WrongShare), (0, Share), (1, Share), (3, Share)];
        assert_eq!(blames(&said, false), [], "2K − 2 shares have to agree");
        let said = [&said[..], &[(4, Share)]].concat();
        assert_eq!(blames(&said, false), [(2, "wrong-share", 2)]);
        assert_eq!(blames(&said, true), [(2, "wrong-share", 2)]);
    }

    #[test]
    fn a_key_is_what_k_shares_that_agree_make_and_nothing_else() {
        let value = |said: &[(usize, Says)]| {
            let drawn = Drawn::new();
            let heard = said.iter().map(|&(hub, says)| drawn.heard(2, hub, says));
            let heard: Vec<Heard> = heard.collect();
            let heard: Vec<&Heard> = heard.iter().collect();
            let seen = drawn.scene.see();
            let facts = Facts::new(&seen);
            let rules = Rules::of(&seen.plan);
            let known = Known::from(&rules, &drawn.query(), &heard);
            let key = &drawn.keys[1];
            let values = known.values(&rules, &facts, key.id).into_iter();
            values.map(|value| value == *key.bytes).collect::<Vec<_>>()
        };
        assert_eq!(
            value(&[(4, Share), (0, WrongShare), (2, Share), (1, Share)]),
            [true]
        );
        assert_eq!(
            value(&[(4, Share), (0, WrongShare), (2, Share)]),
            [false; 0]
        );
    }

    #[test]
    fn a_key_of_which_two_values_fit_is_ambiguous_and_no_proof_against_anybody() {
        for rival in [Rival, RivalWithTag] {
            let drawn = Drawn::in_a_cluster_of(6);
            let said = [Share, rival, Share, rival, rival, Share];
            let heard = said.iter().enumerate();
            let heard: Vec<Heard> = heard
                .map(|(hub, &says)| drawn.heard(2, hub, says))
                .collect();
            let heard: Vec<&Heard> = heard.iter().collect();
            let seen = drawn.scene.see();
            let facts = Facts::new(&seen);
            let rules = Rules::of(&seen.plan);
            let known = |answers: usize| Known::from(&rules, &drawn.query(), &heard[..answers]);
            assert_eq!(known(5).ambiguous(&rules, &facts).count(), 0, "{rival:?}");
            assert_eq!(known(5).keys[0].rivals(&rules, &facts), (false, true));
            assert_eq!(known(6).ambiguous(&rules, &facts).count(), 2, "{rival:?}");
            assert_eq!(known(6).keys[0].rivals(&rules, &facts), (true, true));
            let values = known(6).values(&rules, &facts, drawn.keys[0].id);
            assert_eq!(values.len(), 2);
            assert!(values.contains(&drawn.keys[0].bytes.to_vec()));
            assert_eq!(known(6).blames(&rules, &facts, false), Blames::new());
            assert_eq!(known(6).blames(&rules, &facts, true).len(), 12);
        }
    }

    #[test]
    fn shares_that_hubs_made_up_together_are_tried_all() {
        use crate::world::observer::record::LieTold;
        let drawn = Drawn::new();
        // An error that is zero at zero and at hub 2: the shares of hubs 0, 1 and 2 lie on another polynomial through the
        // key.
        let mut heard: Vec<Heard> = (0..3).map(|hub| drawn.heard(2, hub, Share)).collect();
        for (answer, x) in heard.iter_mut().zip(1..=2) {
            let Some(Reply::Fetch(reply)) = &mut answer.reply else {
                panic!("a fetch is answered")
            };
            for result in &mut reply.keys {
                let FetchAnswer::Found(found) = &mut result.answer else {
                    panic!("there is a share")
                };
                for byte in found.share.0.iter_mut() {
                    *byte ^= super::super::field::mul(9, super::super::field::mul(x, x ^ 3));
                }
            }
        }
        let heard: Vec<&Heard> = heard.iter().collect();
        let is_solved = || {
            let seen = drawn.scene.see();
            let facts = Facts::new(&seen);
            let rules = Rules::of(&seen.plan);
            let known = Known::from(&rules, &drawn.query(), &heard);
            assert_eq!(known.blames(&rules, &facts, false), Blames::new());
            known.is_solved(&rules, &facts, 3)
        };
        assert!(!is_solved());
        let key_ids = drawn.keys.iter().map(|key| key.id).collect();
        drawn.scene.see().lies.push(LieTold {
            at_us: 0,
            hub: 0,
            client: 1,
            lie: Lie::FrameTogether,
            key_ids,
            to: None,
        });
        assert!(is_solved());
    }
}
