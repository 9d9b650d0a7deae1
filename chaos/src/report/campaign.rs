//! The section of one campaign.

use dske_report::text::{count, counted, escape, percent, seconds};

use super::{
    invariants::meaning,
    latency,
    overview::{entry, standing},
    timeline,
    verdict::unexpected,
};
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

/// Everything about one campaign.
pub(super) fn section(index: usize, campaign: &CampaignSummary) -> String {
    format!(
        r##"<section class="campaign" id="{anchor}"><h2>{name} {standing}</h2>
<p class="about">{about}</p>
{problems}{control}
{facts}
<h3>How long calls took</h3>
<div class="panels">{establish}{fetch}</div>
<h3>One run, drawn out</h3>
{timeline}
<div class="panels tables">{reached}{checked}</div>
<p class="digest">Digest of all traces: <code>{digest}</code>. The same seeds give the same digest on every machine.
<a href="#campaigns">Back to all campaigns</a></p></section>
"##,
        anchor = anchor(index, campaign),
        name = escape(&campaign.name),
        standing = standing(campaign),
        about = escape(&campaign.about),
        problems = problems(campaign),
        control = control(campaign),
        facts = facts(campaign),
        establish = latency::figure("Establishing (master)", &campaign.establish_ms),
        fetch = latency::figure("Fetching (slave)", &campaign.fetch_ms),
        timeline = timeline::figure(&campaign.timeline),
        reached = reached(campaign),
        checked = checked(campaign),
        digest = escape(&campaign.digest),
    )
}

fn problems(campaign: &CampaignSummary) -> String {
    let violations = unexpected(campaign);
    let mut out: String = violations
        .iter()
        .take(MOST_SHOWN)
        .map(|violation| entry("", violation))
        .collect();
    if violations.len() > MOST_SHOWN {
        let more = count((violations.len() - MOST_SHOWN) as u64);
        out += &format!("<p>… and {more} more, in <code>resilience.json</code>.</p>");
    }
    let weak = campaign.weaknesses();
    if !weak.is_empty() {
        let reasons: String = weak
            .iter()
            .map(|reason| format!("<li>{}</li>", escape(reason)))
            .collect();
        out += &format!(
            r#"<div class="box weak"><p>This campaign is weak: it did not test all that it promises.</p><ul>{reasons}</ul></div>"#
        );
    }
    out
}

fn control(campaign: &CampaignSummary) -> String {
    let Some(control) = &campaign.control else {
        return String::new();
    };
    let (class, outcome) = if campaign.is_blind() {
        (
            "broken",
            "<strong>The check saw nothing: the check is broken.</strong>".to_owned(),
        )
    } else {
        let (caught, runs) = (count(control.seeds_caught), counted(campaign.seeds, "run"));
        (
            "control",
            format!("The check saw it in {caught} of {runs}, as it should."),
        )
    };
    let example = if control.example.is_empty() {
        String::new()
    } else {
        format!("<p>For example: {}</p>", escape(&control.example))
    };
    format!(
        r#"<div class="box {class}"><p>Negative control: it is meant to break <b>{}</b>, to prove that the check can see.
{outcome}</p>{example}</div>"#,
        escape(&control.invariant)
    )
}

fn facts(campaign: &CampaignSummary) -> String {
    let seeds = match campaign.seeds {
        0 => "none".to_owned(),
        1 => campaign.first_seed.to_string(),
        n => format!(
            "{}–{}",
            campaign.first_seed,
            campaign.first_seed.saturating_add(n - 1)
        ),
    };
    let facts = [
        ("hubs (N)", escape(&campaign.hubs)),
        ("threshold (K)", escape(&campaign.threshold)),
        ("clients", escape(&campaign.clients)),
        ("seeds", seeds),
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
    let facts: String = facts
        .iter()
        .map(|(name, value)| format!("<div><dt>{name}</dt><dd>{value}</dd></div>"))
        .collect();
    format!(r#"<dl class="facts">{facts}</dl>"#)
}

fn reached(campaign: &CampaignSummary) -> String {
    let missed = campaign.missed.iter().map(|what| {
        format!(
            r#"<tr class="missed"><td class="name">{}</td><td>! never, though promised</td></tr>"#,
            escape(what)
        )
    });
    let met = campaign
        .reached
        .iter()
        .filter(|(what, _)| !campaign.missed.contains(what));
    let met = met.map(|(what, n)| {
        format!(
            r#"<tr><td class="name">{}</td><td>{}</td></tr>"#,
            escape(what),
            count(*n)
        )
    });
    let rows: String = missed.chain(met).collect();
    if rows.is_empty() {
        return "<div><h3>What was reached</h3><p>Nothing was recorded.</p></div>".into();
    }
    format!(
        r#"<div><h3>What was reached</h3><div class="scroll"><table class="numbers"><thead><tr><th>fault, lie or rare branch</th>
<th>times</th></tr></thead><tbody>{rows}</tbody></table></div></div>"#
    )
}

fn checked(campaign: &CampaignSummary) -> String {
    let rows: String = campaign
        .checked
        .iter()
        .map(|(name, n)| {
            let (class, times) = if *n == 0 { ("missed", "! never".to_owned()) } else { ("", count(*n)) };
            let title = meaning(name);
            format!(r#"<tr class="{class}"><td class="name" title="{title}">{}</td><td>{times}</td></tr>"#, escape(name))
        })
        .collect();
    if rows.is_empty() {
        return "<div><h3>Invariants evaluated</h3><p>! None.</p></div>".into();
    }
    format!(
        r#"<div><h3>Invariants evaluated</h3><div class="scroll"><table class="numbers"><thead><tr><th>invariant</th><th>times</th></tr></thead>
<tbody>{rows}</tbody></table></div></div>"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_campaign_without_anything_still_has_its_section() {
        let html = section(
            0,
            &CampaignSummary {
                name: "Empty & odd/name".into(),
                ..Default::default()
            },
        );
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
        let html = section(3, &campaign);
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
        let html = section(0, &campaign);
        assert_eq!(html.matches("<article").count(), MOST_SHOWN);
        assert!(html.contains("and 2,980 more") && html.contains("1.5 s simulated (1,500 ms)"));
        assert!(!html.contains("<script>"));
    }
}
