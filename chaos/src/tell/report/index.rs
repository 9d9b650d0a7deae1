//! The report as a whole: `resilience.json`, and the page `index.html` with its parts in reading order.

use std::fs;
use std::path::{Path, PathBuf};

use dske_report::beside::{self, INDEX};
use dske_report::{ReportError, footer, frame, replace, write_json};
use maud::{Markup, html};

use super::changes::{self, Before};
use super::{
    boundary, campaign, coverage, effects, excuses, margin, overview, uncovered, verdict::judge,
};
use crate::summary::Resilience;

/// The files that [`write()`] made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The page for people, `index.html`.
    pub html: PathBuf,
    /// The numbers for machines, `resilience.json`.
    pub json: PathBuf,
}

/// Writes `resilience.json` and `index.html` into `out_dir`, which is created if need be.
///
/// Each file appears whole or not at all: it is written beside its place and then renamed. So neither a reader nor an
/// interrupted run ever meets half a report.
///
/// # Errors
///
/// [`ReportError`] names the path that could not be created or written.
pub fn write(out_dir: &Path, summary: &Resilience) -> Result<Written, ReportError> {
    fs::create_dir_all(out_dir).map_err(|source| ReportError::CreateDirectory {
        path: out_dir.to_path_buf(),
        source,
    })?;
    let written = Written {
        html: out_dir.join(INDEX),
        json: out_dir.join("resilience.json"),
    };
    let before = Before::read(&written.json);
    write_json(&written.json, summary)?;
    replace(&written.html, &page(summary, &before))?;
    beside::link(out_dir)?;
    Ok(written)
}

/// The whole report as one HTML page that loads nothing. The same summary after the same one gives the same bytes.
#[must_use]
pub fn page(summary: &Resilience, before: &Before) -> String {
    let verdict = judge(summary);
    let body = html! {
        @if summary.is_interrupted {
            p { b { "Interrupted" } ": campaigns or seeds are missing. This is what was found until then." }
        }
        (overview::banner(summary, &verdict))
        (overview::broken(summary, &verdict))
        (overview::numbers(summary))
        (overview::contents(summary))
        (overview::invariants(summary))
        (beside::hints())
        (boundary::section(summary))
        (effects::section(summary))
        (excuses::section(summary))
        (margin::section(summary))
        (coverage::section(summary))
        (changes::section(summary, before))
        (uncovered::section())
        @for (i, campaign) in summary.campaigns.iter().enumerate() { (campaign::section(i, campaign)) }
        (how_to_read(summary))
    };
    frame("DSKE resilience report", &body).into_string()
}

fn how_to_read(summary: &Resilience) -> Markup {
    let explanation = html! {
        p {
            "Every number comes from deterministic simulation: the production code of hubs and clients runs \
                 on a simulated network in simulated time. A " b { "campaign" } " describes a cluster, a workload, and faults or lies. A "
            b { "run" } " is a campaign with a seed, and the same seed always takes the same course. First faults and \
                 lies happen; then everything heals and recovery is demanded. All the while, an observer outside \
                 the nodes checks the "
            b { "invariants" } ". A campaign that did not reach what it promises to reach is " b { "weak" }
            ": it broke nothing, and proves less. The numbers are also in " code { "resilience.json" } ", beside this page."
        }
    };
    footer(
        &explanation,
        &summary.command,
        &html! { "dske " (summary.version) },
    )
}
