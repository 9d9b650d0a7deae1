//! Keys that arrive, by hubs that crashed and hubs that lie.

use dske_report::Section;
use dske_report::canvas::{Align, Canvas, Fit, Ink};
use dske_report::statistics::wilson;
use dske_report::text::{count, counted};
use maud::{Markup, html};

use super::numbers;
use crate::explore::sweep::Sweep;
use crate::explore::sweep::map::Cell;

/// Deviations that are listed before the rest is only counted.
const MOST_LISTED: usize = 20;

/// The section; empty if nothing was measured.
pub(super) fn section(sweep: &Sweep) -> Markup {
    let Some(first) = sweep.map.first() else {
        return html! {};
    };
    let mut maps: Vec<(&str, u8, u8)> = Vec::new();
    for cell in &sweep.map {
        let map = (cell.lie.as_str(), cell.hubs, cell.threshold);
        if !maps.contains(&map) {
            maps.push(map);
        }
    }
    Section {
        id: "map",
        title: "Where keys stop arriving",
        lead: html! {
            "Some hubs are down (to the right) and others lie in every answer (upwards): in the first maps they corrupt their \
             shares, in the others they deny having one or say nothing at all. Each cell shows the percentage of keys that \
             arrived at both sides. The line is theory: a key arrives exactly if K honest hubs can be reached. "
            (found(&sweep.map))
        },
        legend: html! {},
        panels: html! { @for map in maps { (panel(sweep, map)) } },
        caption: html! {
            b { "What to learn:" } " a lying hub costs no more than one that is down, and the edge is sharp: up to N − K bad \
             hubs every key arrives, beyond it none does. " (interval(first.arrived.tried)) "; the intervals of all cells are \
             in the table. A cell that is not as in theory has a frame." (deviations(&sweep.map))
        },
        tables: numbers(sweep, &["map"]),
    }
    .html()
}

/// What so many samples in a cell can tell.
fn interval(samples: u64) -> String {
    let (all, none) = (wilson(samples, samples), wilson(0, samples));
    format!(
        "With {} in each cell, 100 means {:.0}–100 % and 0 means 0–{:.0} % with 95 % confidence",
        counted(samples, "key"),
        all.map_or(0.0, |rate| 100.0 * rate.low),
        none.map_or(100.0, |rate| 100.0 * rate.high),
    )
}

fn found(cells: &[Cell]) -> Markup {
    let as_in_theory = cells.iter().filter(|cell| !cell.deviates).count();
    let keys: u64 = cells.iter().map(|cell| cell.arrived.tried).sum();
    html! {
        b { (count(as_in_theory as u64)) " of " (count(cells.len() as u64)) " cells are as in theory" }
        ", over " (count(keys)) " keys."
    }
}

fn deviations(cells: &[Cell]) -> Markup {
    let all: Vec<&Cell> = cells.iter().filter(|cell| cell.deviates).collect();
    if all.is_empty() {
        return html! { " There is none." };
    }
    let more = all.len().saturating_sub(MOST_LISTED) as u64;
    html! {
        " These:"
        ul {
            @for cell in all.iter().take(MOST_LISTED) {
                li {
                    "N = " (cell.hubs) ", K = " (cell.threshold) ", " (cell.crashed) " down, " (cell.lying) " lying ("
                    (cell.lie) "): " (count(cell.arrived.succeeded)) " of " (count(cell.arrived.tried)) " arrived, "
                    @if cell.arrives_in_theory { "all" } @else { "none" } " in theory"
                }
            }
        }
        @if more > 0 { p { "… and " (count(more)) " more, in the table." } }
    }
}

const WIDTH: i32 = 450;
const LEFT: i32 = 50;
const TOP: i32 = 34;

fn panel(sweep: &Sweep, (lie, hubs, threshold): (&str, u8, u8)) -> Markup {
    let across = i32::from(hubs) + 1;
    let size = ((WIDTH - LEFT - 8) / across).min(38);
    let bottom = TOP + across * size;
    let height = bottom + 44;
    let title = format!("N = {hubs}, K = {threshold}: liars {}", words(lie));
    let corner = |crashed: i32, lying: i32| (LEFT + crashed * size, bottom - lying * size);
    let svg = Canvas::draw((WIDTH, height), Fit::Shrink, &title, |canvas| {
        canvas.text(&title, (LEFT, 13), 14.0, Align::Start, Ink::Text);
        let of_map = |cell: &&Cell| (cell.lie.as_str(), cell.hubs) == (lie, hubs);
        for cell in sweep.map.iter().filter(of_map) {
            let (crashed, lying) = (i32::from(cell.crashed), i32::from(cell.lying));
            draw_cell(canvas, cell, corner(crashed, lying + 1), size);
        }
        for i in 0..across {
            let name = i.to_string();
            let (x, _) = corner(i, 0);
            let (_, y) = corner(0, i);
            canvas.text(
                &name,
                (x + size / 2, bottom + 12),
                12.0,
                Align::Middle,
                Ink::Text,
            );
            canvas.text(&name, (LEFT - 8, y - size / 2), 12.0, Align::End, Ink::Text);
        }
        canvas.text(
            "hubs down",
            (LEFT, bottom + 32),
            13.0,
            Align::Start,
            Ink::Text,
        );
        canvas.text("lying", (4, TOP - 2), 13.0, Align::Start, Ink::Text);
        // Down the stairs between the cells that theory promises and those that it does not.
        let spare = i32::from(hubs) - i32::from(threshold);
        let mut stairs = vec![corner(0, spare + 1)];
        for crashed in 0..=spare {
            stairs.push(corner(crashed + 1, spare - crashed + 1));
            stairs.push(corner(crashed + 1, spare - crashed));
        }
        canvas.path(&stairs, Ink::Text, 3);
    });
    html! { div { (svg) } }
}

fn words(lie: &str) -> &str {
    match lie {
        "corrupt-share" => "corrupt their shares",
        "withhold-or-silent" => "withhold shares or are silent",
        other => other,
    }
}

fn draw_cell(canvas: &Canvas<'_>, cell: &Cell, (x, y): (i32, i32), size: i32) {
    let rate = cell.arrived;
    let ink = match rate.succeeded {
        0 => Ink::Grid,
        all if all == rate.tried => Ink::Band,
        _ => Ink::Fault,
    };
    if cell.deviates {
        canvas.rectangle((x + 1, y + 1), (x + size - 1, y + size - 1), Ink::Bad);
        canvas.rectangle((x + 4, y + 4), (x + size - 4, y + size - 4), ink);
    } else {
        canvas.rectangle((x + 1, y + 1), (x + size - 1, y + size - 1), ink);
    }
    let percent = (rate.rate * 100.0).round().to_string();
    let ink = if rate.succeeded == 0 {
        Ink::Muted
    } else {
        Ink::Text
    };
    let at = (x + size / 2, y + size / 2);
    canvas.text(&percent, at, 12.0, Align::Middle, ink);
}
