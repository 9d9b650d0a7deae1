//! What changed since the previous report in the same directory.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use dske_report::number_table;
use dske_report::text::{count, millis, percent};
use maud::{Markup, html};
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::campaign::{seeds, success};
use crate::campaign::VERSION;
use crate::summary::{CampaignSummary, Distribution, Resilience};

/// What was in the place of the report before.
#[derive(Debug, Default)]
pub enum Before {
    /// Nothing.
    #[default]
    Nothing,
    /// A file that is not a report of this version, and why.
    Foreign(String),
    /// A report.
    Report(Box<Previous>),
}

/// What is read of the previous report. A report without one of these fields is foreign.
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
    /// Reads the report at this path, if there is one. A file that cannot be read is no error: it is about to be replaced.
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
pub(super) fn section(summary: &Resilience, before: &Before) -> Markup {
    html! {
        section #changes {
            h2 { "What changed since the last report" }
            @match before {
                Before::Nothing => p { "This is the first report here: there was none to compare it with." },
                Before::Foreign(why) => p {
                    "The " code { "resilience.json" } " that was here is no report of this version, so nothing is compared: "
                    (why) "."
                },
                Before::Report(previous) => (comparison(summary, previous)),
            }
        }
    }
}

fn comparison(summary: &Resilience, previous: &Previous) -> Markup {
    let heads = html! {
        th { "campaign" } th.words { "seeds" } th { "keys at both" br; "sides, of all" } th { "violations" }
        th { "weak spots" } th { "get key" br; "p50, p99" } th { "fetch" br; "p50, p99" }
        th { "simulated s" br; "per real s" } th.words { "timelines" }
    };
    let rows = html! {
        @for now in &summary.campaigns {
            @match previous.of(now) {
                Some(before) => (row(now, before)),
                None => tr {
                    td.name { (now.name) }
                    td.words colspan="8" { "new: not in the last report" }
                },
            }
        }
    };
    let is_gone =
        |before: &&PreviousCampaign| summary.campaigns.iter().all(|c| c.name != before.name);
    let gone = previous.campaigns.iter().filter(is_gone);
    let gone: Vec<&str> = gone.map(|before| before.name.as_str()).collect();
    html! {
        p { "The last report came from " code { (previous.command) } ", this one from " code { (summary.command) } "." }
        (number_table(&heads, &rows))
        @if !gone.is_empty() { p { "Not run this time: " (gone.join(", ")) "." } }
        (reached(summary, previous))
        p.note {
            "Before → now; one figure where nothing changed. " b { "Timelines" } ": whether all messages of all runs are the \
             same, by their digest. Rows of " b { "other seeds" } " compare different runs: their figures may differ for that \
             reason alone. Speed also depends on what else the machine had to do."
        }
    }
}

impl Previous {
    fn of(&self, now: &CampaignSummary) -> Option<&PreviousCampaign> {
        self.campaigns.iter().find(|before| before.name == now.name)
    }
}

fn row(now: &CampaignSummary, before: &PreviousCampaign) -> Markup {
    let same_seeds = (now.seeds, now.first_seed) == (before.seeds, before.first_seed);
    let speed = |simulated: f64, wall: f64| format!("{:.0}", simulated / wall.max(1e-9));
    let keys = change(count(before.keys_fetched), count(now.keys_fetched));
    let share = change(
        percent(before.keys_fetched, before.keys_requested),
        success(now),
    );
    let violations = (before.violations.len() as u64, now.violations.len() as u64);
    let missed = (before.missed.len() as u64, now.missed.len() as u64);
    let speeds = (
        speed(before.simulated_seconds, before.wall_seconds),
        speed(now.simulated_seconds, now.wall_seconds),
    );
    html! {
        tr {
            td.name { (now.name) }
            td.words {
                @if !same_seeds {
                    span.tag.weak { "other seeds" } " " (seeds(before.first_seed, before.seeds)) " → "
                }
                (seeds(now.first_seed, now.seeds))
            }
            td { (keys) br; (share) }
            td { (change(count(violations.0), count(violations.1))) }
            td { (change(count(missed.0), count(missed.1))) }
            td { (latencies(&before.establish_ms, &now.establish_ms)) }
            td { (latencies(&before.fetch_ms, &now.fetch_ms)) }
            td { (change(speeds.0, speeds.1)) }
            td.words {
                @match (same_seeds, now.digest == before.digest) {
                    (true, true) => "the same",
                    (true, false) => b { "changed" },
                    (false, _) => "–",
                }
            }
        }
    }
}

fn change(before: String, now: String) -> Markup {
    html! {
        @if before == now { (now) } @else { (before) " → " b { (now) } }
    }
}

fn latencies(before: &Percentiles, now: &Distribution) -> Markup {
    html! {
        (change(millis(before.p50), millis(now.p50))) br;
        (change(millis(before.p99), millis(now.p99)))
    }
}

/// Names that were reached in only one of the two reports, by campaign.
fn reached(summary: &Resilience, previous: &Previous) -> Markup {
    let only = |these: &BTreeMap<String, u64>, those: &BTreeMap<String, u64>| -> Vec<String> {
        let names = these.keys().filter(|name| !those.contains_key(*name));
        names.cloned().collect()
    };
    let pairs = summary
        .campaigns
        .iter()
        .filter_map(|now| Some((now, previous.of(now)?)));
    let differences = pairs.map(|(now, before)| {
        let gained = only(&now.reached, &before.reached);
        let lost = only(&before.reached, &now.reached);
        (&now.name, gained, lost)
    });
    let differences: Vec<_> = differences
        .filter(|(_, gained, lost)| !gained.is_empty() || !lost.is_empty())
        .collect();
    if differences.is_empty() {
        return html! { p { "Both reports reached exactly the same things." } };
    }
    let codes = |names: &[String]| html! { @for name in names { " " code { (name) } } };
    html! {
        p { "What was reached:" }
        ul {
            @for (name, gained, lost) in &differences {
                li {
                    b { (name) } ": "
                    @if !gained.is_empty() { "reached now:" (codes(gained)) }
                    @if !gained.is_empty() && !lost.is_empty() { "; " }
                    @if !lost.is_empty() { "no longer reached:" (codes(lost)) }
                }
            }
        }
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
        section(&summary(), &Before::read(&path)).into_string()
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
        assert!(html.contains("Both reports reached exactly the same things"));
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
            "reached now: <code>branch:refill</code>; no longer reached: <code>branch:&lt;old&gt;</code>",
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
        let before = Before::read(Path::new("/nonexistent/x.json"));
        let nothing = section(&summary(), &before).into_string();
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
