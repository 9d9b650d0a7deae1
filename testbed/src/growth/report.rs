//! The report: `growth.json` and CSV files for machines, and one self-contained `growth.html` for people.

use std::path::{Path, PathBuf};

use dske_report::beside::GROWTH;
use dske_report::text::count;
use dske_report::{ReportError, Table, Tone, frame};
use maud::{Markup, html};

use super::data::Growth;
use super::figure::{CONSTANT_MAX, Cost, Figure, LINEAR_MAX};
use super::figures::figures;
use crate::measure::report::{self, banner, footer};

/// Folder of the CSV files, beside the page.
const FOLDER: &str = "growth";

/// Writes `growth.html`, `growth.json`, and a CSV file for each table, into `out_dir`. Returns the path of the page.
///
/// # Errors
/// [`ReportError`] names the path that could not be created or written.
pub fn write(out_dir: &Path, growth: &Growth) -> Result<PathBuf, ReportError> {
    let tables = figures(growth)
        .into_iter()
        .filter_map(|figure| figure.table);
    let tables: Vec<Table> = tables.collect();
    report::write(out_dir, &GROWTH, growth, &tables, page(growth))
}

/// The report as one HTML page that loads nothing. The same data gives the same bytes.
#[must_use]
pub fn page(growth: &Growth) -> Markup {
    let figures = figures(growth);
    let body = html! {
        (verdict(growth, &figures))
        @for figure in &figures { (figure.html(FOLDER)) }
        (footer(&growth.provenance, &explanation()))
    };
    frame("DSKE growth", &body)
}

fn verdict(growth: &Growth, figures: &[Figure]) -> Markup {
    let costs: Vec<&Cost> = figures.iter().flat_map(Figure::costs).collect();
    let kept = costs.iter().filter(|cost| cost.is_within_bound()).count();
    let failed = growth.hubs.iter().chain(&growth.clients).map(|p| p.failed);
    let failed: u64 = failed.sum();
    let tone = if kept == costs.len() && failed == 0 {
        Tone::Held
    } else {
        Tone::Weak
    };
    let headline = html! { (kept) " of " (costs.len()) " costs grow no faster than they may" };
    let details = html! {
        p {
            "Linear in the number of hubs, because each hub gets a share; constant in everything else. "
            @if failed > 0 { (count(failed)) " operations failed during the measurement. " }
            "A " b { "slope" } " is the power with which a cost grows: 1 is linear, 0 is constant. Up to " (LINEAR_MAX)
            " counts as linear and up to " (CONSTANT_MAX) " as constant."
        }
    };
    banner("DSKE growth", &growth.provenance, tone, headline, details)
}

fn explanation() -> Markup {
    html! {
        p {
            "Both axes of all charts are logarithmic: a proportional cost is a straight line with the slope 1, a constant cost a \
             level line. All numbers are in " code { "growth.json" } " and, as CSV, in the directory " code { (FOLDER) }
            " beside this page."
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::data::{ClusterPoint, PoolPoint, SharesPoint};
    use super::*;
    use crate::measure::Provenance;
    use crate::throughput::condition::Subject;

    fn growth(time: fn(f64) -> f64) -> Growth {
        let cluster = |hubs: u8, clients: usize, us_per_key: f64| ClusterPoint {
            subject: Subject::Actors,
            hubs,
            clients,
            us_per_key,
            failed: 0,
        };
        Growth {
            provenance: Provenance::sample(),
            hubs: vec![
                cluster(3, 2, 30.0),
                cluster(3, 2, 50.0),
                cluster(30, 2, 400.0),
            ],
            clients: vec![cluster(5, 2, 70.0), cluster(5, 200, 71.0)],
            shares: [1, 10_000, 1_000_000]
                .map(|shares| SharesPoint {
                    shares,
                    ns_per_share: time(shares as f64),
                    bytes_per_share: (shares > 1).then_some(250.0),
                })
                .to_vec(),
            pools: [1 << 10, 1 << 30]
                .map(|pool_bytes| PoolPoint {
                    pool_bytes,
                    blocks: 64,
                    ns_per_allocation: 100.0,
                    ns_per_receipt: 200.0,
                    memory_per_byte: None,
                })
                .to_vec(),
        }
    }

    #[test]
    fn a_cost_that_grows_too_fast_is_reported() {
        let good = page(&growth(|_| 500.0)).into_string();
        assert!(good.contains("8 of 8 costs"), "{good}");
        assert!(good.contains("actors: from 40 to 400, slope <b>1</b>, no worse than linear"));
        assert!(good.contains("A &lt;fast&gt; one"));
        let bad = page(&growth(|n| 500.0 * n.powf(0.5))).into_string();
        assert!(bad.contains("7 of 8 costs"));
        assert!(bad.contains("slope <b>0.5</b>, <b>worse than constant</b>"));
    }

    #[test]
    fn nothing_measured_is_an_empty_page_and_no_panic() {
        let mut empty = growth(|_| 1.0);
        (empty.hubs, empty.clients) = (Vec::new(), Vec::new());
        (empty.shares, empty.pools) = (Vec::new(), Vec::new());
        assert!(
            page(&empty)
                .into_string()
                .contains("too few points for a slope")
        );
    }
}
