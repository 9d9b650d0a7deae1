//! What the command prints.

use std::fmt::Write;

use crate::plan::{CLIENT_NAMES, HUB_NAMES, Plan, ROGUE_NAME};
use crate::summary::{CampaignSummary, Resilience};

/// Prints the table at the end of a sweep.
pub fn print(resilience: &Resilience) {
    println!(
        "{:<20} {:>6} {:>8} {:>8} {:>7} {:>7} {:>6} {:>9} {:>8}  verdict",
        "campaign", "seeds", "keys", "arrived", "faults", "lies", "broken", "sim s/s", "keys/s"
    );
    for campaign in &resilience.campaigns {
        let wall = campaign.wall_seconds.max(1e-9);
        println!(
            "{:<20} {:>6} {:>8} {:>7.1}% {:>7} {:>7} {:>6} {:>9.0} {:>8.0}  {}",
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

/// One line on what came of a campaign.
#[must_use]
pub fn verdict(campaign: &CampaignSummary) -> String {
    let mut words = match (&campaign.control, campaign.violations.len()) {
        (_, broken) if broken > 0 => format!("BROKEN: {broken} violations"),
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
    // One seed cannot reach everything.
    let weaknesses = campaign.weaknesses();
    if !weaknesses.is_empty() && campaign.seeds > 1 {
        let _ = write!(words, "; WEAK: {}", weaknesses.join(", "));
    }
    words
}

/// Violations printed of one campaign: the rest is in the report.
const PRINTED_MAX: usize = 5;

/// Prints what broke, with the command that replays it.
pub fn print_violations(campaign: &CampaignSummary) {
    for violation in campaign.violations.iter().take(PRINTED_MAX) {
        println!(
            "BROKEN: {} in campaign {}, seed {}, at {}.{:03} s: {}",
            violation.invariant,
            campaign.name,
            violation.seed,
            violation.at_ms / 1000,
            violation.at_ms % 1000,
            violation.detail
        );
        println!("REPLAY: {}", violation.replay);
    }
    if campaign.violations.len() > PRINTED_MAX {
        println!(
            "… and {} more, all in the report",
            campaign.violations.len() - PRINTED_MAX
        );
    }
}

/// A plan for people.
#[must_use]
pub fn plan(plan: &Plan) -> String {
    let cluster = &plan.cluster;
    let (hubs, clients) = (usize::from(cluster.hubs), usize::from(cluster.clients));
    let mut text = format!(
        "campaign {}, seed {}: {} of {} hubs, {} calls, {} faults until {} s, end at {:.1} s\n",
        plan.campaign,
        plan.seed,
        cluster.threshold,
        cluster.hubs,
        plan.calls.len(),
        plan.faults.len(),
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

/// Whether a line of a timeline is worth reading without `--trace`.
#[must_use]
pub fn is_essential(line: &str) -> bool {
    let what = line.split_whitespace().nth(1).unwrap_or_default();
    matches!(what, "call" | "fault" | "lie" | "start")
}

fn percent(part: u64, whole: u64) -> f64 {
    100.0 * part as f64 / whole.max(1) as f64
}
