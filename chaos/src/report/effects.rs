//! What faults did, in one table over all campaigns.

use std::collections::BTreeMap;

use dske_report::text::{count, counted, escape, percent};

use crate::outcome::effects::Effect;
use crate::plan::FaultKind;
use crate::summary::Resilience;

/// The table; empty if no fault was injected.
pub(super) fn section(summary: &Resilience) -> String {
    let mut kinds: BTreeMap<&str, Effect> = BTreeMap::new();
    for (kind, effect) in summary.campaigns.iter().flat_map(|c| &c.effects) {
        kinds.entry(kind).or_default().add(effect);
    }
    if kinds.is_empty() {
        return String::new();
    }
    let mut kinds: Vec<(&str, Effect)> = kinds.into_iter().collect();
    // In the order of the documents.
    kinds.sort_by_key(|(kind, _)| {
        FaultKind::ALL
            .iter()
            .position(|known| known.name() == *kind)
    });
    let rows: String = kinds
        .iter()
        .map(|(kind, effect)| row(kind, effect))
        .collect();
    format!(
        r#"<section id="effects"><h2>What the faults did</h2><div class="scroll"><table class="numbers">
<thead><tr><th>fault</th><th>injected</th><th>touched nothing</th><th class="words">what it did</th><th>calls affected</th><th>of them failed</th></tr></thead>
<tbody>
{rows}</tbody></table></div>
<p class="note">Counted by the observer outside the nodes: messages between clients and hubs that a fault was about, under way
while it lasted, that never arrived or came late; refills that were refused; links that had to register anew after a crash; hostile
messages that reached a hub. A call is affected if a message of its client was touched while it was under way, once for each
fault. Where two faults meet on a link, both are given what happened there. Floods and the rogue client must not affect any call.
A single short fault may touch nothing; a kind of which <em>none</em> touched anything makes its campaign weak.</p></section>"#
    )
}

fn row(kind: &str, effect: &Effect) -> String {
    let (class, what) = if effect.is_inert() {
        ("missed", "! nothing at all".to_owned())
    } else {
        ("", what(effect))
    };
    format!(
        r#"<tr class="{class}"><td class="name">{}</td><td>{}</td><td>{}</td><td class="words">{what}</td><td>{}</td><td>{}</td></tr>
"#,
        escape(kind),
        count(effect.injected),
        percent(effect.in_vain, effect.injected),
        count(effect.calls),
        count(effect.failed),
    )
}

fn what(effect: &Effect) -> String {
    let parts = [
        (effect.lost, "message", "lost"),
        (effect.late, "message", "late"),
        (effect.refused, "refill", "refused"),
        (effect.anew, "link", "registered anew"),
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
        let html = section(&summary);
        assert!(html.contains("<td>8</td><td>25.0 %</td><td class=\"words\">2,000 messages lost</td><td>14</td><td>6</td>"), "{html}");
        assert!(html.contains("<td>5</td><td>100 %</td><td class=\"words\">! nothing at all</td>"));
        assert!(
            html.find("partition") < html.find(">hold<"),
            "as documented"
        );
        assert_eq!(section(&Resilience::default()), "");
        assert_eq!(
            summary.campaigns[0].effects["hold"].is_inert(),
            !summary.campaigns[1].effects["partition"].is_inert()
        );
    }
}
