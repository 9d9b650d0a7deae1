//! Parts of a plan, and parts of these.

use super::ddmin::{ddmin, remove};
use super::search::Search;
use crate::plan::{Fault, Lie, PlannedCall};

/// Fewer faults, liars and calls.
pub(super) fn lists(search: &mut Search<'_>) {
    ddmin(
        search,
        |plan| (0..plan.faults.len()).collect(),
        |plan, places| remove(&mut plan.faults, places),
    );
    ddmin(
        search,
        |plan| (0..plan.liars.len()).collect(),
        |plan, places| remove(&mut plan.liars, places),
    );
    one_kind_of_lie(search);
    ddmin(
        search,
        |plan| (0..plan.calls.len()).collect(),
        |plan, places| remove(&mut plan.calls, places),
    );
}

/// Liars that tell one kind of lie only. With several kinds, each answer draws one, so that whatever is taken away
/// changes all lies after it, and little could go.
fn one_kind_of_lie(search: &mut Search<'_>) {
    let mut kinds: Vec<Lie> = Vec::new();
    for lie in search.plan().liars.iter().flat_map(|liar| &liar.lies) {
        if !kinds.contains(lie) {
            kinds.push(*lie);
        }
    }
    search.take_first(kinds.len(), |plan, i| {
        for liar in &mut plan.liars {
            if liar.lies.contains(&kinds[i]) {
                liar.lies = vec![kinds[i]];
            }
        }
    });
}

/// Less of each of them.
pub(super) fn details(search: &mut Search<'_>) {
    for liar in 0..search.plan().liars.len() {
        ddmin(
            search,
            |plan| (0..plan.liars[liar].lies.len()).collect(),
            |plan, places| remove(&mut plan.liars[liar].lies, places),
        );
    }
    for fault in 0..search.plan().faults.len() {
        group(search, fault, |fault| {
            fault.groups_mut().map(|(clients, _)| clients)
        });
        group(search, fault, |fault| {
            fault.groups_mut().map(|(_, hubs)| hubs)
        });
    }
    // All of this at once first: most of it has nothing to do with the failure.
    search.take_first(1, |plan, _| plan.calls.iter_mut().for_each(ask_for_least));
    calls(
        search,
        |call| call.intruder.is_some(),
        |call| call.intruder = None,
    );
    calls(search, |call| call.also.is_some(), |call| call.also = None);
    calls(search, |call| call.status, |call| call.status = false);
    calls(
        search,
        |call| call.also_after_ms > 0,
        |call| call.also_after_ms = 0,
    );
    calls(search, |call| call.tries > 1, |call| call.tries = 1);
    calls(
        search,
        |call| call.mistake.is_some(),
        |call| call.mistake = None,
    );
    calls(
        search,
        |call| call.fetch_twice,
        |call| (call.fetch_twice, call.again_after_ms) = (false, 0),
    );
    calls(
        search,
        |call| call.again_after_ms > 0,
        |call| call.again_after_ms = 0,
    );
    calls(search, |call| call.together > 1, |call| call.together = 1);
    calls(search, |call| call.number > 1, |call| call.number = 1);
}

fn ask_for_least(call: &mut PlannedCall) {
    (call.intruder, call.also, call.mistake) = (None, None, None);
    (call.fetch_twice, call.again_after_ms) = (false, 0);
    (call.also_after_ms, call.status) = (0, false);
    (call.number, call.together, call.tries) = (1, 1, 1);
}

/// Fewer clients or hubs in a fault that is about groups of them.
fn group(search: &mut Search<'_>, fault: usize, side: fn(&mut Fault) -> Option<&mut Vec<usize>>) {
    ddmin(
        search,
        |plan| {
            let mut fault = plan.faults[fault].fault.clone();
            (0..side(&mut fault).map_or(0, |group| group.len())).collect()
        },
        |plan, places| {
            if let Some(group) = side(&mut plan.faults[fault].fault) {
                remove(group, places);
            }
        },
    );
}

/// Calls that ask for less.
fn calls(
    search: &mut Search<'_>,
    asks_more: fn(&PlannedCall) -> bool,
    ask_less: fn(&mut PlannedCall),
) {
    ddmin(
        search,
        |plan| {
            let calls = plan.calls.iter().enumerate();
            calls
                .filter(|(_, call)| asks_more(call))
                .map(|(i, _)| i)
                .collect()
        },
        |plan, places| {
            for &place in places {
                ask_less(&mut plan.calls[place]);
            }
        },
    );
}
