//! What a run can reach and count: every fault, lie, mark, refusal and branch, by name.
//!
//! `expect.reached` may only hold names of this list: a campaign that expects a name that nothing ever counts would be
//! weak forever. Everything that is counted is a [`Reached`], so the list cannot fall behind.

use std::fmt;

use dske::harness::Mark;
use dske::protocol::Refusal;
use dske::protocol::message::DepositOutcome;

use super::attack::{Attack, FloodAttack};
use super::fault::FaultKind;
use super::lie::Lie;
use super::mistake::Mistake;
use super::named::named;

named! {
    /// What faults were seen to do.
    pub enum FaultEffect {
        /// A response of a slow hub was held back.
        SlowedResponse = "slowed-response",
        /// A hub that is cut off refused a refill.
        RefillRefused = "refill-refused",
        /// A block that a hub delivered was lost on its way.
        DeliveryLost = "delivery-lost",
        /// Two answers were swapped.
        AnswersSwapped = "answers-swapped",
        /// A lost message was sent again.
        Retransmission = "retransmission",
    }
}

named! {
    /// What SAEs do together.
    pub enum Group {
        /// A master asked for keys for two slaves.
        AskedFor = "asked-for",
        /// The second slave fetched them.
        MemberFetched = "member-fetched",
    }
}

named! {
    /// What a client saw of which two different keys fit, one that was drawn and one that K hubs had made up.
    pub enum Rivals {
        /// The one that was drawn came first, and the call was refused.
        DrawnFirst = "drawn-first",
        /// The one that was made up came first, and the call was refused.
        MadeUpFirst = "made-up-first",
        /// The one that was drawn had been delivered.
        DrawnDelivered = "drawn-delivered",
        /// The one that was made up had been delivered.
        MadeUpDelivered = "made-up-delivered",
    }
}

impl Rivals {
    /// Which it is.
    #[must_use]
    pub fn of(drawn_first: bool, was_delivered: bool) -> Self {
        match (drawn_first, was_delivered) {
            (true, false) => Self::DrawnFirst,
            (false, false) => Self::MadeUpFirst,
            (true, true) => Self::DrawnDelivered,
            (false, true) => Self::MadeUpDelivered,
        }
    }
}

named! {
    /// What the nodes count themselves, and what shows on the wire or at the SAEs.
    pub enum Branch {
        /// A client blamed a hub.
        Blame = "blame",
        /// A call took as long as its deadline.
        CallAtDeadline = "call-at-deadline",
        /// A master or a slave was refused.
        CallFailed = "call-failed",
        /// A responder located wrong shares by decoding.
        ErrorCorrection = "error-correction",
        /// A share reached its hub after the master's call was over.
        LateShare = "late-share",
        /// A link had no PSRD left.
        PsrdExhausted = "psrd-exhausted",
        /// A link was refilled.
        Refill = "refill",
        /// A link registered again.
        Reregistration = "reregistration",
        /// A request was tried again.
        Retry = "retry",
        /// A slave that was told that its keys cannot be had now was given them later.
        RetryServed = "retry-served",
        /// A share is its own pad, because the key was made of PSRD: its ciphertext is zero.
        ShareIsPad = "share-is-pad",
        /// A responder searched subsets of the answers.
        SubsetSearch = "subset-search",
        /// Two different keys fit the tag.
        TwoKeysFit = "two-keys-fit",
        /// An answer failed verification.
        UnverifiedAnswer = "unverified-answer",
    }
}

/// What a KME answers to those whom it has to refuse.
const STATUSES: [u16; 3] = [400, 401, 503];

/// Something that a run reached.
#[derive(Debug, Clone, Copy)]
pub enum Reached<'a> {
    /// A branch.
    Branch(Branch),
    /// A call that got no answer.
    CallWithoutAnswer,
    /// A fault did something.
    Effect(FaultEffect),
    /// A fault began.
    Fault(FaultKind),
    /// The outsider sent something.
    Flood(FloodAttack),
    /// A greedy SAE was given keys.
    GreedyGiven,
    /// A greedy SAE was refused with this status.
    GreedyRefused(u16),
    /// SAEs did something together.
    Group(Group),
    /// An SAE that is not named was refused with this status.
    Intruder(u16),
    /// A hub lied.
    Lie(Lie),
    /// An SAE made a mistake, and was refused.
    Mistake(Mistake),
    /// The nodes passed a mark.
    Mark(Mark),
    /// A hub answered this to the deposit of a key.
    Deposit(DepositOutcome),
    /// A hub refused something, as `Refusal::kind` says it.
    Refused(&'a str),
    /// Two keys fit.
    Rivals(Rivals),
    /// The rogue client tried something.
    Rogue(Attack),
    /// A slave that fetched once more was refused with this status.
    SecondFetch(u16),
}

