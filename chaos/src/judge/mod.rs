//! What must hold on every run, judged from outside by what the observer has seen. Each check only reads.
//!
//! | module | what it claims | `docs/protocol.md` |
//! |---|---|---|
//! | [`agreement`] | a key delivered for a key ID is the same for master and slaves, and no two keys are | §1 |
//! | [`no_false_key`] | no key is delivered that its initiator did not draw | §8 |
//! | [`secrecy`] | what the coalition holds, with the whole wire, is consistent with every key; coefficients are uniform; no text holds a secret | §1, §5 |
//! | [`one_time`] | no byte of PSRD serves two messages, and nobody can use up another's | §3 |
//! | [`authentic`] | no message is accepted that its sender did not make | §4 |
//! | [`established`] | a master is given keys only if K hubs had said that they hold them | §5 |
//! | [`answered`] | a KME that is up answers every call within its deadline | §5, §8 |
//! | [`availability`] | with K honest hubs in reach a call succeeds | §5, §8 |
//! | [`blame`] | only liars are blamed, and a liar that was met is | §8 |
//! | [`access`] | only named SAEs get a key, each once | §6 |
//! | [`recovery`] | when the faults are over, everything works again within a bounded time | §5 |
//! | [`bounds`] | stores stay within their limits, and drain | §9 |
//!
//! What is *not* checked: timing side channels, and that a KME does not hand a key to an SAE twice across a restart
//! of the KME within the hubs' linger time (it may: what it has handed out is forgotten with it).

pub mod access;
pub mod agreement;
pub mod answered;
pub mod authentic;
pub mod availability;
pub mod blame;
pub mod bounds;
pub mod established;
pub mod facts;
pub mod no_false_key;
pub mod one_time;
pub mod recovery;
pub mod secrecy;
#[cfg(test)]
mod testing;

pub use facts::Facts;

/// What a check says of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verdict {
    /// How often the property was evaluated.
    pub evaluated: u64,
    /// Where it did not hold.
    pub broken: Vec<Broken>,
}

/// A property that did not hold, with the evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// When, in microseconds since the run began.
    pub at_us: u64,
    /// What was expected and what was seen, by whom. No key material.
    pub detail: String,
}

impl Verdict {
    /// Counts one evaluation; `detail` is only made where the property does not hold.
    pub(crate) fn expect(&mut self, holds: bool, at_us: u64, detail: impl FnOnce() -> String) {
        self.evaluated += 1;
        if !holds {
            self.broken.push(Broken {
                at_us,
                detail: detail(),
            });
        }
    }
}

/// A check.
pub type Check = fn(&Facts<'_>) -> Verdict;

/// All invariants by name.
pub const ALL: [(&str, Check); 12] = [
    ("agreement", agreement::check),
    ("no-false-key", no_false_key::check),
    ("secrecy", secrecy::check),
    ("one-time", one_time::check),
    ("authentic", authentic::check),
    ("established", established::check),
    ("answered", answered::check),
    ("availability", availability::check),
    ("blame", blame::check),
    ("access", access::check),
    ("recovery", recovery::check),
    ("bounds", bounds::check),
];
