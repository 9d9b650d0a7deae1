//! Other calls, and calls at other times.

use rand::RngExt;
use rand::rngs::ChaCha12Rng;

use super::{one_of, place_in};
use crate::plan::{Mistake, Plan};

/// Calls in a burst at most.
const BURST_MAX: usize = 12;

/// Key sizes that are asked for, in bits.
const BITS: [u32; 6] = [64, 128, 256, 512, 2_048, 65_536];

/// Several calls in a row at the same moment: that of a fault, if there is one.
pub(super) fn burst(plan: &mut Plan, _: &Plan, rng: &mut ChaCha12Rng) {
    let Some(first) = place_in(&plan.calls, rng) else {
        return;
    };
    let moment_ms = match one_of(&plan.faults, rng) {
        Some(planned) if rng.random_range(0..2) == 0 => planned.at_ms,
        _ => plan.calls[first].at_ms,
    };
    let number = rng.random_range(2..=BURST_MAX);
    for call in plan.calls.iter_mut().skip(first).take(number) {
        // Those after the recovery have to stay, or nothing would be demanded.
        if call.at_ms < plan.heal_at_ms {
            call.at_ms = moment_ms;
        }
    }
}

/// Some calls in a row ask for other keys, or fetch them at another time.
pub(super) fn ask_otherwise(plan: &mut Plan, _: &Plan, rng: &mut ChaCha12Rng) {
    let Some(first) = place_in(&plan.calls, rng) else {
        return;
    };
    let number = rng.random_range(1..=plan.calls.len());
    let bits = BITS[rng.random_range(0..BITS.len())];
    let keys = rng.random_range(1..=6);
    let fetch_after_ms = rng.random_range(0..=2_000);
    let again_after_ms = rng.random_range(0..=20_000);
    let mistake = Mistake::ALL[rng.random_range(0..Mistake::ALL.len())];
    let tries = rng.random_range(1..=4);
    let what = rng.random_range(0..8);
    for call in plan.calls.iter_mut().skip(first).take(number) {
        match what {
            0 => call.bits = bits,
            1 => call.number = keys,
            2 => call.fetch_after_ms = fetch_after_ms,
            3 => (call.fetch_twice, call.again_after_ms) = (true, again_after_ms),
            4 => call.mistake = Some(mistake),
            5 => call.tries = tries,
            6 => call.also_after_ms = again_after_ms,
            _ => call.fetch_twice = !call.fetch_twice,
        }
    }
}
