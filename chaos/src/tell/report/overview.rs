//! The first screen: what came out, what broke, how much was tried.

use std::collections::{BTreeMap, BTreeSet};

use dske_report::text::{count, counted, seconds};
use dske_report::{Banner, number_table, tiles};
use maud::{Markup, html};

use super::campaign::{anchor, standing, success};
use super::invariants::{KNOWN, meaning};
use super::verdict::{Verdict, unexpected};
use super::violation::{article, entry};
use crate::summary::{CampaignSummary, Resilience};

/// Violations of one campaign that are shown before the rest is only counted.
const MOST_SHOWN: usize = 5;

/// The verdict and its explanation.
pub(super) fn banner(summary: &Resilience, verdict: &Verdict<'_>) -> Markup {
    Banner {
        tone: verdict.tone,
        kicker: html! { "DSKE resilience report · dske " (summary.version) },
        headline: verdict.headline(),
        details: html! { @for line in verdict.details() { p { (line) } } },
    }
    .html()
}

/// What broke, before everything else. Empty if nothing did.
pub(super) fn broken(summary: &Resilience, verdict: &Verdict<'_>) -> Markup {
    if verdict.broken.is_empty() && verdict.blind.is_empty() {
        return html! {};
    }
    let name = |index: usize| {
        let campaign = &summary.campaigns[index];
        html! { a href={ "#" (anchor(index, campaign)) } { (campaign.name) } ": " }
    };
    html! {
        section #broken {
            h2 { "What broke" }
            @for (index, violations) in &verdict.broken {
                @for violation in violations.iter().take(MOST_SHOWN) { (entry(&name(*index), violation)) }
                @if violations.len() > MOST_SHOWN {
                    p {
                        "… and " (count((violations.len() - MOST_SHOWN) as u64)) " more in "
                        (summary.campaigns[*index].name) "."
                    }
                }
            }
            @for index in &verdict.blind { (unseen(&name(*index), &summary.campaigns[*index])) }
        }
    }
}

/// A negative control whose break was not seen.
fn unseen(place: &Markup, campaign: &CampaignSummary) -> Markup {
    let control = campaign.control.as_ref();
    article(
        &html! { (place) "negative control not seen" },
        &html! {
            p {
                "This campaign breaks " b { (control.map_or("", |control| &control.invariant)) } " on purpose, and the check did not see it in every one of "
                (counted(campaign.seeds, "run")) ". Until it does, it means nothing that this invariant held elsewhere."
            }
        },
    )
}

/// The big numbers.
pub(super) fn numbers(summary: &Resilience) -> Markup {
    let total =
        |field: fn(&CampaignSummary) -> u64| count(summary.campaigns.iter().map(field).sum());
    let simulated: f64 = summary.campaigns.iter().map(|c| c.simulated_seconds).sum();
    tiles(&[
        (
            total(|c| c.seeds),
            "runs",
            "each seed draws its own course of faults",
        ),
        (
            total(|c| c.keys_requested),
            "keys requested",
            "by masters, whatever was done to the nodes",
        ),
        (
            total(|c| c.keys_established),
            "established",
            "handed to the master",
        ),
        (
            total(|c| c.keys_fetched),
            "fetched",
            "handed to the slave as well",
        ),
        (
            total(|c| c.faults),
            "faults",
            "crashes, cuts, slow links, floods",
        ),
        (total(|c| c.lies), "lies", "false answers by Byzantine hubs"),
        (
            seconds(simulated),
            "simulated",
            "time that passed inside the runs",
        ),
        (
            seconds(summary.wall_seconds),
            "real",
            "time that the whole job took",
        ),
    ])
}

/// All campaigns with links to their sections.
pub(super) fn contents(summary: &Resilience) -> Markup {
    if summary.campaigns.is_empty() {
        return html! {};
    }
    let heads = html! {
        th { "campaign" } th.words { "standing" } th { "runs" } th { "keys" } th { "success" } th { "violations" }
    };
    let rows = html! {
        @for (i, campaign) in summary.campaigns.iter().enumerate() {
            tr {
                td.name { a href={ "#" (anchor(i, campaign)) } { (campaign.name) } }
                td.words { (standing(campaign)) }
                td { (count(campaign.seeds)) }
                td { (count(campaign.keys_requested)) }
                td { (success(campaign)) }
                td { (count(unexpected(campaign).len() as u64)) }
            }
        }
    };
    html! {
        section #campaigns {
            h2 { "Campaigns" }
            (number_table(&heads, &rows))
            p.note {
                "Success: the keys that both sides got, as a share of all keys requested. It may be low where a campaign \
                 takes away more hubs than a key can do without. What must never happen is a violation."
            }
        }
    }
}

/// The invariants over all campaigns.
pub(super) fn invariants(summary: &Resilience) -> Markup {
    let mut times: BTreeMap<&str, u64> = BTreeMap::new();
    let mut broke: BTreeMap<&str, u64> = BTreeMap::new();
    for campaign in &summary.campaigns {
        for (name, n) in &campaign.checked {
            *times.entry(name).or_default() += n;
        }
        for violation in unexpected(campaign) {
            *broke.entry(&violation.invariant).or_default() += 1;
        }
    }
    let is_other = |name: &&str| KNOWN.iter().all(|(known, _)| known != name);
    let others: BTreeSet<&str> = times.keys().chain(broke.keys()).copied().collect();
    let others = others.into_iter().filter(is_other);
    let of = |counts: &BTreeMap<&str, u64>, name| counts.get(name).copied().unwrap_or(0);
    let heads = html! {
        th { "invariant and what it promises" } th.words { "outcome" } th { "evaluated" }
    };
    let rows = html! {
        @for name in KNOWN.iter().map(|(name, _)| *name).chain(others) {
            tr {
                td.promise { b { (name) } " " span { (meaning(name)) } }
                td.words {
                    @match (of(&broke, name), of(&times, name)) {
                        (0, 0) => span.tag.weak { "! never evaluated" },
                        (0, _) => span.tag.held { "✓ held" },
                        (n, _) => span.tag.broken { "✗ broke " (count(n)) "×" },
                    }
                }
                td { (count(of(&times, name))) }
            }
        }
    };
    html! {
        section #invariants {
            h2 { "What must never break" }
            (number_table(&heads, &rows))
        }
    }
}
