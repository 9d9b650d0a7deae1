//! Schedules of every kind, drawn by proptest: whatever faults there are and whatever fewer than K hubs lie, no invariant
//! breaks. What breaks one is reduced by the shrinker of the campaigns, which knows what may be taken away, and is left as
//! a file to replay.
//!
//! The same schedules come every time. `PROPTEST_RNG_SEED=7 PROPTEST_CASES=2000 cargo test -p dske-chaos --test schedules`
//! draws others, and more.
#![allow(clippy::unwrap_used)]

use std::cell::RefCell;
use std::path::Path;

use dske::harness::Canary;
use dske::protocol::initiator::KeySource;
use dske::protocol::limits::NodeLimits;
use dske::protocol::limits::{SHARE_BYTES_MAX, SHARES_MAX};
use dske_chaos::campaign::{self, Campaign, Plans};
use dske_chaos::cli::failures::Failures;
use dske_chaos::explore::run::run;
use dske_chaos::explore::runner::run_fresh;
use dske_chaos::explore::shrink::{breaks_again, shrink};
use dske_chaos::outcome::RunViolation;
use dske_chaos::outcome::panics;
use dske_chaos::plan::{ClusterPlan, Fault, Liar, Lie, Mistake, Plan, PlannedCall, PlannedFault};
use dske_chaos::summary::{ShrunkFile, Size};
use dske_chaos::tell::view::told;
use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use proptest::test_runner::{Config, RngSeed, TestCaseError, TestError, TestRunner};

/// Schedules that are drawn unless `PROPTEST_CASES` says otherwise.
const CASES: u32 = 60;

/// Runs that shrinking may take: the clusters are small.
const SHRINK_RUNS_MAX: u32 = 150;

const RECOVERY_MS: u64 = 3_000;

fn clusters() -> impl Strategy<Value = ClusterPlan> {
    let sizes = (1..=5_u8).prop_flat_map(|hubs| (Just(hubs), 1..=hubs, 2..=4_u8, 1..=2_u8));
    let network = (1..=3_u64, 3..=20_u64, 300..=700_u64, 0..=300_u64);
    let psrd = (
        select(vec![512_u64, 1_024, 4_096, 16_384]),
        256..=2_048_u64,
        select(vec![KeySource::Generator, KeySource::Psrd]),
    );
    (sizes, network, psrd).prop_map(
        |((hubs, threshold, clients, saes_per_client), network, psrd)| ClusterPlan {
            hubs,
            threshold,
            clients,
            saes_per_client,
            latency_ms: (network.0, network.1),
            link_latency_ms: Vec::new(),
            tick_ms: 2,
            psrd_block_bytes: psrd.0,
            psrd_low_water_bytes: psrd.1,
            request_timeout_ms: network.2,
            call_deadline_ms: 2_500,
            grace_ms: network.3,
            share_ttl_ms: 4_000,
            coalition: threshold - 1,
            key_source: psrd.2,
            shares_per_hub_max: SHARES_MAX as u64,
            share_bytes_per_hub_max: SHARE_BYTES_MAX as u64,
            limits: NodeLimits::default(),
        },
    )
}

/// Calls during the faults, and one after everything has to work again.
fn calls(
    cluster: &ClusterPlan,
    heal_at_ms: u64,
) -> impl Strategy<Value = Vec<PlannedCall>> + use<> {
    let saes = usize::from(cluster.clients) * usize::from(cluster.saes_per_client);
    let during = 1_000..=heal_at_ms;
    let after_ms = heal_at_ms + RECOVERY_MS;
    let ids = vec(during, 1..=6).prop_map(move |mut times| {
        times.push(after_ms);
        times.sort_unstable();
        times
    });
    let parts = subsequence((0..saes).collect::<Vec<_>>(), 2..=saes).prop_shuffle();
    let bits = select(vec![64_u32, 128, 256, 512]);
    let call = (
        parts,
        bits,
        1..=3_u16,
        0..=600_u64,
        any::<bool>(),
        of(0..=6_000_u64),
        of(select(Mistake::ALL)),
    );
    ids.prop_flat_map(move |times| {
        let number = times.len();
        (Just(times), vec(call.clone(), number))
    })
    .prop_map(|(times, calls)| {
        let calls = times.into_iter().zip(calls).zip(0..);
        calls
            .map(|((at_ms, call), id)| {
                let (parts, bits, number, fetch_after_ms, third_is_named, again, mistake) = call;
                let third = parts.get(2).copied();
                PlannedCall {
                    id,
                    at_ms,
                    master: parts[0],
                    slave: parts[1],
                    bits,
                    number,
                    fetch_after_ms,
                    intruder: third.filter(|_| !third_is_named),
                    fetch_twice: again.is_some(),
                    again_after_ms: again.unwrap_or(0),
                    together: 1 + u16::from(bits == 64),
                    also: third.filter(|_| third_is_named),
                    also_after_ms: again.unwrap_or(0),
                    tries: 1 + number,
                    status: bits == 256,
                    mistake,
                }
            })
            .collect()
    })
}

