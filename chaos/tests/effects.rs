//! What is counted as a fault's effect is what the fault did.
#![allow(clippy::unwrap_used)]

use dske_chaos::campaign;
use dske_chaos::explore::run::run;
use dske_chaos::explore::runner::run_fresh;
use dske_chaos::outcome::RunOutcome;
use dske_chaos::outcome::effects::Effect;
use dske_chaos::plan::{Fault, Plan, PlannedFault};

const FROM_MS: u64 = 4_000;
const UNTIL_MS: u64 = 6_000;

/// A run of `calm`, ten calls a second among three clients, with one fault of two seconds.
fn with(fault: Fault, change: impl FnOnce(&mut Plan)) -> (Effect, RunOutcome) {
    let mut plan = campaign::load("calm").unwrap().plan(1);
    plan.calls.retain(|call| call.at_ms < 9_000);
    let kind = fault.kind().name();
    plan.faults = vec![PlannedFault {
        at_ms: FROM_MS,
        until_ms: UNTIL_MS,
        fault,
    }];
    change(&mut plan);
    plan.check().unwrap();
    let outcome = run_fresh(&plan, &run);
    let effect = outcome.effects[kind];
    assert_eq!((outcome.effects.len(), effect.injected), (1, 1));
    (effect, outcome)
}

/// What happens with the calls of [`with`], and what without those near the fault.
fn busy_and_idle(fault: &Fault) -> (Effect, Effect) {
    let busy = with(fault.clone(), |_| {}).0;
    let idle = with(fault.clone(), |plan| {
        plan.calls
            .retain(|call| call.at_ms < FROM_MS - 3_000 || call.at_ms > UNTIL_MS + 500);
    });
    assert_eq!(busy.in_vain, 0, "{fault:?}");
    (busy, idle.0)
}

#[test]
fn cuts_lose_messages_and_calls_are_affected() {
    let (clients, hubs) = (vec![0], vec![0, 1]);
    for fault in [
        Fault::Partition {
            clients: clients.clone(),
            hubs: hubs.clone(),
        },
        Fault::PartitionToHubs {
            clients: clients.clone(),
            hubs: hubs.clone(),
        },
        Fault::PartitionToClients { clients, hubs },
    ] {
        let (busy, idle) = busy_and_idle(&fault);
        assert!(
            busy.lost > 10 && busy.late == 0 && busy.calls >= 5,
            "{busy:?}"
        );
        assert_eq!((idle.lost, idle.in_vain), (0, 1), "{fault:?}");
    }
}

#[test]
fn what_is_held_or_slowed_comes_late() {
    let (client, hub) = (0, 3);
    let hold = Fault::Hold { client, hub };
    let slow_link = Fault::SlowLink {
        client,
        hub,
        latency_ms: 60,
    };
    for fault in [hold, slow_link] {
        let (busy, idle) = busy_and_idle(&fault);
        assert!(busy.late > 1, "{fault:?}: {busy:?}");
        assert_eq!((idle.late, idle.in_vain), (0, 1), "{fault:?}");
    }
    // Slower than the slowest that is usual, or it is nothing.
    let as_usual = Fault::SlowLink {
        client,
        hub,
        latency_ms: 1,
    };
    assert_eq!(with(as_usual, |_| {}).0.late, 0);
}

/// The front counts by itself what it delays and refuses.
#[test]
fn slow_hubs_and_refused_refills_are_those_that_the_front_counts() {
    let slow = Fault::SlowHub {
        hub: 2,
        delay_ms: 50,
    };
    let (effect, outcome) = with(slow, |_| {});
    assert!(effect.late > 10);
    assert_eq!(effect.late, outcome.reached["effect:slowed-response"]);
    let dry = |plan: &mut Plan| {
        plan.cluster.psrd_block_bytes = 2_048;
        plan.cluster.psrd_low_water_bytes = 512;
    };
    let (effect, outcome) = with(Fault::CutRefill { hub: 2 }, dry);
    assert!(effect.refused > 0);
    assert_eq!(effect.refused, outcome.reached["effect:refill-refused"]);
    let (effect, outcome) = with(Fault::LoseDelivery { hub: 2 }, dry);
    assert!(effect.refused > 0);
    assert_eq!(effect.refused, outcome.reached["effect:delivery-lost"]);
}

/// A link that has run dry sends nothing: what is lost is its request for PSRD, and calls wait for it.
#[test]
fn a_cut_that_keeps_links_from_psrd_touches_them() {
    let cut = Fault::Partition {
        clients: vec![0, 1, 2],
        hubs: vec![2],
    };
    let (effect, _) = with(cut, |plan| {
        plan.cluster.psrd_block_bytes = 1_024;
        plan.cluster.psrd_low_water_bytes = 256;
    });
    assert!(effect.refused > 0 && effect.calls > 0, "{effect:?}");
}

#[test]
fn crashes_lose_messages_registrations_and_calls() {
    let (effect, _) = with(Fault::CrashHub { hub: 1 }, |_| {});
    assert!(effect.lost > 10, "{effect:?}");
    assert_eq!(effect.anew, 3, "each client registers once: {effect:?}");
    let (effect, _) = with(Fault::CrashClient { client: 1 }, |_| {});
    assert!(effect.failed > 3, "{effect:?}");
}

#[test]
fn hostile_messages_are_counted_and_touch_no_call() {
    let flood = Fault::Flood {
        hub: 1,
        per_second: 20,
    };
    let (effect, outcome) = with(flood, |_| {});
    let sent = outcome
        .reached
        .iter()
        .filter(|(what, _)| what.starts_with("flood:"));
    let sent: u64 = sent.map(|(_, times)| times).sum();
    assert!(
        effect.hostile <= sent && effect.hostile * 10 > sent * 5,
        "{effect:?} of {sent}"
    );
    assert_eq!(effect.calls, 0);
    let (effect, _) = with(Fault::RogueClient { per_second: 20 }, |_| {});
    assert!(effect.hostile > 20, "{effect:?}");
    assert_eq!((effect.lost, effect.calls), (0, 0));
}
