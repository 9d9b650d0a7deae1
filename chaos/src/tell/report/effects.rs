//! What faults did, in one table over all campaigns.

use std::collections::BTreeMap;

use dske_report::number_table;
use dske_report::text::{count, counted, percent};
use maud::{Markup, html};

use crate::outcome::effects::Effect;
use crate::plan::FaultKind;
use crate::summary::Resilience;

/// The table; empty if no fault was injected.
pub(super) fn section(summary: &Resilience) -> Markup {
    let mut kinds: BTreeMap<&str, Effect> = BTreeMap::new();
    for (kind, effect) in summary.campaigns.iter().flat_map(|c| &c.effects) {
        kinds.entry(kind).or_default().add(effect);
    }
    if kinds.is_empty() {
        return html! {};
    }
    let mut kinds: Vec<(&str, Effect)> = kinds.into_iter().collect();
    // In the order of the documents.
    kinds.sort_by_key(|(kind, _)| {
        FaultKind::ALL
            .iter()
            .position(|known| known.name() == *kind)
    });
    let heads = html! {
        th { "fault" } th { "injected" } th { "touched nothing" } th.words { "what it did" } th { "calls affected" }
        th { "of them failed" }
    };
    let rows = html! { @for (kind, effect) in &kinds { (row(kind, effect)) } };
    html! {
        section #effects {
            h2 { "What the faults did" }
            (number_table(&heads, &rows))
            p.note {
                "The observer outside the nodes counts four things: messages between clients and hubs that were \
                 under way on the links of a fault while it lasted, and never arrived or came late; refills of \
                 PSRD that were left unanswered; links that had to register again after a crash; and hostile messages that \
                 reached a hub. A call is affected if a message of its client was touched while the call was \
                 under way. It counts once for each such fault. Where two faults meet on a link, what happened \
                 there counts for both. Floods and the rogue client must not affect any call. A single short \
                 fault may touch nothing; if " em { "all" } " faults of a kind touched nothing, their campaign is weak."
            }
        }
    }
}

fn row(kind: &str, effect: &Effect) -> Markup {
    html! {
        tr.missed[effect.is_inert()] {
            td.name { (kind) }
            td { (count(effect.injected)) }
            td { (percent(effect.in_vain, effect.injected)) }
            td.words { @if effect.is_inert() { "! nothing at all" } @else { (what(effect)) } }
            td { (count(effect.calls)) }
            td { (count(effect.failed)) }
        }
    }
}

fn what(effect: &Effect) -> String {
    let parts = [
        (effect.lost, "message", "lost"),
        (effect.late, "message", "late"),
        (effect.refused, "refill", "refused"),
        (effect.anew, "link", "registered again"),
        (effect.hostile, "hostile message", "arrived"),
    ];
    let parts: Vec<String> = parts
        .into_iter()
        .filter(|(n, _, _)| *n > 0)
        .map(|(n, noun, did)| format!("{} {did}", counted(n, noun)))
        .collect();
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::summary::CampaignSummary;

    #[test]
    fn kinds_are_added_over_campaigns_and_one_that_touched_nothing_is_marked() {
        let campaign = |kind: &str, effect| CampaignSummary {
            effects: [(kind.to_owned(), effect)].into(),
            ..CampaignSummary::default()
        };
        let cut = Effect {
            injected: 4,
            in_vain: 1,
            lost: 1_000,
            calls: 7,
            failed: 3,
            ..Effect::default()
        };
        let held = Effect {
            injected: 5,
            in_vain: 5,
            ..Effect::default()
        };
        let summary = Resilience {
            campaigns: vec![
                campaign("hold", held),
                campaign("partition", cut),
                campaign("partition", cut),
            ],
            ..Resilience::default()
        };
        let html = section(&summary).into_string();
        assert!(html.contains("<td>8</td><td>25.0 %</td><td class=\"words\">2,000 messages lost</td><td>14</td><td>6</td>"), "{html}");
        assert!(html.contains("<td>5</td><td>100 %</td><td class=\"words\">! nothing at all</td>"));
        assert!(
            html.find("partition") < html.find(">hold<"),
            "as documented"
        );
        assert_eq!(section(&Resilience::default()).into_string(), "");
        assert_eq!(
            summary.campaigns[0].effects["hold"].is_inert(),
            !summary.campaigns[1].effects["partition"].is_inert()
        );
    }
}