fn faults(
    cluster: &ClusterPlan,
    heal_at_ms: u64,
) -> impl Strategy<Value = Vec<PlannedFault>> + use<> {
    let (hubs, clients) = (usize::from(cluster.hubs), usize::from(cluster.clients));
    let some = |number: usize| subsequence((0..number).collect::<Vec<_>>(), 1..=number);
    let groups = (some(clients), some(hubs));
    let pair = (0..clients, 0..hubs);
    let kinds = prop_oneof![
        groups
            .clone()
            .prop_map(|(clients, hubs)| Fault::Partition { clients, hubs }),
        groups
            .clone()
            .prop_map(|(clients, hubs)| Fault::PartitionToHubs { clients, hubs }),
        groups.prop_map(|(clients, hubs)| Fault::PartitionToClients { clients, hubs }),
        pair.clone()
            .prop_map(|(client, hub)| Fault::Hold { client, hub }),
        (pair, 5..=600_u64).prop_map(|((client, hub), latency_ms)| Fault::SlowLink {
            client,
            hub,
            latency_ms
        }),
        (0..hubs, 5..=800_u64).prop_map(|(hub, delay_ms)| Fault::SlowHub { hub, delay_ms }),
        (0..hubs).prop_map(|hub| Fault::CrashHub { hub }),
        (0..clients).prop_map(|client| Fault::CrashClient { client }),
        (0..hubs).prop_map(|hub| Fault::CutRefill { hub }),
        (0..hubs, 2..=40_u64).prop_map(|(hub, per_second)| Fault::Flood { hub, per_second }),
        (2..=40_u64).prop_map(|per_second| Fault::RogueClient { per_second }),
    ];
    let planned =
        (0..heal_at_ms, 1..=2_000_u64, kinds).prop_map(move |(at_ms, lasts_ms, fault)| {
            PlannedFault {
                at_ms,
                until_ms: (at_ms + lasts_ms).min(heal_at_ms),
                fault,
            }
        });
    vec(planned, 0..=5).prop_map(|mut faults| {
        faults.sort_by_key(|planned| planned.at_ms);
        faults
    })
}

/// Fewer than K of the hubs, each for some time.
fn liars(cluster: &ClusterPlan, heal_at_ms: u64) -> impl Strategy<Value = Vec<Liar>> + use<> {
    let (hubs, threshold) = (usize::from(cluster.hubs), usize::from(cluster.threshold));
    let mut all = Lie::alone();
    all.push(Lie::FrameTogether);
    let number = all.len();
    let lies = subsequence(all, 1..=number);
    let period = (0..heal_at_ms, 1..=heal_at_ms, lies, 1..=100_u8);
    subsequence((0..hubs).collect::<Vec<_>>(), 0..threshold)
        .prop_flat_map(move |hubs| {
            let number = hubs.len();
            (Just(hubs), vec(period.clone(), number))
        })
        .prop_map(move |(hubs, periods)| {
            let liars = hubs.into_iter().zip(periods);
            let liars = liars.map(|(hub, (from_ms, lasts_ms, lies, rate_percent))| Liar {
                hub,
                from_ms,
                until_ms: (from_ms + lasts_ms).min(heal_at_ms),
                lies,
                rate_percent,
            });
            let mut liars: Vec<Liar> = liars.collect();
            liars.sort_by_key(|liar| liar.from_ms);
            liars
        })
}

