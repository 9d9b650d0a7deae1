//! Which failures were excused, in one table over all campaigns.

use dske_report::number_table;
use dske_report::text::{count, percent};
use maud::{Markup, html};

use super::campaign::anchor;
use crate::judge::excuse::Excuse;
use crate::summary::{CampaignSummary, Resilience};

/// The table; empty if nothing was excused.
pub(super) fn section(summary: &Resilience) -> Markup {
    let used = |excuse: &&Excuse| {
        let covers = |campaign: &CampaignSummary| campaign.excuses.contains_key(excuse.name());
        summary.campaigns.iter().any(covers)
    };
    let excuses: Vec<Excuse> = Excuse::ALL.iter().filter(used).copied().collect();
    if excuses.is_empty() {
        return html! {};
    }
    let heads = html! {
        th { "campaign" } th { "calls" } th { "one excuse, at most" }
        @for excuse in &excuses { th title=(excuse.about()) { (excuse) } }
    };
    let rows = html! {
        @for (i, campaign) in summary.campaigns.iter().enumerate() {
            @if !campaign.excuses.is_empty() {
                tr {
                    td.name { a href={ "#" (anchor(i, campaign)) } { (campaign.name) } }
                    td { (count(campaign.calls_owed)) }
                    td { (campaign.excused_percent_max) " %" }
                    @for excuse in &excuses { (cell(campaign, *excuse)) }
                }
            }
        }
    };
    html! {
        section #excuses {
            h2 { "Which failures were excused" }
            (number_table(&heads, &rows))
            p.note {
                "Calls that failed, and that " b { "availability" } " did not judge, as a share of all calls by masters and \
                 named slaves. Each counts under one excuse. A campaign in which one excuse covers more than its \
                 file allows is weak: it is blind there."
            }
            ul.note { @for excuse in &excuses { li { b { (excuse) } ": " (excuse.about()) } } }
        }
    }
}

fn cell(campaign: &CampaignSummary, excuse: Excuse) -> Markup {
    let calls = campaign.excuses.get(excuse.name()).copied();
    html! {
        @match calls {
            Some(calls) => td.missed[campaign.is_too_much(calls)] title=(count(calls)) {
                (percent(calls, campaign.calls_owed))
            },
            None => td { "–" },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn campaign(name: &str, excuses: &[(Excuse, u64)]) -> CampaignSummary {
        let excuses = excuses
            .iter()
            .map(|(excuse, calls)| (excuse.name().to_owned(), *calls));
        CampaignSummary {
            name: name.to_owned(),
            calls_owed: 200,
            excuses: excuses.collect(),
            excused_percent_max: 5,
            ..CampaignSummary::default()
        }
    }

    #[test]
    fn a_campaign_has_a_row_with_the_share_of_each_excuse_and_what_is_too_much_is_marked() {
        let summary = Resilience {
            campaigns: vec![
                campaign("calm", &[]),
                campaign("storm", &[(Excuse::Settling, 10), (Excuse::OutOfReach, 11)]),
                campaign("swarm", &[(Excuse::Lying, 1)]),
            ],
            ..Resilience::default()
        };
        let html = section(&summary).into_string();
        assert!(!html.contains("calm"), "{html}");
        assert!(
            html.contains("<td class=\"missed\" title=\"11\">5.5 %</td>"),
            "{html}"
        );
        assert!(
            html.contains("<td class=\"\" title=\"10\">5.0 %</td><td>–</td>"),
            "{html}"
        );
        assert!(
            html.contains("<td class=\"\" title=\"1\">0.5 %</td>"),
            "{html}"
        );
        assert!(!html.contains(Excuse::Starting.about()), "{html}");
    }

    #[test]
    fn where_nothing_was_excused_there_is_no_table() {
        let summary = Resilience {
            campaigns: vec![campaign("calm", &[])],
            ..Resilience::default()
        };
        assert_eq!(section(&summary).into_string(), "");
    }
}
