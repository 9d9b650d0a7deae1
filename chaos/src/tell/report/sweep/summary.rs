//! What came out, in five lines: what holds, where the boundary is, what surprises.

use dske_report::text::{count, counted, millis};

use super::collusion;
use super::wan::find;
use crate::explore::sweep::Sweep;

/// The lines, as plain text. Those of parts that were not measured are left out.
#[must_use]
pub fn summary(sweep: &Sweep) -> Vec<String> {
    let lines = [
        interrupted(sweep),
        Some(holds(sweep)),
        boundary(sweep),
        secrecy(sweep),
        time(sweep),
        surprise(sweep),
    ];
    lines.into_iter().flatten().collect()
}

fn interrupted(sweep: &Sweep) -> Option<String> {
    let part = sweep.interrupted_in.as_ref()?;
    Some(format!(
        "INTERRUPTED: in part {part}. Its figures, and those of later parts, are missing."
    ))
}

fn holds(sweep: &Sweep) -> String {
    let broken = match sweep.violations.len() {
        0 => "all invariants held".to_owned(),
        n => format!("{} broke", counted(n as u64, "invariant")),
    };
    format!(
        "What holds: in {} with {} keys {broken} ({} checks).",
        counted(sweep.runs, "run"),
        count(sweep.keys_requested),
        count(sweep.checks)
    )
}

fn boundary(sweep: &Sweep) -> Option<String> {
    sweep.map.first()?;
    let cells = sweep.map.len();
    let deviating = sweep.map.iter().filter(|cell| cell.deviates).count();
    Some(format!(
        "Where keys stop: as soon as fewer than K honest hubs can be reached, whether the others are down or lie. {} of {} cells are \
         as in theory.",
        count((cells - deviating) as u64),
        count(cells as u64)
    ))
}

fn secrecy(sweep: &Sweep) -> Option<String> {
    sweep.collusion.first()?;
    Some(format!(
        "Where secrecy stops: at K hubs that collude. {}",
        collusion::found(&sweep.collusion)
    ))
}

fn time(sweep: &Sweep) -> Option<String> {
    let of = |profile: &str| {
        let point = find(&sweep.wan, profile, "all-up", 0)?;
        Some(format!("{} {profile}", millis(point.both_p50_ms)))
    };
    let all = ["metro", "continental", "intercontinental"].map(of);
    let all: Vec<String> = all.into_iter().flatten().collect();
    (!all.is_empty()).then(|| {
        format!(
            "How long a key takes, set up and fetched, in the median: {}. Two round trips to the K-th nearest hub.",
            all.join(", ")
        )
    })
}

/// What a person who knows the protocol would not expect.
fn surprise(sweep: &Sweep) -> Option<String> {
    let (up, down) = (
        find(&sweep.wan, "continental", "all-up", 200)?,
        find(&sweep.wan, "continental", "one-down", 200)?,
    );
    let without = find(&sweep.wan, "continental", "one-down", 0)?;
    Some(format!(
        "What surprises: with a grace period one hub that is down, though not needed, makes a continental key take {} instead of {}, \
         since the master waits for it in vain. Without it: {}.",
        millis(down.both_p50_ms),
        millis(up.both_p50_ms),
        millis(without.both_p50_ms)
    ))
}