/// Whole schedules.
fn plans() -> impl Strategy<Value = Plan> {
    (clusters(), 2_000..=5_000_u64, 0..1_000_000_u64)
        .prop_flat_map(|(cluster, heal_at_ms, seed)| {
            let parts = (
                calls(&cluster, heal_at_ms),
                faults(&cluster, heal_at_ms),
                liars(&cluster, heal_at_ms),
            );
            (Just((cluster, heal_at_ms, seed)), parts)
        })
        .prop_map(|((cluster, heal_at_ms, seed), (calls, faults, liars))| {
            let mut plan = Plan {
                campaign: "schedules".to_owned(),
                seed,
                cluster,
                calls,
                faults,
                liars,
                heal_at_ms,
                recovery_ms: RECOVERY_MS,
                end_ms: 0,
                canary: None,
            };
            plan.end_ms = plan.shortest_end_ms();
            plan
        })
}

/// Proptest does not shrink: it would make other plans of other draws, at random. [`shrink`] does.
fn config() -> Config {
    let from_environment = Config::default();
    Config {
        cases: std::env::var("PROPTEST_CASES").map_or(CASES, |_| from_environment.cases),
        rng_seed: match from_environment.rng_seed {
            RngSeed::Random => RngSeed::Fixed(1),
            fixed @ RngSeed::Fixed(_) => fixed,
        },
        max_shrink_iters: 0,
        failure_persistence: None,
        ..from_environment
    }
}

/// Runs a plan. If it breaks something, gives what is left of it after shrinking, and where.
fn broken(plan: &Plan, dir: &Path) -> Option<(RunViolation, ShrunkFile)> {
    let violation = run_fresh(plan, &run).violations.first()?.clone();
    let kind = violation.violation.kind();
    let breaks = |plan: &Plan| breaks_again(plan, &kind, &run);
    let shrunk = shrink(plan, &violation, &breaks, 2, SHRINK_RUNS_MAX, |_| {});
    let mut failures = Failures::below(dir).unwrap();
    let whole = failures
        .save_whole("schedules", plan, std::slice::from_ref(&violation))
        .unwrap();
    let campaign = Campaign {
        name: "schedules".to_owned(),
        source: whole,
        about: String::new(),
        seeds: 1,
        plans: Plans::Fixed(Box::new(plan.clone())),
        expect: Default::default(),
    };
    let saved = failures.save(&campaign, plan, &shrunk, &told(&shrunk.plan).1);
    let saved = saved.unwrap();
    Some((shrunk.violation, saved))
}

#[test]
fn with_fewer_than_k_liars_no_schedule_breaks_an_invariant() {
    panics::capture();
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("schedules");
    let mut runner = TestRunner::new(config());
    let property = |plan: Plan| {
        assert_eq!(plan.check(), Ok(()));
        match broken(&plan, &dir) {
            None => Ok(()),
            Some((violation, saved)) => Err(TestCaseError::fail(format!(
                "{} breaks: {}\n{saved}\n{}",
                violation.invariant(),
                violation.detail(),
                saved.replay
            ))),
        }
    };
    if let Err(TestError::Fail(why, _)) = runner.run(&plans(), property) {
        panic!("{why}");
    }
}

#[test]
fn what_breaks_comes_out_as_a_small_schedule_that_breaks_the_same() {
    panics::capture();
    let dir = tempfile::tempdir().unwrap();
    let found = RefCell::new(None);
    let mut runner = TestRunner::new(config());
    let planted = plans().prop_map(|plan| Plan {
        canary: Some(Canary::SameKeyTwice),
        ..plan
    });
    let property = |plan: Plan| match broken(&plan, dir.path()) {
        None => Ok(()),
        Some(broken) => {
            *found.borrow_mut() = Some((plan, broken));
            Err(TestCaseError::fail("as it must"))
        }
    };
    let result = runner.run(&planted, property);
    assert!(matches!(result, Err(TestError::Fail(..))), "{result:?}");
    let (whole, (violation, saved)) = found.take().unwrap();
    assert_eq!(violation.invariant(), "agreement");
    let plan = campaign::load(&saved.file).unwrap().plan(0);
    // Two keys of one call are all that it takes.
    let Size {
        faults,
        liars,
        calls,
    } = Size::of(&plan);
    assert_eq!((faults, liars, calls), (0, 0, 1), "{plan:?}");
    assert_eq!(plan.calls[0].number, 2);
    assert!(saved.before.calls > 1 && Size::of(&whole) == saved.before);
    let kind = violation.violation.kind();
    assert_eq!(breaks_again(&plan, &kind, &run), Some(violation));
    assert_eq!(
        saved.replay,
        format!("cargo chaos replay {} --trace", saved.file)
    );
}
