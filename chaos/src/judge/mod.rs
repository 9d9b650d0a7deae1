//! What must hold on every run, judged from outside by what the observer has seen. Each check only reads.
//!
//! | module | what it claims | `docs/protocol.md` |
//! |---|---|---|
//! | [`agreement`] | a key delivered for a key ID is the same for master and slaves, and no two keys are | §1 |
//! | [`no_false_key`] | no key is delivered that its initiator did not draw | §8 |
//! | [`secrecy`] | the coalition, even with the whole network traffic, learns nothing: every key remains equally likely; coefficients are uniform; no text holds a secret | §1, §5 |
//! | [`one_time`] | no byte of PSRD serves two messages, and nobody can use up another's | §3 |
//! | [`authentic`] | no message is accepted that its sender did not make | §4 |
//! | [`established`] | a master is given keys only if K hubs had said that they hold them | §5 |
//! | [`answered`] | a KME that is up answers every call within its deadline | §5, §8 |
//! | [`availability`] | with K honest hubs in reach a call succeeds | §5, §8 |
//! | [`blame`] | only liars are blamed, and a liar that was met is | §8 |
//! | [`access`] | only named SAEs get a key, each once, across restarts and late repeats | §6, §8 |
//! | [`fair`] | what one SAE does within the rules costs the others next to nothing | §6, §9 |
//! | [`nothing_for_nobody`] | no message leaves for a call that has ended, but for the background delivery that is specified | §5 |
//! | [`bounded_work`] | searching for keys takes no more work than the calls allow that are under way | §8, §9 |
//! | [`quiet`] | where nothing goes wrong, nothing is done twice and nothing runs short | §4, §5 |
//! | [`accounts`] | what a node counts is what its SAEs and the wire saw | |
//! | [`margin`] | a hub in reach is sent its share of every key that a master is given | §5 |
//! | [`waiting`] | a call waits for hubs that were prompt, and for no others | §5 |
//! | [`recovery`] | when the faults are over, everything works again within a bounded time | §5 |
//! | [`bounds`] | stores stay within their limits, and drain | §9 |
//! | [`model`] | calls end, liars are blamed, and links register as a model of a client says | §3, §5, §8 |
//! | [`refused`] | a call that is wrong is refused at once, as the standard says, and nothing is done for it | |
//! | [`status`] | a status tells what is true, and promises what can be delivered | |
//! | [`hub_as_specified`] | a hub answers what the model of a hub says, and holds what the model holds | §3 to §7, §9 |
//!
//! [`facts`] are worked out once for all of them; [`excuse`] says which failures are legitimate; [`violation`] is what the
//! checks find, with the evidence; [`model`] is the specification as code.
//!
//! What is *not* checked: timing side channels.

pub mod access;
pub mod accounts;
pub mod agreement;
pub mod answered;
pub mod authentic;
pub mod availability;
pub mod blame;
pub mod bounded_work;
pub mod bounds;
pub mod established;
pub mod excuse;
pub mod facts;
pub mod fair;
pub mod hub_as_specified;
pub mod margin;
pub mod model;
pub mod no_false_key;
pub mod nothing_for_nobody;
pub mod one_time;
pub mod quiet;
pub mod recovery;
pub mod refused;
pub mod secrecy;
pub mod status;
#[cfg(test)]
mod testing;
pub mod violation;
pub mod waiting;

use crate::plan::Invariant;
pub use facts::Facts;
pub use violation::Violation;

/// What a check says of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verdict {
    /// How often the property was evaluated.
    pub evaluated: u64,
    /// Where it did not hold.
    pub broken: Vec<Broken>,
}

/// A violation with its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// When, in microseconds since the run began.
    pub at_us: u64,
    /// What did not hold.
    pub violation: Violation,
}

impl Verdict {
    /// Counts one evaluation; the evidence is only put together where the property does not hold.
    pub(crate) fn expect(&mut self, holds: bool, at_us: u64, evidence: impl FnOnce() -> Violation) {
        self.expect_none((!holds).then_some(()), at_us, |()| evidence());
    }

    /// Counts one evaluation of a property that holds if nothing is in its way.
    pub(crate) fn expect_none<T>(
        &mut self,
        obstacle: Option<T>,
        at_us: u64,
        evidence: impl FnOnce(T) -> Violation,
    ) {
        self.evaluated += 1;
        self.broken.extend(obstacle.map(|obstacle| Broken {
            at_us,
            violation: evidence(obstacle),
        }));
    }

    /// Counts one evaluation of a property that says itself why it does not hold.
    pub(crate) fn expect_ok<E>(
        &mut self,
        result: Result<(), E>,
        at_us: u64,
        evidence: impl FnOnce(E) -> Violation,
    ) {
        self.expect_none(result.err(), at_us, evidence);
    }
}

/// A check.
pub type Check = fn(&Facts<'_>) -> Verdict;

/// The check of an invariant.
#[must_use]
pub fn check(invariant: Invariant) -> Check {
    match invariant {
        Invariant::Agreement => agreement::check,
        Invariant::NoFalseKey => no_false_key::check,
        Invariant::Secrecy => secrecy::check,
        Invariant::OneTime => one_time::check,
        Invariant::Authentic => authentic::check,
        Invariant::Established => established::check,
        Invariant::Answered => answered::check,
        Invariant::Availability => availability::check,
        Invariant::Blame => blame::check,
        Invariant::Access => access::check,
        Invariant::Fair => fair::check,
        Invariant::NothingForNobody => nothing_for_nobody::check,
        Invariant::BoundedWork => bounded_work::check,
        Invariant::Quiet => quiet::check,
        Invariant::Accounts => accounts::check,
        Invariant::Margin => margin::check,
        Invariant::Waiting => waiting::check,
        Invariant::Recovery => recovery::check,
        Invariant::Bounds => bounds::check,
        Invariant::ClientAsSpecified => model::client::check,
        Invariant::RefusedAsSpecified => refused::check,
        Invariant::StatusAsSpecified => status::check,
        Invariant::HubAsSpecified => hub_as_specified::check,
    }
}
