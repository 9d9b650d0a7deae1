//! One run as rows of marks over simulated time.

use dske_report::canvas::{Align, Canvas, Fit, Ink, key};
use dske_report::text::{count, counted, millis, shorten};
use maud::{Markup, html};

use super::thin::thin;
use crate::summary::{Mark, MarkKind, Timeline};

/// More marks than this are too many to tell apart.
const MOST_MARKS: usize = 1_500;
/// Rows in the list of events; the picture shows the rest.
const MOST_EVENTS: usize = 200;

const WIDTH: i32 = 1_040;
const LEFT: i32 = 128;
const RIGHT: i32 = WIDTH - 24;
const TOP: i32 = 44;
const ROW: i32 = 36;
/// Overlapping faults at one node share the height of its row.
const MOST_LANES: usize = 3;

const KINDS: [MarkKind; 6] = [
    MarkKind::Fault,
    MarkKind::Delivered,
    MarkKind::Failed,
    MarkKind::Lie,
    MarkKind::Blame,
    MarkKind::Violation,
];

/// The figure: chart, legend, and the list of events for those who want to read rather than look.
pub(super) fn figure(run: &Timeline) -> Markup {
    if run.nodes.is_empty() {
        return html! { p { "No run was drawn out." } };
    }
    let placed = run.marks.iter().filter(|mark| mark.node < run.nodes.len());
    let placed: Vec<Mark> = placed.cloned().collect();
    let thinned = thin(&placed, MOST_MARKS);
    let misplaced = (run.marks.len() - placed.len()) as u64;
    html! {
        figure {
            div.scroll { (Scale::of(run).draw(run, &thinned.marks)) }
            figcaption {
                p.keys { @for kind in KINDS { (key(name(kind), |canvas| symbol(canvas, (9, 8), kind))) } }
                p {
                    "The run with seed " b { (run.seed) } "."
                    @if !run.replay.is_empty() { " Replay: " code { (run.replay) } }
                    @for (kind, drawn, all) in &thinned.left_out {
                        " Thinned for reading: " (count(*drawn as u64)) " of " (count(*all as u64)) " marks “" (name(*kind))
                        "” are drawn."
                    }
                    @if misplaced > 0 {
                        " Left out, because they belong to no row: " (counted(misplaced, "mark")) "."
                    }
                }
            }
        }
        (events(run, &placed))
    }
}

/// From simulated time and rows to pixels.
struct Scale {
    end_ms: u64,
    rows: i32,
}

impl Scale {
    fn of(run: &Timeline) -> Self {
        let last = run
            .marks
            .iter()
            .map(|mark| mark.until_ms.unwrap_or(mark.at_ms).max(mark.at_ms))
            .max();
        let end_ms = run.end_ms.max(run.heal_ms).max(last.unwrap_or(0)).max(1);
        Self {
            end_ms,
            rows: i32::try_from(run.nodes.len()).unwrap_or(i32::MAX / ROW / 2),
        }
    }

    fn x(&self, ms: u64) -> i32 {
        let span = u128::from((RIGHT - LEFT).unsigned_abs());
        let offset = u128::from(ms.min(self.end_ms)) * span / u128::from(self.end_ms);
        LEFT + i32::try_from(offset).unwrap_or(0)
    }

    /// The middle of a row.
    fn y(&self, node: usize) -> i32 {
        TOP + i32::try_from(node).unwrap_or(0) * ROW + ROW / 2
    }

    fn bottom(&self) -> i32 {
        TOP + self.rows * ROW
    }

    fn draw(&self, run: &Timeline, marks: &[&Mark]) -> Markup {
        let size = (WIDTH, self.bottom() + 28);
        Canvas::draw(
            size,
            Fit::Scroll,
            &format!("Timeline of the run with seed {}", run.seed),
            |canvas| {
                self.draw_frame(canvas, run);
                for node in 0..run.nodes.len() {
                    self.draw_faults(canvas, node, marks);
                }
                self.draw_heal(canvas, run);
                for kind in &KINDS[1..] {
                    for mark in marks.iter().filter(|mark| mark.kind == *kind) {
                        self.draw_mark(canvas, mark);
                    }
                }
            },
        )
    }

    fn draw_frame(&self, canvas: &Canvas<'_>, run: &Timeline) {
        let step = tick_step(self.end_ms);
        for ms in (0..=self.end_ms / step).map(|i| i * step) {
            canvas.line((self.x(ms), TOP), (self.x(ms), self.bottom()), Ink::Grid, 1);
            canvas.text(
                &millis(ms as f64),
                (self.x(ms), self.bottom() + 14),
                12.0,
                Align::Middle,
                Ink::Muted,
            );
        }
        for (node, name) in run.nodes.iter().enumerate() {
            let y = self.y(node);
            canvas.line((LEFT, y + ROW / 2), (RIGHT, y + ROW / 2), Ink::Grid, 1);
            canvas.text(
                &shorten(name, 15),
                (LEFT - 10, y),
                13.0,
                Align::End,
                Ink::Text,
            );
        }
        canvas.line((LEFT, TOP), (LEFT, self.bottom()), Ink::Muted, 1);
    }

