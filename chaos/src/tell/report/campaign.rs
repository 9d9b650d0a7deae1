//! The section of one campaign.

use dske_report::number_table;
use dske_report::text::{count, counted, percent, seconds};
use maud::{Markup, html};

use super::invariants::meaning;
use super::verdict::unexpected;
use super::violation::entry;
use super::{latency, timeline};
use crate::summary::CampaignSummary;

/// Violations that are shown before the rest is only counted.
const MOST_SHOWN: usize = 20;

/// The section's name in links: unique by `index`, readable by the campaign's name.
pub(super) fn anchor(index: usize, campaign: &CampaignSummary) -> String {
    let name: String = campaign
        .name
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() {
                c.to_ascii_lowercase()
            } else {
                '-'
            }
        })
        .collect();
    format!("c{}-{name}", index + 1)
}

/// Share of the requested keys that both sides got.
pub(super) fn success(campaign: &CampaignSummary) -> String {
    percent(campaign.keys_fetched, campaign.keys_requested)
}

/// The standing of one campaign in a few words.
pub(super) fn standing(campaign: &CampaignSummary) -> Markup {
    let is_broken = !unexpected(campaign).is_empty();
    let is_weak = !campaign.weaknesses().is_empty();
    html! {
        @if is_broken { span.tag.broken { "✗ broken" } " " }
        @if campaign.is_blind() {
            span.tag.broken { "✗ control not seen" } " "
        } @else if let Some(control) = &campaign.control {
            span.tag.control {
                "control: seen in " (count(control.seeds_caught)) " of " (counted(campaign.seeds, "run"))
            } " "
        }
        @if is_weak { span.tag.weak { "! weak" } }
        @if !is_broken && !is_weak && campaign.control.is_none() { span.tag.held { "✓ held" } }
    }
}

/// Everything about one campaign.
pub(super) fn section(index: usize, campaign: &CampaignSummary) -> Markup {
    html! {
        section.campaign id=(anchor(index, campaign)) {
            h2 { (campaign.name) " " (standing(campaign)) }
            p.about { (campaign.about) }
            (problems(campaign))
            (control(campaign))
            (facts(campaign))
            h3 { "How long calls took" }
            div.panels {
                (latency::figure("Establishing (master)", &campaign.establish_ms))
                (latency::figure("Fetching (slave)", &campaign.fetch_ms))
            }
            h3 { "One run, drawn out" }
            (timeline::figure(&campaign.timeline))
            div.panels.tables {
                (reached(campaign))
                (checked(campaign))
            }
            p.digest {
                "Digest of all traces: " code { (campaign.digest) }
                ". The same seeds give the same digest on every machine. "
                a href="#campaigns" { "Back to all campaigns" }
            }
        }
    }
}

fn problems(campaign: &CampaignSummary) -> Markup {
    let violations = unexpected(campaign);
    let weak = campaign.weaknesses();
    html! {
        @for violation in violations.iter().take(MOST_SHOWN) { (entry(&html! {}, violation)) }
        @if violations.len() > MOST_SHOWN {
            p {
                "… and " (count((violations.len() - MOST_SHOWN) as u64)) " more, in "
                code { "resilience.json" } "."
            }
        }
        @if !weak.is_empty() {
            div.box.weak {
                p { "This campaign is weak: it did not test everything that it promises to test." }
                ul { @for reason in &weak { li { (reason) } } }
            }
        }
    }
}

fn control(campaign: &CampaignSummary) -> Markup {
    let Some(control) = &campaign.control else {
        return html! {};
    };
    let is_blind = campaign.is_blind();
    html! {
        div.box.(if is_blind { "broken" } else { "control" }) {
            p {
                "Negative control: it is meant to break " b { (control.invariant) } ", to prove that the check can see it. "
                @if is_blind {
                    strong {
                        "The check saw it in only " (count(control.seeds_caught)) " of " (counted(campaign.seeds, "run"))
                        ": the check is broken."
                    }
                } @else {
                    "The check saw it in " (count(control.seeds_caught)) " of " (counted(campaign.seeds, "run"))
                    ", as it should."
                }
            }
            @if !control.example.is_empty() { p { "For example: " (control.example) } }
        }
    }
}