impl fmt::Display for Reached<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Branch(branch) => write!(f, "branch:{branch}"),
            Self::CallWithoutAnswer => f.write_str("call:no-answer"),
            Self::Effect(effect) => write!(f, "effect:{effect}"),
            Self::Fault(kind) => write!(f, "fault:{kind}"),
            Self::Flood(attack) => write!(f, "flood:{attack}"),
            Self::GreedyGiven => f.write_str("greedy:given"),
            Self::GreedyRefused(status) => write!(f, "greedy:{status}"),
            Self::Group(group) => write!(f, "group:{group}"),
            Self::Intruder(status) => write!(f, "intruder:{status}"),
            Self::Lie(lie) => write!(f, "lie:{lie}"),
            Self::Deposit(DepositOutcome::Stored) => f.write_str("deposit:stored"),
            Self::Deposit(DepositOutcome::Conflict) => f.write_str("deposit:conflict"),
            Self::Deposit(DepositOutcome::Full) => f.write_str("deposit:full"),
            Self::Mark(mark) => write!(f, "mark:{mark}"),
            Self::Mistake(mistake) => write!(f, "mistake:{mistake}"),
            Self::Refused(kind) => write!(f, "refused:{kind}"),
            Self::Rivals(rivals) => write!(f, "rivals:{rivals}"),
            Self::Rogue(attack) => write!(f, "rogue:{attack}"),
            Self::SecondFetch(status) => write!(f, "second-fetch:{status}"),
        }
    }
}

/// Every name, in alphabetical order of its kinds.
#[must_use]
pub fn names() -> Vec<String> {
    fn of<T: Copy>(all: &[T], reached: fn(T) -> Reached<'static>) -> Vec<String> {
        all.iter().map(|one| reached(*one).to_string()).collect()
    }
    let deposits = [
        DepositOutcome::Stored,
        DepositOutcome::Conflict,
        DepositOutcome::Full,
    ];
    [
        of(Branch::ALL, Reached::Branch),
        of(&[()], |()| Reached::CallWithoutAnswer),
        of(&deposits, Reached::Deposit),
        of(FaultEffect::ALL, Reached::Effect),
        of(FaultKind::ALL, Reached::Fault),
        of(FloodAttack::ALL, Reached::Flood),
        of(&[()], |()| Reached::GreedyGiven),
        of(&STATUSES, Reached::GreedyRefused),
        of(Group::ALL, Reached::Group),
        of(&STATUSES, Reached::Intruder),
        of(Lie::ALL, Reached::Lie),
        of(Mark::ALL, Reached::Mark),
        of(Mistake::ALL, Reached::Mistake),
        of(Refusal::KINDS, Reached::Refused),
        of(Rivals::ALL, Reached::Rivals),
        of(Attack::ALL, Reached::Rogue),
        of(&STATUSES, Reached::SecondFetch),
    ]
    .concat()
}

/// Whether a name stands for what came about, not for what was planned: what faults, lies and attacks did to the nodes.
#[must_use]
pub fn is_consequence(name: &str) -> bool {
    let planned = ["fault:", "lie:", "flood:", "rogue:", "group:asked-for"];
    !planned.iter().any(|kind| name.starts_with(kind))
}

/// Names that the author of `unknown` may have meant: the nearest ones, or all of the same kind.
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

/// Most wrong letters that still count as a typo.
const NEAR: usize = 3;

/// Most names that are proposed.
const MEANT_MAX: usize = 5;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::campaign::{check, load};
    use crate::explore::run::run;
    use crate::explore::runner::run_seeds;

    #[test]
    fn whatever_a_run_reaches_has_a_name_here() {
        let known: BTreeSet<String> = names().into_iter().collect();
        for name in ["storm", "byzantine-minority", "drought"] {
            let campaign = load(name).unwrap();
            for outcome in run_seeds(&campaign, &[1, 2, 3], 2, run, |_| {}) {
                for reached in outcome.reached.keys() {
                    assert!(known.contains(reached), "{name}: {reached} is not listed");
                }
            }
        }
    }

    #[test]
    fn a_campaign_may_expect_every_refusal() {
        for kind in Refusal::KINDS {
            let text = format!(
                "about = \"x\"\nseeds = 1\n[cluster]\nhubs = 5\nthreshold = 3\n[workload]\nduration_s = 5\n\
                 calls_per_second = 1\n[expect]\nreached = [\"refused:{kind}\"]\n"
            );
            let campaign = check::parse("x", "x.toml", &text).unwrap();
            assert_eq!(campaign.expect.reached.len(), 1);
        }
        assert!(names().contains(&"refused:too-much-at-once".to_owned()));
    }

    #[test]
    fn slips_of_the_pen_are_understood() {
        assert_eq!(meant("branch:retries")[0], "branch:retry");
        assert_eq!(meant("mark:late-shares")[0], "mark:late-share");
        assert!(meant("lie:fib").iter().all(|name| name.starts_with("lie:")));
        assert_eq!(meant("xyz").len(), MEANT_MAX);
    }
}