    fn draw_heal(&self, canvas: &Canvas<'_>, run: &Timeline) {
        if run.heal_ms == 0 {
            return;
        }
        let x = self.x(run.heal_ms);
        canvas.dashes(x, (TOP - 10, self.bottom()), Ink::Text);
        let align = if x > RIGHT - 220 {
            Align::End
        } else {
            Align::Start
        };
        let label = format!(
            "{}: faults end, recovery is demanded",
            millis(run.heal_ms as f64)
        );
        canvas.text(&label, (x, TOP - 22), 13.0, align, Ink::Text);
    }

    fn draw_faults(&self, canvas: &Canvas<'_>, node: usize, marks: &[&Mark]) {
        let mut faults: Vec<&Mark> = marks
            .iter()
            .filter(|m| m.node == node && m.kind == MarkKind::Fault)
            .copied()
            .collect();
        faults.sort_by_key(|mark| mark.at_ms);
        let lanes = lanes(&faults);
        let used = i32::try_from(lanes.iter().max().map_or(1, |lane| lane + 1)).unwrap_or(1);
        let tall = (ROW - 6) / used;
        for (fault, lane) in faults.iter().zip(&lanes) {
            let left = self.x(fault.at_ms);
            let right = self.x(fault.until_ms.unwrap_or(fault.at_ms)).max(left + 3);
            let top = self.y(node) - (ROW - 6) / 2 + tall * i32::try_from(*lane).unwrap_or(0);
            canvas.rectangle((left, top), (right, top + tall - 1), Ink::Fault);
            // Roughly seven pixels a character; a label that does not fit is in the list of events.
            let room = usize::try_from((right - left - 8) / 7).unwrap_or(0);
            if room >= 4 {
                let size = if used == 1 { 12.0 } else { 10.0 };
                canvas.text(
                    &shorten(&fault.label, room),
                    (left + 5, top + tall / 2),
                    size,
                    Align::Start,
                    Ink::Text,
                );
            }
        }
    }

    fn draw_mark(&self, canvas: &Canvas<'_>, mark: &Mark) {
        let (x, y) = (self.x(mark.at_ms), self.y(mark.node));
        match mark.kind {
            // One above and one below the middle, so that a lie and the blame for it do not hide each other.
            MarkKind::Lie => symbol(canvas, (x, y - 8), mark.kind),
            MarkKind::Blame => symbol(canvas, (x, y + 9), mark.kind),
            MarkKind::Violation => {
                canvas.line((x, TOP), (x, self.bottom()), Ink::Bad, 2);
                symbol(canvas, (x, y), mark.kind);
            }
            MarkKind::Fault | MarkKind::Delivered | MarkKind::Failed => {
                symbol(canvas, (x, y), mark.kind)
            }
        }
    }
}

/// A fault is a bar in the chart; its symbol stands for it in the legend.
fn symbol(canvas: &Canvas<'_>, (x, y): (i32, i32), kind: MarkKind) {
    match kind {
        MarkKind::Fault => canvas.rectangle((x - 8, y - 6), (x + 8, y + 6), Ink::Fault),
        MarkKind::Lie => canvas.triangle((x, y), 7, Ink::Lying),
        MarkKind::Blame => canvas.diamond((x, y), 6, Ink::Blame),
        MarkKind::Delivered => canvas.dot((x, y), 3, Ink::Good),
        MarkKind::Failed => canvas.cross((x, y), 5, Ink::Text),
        MarkKind::Violation => canvas.rectangle((x - 7, y - 7), (x + 7, y + 7), Ink::Bad),
    }
}

fn name(kind: MarkKind) -> &'static str {
    match kind {
        MarkKind::Fault => "down, cut off or slow",
        MarkKind::Lie => "hub lies",
        MarkKind::Blame => "hub blamed",
        MarkKind::Delivered => "key delivered",
        MarkKind::Failed => "call failed",
        MarkKind::Violation => "invariant broke",
    }
}

