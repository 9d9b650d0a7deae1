//! How many hubs hold the shares of each key, in one table over all campaigns.

use dske_report::number_table;
use dske_report::text::{count, percent};
use maud::{Markup, html};

use super::campaign::anchor;
use crate::summary::{Resilience, Shares};

/// The table; empty if no key was established.
pub(super) fn section(summary: &Resilience) -> Markup {
    let campaigns = summary.campaigns.iter().enumerate();
    let mut campaigns = campaigns
        .filter(|(_, campaign)| campaign.shares.expected > 0)
        .peekable();
    if campaigns.peek().is_none() {
        return html! {};
    }
    let heads = html! {
        th { "campaign" } th { "shares" } th { "held" } th.words { "what kept the others from their hubs" }
    };
    let rows = html! {
        @for (i, campaign) in campaigns {
            tr {
                td.name { a href={ "#" (anchor(i, campaign)) } { (campaign.name) } }
                td { (count(campaign.shares.expected)) }
                td { (percent(campaign.shares.held, campaign.shares.expected)) }
                td.words { (missing(&campaign.shares)) }
            }
        }
    };
    html! {
        section #margin {
            h2 { "How many hubs hold the shares" }
            (number_table(&heads, &rows))
            p.note {
                "K hubs are enough for a key. The others are its margin: each of the N hubs is to have a share of every key \
                 that a master was given, whether or not the call waited for it. A share that a hub never said it holds \
                 counts under what kept the two apart while it was on the way."
            }
        }
    }
}

/// The most frequent reason first.
fn missing(shares: &Shares) -> String {
    let mut reasons: Vec<(&String, &u64)> = shares.missing.iter().collect();
    reasons.sort_by_key(|(why, shares)| (u64::MAX - **shares, *why));
    let reasons = reasons.into_iter();
    let reasons: Vec<String> = reasons
        .map(|(why, shares)| format!("{why} {}", count(*shares)))
        .collect();
    if reasons.is_empty() {
        return "–".to_owned();
    }
    reasons.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::summary::CampaignSummary;

    #[test]
    fn a_campaign_has_a_row_with_what_is_held_and_what_is_missing() {
        let campaign = |name: &str, expected, missing: &[(&str, u64)]| {
            let missing = missing
                .iter()
                .map(|(why, shares)| ((*why).to_owned(), *shares));
            let mut shares = Shares {
                expected,
                held: expected,
                missing: missing.collect(),
            };
            shares.held -= shares.missing.values().sum::<u64>();
            CampaignSummary {
                name: name.to_owned(),
                shares,
                ..CampaignSummary::default()
            }
        };
        let summary = Resilience {
            campaigns: vec![
                campaign("nothing", 0, &[]),
                campaign("calm", 5_000, &[]),
                campaign("storm", 1_000, &[("hold", 20), ("crash-hub", 40)]),
            ],
            ..Resilience::default()
        };
        let html = section(&summary).into_string();
        assert!(!html.contains("nothing"), "{html}");
        assert!(
            html.contains("<td>5,000</td><td>100 %</td><td class=\"words\">–</td>"),
            "{html}"
        );
        assert!(
            html.contains("<td>94.0 %</td><td class=\"words\">crash-hub 40, hold 20</td>"),
            "{html}"
        );
        assert_eq!(section(&Resilience::default()).into_string(), "");
    }
}
