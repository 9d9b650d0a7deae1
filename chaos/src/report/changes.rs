//! What changed since the previous report in the same directory.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use dske_report::text::{count, escape, millis, percent};
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::campaign::success;
use crate::campaign::VERSION;
use crate::summary::{CampaignSummary, Distribution, Resilience};

/// What lay in the report's place before.
#[derive(Debug, Default)]
pub enum Before {
    /// Nothing.
    #[default]
    Nothing,
    /// A file that is no report of this version, and why.
    Foreign(String),
    /// A report.
    Report(Box<Previous>),
}

/// What is read of the previous report. Fields that it does not have make it a foreign one.
#[derive(Debug, Deserialize)]
pub struct Previous {
    version: String,
    command: String,
    campaigns: Vec<PreviousCampaign>,
}

#[derive(Debug, Deserialize)]
struct PreviousCampaign {
    name: String,
    seeds: u64,
    first_seed: u64,
    keys_requested: u64,
    keys_fetched: u64,
    violations: Vec<IgnoredAny>,
    missed: Vec<String>,
    reached: BTreeMap<String, u64>,
    establish_ms: Percentiles,
    fetch_ms: Percentiles,
    simulated_seconds: f64,
    wall_seconds: f64,
    digest: String,
}

#[derive(Debug, Deserialize)]
struct Percentiles {
    p50: f64,
    p99: f64,
}

impl Before {
    /// Reads the report at this path, if there is one. What cannot be read is no error: it is about to be replaced.
    #[must_use]
    pub fn read(path: &Path) -> Self {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Self::Nothing,
            Err(error) => return Self::Foreign(error.to_string()),
        };
        match serde_json::from_str::<Previous>(&text) {
            Ok(previous) if previous.version == VERSION => Self::Report(Box::new(previous)),
            Ok(previous) => Self::Foreign(format!("it was made by dske {}", previous.version)),
            Err(error) => Self::Foreign(error.to_string()),
        }
    }
}

