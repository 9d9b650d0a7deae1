//! The first screen: what came out, what broke, how much was tried.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use dske_report::text::{count, counted, escape, millis, seconds};

use super::{
    campaign::{anchor, success},
    invariants::{KNOWN, meaning},
    verdict::{Standing, Verdict, unexpected},
};
use crate::summary::{CampaignSummary, Resilience, Violation};

/// Violations of one campaign that are shown before the rest is only counted.
const MOST_SHOWN: usize = 5;

/// The verdict and its explanation.
pub(super) fn banner(summary: &Resilience, verdict: &Verdict<'_>) -> String {
    let (class, sign) = match verdict.standing {
        Standing::Broken => ("broken", "✗"),
        Standing::Empty => ("weak", "?"),
        Standing::Weak => ("weak", "!"),
        Standing::Held => ("held", "✓"),
    };
    let details: String = verdict
        .details()
        .iter()
        .map(|line| format!("<p>{line}</p>\n"))
        .collect();
    format!(
        r#"<header class="verdict {class}"><p class="kicker">DSKE resilience report · dske {version}</p>
<h1><span class="sign" aria-hidden="true">{sign}</span> {headline}</h1>
{details}</header>"#,
        version = escape(&summary.version),
        headline = verdict.headline(),
    )
}

/// What broke, before everything else. Empty if nothing did.
pub(super) fn broken(summary: &Resilience, verdict: &Verdict<'_>) -> String {
    if verdict.broken.is_empty() && verdict.blind.is_empty() {
        return String::new();
    }
    let mut out = r#"<section id="broken"><h2>What broke</h2>"#.to_owned();
    for (index, violations) in &verdict.broken {
        let campaign = &summary.campaigns[*index];
        for violation in violations.iter().take(MOST_SHOWN) {
            out += &entry(
                &format!(
                    r##"<a href="#{}">{}</a>: "##,
                    anchor(*index, campaign),
                    escape(&campaign.name)
                ),
                violation,
            );
        }
        if violations.len() > MOST_SHOWN {
            let more = count((violations.len() - MOST_SHOWN) as u64);
            out += &format!("<p>… and {more} more in {}.</p>", escape(&campaign.name));
        }
    }
    for index in &verdict.blind {
        let campaign = &summary.campaigns[*index];
        let invariant = campaign
            .control
            .as_ref()
            .map_or("", |control| &control.invariant);
        out += &format!(
            r##"<article class="violation"><h3><a href="#{}">{}</a>: negative control not seen</h3>
<p>It breaks <b>{}</b> on purpose in {}, and the check saw none of it. Until it does, that this invariant held elsewhere
means nothing.</p></article>"##,
            anchor(*index, campaign),
            escape(&campaign.name),
            escape(invariant),
            counted(campaign.seeds, "run"),
        );
    }
    out + "</section>"
}

/// One violation. `place` is HTML that goes before the name of the invariant.
pub(super) fn entry(place: &str, violation: &Violation) -> String {
    let mut replay = if violation.replay.is_empty() {
        String::new()
    } else {
        format!("<p>Replay: <code>{}</code></p>", escape(&violation.replay))
    };
    if let Some(shrunk) = &violation.shrunk {
        replay += &format!(
            "<p>Shrunk: <code>{}</code>, in which {}.</p>\
             <p><a href=\"{}\"><b>Look at what is left</b></a>: who sent what to whom, until it breaks.</p>\
             <p>Replay what is left: <code>{}</code></p>",
            escape(&shrunk.file),
            escape(&shrunk.to_string()),
            escape(&beside(&shrunk.view)),
            escape(&shrunk.replay)
        );
    }
    format!(
        r#"<article class="violation"><h3>{place}{invariant}</h3>
<p class="where">seed {seed}, at {at} simulated ({ms} ms)</p><p>{detail}</p>{replay}</article>
"#,
        invariant = escape(&violation.invariant),
        seed = violation.seed,
        at = millis(violation.at_ms as f64),
        ms = count(violation.at_ms),
        detail = escape(&violation.detail),
    )
}

/// The link from the report to a page in the directory of failures below it.
fn beside(view: &str) -> String {
    let path = Path::new(view);
    let parts = [path.parent().and_then(Path::file_name), path.file_name()];
    let parts = parts.into_iter().flatten();
    let parts: Vec<String> = parts.map(|part| in_url(&part.to_string_lossy())).collect();
    parts.join("/")
}