fn facts(campaign: &CampaignSummary) -> Markup {
    let facts = [
        ("hubs (N)", campaign.hubs.clone()),
        ("threshold (K)", campaign.threshold.clone()),
        ("clients", campaign.clients.clone()),
        ("seeds", seeds(campaign.first_seed, campaign.seeds)),
        ("keys requested", count(campaign.keys_requested)),
        ("established", count(campaign.keys_established)),
        ("fetched", count(campaign.keys_fetched)),
        ("failed", count(campaign.keys_failed)),
        ("success", success(campaign)),
        ("faults", count(campaign.faults)),
        ("lies", count(campaign.lies)),
        ("simulated", seconds(campaign.simulated_seconds)),
        ("real, all cores", seconds(campaign.wall_seconds)),
    ];
    html! {
        dl.facts {
            @for (name, value) in &facts { div { dt { (name) } dd { (value) } } }
        }
    }
}

/// The seeds of a campaign: the first to the last.
pub(super) fn seeds(first: u64, number: u64) -> String {
    match number {
        0 => "none".to_owned(),
        1 => first.to_string(),
        n => format!("{first}–{}", first.saturating_add(n - 1)),
    }
}

fn reached(campaign: &CampaignSummary) -> Markup {
    let is_met = |what: &String| !campaign.missed.contains(what);
    let rows = html! {
        @for what in &campaign.missed {
            tr.missed { td.name { (what) } td { "! never, though promised" } }
        }
        @for (what, n) in campaign.reached.iter().filter(|(what, _)| is_met(what)) {
            tr { td.name { (what) } td { (count(*n)) } }
        }
    };
    times(
        "What was reached",
        "fault, lie or rare branch",
        &rows,
        "Nothing was recorded.",
    )
}

fn checked(campaign: &CampaignSummary) -> Markup {
    let rows = html! {
        @for (name, n) in &campaign.checked {
            tr.missed[*n == 0] {
                td.name title=(meaning(name)) { (name) }
                td { @if *n == 0 { "! never" } @else { (count(*n)) } }
            }
        }
    };
    times("Invariants evaluated", "invariant", &rows, "! None.")
}

/// How often things happened, or a sentence if there are none.
fn times(title: &str, what: &str, rows: &Markup, none: &str) -> Markup {
    html! {
        div {
            h3 { (title) }
            @if rows.0.is_empty() {
                p { (none) }
            } @else {
                (number_table(&html! { th { (what) } th { "times" } }, rows))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_campaign_without_anything_still_has_its_section() {
        let campaign = CampaignSummary {
            name: "Empty & odd/name".into(),
            ..Default::default()
        };
        let html = section(0, &campaign).into_string();
        assert!(
            html.contains(r#"id="c1-empty---odd-name""#) && html.contains("Empty &amp; odd/name")
        );
        assert!(html.contains("no seed was run") && html.contains("Nothing was recorded"));
    }

    #[test]
    fn what_was_missed_is_marked_once() {
        let campaign = CampaignSummary {
            seeds: 2,
            first_seed: 10,
            reached: [("crash".into(), 5), ("replay".into(), 0)].into(),
            missed: vec!["replay".into()],
            checked: [("secrecy".into(), 0), ("agreement".into(), 4)].into(),
            ..Default::default()
        };
        let html = section(3, &campaign).into_string();
        assert_eq!(html.matches(r#"<td class="name">replay</td>"#).count(), 1);
        assert!(html.contains("never, though promised") && html.contains("! never</td>"));
        assert!(html.contains("<dd>10–11</dd>"));
    }

    #[test]
    fn thousands_of_violations_are_counted_instead_of_listed() {
        let violation = crate::summary::Violation {
            seed: 1,
            invariant: "agreement".into(),
            at_ms: 1_500,
            detail: "<script>".into(),
            replay: "chaos --seed 1".into(),
            shrunk: None,
        };
        let campaign = CampaignSummary {
            seeds: 1,
            violations: vec![violation; 3_000],
            ..Default::default()
        };
        let html = section(0, &campaign).into_string();
        assert_eq!(html.matches("<article").count(), MOST_SHOWN);
        assert!(html.contains("and 2,980 more") && html.contains("1.5 s simulated (1,500 ms)"));
        assert!(!html.contains("<script>"));
    }
}
