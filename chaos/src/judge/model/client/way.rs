//! The ways in which a call may end, and the comparison with how it did.

use std::collections::BTreeSet;

use super::end::End;
use super::link::Heard;
use crate::judge::{Verdict, Violation};
use crate::world::observer::record::Call;

/// A way in which a call may end, and which answers it has heard then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Way {
    /// How.
    pub end: End,
    /// It is over by then, in microseconds.
    pub over_us: u64,
    /// What came by then it has heard.
    pub heard_us: u64,
    /// What comes after that it does not hear any more.
    pub deaf_us: u64,
}

/// Answers until some time, by the moment at which they came. Of one moment nobody can tell in which order the client heard
/// them.
pub fn moments<'a, 'b>(
    heard: &'b [&'a Heard],
    until_us: u64,
) -> impl Iterator<Item = &'b [&'a Heard]> {
    let moments = heard.chunk_by(|a, b| a.at_us == b.at_us);
    moments.take_while(move |moment| moment.iter().all(|answer| answer.at_us <= until_us))
}

/// Compares how a call ended with how it can have ended. Returns whether it is as the model says.
pub fn compare(call: &Call, possible: &BTreeSet<End>, verdict: &mut Verdict) -> bool {
    let is_possible = End::of(&call.outcome).is_none_or(|end| possible.contains(&end));
    verdict.expect(is_possible, call.until_us, || Violation::OutsideModel {
        call: call.id,
        kind: call.kind,
        client: call.client,
        possible: possible.iter().copied().collect(),
        end: call.outcome.line(),
    });
    is_possible
}

/// The selections of answers of which it can be that just they were accepted.
#[must_use]
pub fn selections<'a>(heard: &[&'a Heard]) -> Vec<Vec<&'a Heard>> {
    let mut selections = vec![Vec::new()];
    for &answer in heard {
        let without = selections.clone();
        for selection in &mut selections {
            selection.push(answer);
        }
        if !answer.is_certain {
            selections.extend(without);
        }
    }
    selections
}