/// One part of a path as a URL spells it.
fn in_url(part: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let spelt = part.bytes().map(|byte| match plain(byte) {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02X}"),
    });
    spelt.collect()
}

/// The big numbers.
pub(super) fn numbers(summary: &Resilience) -> String {
    let total =
        |field: fn(&CampaignSummary) -> u64| count(summary.campaigns.iter().map(field).sum());
    let simulated: f64 = summary.campaigns.iter().map(|c| c.simulated_seconds).sum();
    let cards = [
        (
            total(|c| c.seeds),
            "runs",
            "seeds, each its own random course of faults",
        ),
        (
            total(|c| c.keys_requested),
            "keys requested",
            "asked for by masters, also while hubs were down",
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
            "time that all of it took",
        ),
    ];
    let cards: String = cards
        .iter()
        .map(|(value, name, meaning)| {
            format!(r#"<div><dd>{value}</dd><dt><b>{name}</b> {meaning}</dt></div>"#)
        })
        .collect();
    format!(r#"<dl class="numbers">{cards}</dl>"#)
}

/// All campaigns with links to their sections.
pub(super) fn contents(summary: &Resilience) -> String {
    if summary.campaigns.is_empty() {
        return String::new();
    }
    let rows: String = summary
        .campaigns
        .iter()
        .enumerate()
        .map(|(i, c)| {
            format!(
                r##"<tr><td class="name"><a href="#{}">{}</a></td><td class="words">{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>
"##,
                anchor(i, c),
                escape(&c.name),
                standing(c),
                count(c.seeds),
                count(c.keys_requested),
                success(c),
                count(unexpected(c).len() as u64),
            )
        })
        .collect();
    format!(
        r#"<section id="campaigns"><h2>Campaigns</h2><div class="scroll"><table class="numbers">
<thead><tr><th>campaign</th><th class="words">standing</th><th>runs</th><th>keys</th><th>success</th><th>violations</th></tr></thead>
<tbody>
{rows}</tbody></table></div>
<p class="note">Success: keys that both sides got, of all that were asked for. It may be low where a campaign takes away
more hubs than a key can do without; what must never happen is a violation.</p></section>"#
    )
}

/// The standing of one campaign in a few words. HTML.
pub(super) fn standing(campaign: &CampaignSummary) -> String {
    let mut tags = String::new();
    if !unexpected(campaign).is_empty() {
        tags += r#"<span class="tag broken">✗ broken</span> "#;
    }
    if campaign.is_blind() {
        tags += r#"<span class="tag broken">✗ control not seen</span> "#;
    } else if let Some(control) = &campaign.control {
        let (caught, of) = (count(control.seeds_caught), counted(campaign.seeds, "run"));
        tags += &format!(r#"<span class="tag control">control: seen in {caught} of {of}</span> "#);
    }
    if !campaign.weaknesses().is_empty() {
        tags += r#"<span class="tag weak">! weak</span> "#;
    }
    if tags.is_empty() {
        r#"<span class="tag held">✓ held</span>"#.into()
    } else {
        tags.trim_end().into()
    }
}

/// The invariants over all campaigns.
pub(super) fn invariants(summary: &Resilience) -> String {
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
    let others = times
        .keys()
        .chain(broke.keys())
        .filter(|name| KNOWN.iter().all(|(known, _)| known != *name));
    let others: BTreeSet<&str> = others.copied().collect();
    let rows: String = KNOWN
        .iter()
        .map(|(name, _)| *name)
        .chain(others)
        .map(|name| {
            let evaluated = times.get(name).copied().unwrap_or(0);
            let broken = broke.get(name).copied().unwrap_or(0);
            let sign = match (broken, evaluated) {
                (0, 0) => r#"<span class="tag weak">! never evaluated</span>"#.to_owned(),
                (0, _) => r#"<span class="tag held">✓ held</span>"#.to_owned(),
                (n, _) => format!(r#"<span class="tag broken">✗ broke {}×</span>"#, count(n)),
            };
            format!(
                r#"<tr><td class="promise"><b>{}</b> <span>{}</span></td><td class="words">{sign}</td><td>{}</td></tr>
"#,
                escape(name),
                meaning(name),
                count(evaluated)
            )
        })
        .collect();
    format!(
        r#"<section id="invariants"><h2>What must never break</h2><div class="scroll"><table class="numbers">
<thead><tr><th>invariant and what it promises</th><th class="words">outcome</th><th>evaluated</th></tr></thead><tbody>
{rows}</tbody></table></div></section>"#
    )
}
