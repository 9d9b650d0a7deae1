//! The names of what a run can reach: every fault, lie, mark, refusal and branch that is counted.
//!
//! A campaign that expects a name that nothing ever counts would be weak for ever, so that `expect.reached` may only hold
//! these.

use dske::harness::Mark;

use super::attack::Attack;
use super::{Fault, Lie};

/// What flooding does.
const FLOOD: [&str; 6] = [
    "garbage",
    "replay",
    "forgery",
    "forged-tag",
    "forgery-ahead",
    "forged-deposit",
];

/// What faults were seen to do.
const EFFECTS: [&str; 3] = ["slowed-response", "refill-refused", "retransmission"];

/// What SAEs do together.
const GROUP: [&str; 2] = ["asked-for", "member-fetched"];

/// What the nodes count themselves, and what shows on the wire or at the SAEs.
const BRANCHES: [&str; 13] = [
    "blame",
    "call-at-deadline",
    "call-failed",
    "error-correction",
    "late-share",
    "psrd-exhausted",
    "refill",
    "reregistration",
    "retry",
    "share-is-pad",
    "subset-search",
    "two-keys-fit",
    "unverified-answer",
];

/// What hubs refuse, as `Refusal::kind` says it.
const REFUSALS: [&str; 11] = [
    "unregistered",
    "bad-signature-header",
    "unknown-psrd",
    "bad-allocation",
    "bad-mac",
    "psrd-exhausted",
    "malformed",
    "topology-mismatch",
    "foreign-sae",
    "out-of-limits",
    "authentic-malformed",
];

/// What a KME answers to those whom it has to refuse.
const STATUSES: [&str; 3] = ["400", "401", "503"];

/// Every name, in alphabetical order of its kinds.
#[must_use]
pub fn names() -> Vec<String> {
    let of = |kind: &str, names: &[&str]| {
        let names = names.iter().map(|name| format!("{kind}:{name}"));
        names.collect::<Vec<String>>()
    };
    let mut lies = Lie::ALONE.map(Lie::name).to_vec();
    lies.extend([Lie::ForgeTogether, Lie::FrameTogether].map(Lie::name));
    let marks: Vec<&str> = Mark::ALL.iter().map(|mark| mark.name()).collect();
    [
        of("branch", &BRANCHES),
        of("call", &["no-answer"]),
        of("effect", &EFFECTS),
        of("fault", &Fault::KINDS),
        of("flood", &FLOOD),
        of("group", &GROUP),
        of("intruder", &STATUSES),
        of("lie", &lies),
        of("mark", &marks),
        of("refused", &REFUSALS),
        of("rogue", &Attack::ALL.map(Attack::name)),
        of("second-fetch", &STATUSES),
    ]
    .concat()
}

/// Whether a name stands for what came about, not for what was planned: what faults, lies and attacks did to the nodes.
#[must_use]
pub fn is_consequence(name: &str) -> bool {
    let planned = ["fault:", "lie:", "flood:", "rogue:", "group:asked-for"];
    !planned.iter().any(|kind| name.starts_with(kind))
}

/// Names that somebody may have meant who wrote `unknown`: the nearest ones, or all of the same kind.
#[must_use]
pub fn meant(unknown: &str) -> Vec<String> {
    let mut near: Vec<(usize, String)> = names()
        .into_iter()
        .map(|name| (strsim::levenshtein(unknown, &name), name))
        .collect();
    near.sort();
    let close = near.iter().take_while(|(distance, _)| *distance <= NEAR);
    let close: Vec<String> = close
        .take(MEANT_MAX)
        .map(|(_, name)| name.clone())
        .collect();
    if !close.is_empty() {
        return close;
    }
    let kind = unknown.split_once(':').map_or("", |(kind, _)| kind);
    let same_kind = |name: &String| name.split_once(':').is_some_and(|(k, _)| k == kind);
    let of_kind: Vec<String> = names().into_iter().filter(same_kind).collect();
    if !of_kind.is_empty() {
        return of_kind;
    }
    near.into_iter()
        .take(MEANT_MAX)
        .map(|(_, name)| name)
        .collect()
}

/// So many letters wrong, and it is still a slip of the pen.
const NEAR: usize = 3;

/// Names that are proposed at most.
const MEANT_MAX: usize = 5;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::campaign::load;
    use crate::explore::run::{RunOptions, run};
    use crate::explore::runner::run_seeds;

    #[test]
    fn whatever_a_run_reaches_has_a_name_here() {
        let known: BTreeSet<String> = names().into_iter().collect();
        for name in ["storm", "byzantine-minority", "drought"] {
            let campaign = load(name).unwrap();
            let run = |plan: &crate::plan::Plan| run(plan, RunOptions::default());
            for outcome in run_seeds(&campaign, &[1, 2, 3], 2, run, |_| {}) {
                for reached in outcome.reached.keys() {
                    assert!(known.contains(reached), "{name}: {reached} is not listed");
                }
            }
        }
    }

    #[test]
    fn slips_of_the_pen_are_understood() {
        assert_eq!(meant("branch:retries")[0], "branch:retry");
        assert_eq!(meant("mark:late-shares")[0], "mark:late-share");
        assert!(meant("lie:fib").iter().all(|name| name.starts_with("lie:")));
        assert_eq!(meant("xyz").len(), MEANT_MAX);
    }
}