/// A lane for each fault (sorted by start). Faults in one lane do not overlap, as long as there are enough lanes.
fn lanes(faults: &[&Mark]) -> Vec<usize> {
    let mut free_from = [0_u64; MOST_LANES];
    faults
        .iter()
        .map(|fault| {
            let lane = free_from
                .iter()
                .position(|end| *end <= fault.at_ms)
                .unwrap_or(MOST_LANES - 1);
            free_from[lane] = free_from[lane].max(fault.until_ms.unwrap_or(fault.at_ms));
            lane
        })
        .collect()
}

/// A step of 1, 2 or 5 times a power of ten that gives at most eight ticks.
fn tick_step(end_ms: u64) -> u64 {
    let mut power: u64 = 1;
    loop {
        for factor in [1, 2, 5] {
            let step = power.saturating_mul(factor);
            if end_ms / step <= 8 {
                return step;
            }
        }
        power = power.saturating_mul(10);
    }
}

fn events(run: &Timeline, placed: &[Mark]) -> Markup {
    let told: Vec<&Mark> = placed
        .iter()
        .filter(|mark| mark.kind != MarkKind::Delivered)
        .collect();
    if told.is_empty() {
        return html! {};
    }
    let more = told.len().saturating_sub(MOST_EVENTS) as u64;
    html! {
        details {
            summary { "Events of this run, without deliveries" }
            div.scroll {
                table {
                    thead { tr { th { "simulated time" } th { "node" } th { "event" } th { "what" } } }
                    tbody {
                        @for mark in told.iter().take(MOST_EVENTS) {
                            tr {
                                td {
                                    (millis(mark.at_ms as f64))
                                    @if let Some(until_ms) = mark.until_ms { " to " (millis(until_ms as f64)) }
                                }
                                td { (run.nodes[mark.node]) }
                                td { (name(mark.kind)) }
                                td.words { (mark.label) }
                            }
                        }
                    }
                }
            }
            @if more > 0 { p { (count(more)) " later events are only in " code { "resilience.json" } "." } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(kind: MarkKind, at_ms: u64, until_ms: Option<u64>) -> Mark {
        Mark {
            node: 0,
            at_ms,
            until_ms,
            kind,
            label: "<b>cut</b>".into(),
        }
    }

    fn run(marks: Vec<Mark>) -> Timeline {
        let nodes = vec!["hank & a very long name indeed".to_owned()];
        Timeline {
            seed: 7,
            end_ms: 10_000,
            heal_ms: 6_000,
            nodes,
            marks,
            replay: "chaos <x>".into(),
        }
    }

    #[test]
    fn every_kind_is_drawn_and_labels_are_escaped() {
        let all = run(KINDS.map(|kind| mark(kind, 5_000, None)).to_vec());
        let html = figure(&all).into_string();
        for kind in KINDS {
            assert!(html.contains(name(kind)));
        }
        assert!(html.contains("&lt;b&gt;cut&lt;/b&gt;") && !html.contains("<b>cut"));
        assert!(
            html.contains("hank &amp; a very") && html.contains("<code>chaos &lt;x&gt;</code>")
        );
        assert!(html.contains("6 s: faults end"));
    }

    #[test]
    fn thinning_is_said() {
        let many = (0..4_000).map(|ms| mark(MarkKind::Delivered, ms, None));
        let html = figure(&run(many.collect())).into_string();
        assert!(html.contains("1,500 of 4,000 marks “key delivered” are drawn"));
        assert_eq!(
            html.matches("<circle").count(),
            1_500 + 1,
            "the marks and the one in the legend"
        );
    }

    #[test]
    fn marks_out_of_range_do_not_panic() {
        let mut odd = run(vec![
            mark(MarkKind::Fault, 9_000, Some(50_000)),
            mark(MarkKind::Fault, u64::MAX, Some(3)),
        ]);
        odd.marks.push(Mark {
            node: 9,
            ..mark(MarkKind::Lie, 1, None)
        });
        assert!(figure(&odd).0.contains("they belong to no row: 1 mark."));
        assert!(figure(&Timeline::default()).0.contains("No run"));
        assert!(
            figure(&Timeline {
                nodes: vec![String::new()],
                ..Default::default()
            })
            .0
            .contains("<svg")
        );
    }

    #[test]
    fn overlapping_faults_get_lanes() {
        let faults = [(0, 10), (5, 20), (10, 12), (11, 30), (11, 15)]
            .map(|(a, b)| mark(MarkKind::Fault, a, Some(b)));
        assert_eq!(lanes(&faults.iter().collect::<Vec<_>>()), [0, 1, 0, 2, 2]);
    }

    #[test]
    fn ticks_are_round_and_few() {
        assert_eq!(
            [1, 8, 9, 10_000, 65_000].map(tick_step),
            [1, 1, 2, 2_000, 10_000]
        );
        assert!(u64::MAX / tick_step(u64::MAX) <= 8);
    }
}
