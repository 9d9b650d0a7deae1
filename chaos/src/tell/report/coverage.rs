//! Whether a longer run pays: how many situations had been met after so many seeds, campaign by campaign.

use dske_report::canvas::{Canvas, Ink, key};
use dske_report::number_table;
use dske_report::plot::{Axis, Plot};
use dske_report::text::{count, counted, short};
use maud::{Markup, html};

use crate::summary::{CampaignSummary, CoveragePoint, Resilience};

/// A curve of fewer runs says nothing.
const RUNS_MIN: u64 = 4;

/// A curve: its name, its colour, and what it counts.
type Curve = (&'static str, Ink, fn(&CoveragePoint) -> u64);

const CURVES: [Curve; 2] = [
    ("situations", Ink::Down, |point| point.names),
    ("different sets of marks", Ink::Lying, |point| point.sets),
];

/// The section; empty if there is nothing to show.
pub(super) fn section(summary: &Resilience) -> Markup {
    let campaigns = summary.campaigns.iter();
    let charted: Vec<(&CampaignSummary, &CoveragePoint)> = campaigns
        .filter_map(|campaign| Some((campaign, campaign.coverage.last()?)))
        .filter(|(_, last)| last.runs >= RUNS_MIN)
        .collect();
    if charted.is_empty() {
        return html! {};
    }
    html! {
        section #coverage {
            h2 { "Does a longer run pay?" }
            p {
                "After so many seeds of a campaign: how many " b { "situations" } " had been met (marks, retries, refusals and \
                 whatever else came about), and how many " b { "different sets of marks" } ". Marks are the rare, important \
                 situations inside the nodes. The set of a run says which marks the run met, not how often."
            }
            figure {
                p.keys { @for (name, ink, _) in CURVES { (key(name, |canvas| swatch(canvas, ink))) } }
                div.panels { @for (campaign, last) in &charted { (draw(campaign, last)) } }
                figcaption {
                    "Across: seeds run, in their order. Up: situations, and different sets of marks. Each title gives the last \
                     numbers. " b { "What to look for:" } " where both curves have become flat, more seeds show nothing new. \
                     Where one still rises, more seeds (" code { "--seeds" } ") or a search (" code { "cargo chaos soak" }
                    ") pay."
                }
            }
            (table(&charted))
        }
    }
}

/// One campaign's two curves.
#[allow(clippy::cast_precision_loss)] // counts of runs are far below 2^52
fn draw(campaign: &CampaignSummary, last: &CoveragePoint) -> Markup {
    let plot = Plot {
        title: format!(
            "{}: {} situations, {}",
            campaign.name,
            count(last.names),
            counted(last.sets, "set")
        ),
        x: axis("seeds run", last.runs),
        y: axis("", round_up(last.names.max(last.sets))),
        height: 200,
    };
    plot.draw(|frame| {
        for (_, ink, value) in CURVES {
            let points = campaign.coverage.iter();
            let curve = points.map(|point| (point.runs as f64, value(point) as f64));
            frame.path(&curve.collect::<Vec<_>>(), ink, 2);
        }
    })
}

/// From 0 to `most`, with the middle named.
#[allow(clippy::cast_precision_loss)] // as above
fn axis(label: &'static str, most: u64) -> Axis {
    let ticks = [0, most / 2, most].map(|value| (value as f64, short(value)));
    Axis::named(label, (0.0, most as f64), ticks.into())
}

/// The next number that halves well.
fn round_up(value: u64) -> u64 {
    let step = 10_u64.pow(value.max(10).ilog10());
    let step = (step / 5).max(2);
    value.max(1).div_ceil(step) * step
}

fn swatch(canvas: &Canvas<'_>, ink: Ink) {
    canvas.line((1, 8), (17, 8), ink, 2);
}

fn table(charted: &[(&CampaignSummary, &CoveragePoint)]) -> Markup {
    let heads = html! {
        th { "campaign" } th { "seeds" } th { "situations" } th { "of these in the last half" } th { "sets of marks" }
        th { "of these in the last half" }
    };
    let rows = html! {
        @for (campaign, last) in charted {
            @let half = campaign.coverage.iter().rev().find(|point| point.runs <= last.runs / 2);
            @let (names, sets) = half.map_or((0, 0), |half| (half.names, half.sets));
            tr {
                td { (campaign.name) }
                td { (count(last.runs)) }
                td { (count(last.names)) }
                td { (count(last.names - names)) }
                td { (count(last.sets)) }
                td { (count(last.sets - sets)) }
            }
        }
    };
    html! { details { summary { "The numbers behind it" } (number_table(&heads, &rows)) } }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn render(points: &[(u64, u64, u64)]) -> String {
        let coverage =
            points
                .iter()
                .map(|&(runs, names, sets)| CoveragePoint { runs, names, sets });
        section(&Resilience {
            campaigns: vec![CampaignSummary {
                name: "storm <b>".into(),
                coverage: coverage.collect(),
                ..CampaignSummary::default()
            }],
            ..Resilience::default()
        })
        .into_string()
    }

    #[test]
    fn few_runs_draw_nothing() {
        assert_eq!(render(&[]), "");
        assert_eq!(render(&[(1, 20, 1), (3, 22, 3)]), "");
    }

    #[test]
    fn the_curve_the_numbers_and_what_they_mean_are_there() {
        let html = render(&[(1, 20, 1), (2, 30, 2), (4, 40, 3), (8, 41, 7)]);
        assert!(
            html.contains("storm &lt;b&gt;: 41 situations, 7 sets"),
            "{html}"
        );
        assert!(html.contains(
            "<td>storm &lt;b&gt;</td><td>8</td><td>41</td><td>1</td><td>7</td><td>4</td>"
        ));
        assert!(html.contains("What to look for") && html.contains("seeds run"));
    }

    #[test]
    fn the_axis_ends_at_a_number_that_halves_well_and_is_large_enough() {
        for value in [0, 1, 2, 9, 10, 17, 59, 89, 100, 101, 1_234] {
            let end = round_up(value);
            assert!(
                end >= value && end.is_multiple_of(2) && end <= value.max(2) * 2,
                "{value}: {end}"
            );
        }
    }
}
