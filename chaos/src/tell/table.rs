//! What the command prints.

use std::fmt::Write;

use dske_report::text::counted;
use dske_report::text::percent;
use dske_testbed::println;

use crate::explore::selftest::{Canaried, Steps, median_left};
use crate::plan::{CLIENT_NAMES, HUB_NAMES, Plan, ROGUE_NAME};
use crate::summary::{CampaignSummary, Resilience, Violation};

/// Prints the table at the end.
pub fn print(resilience: &Resilience) {
    if resilience.is_interrupted {
        println!("INTERRUPTED: this is what was found until then");
    }
    println!(
        "{:<20} {:>6} {:>8} {:>8} {:>7} {:>7} {:>6} {:>9} {:>8}  verdict",
        "campaign", "seeds", "keys", "arrived", "faults", "lies", "broken", "sim s/s", "keys/s"
    );
    for campaign in &resilience.campaigns {
        let wall = campaign.wall_seconds.max(1e-9);
        println!(
            "{:<20} {:>6} {:>8} {:>8} {:>7} {:>7} {:>6} {:>9.0} {:>8.0}  {}",
            campaign.name,
            campaign.seeds,
            campaign.keys_requested,
            percent(campaign.keys_fetched, campaign.keys_requested),
            campaign.faults,
            campaign.lies,
            campaign.violations.len(),
            campaign.simulated_seconds / wall,
            campaign.keys_fetched as f64 / wall,
            verdict(campaign),
        );
    }
}

/// The head of the table of canaries.
#[must_use]
pub fn canary_head() -> String {
    format!(
        "{:<26} {:<36} {:<26} {:>5} {:>7} {:>15} {:>12}",
        "canary", "broke", "in", "runs", "seconds", "faults + lies", "calls"
    )
}

/// One canary: what saw it, and how long that took.
#[must_use]
pub fn canary(hunted: &Canaried) -> String {
    let sizes = |size: fn(&Steps) -> u64| {
        let Some(caught) = &hunted.caught else {
            return "-".to_owned();
        };
        let before = size(&caught.steps);
        match &caught.left {
            Some(left) => format!("{before} → {}", size(&left.steps)),
            None => before.to_string(),
        }
    };
    let (causes, calls) = (sizes(Steps::causes), sizes(|steps| steps.calls));
    let (broke, place) = match &hunted.caught {
        Some(caught) => (
            caught.invariants.join(", "),
            format!("{} seed {}", caught.campaign, caught.seed),
        ),
        None => (
            format!("NOT CAUGHT by {}", hunted.expected.join(" or ")),
            "-".to_owned(),
        ),
    };
    format!(
        "{:<26} {broke:<36} {place:<26} {:>5} {:>7.1} {causes:>15} {calls:>12}",
        hunted.canary,
        hunted.runs,
        hunted.seconds()
    )
}

/// The last line of a self-test.
#[must_use]
pub fn canary_verdict(all: &[Canaried]) -> String {
    let missed: Vec<&str> = all
        .iter()
        .filter(|hunted| hunted.caught.is_none())
        .map(|hunted| hunted.canary.as_str())
        .collect();
    let mut words = if missed.is_empty() {
        format!("all {} canaries were caught", all.len())
    } else {
        format!(
            "NOT CAUGHT: {}: no invariant sees {}",
            missed.join(", "),
            if missed.len() == 1 { "it" } else { "them" }
        )
    };
    if let (Some(causes), Some(calls)) = (
        median_left(all, Steps::causes),
        median_left(all, |steps| steps.calls),
    ) {
        let _ = write!(
            words,
            "; left by shrinking, in the median: {causes} faults + lies, {calls} calls"
        );
    }
    words
}

/// One line on what came of a campaign.
#[must_use]
pub fn verdict(campaign: &CampaignSummary) -> String {
    let mut words = match (&campaign.control, campaign.violations.len()) {
        (_, broken) if broken > 0 => format!("BROKEN: {}", counted(broken as u64, "violation")),
        (Some(control), _) if control.seeds_caught < campaign.seeds => format!(
            "NOT CAUGHT: {} was seen to break in {} of {} seeds only",
            control.invariant, control.seeds_caught, campaign.seeds
        ),
        (Some(control), _) => format!(
            "control: {} was seen to break, as it must",
            control.invariant
        ),
        (None, _) => "held".to_owned(),
    };
    let weaknesses = campaign.weaknesses();
    if !weaknesses.is_empty() {
        let _ = write!(words, "; WEAK: {}", weaknesses.join(", "));
    }
    words
}

/// Violations printed of one campaign: the rest is in the report.
const PRINTED_MAX: usize = 5;

/// Prints what broke in a campaign.
pub fn print_violations(campaign: &CampaignSummary) {
    print_list(&campaign.name, &campaign.violations);
}

/// Prints what broke, each with the command that replays it: what is left of it, if it was shrunk. The first ones, and
/// those that were shrunk.
pub fn print_list(campaign: &str, violations: &[Violation]) {
    let mut more = 0;
    for (place, violation) in violations.iter().enumerate() {
        if place >= PRINTED_MAX && violation.shrunk.is_none() {
            more += 1;
            continue;
        }
        println!(
            "BROKEN: {} in campaign {campaign}, seed {}, at {}.{:03} s: {}",
            violation.invariant,
            violation.seed,
            violation.at_ms / 1000,
            violation.at_ms % 1000,
            violation.detail
        );
        if let Some(shrunk) = &violation.shrunk {
            println!("SHRUNK: {}: {shrunk}", shrunk.file);
            println!("REPLAY: {}", shrunk.replay);
            println!("LOOK:   {}", shrunk.view);
        } else {
            println!("REPLAY: {}", violation.replay);
        }
    }
    if more > 0 {
        println!("… and {more} more");
    }
}

/// A plan for people.
#[must_use]
pub fn plan(plan: &Plan) -> String {
    let cluster = &plan.cluster;
    let (hubs, clients) = (usize::from(cluster.hubs), usize::from(cluster.clients));
    let mut text = format!(
        "campaign {}, seed {}: {} of {}, {}, {} until {} s, end at {:.1} s\n",
        plan.campaign,
        plan.seed,
        cluster.threshold,
        counted(cluster.hubs.into(), "hub"),
        counted(plan.calls.len() as u64, "call"),
        counted(plan.faults.len() as u64, "fault"),
        plan.heal_at_ms / 1000,
        plan.end_ms as f64 / 1000.0
    );
    let name = |(index, name): (usize, &&str), letter: char| format!(" {letter}{index}={name}");
    let names = HUB_NAMES
        .iter()
        .take(hubs)
        .enumerate()
        .map(|hub| name(hub, 'h'));
    let names = names.chain(
        CLIENT_NAMES
            .iter()
            .take(clients)
            .enumerate()
            .map(|client| name(client, 'c')),
    );
    let rogue = plan.has_rogue().then(|| name((clients, &ROGUE_NAME), 'c'));
    let _ = writeln!(text, "names:{}", names.chain(rogue).collect::<String>());
    if let Some(canary) = plan.canary {
        let _ = writeln!(text, "planted: {canary}: {}", canary.about());
    }
    for liar in &plan.liars {
        let lies: Vec<&str> = liar.lies.iter().map(|lie| lie.name()).collect();
        let _ = writeln!(
            text,
            "liar h{}: {} % of its answers until {} ms: {}",
            liar.hub,
            liar.rate_percent,
            liar.until_ms,
            lies.join(", ")
        );
    }
    text
}