/// The section of the page.
pub(super) fn section(summary: &Resilience, before: &Before) -> String {
    let body = match before {
        Before::Nothing => {
            "<p>This is the first report here: there was none to compare with.</p>".to_owned()
        }
        Before::Foreign(why) => format!(
            "<p>There was a <code>resilience.json</code> that is no report of this version, so that nothing is compared: {}.</p>",
            escape(why)
        ),
        Before::Report(previous) => comparison(summary, previous),
    };
    format!(r#"<section id="changes"><h2>What changed since the last report</h2>{body}</section>"#)
}

fn comparison(summary: &Resilience, previous: &Previous) -> String {
    let rows: String = summary
        .campaigns
        .iter()
        .map(|now| {
            let mut all = previous.campaigns.iter();
            match all.find(|before| before.name == now.name) {
                Some(before) => row(now, before),
                None => format!(
                    r#"<tr><td class="name">{}</td><td class="words" colspan="8">new: not in the last report</td></tr>"#,
                    escape(&now.name)
                ),
            }
        })
        .collect();
    let names: BTreeSet<&str> = summary.campaigns.iter().map(|c| c.name.as_str()).collect();
    let gone = previous.campaigns.iter().map(|c| c.name.as_str());
    let gone: Vec<&str> = gone.filter(|name| !names.contains(name)).collect();
    let gone = if gone.is_empty() {
        String::new()
    } else {
        format!("<p>Not run this time: {}.</p>", escape(&gone.join(", ")))
    };
    format!(
        r#"<p>The last report came from <code>{}</code>, this one from <code>{}</code>.</p>
<div class="scroll"><table class="numbers">
<thead><tr><th>campaign</th><th class="words">seeds</th><th>keys at both<br>sides, of all</th><th>violations</th><th>weak spots</th><th>get key<br>p50, p99</th><th>fetch<br>p50, p99</th><th>simulated s<br>per real s</th><th class="words">timelines</th></tr></thead>
<tbody>{rows}</tbody></table></div>{gone}{names}
<p class="note">Before → now; one figure where nothing changed. <b>Timelines</b>: whether all messages of all runs are the same, by
their digest. Rows of <b>other seeds</b> compare different runs: their figures may differ for that alone. Speed depends on what else
the machine had to do.</p>"#,
        escape(&previous.command),
        escape(&summary.command),
        names = reached(summary, previous),
    )
}

fn row(now: &CampaignSummary, before: &PreviousCampaign) -> String {
    let same_seeds = (now.seeds, now.first_seed) == (before.seeds, before.first_seed);
    let seeds = if same_seeds {
        seeds(now.first_seed, now.seeds)
    } else {
        format!(
            r#"<span class="tag weak">other seeds</span> {} → {}"#,
            seeds(before.first_seed, before.seeds),
            seeds(now.first_seed, now.seeds)
        )
    };
    let timelines = match (same_seeds, now.digest == before.digest) {
        (true, true) => "the same",
        (true, false) => "<b>changed</b>",
        (false, _) => "–",
    };
    let speed = |simulated: f64, wall: f64| format!("{:.0}", simulated / wall.max(1e-9));
    let cells = [
        format!(
            "{}<br>{}",
            change(count(before.keys_fetched), count(now.keys_fetched)),
            change(
                percent(before.keys_fetched, before.keys_requested),
                success(now),
            ),
        ),
        change(
            count(before.violations.len() as u64),
            count(now.violations.len() as u64),
        ),
        change(
            count(before.missed.len() as u64),
            count(now.missed.len() as u64),
        ),
        latencies(&before.establish_ms, &now.establish_ms),
        latencies(&before.fetch_ms, &now.fetch_ms),
        change(
            speed(before.simulated_seconds, before.wall_seconds),
            speed(now.simulated_seconds, now.wall_seconds),
        ),
    ];
    let cells: String = cells
        .iter()
        .map(|cell| format!("<td>{cell}</td>"))
        .collect();
    format!(
        r#"<tr><td class="name">{}</td><td class="words">{seeds}</td>{cells}<td class="words">{timelines}</td></tr>
"#,
        escape(&now.name)
    )
}

fn seeds(first: u64, number: u64) -> String {
    match number {
        0 | 1 => first.to_string(),
        n => format!("{first}–{}", first.saturating_add(n - 1)),
    }
}

fn change(before: String, now: String) -> String {
    if before == now {
        now
    } else {
        format!("{before} → <b>{now}</b>")
    }
}

fn latencies(before: &Percentiles, now: &Distribution) -> String {
    let p50 = change(millis(before.p50), millis(now.p50));
    format!("{p50}<br>{}", change(millis(before.p99), millis(now.p99)))
}

/// Names that were reached in one of the two reports only, by campaign.
fn reached(summary: &Resilience, previous: &Previous) -> String {
    let mut entries = String::new();
    for now in &summary.campaigns {
        let mut all = previous.campaigns.iter();
        let Some(before) = all.find(|before| before.name == now.name) else {
            continue;
        };
        let only = |these: &BTreeMap<String, u64>, those: &BTreeMap<String, u64>| {
            let names = these.keys().filter(|name| !those.contains_key(*name));
            let names: Vec<String> = names
                .map(|name| format!("<code>{}</code>", escape(name)))
                .collect();
            (!names.is_empty()).then(|| names.join(" "))
        };
        let gained =
            only(&now.reached, &before.reached).map(|names| format!("reached now: {names}"));
        let lost =
            only(&before.reached, &now.reached).map(|names| format!("not any more: {names}"));
        let parts: Vec<String> = gained.into_iter().chain(lost).collect();
        if !parts.is_empty() {
            entries += &format!(
                "<li><b>{}</b>: {}</li>",
                escape(&now.name),
                parts.join("; ")
            );
        }
    }
    if entries.is_empty() {
        "<p>Everything that was reached then was reached now, and nothing else.</p>".to_owned()
    } else {
        format!("<p>What was reached:</p><ul>{entries}</ul>")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary() -> Resilience {
        Resilience {
            version: VERSION.to_owned(),
            command: "cargo chaos --seeds 2".to_owned(),
            campaigns: vec![CampaignSummary {
                name: "calm".to_owned(),
                seeds: 2,
                first_seed: 1,
                keys_requested: 10,
                keys_fetched: 10,
                reached: [("branch:refill".to_owned(), 3)].into(),
                digest: "abc".to_owned(),
                ..CampaignSummary::default()
            }],
            ..Resilience::default()
        }
    }

    /// What is said after another report was written to the same place.
    fn after(before: &str) -> String {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("resilience.json");
        fs::write(&path, before).unwrap();
        section(&summary(), &Before::read(&path))
    }

    fn json(summary: &Resilience) -> String {
        serde_json::to_string(summary).unwrap()
    }

    #[test]
    fn the_same_again_is_said_to_be_the_same() {
        let html = after(&json(&summary()));
        assert!(
            html.contains(r#"<td class="words">1–2</td><td>10<br>100 %</td><td>0</td>"#),
            "{html}"
        );
        assert!(html.contains("the same</td>") && !html.contains("other seeds</span>"));
        assert!(html.contains("Everything that was reached then was reached now"));
    }

    #[test]
    fn what_changed_is_shown_with_both_figures() {
        let mut before = summary();
        let calm = &mut before.campaigns[0];
        calm.keys_fetched = 5;
        calm.digest = "def".to_owned();
        calm.missed = vec!["branch:x".to_owned()];
        calm.establish_ms.p99 = 250.0;
        calm.reached = [("branch:<old>".to_owned(), 1)].into();
        before.campaigns.push(CampaignSummary {
            name: "gone".to_owned(),
            ..CampaignSummary::default()
        });
        let html = after(&json(&before));
        for expected in [
            "<td>5 → <b>10</b><br>50.0 % → <b>100 %</b></td>",
            "<td>1 → <b>0</b></td>",
            "250 ms → <b>0 ms</b>",
            "<b>changed</b>",
            "reached now: <code>branch:refill</code>; not any more: <code>branch:&lt;old&gt;</code>",
            "Not run this time: gone.",
        ] {
            assert!(html.contains(expected), "{expected}: {html}");
        }
    }

    #[test]
    fn figures_of_other_seeds_are_marked() {
        let mut before = summary();
        before.campaigns[0].seeds = 20;
        let html = after(&json(&before));
        assert!(html.contains("other seeds</span> 1–20 → 1–2"), "{html}");
        assert!(!html.contains("the same</td>") && !html.contains("<b>changed</b>"));
        before.campaigns[0].name = "other".to_owned();
        assert!(after(&json(&before)).contains("new: not in the last report"));
    }

    #[test]
    fn a_missing_broken_or_foreign_file_is_no_error() {
        let nothing = section(&summary(), &Before::read(Path::new("/nonexistent/x.json")));
        assert!(nothing.contains("first report here"));
        for foreign in [
            "",
            "{\"version\": 3",
            "{}",
            "[1]",
            "<b>&",
            "{\"version\": \"0.1.0\"}",
        ] {
            let html = after(foreign);
            assert!(
                html.contains("is no report of this version"),
                "{foreign}: {html}"
            );
            assert!(!html.contains("<b>&."), "{html}");
        }
        let mut older = summary();
        older.version = "0.0.1".to_owned();
        assert!(after(&json(&older)).contains("it was made by dske 0.0.1"));
    }
}
