//! Smaller numbers.

use super::search::Search;
use crate::plan::Plan;

/// Times are not cut finer than this: it would cost runs, and tell a reader nothing.
const GRAIN_MS: u64 = 10;

/// Shorter faults and lies, by an earlier end or a later beginning; lower rates and strengths; fewer keys.
pub(super) fn all(search: &mut Search<'_>) {
    for i in 0..search.plan().faults.len() {
        shorten(search, i, |plan, i| {
            let fault = plan.faults.get_mut(i)?;
            Some((&mut fault.at_ms, &mut fault.until_ms))
        });
        lower(
            search,
            |plan| Some(*plan.faults.get(i)?.fault.clone().strength_mut()?.1),
            |plan, value| {
                if let Some((_, strength)) = plan.faults[i].fault.strength_mut() {
                    *strength = value;
                }
            },
            1,
            1,
        );
    }
    for i in 0..search.plan().liars.len() {
        shorten(search, i, |plan, i| {
            let liar = plan.liars.get_mut(i)?;
            Some((&mut liar.from_ms, &mut liar.until_ms))
        });
        lower(
            search,
            |plan| Some(plan.liars.get(i)?.rate_percent.into()),
            |plan, percent| plan.liars[i].rate_percent = percent as u8,
            1,
            1,
        );
    }
    for i in 0..search.plan().calls.len() {
        lower(
            search,
            |plan| Some(plan.calls.get(i)?.number.into()),
            |plan, number| plan.calls[i].number = number as u16,
            1,
            1,
        );
    }
}

/// When something of a plan begins and ends.
type Period = fn(&mut Plan, usize) -> Option<(&mut u64, &mut u64)>;

/// An earlier end, then a later beginning.
fn shorten(search: &mut Search<'_>, i: usize, period: Period) {
    let duration = |plan: &Plan| {
        let mut plan = plan.clone();
        let (from_ms, until_ms) = period(&mut plan, i)?;
        Some(*until_ms - *from_ms)
    };
    let end_earlier = |plan: &mut Plan, ms| {
        if let Some((from_ms, until_ms)) = period(plan, i) {
            *until_ms = *from_ms + ms;
        }
    };
    let begin_later = |plan: &mut Plan, ms| {
        if let Some((from_ms, until_ms)) = period(plan, i) {
            *from_ms = *until_ms - ms;
        }
    };
    lower(search, duration, end_earlier, GRAIN_MS, GRAIN_MS);
    lower(search, duration, begin_later, GRAIN_MS, GRAIN_MS);
}

/// Makes liars always lie. Otherwise a lie depends on the number of answers before it, and taking calls away would draw
/// other lies.
pub(super) fn make_lies_certain(search: &mut Search<'_>) {
    search.take_first(1, |plan, _| {
        for liar in &mut plan.liars {
            liar.rate_percent = 100;
        }
    });
}

/// Lowers a number: to the smallest value, else halfway, else by a quarter, and so on down to `grain`; from what it has
/// reached, again.
pub(super) fn lower(
    search: &mut Search<'_>,
    read: impl Fn(&Plan) -> Option<u64>,
    write: impl Fn(&mut Plan, u64) + Sync,
    min: u64,
    grain: u64,
) {
    while let Some(now) = read(search.plan()) {
        let Some(most) = now.checked_sub(min).filter(|most| *most >= grain) else {
            return;
        };
        let halves = std::iter::successors(Some(most), |step| Some(step / 2));
        let steps = halves.take_while(|step| *step > grain).chain([grain]);
        let values: Vec<u64> = steps.map(|step| now - step).collect();
        let taken = search.take_first(values.len(), |plan, i| write(plan, values[i]));
        if taken.is_none() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Progress;
    use super::super::testing::{big, violation};
    use super::*;

    #[test]
    fn a_number_ends_at_the_smallest_that_breaks_up_to_its_grain() {
        for (needed, grain) in [(0, 1), (1, 1), (17, 1), (999, 1), (17, 10), (500, 10)] {
            let breaks = |plan: &Plan| (plan.recovery_ms >= needed).then(|| violation(1));
            let mut plan = big();
            plan.recovery_ms = 1_000;
            let mut progress = |_: Progress<'_>| {};
            let mut search = Search::new(&plan, &violation(0), &breaks, 2, 1_000, &mut progress);
            lower(
                &mut search,
                |plan| Some(plan.recovery_ms),
                |plan, ms| plan.recovery_ms = ms,
                0,
                grain,
            );
            let reached = search.finish(true).plan.recovery_ms;
            assert!(
                (needed..needed + grain).contains(&reached),
                "{needed}: {reached}"
            );
        }
    }
}
