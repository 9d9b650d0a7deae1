//! Whether a longer run pays: how many situations were seen after so many seeds, campaign by campaign.

use dske_report::canvas::{Align, Canvas, Fit, Ink};
use dske_report::text::{count, escape, short};

use crate::growth::GrowthPoint;
use crate::summary::{CampaignSummary, Resilience};

/// A curve of fewer runs says nothing.
const RUNS_MIN: u64 = 4;

const WIDTH: i32 = 450;
const HEIGHT: i32 = 180;
const LEFT: i32 = 40;
const RIGHT: i32 = WIDTH - 14;
const TOP: i32 = 32;
const BOTTOM: i32 = HEIGHT - 40;

/// The section, or an empty string where there is nothing to show.
pub(super) fn section(summary: &Resilience) -> String {
    let enough = |campaign: &&CampaignSummary| {
        let last = campaign.growth.last();
        last.is_some_and(|last| last.runs >= RUNS_MIN)
    };
    let charted: Vec<&CampaignSummary> = summary.campaigns.iter().filter(enough).collect();
    if charted.is_empty() {
        return String::new();
    }
    let panels: String = charted
        .iter()
        .map(|campaign| format!("<div>{}</div>", draw(campaign)))
        .collect();
    let rows: String = charted.iter().map(|campaign| row(campaign)).collect();
    format!(
        r#"<section id="growth"><h2>Does a longer run pay?</h2>
<p>After so many seeds of a campaign: how many <b>situations</b> had been met (marks, retries, refusals and what else came
about), and how many <b>different sets of marks</b>. Marks are the rare, important situations inside the nodes; the set of a
run says which of them it met, not how often.</p>
<figure><p class="keys">{legend}</p><div class="panels">{panels}</div>
<figcaption>Across: seeds run, in their order. Up: situations, and different sets of marks; the last number stands at the end
of its curve. <b>What to look for:</b> where both curves have become flat, more seeds show nothing new; where one still rises,
more seeds (<code>--seeds</code>) or a search (<code>cargo chaos soak</code>) pay.</figcaption></figure>
<details><summary>The numbers behind it</summary><div class="scroll"><table class="numbers">
<thead><tr><th>campaign</th><th>seeds</th><th>situations</th><th>of these in the last half</th><th>sets of marks</th>
<th>of these in the last half</th></tr></thead><tbody>
{rows}</tbody></table></div></details></section>"#,
        legend = legend(),
    )
}

/// One campaign's two curves.
fn draw(campaign: &CampaignSummary) -> String {
    let points = &campaign.growth;
    let last = points.last().copied().unwrap_or(GrowthPoint {
        runs: 1,
        names: 0,
        sets: 0,
    });
    let scale = Scale {
        runs: last.runs.max(1),
        most: round_up(last.names.max(last.sets)),
    };
    let label = format!(
        "{}: situations and different sets of marks against seeds run; after {} seeds {} situations and {} sets",
        campaign.name, last.runs, last.names, last.sets
    );
    Canvas::draw((WIDTH, HEIGHT), Fit::Shrink, &label, |canvas| {
        canvas.text(&campaign.name, (LEFT, 12), 13.0, Align::Start, Ink::Text);
        scale.draw_axes(canvas);
        for (value, ink) in [
            ((|p| p.names) as fn(&GrowthPoint) -> u64, Ink::Down),
            (|p| p.sets, Ink::Lying),
        ] {
            let at = |point: &GrowthPoint| (scale.x(point.runs), scale.y(value(point)));
            let curve: Vec<(i32, i32)> = points.iter().map(at).collect();
            canvas.path(&curve, ink, 2);
            for (x, y) in &curve {
                canvas.dot((*x, *y), 2, ink);
            }
        }
        // Above the higher curve and below the lower one, so that the two never cover each other.
        let (up, down) = (-9, 11);
        let (names, sets) = if last.names >= last.sets {
            (up, down)
        } else {
            (down, up)
        };
        for (value, offset, ink) in [
            (last.names, names, Ink::Down),
            (last.sets, sets, Ink::Lying),
        ] {
            let at = (RIGHT, scale.y(value) + offset);
            canvas.text(&short(value), at, 11.0, Align::End, ink);
        }
    })
    .0
}

struct Scale {
    runs: u64,
    most: u64,
}

impl Scale {
    #[allow(clippy::cast_precision_loss)] // counts of runs are far below 2^52
    fn x(&self, runs: u64) -> i32 {
        let part = runs as f64 / self.runs as f64;
        LEFT + (part * f64::from(RIGHT - LEFT)).round() as i32
    }

    #[allow(clippy::cast_precision_loss)]
    fn y(&self, value: u64) -> i32 {
        let part = value as f64 / self.most as f64;
        BOTTOM - (part * f64::from(BOTTOM - TOP)).round() as i32
    }

    fn draw_axes(&self, canvas: &Canvas<'_>) {
        for value in [0, self.most / 2, self.most] {
            let y = self.y(value);
            canvas.line((LEFT, y), (RIGHT, y), Ink::Grid, 1);
            canvas.text(&short(value), (LEFT - 6, y), 11.0, Align::End, Ink::Muted);
        }
        for runs in [0, self.runs / 2, self.runs] {
            let align = if runs == self.runs {
                Align::End
            } else {
                Align::Middle
            };
            let at = (self.x(runs), BOTTOM + 13);
            canvas.text(&short(runs), at, 11.0, align, Ink::Muted);
        }
        let middle = i32::midpoint(LEFT, RIGHT);
        canvas.text(
            "seeds run",
            (middle, HEIGHT - 9),
            12.0,
            Align::Middle,
            Ink::Text,
        );
    }
}

/// The next number that halves well.
fn round_up(value: u64) -> u64 {
    let step = 10_u64.pow(value.max(10).ilog10());
    let step = (step / 5).max(2);
    value.max(1).div_ceil(step) * step
}

fn legend() -> String {
    let swatch = |label: &str, ink| {
        let line = Canvas::draw((18, 16), Fit::Shrink, label, |canvas| {
            canvas.line((1, 8), (17, 8), ink, 2);
            canvas.dot((9, 8), 3, ink);
        })
        .0;
        format!(r#"<span class="key">{line}{label}</span> "#)
    };
    swatch("situations", Ink::Down) + &swatch("different sets of marks", Ink::Lying)
}

fn row(campaign: &CampaignSummary) -> String {
    let points = &campaign.growth;
    let Some(last) = points.last() else {
        return String::new();
    };
    let half = points
        .iter()
        .rev()
        .find(|point| point.runs <= last.runs / 2);
    let (names, sets) = half.map_or((0, 0), |half| (half.names, half.sets));
    format!(
        "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>\n",
        escape(&campaign.name),
        count(last.runs),
        count(last.names),
        count(last.names - names),
        count(last.sets),
        count(last.sets - sets),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn render(points: &[(u64, u64, u64)]) -> String {
        let growth = points
            .iter()
            .map(|&(runs, names, sets)| GrowthPoint { runs, names, sets });
        section(&Resilience {
            campaigns: vec![CampaignSummary {
                name: "storm <b>".into(),
                growth: growth.collect(),
                ..CampaignSummary::default()
            }],
            ..Resilience::default()
        })
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
            html.contains("after 8 seeds 41 situations and 7 sets"),
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
