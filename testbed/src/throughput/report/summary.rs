//! The answer, and every target.

use super::words::{median, number, range};
use crate::throughput::data::Throughput;
use crate::throughput::plan::Extent;
use crate::throughput::stats::Spread;
use crate::throughput::targets::{Figures, Standing, Target, targets};
use dske_report::text::{count, escape};

/// Failures that are shown before the rest is only counted.
const FAILURES_SHOWN: usize = 6;

pub(super) fn banner(data: &Throughput) -> String {
    let all = targets(data);
    let count_of = |standing| all.iter().filter(|t| t.standing() == standing).count();
    let (reached, missed) = (count_of(Standing::Reached), count_of(Standing::Missed));
    let figures = Figures::of(data);
    let (class, sign) = match (reached, missed) {
        (0, 0) => ("weak", "?"),
        (_, 0) => ("held", "✓"),
        _ => ("weak", "!"),
    };
    let headline = match figures.keys_per_s {
        Some(rate) => format!("{} keys a second over real HTTP", number(rate.median)),
        None => "What was measured".to_owned(),
    };
    let verdict = match reached + missed {
        0 => "None of the figures that have a target was measured.".to_owned(),
        measured => format!("{reached} of {measured} targets that were measured are reached."),
    };
    let quick = match data.extent {
        Extent::Full => "",
        Extent::Quick => " A quick run: single short measurements, not figures to quote.",
    };
    format!(
        r#"<header class="verdict {class}"><p class="kicker">DSKE throughput · dske {version} · {started}</p>
<h1><span class="sign" aria-hidden="true">{sign}</span> {headline}</h1>
<p>{verdict}{quick}</p></header>
{numbers}"#,
        version = escape(&data.version),
        started = escape(&data.started),
        numbers = numbers(&figures),
    )
}

fn numbers(figures: &Figures) -> String {
    let tile = |figure: Option<Spread>, unit: &str, what: &str| {
        format!(
            "<div><dd>{}</dd><dt>{what}<br>{}</dt></div>",
            median(figure, unit),
            range(figure)
        )
    };
    format!(
        r#"<dl class="numbers">{}{}{}{}</dl>"#,
        tile(
            figures.keys_per_s,
            "keys/s",
            "one key per call, concurrency 32"
        ),
        tile(
            figures.alone_ms,
            "ms",
            "for a key at concurrency 1, both calls"
        ),
        tile(
            figures.share_of_bare,
            "%",
            "of what a bare HTTP route allows"
        ),
        tile(
            figures.bulk_mbit_per_s,
            "Mbit/s",
            "of key, in keys of 1 Mbit"
        ),
    )
}

pub(super) fn targets_table(data: &Throughput) -> String {
    let rows: String = targets(data).iter().map(row).collect();
    format!(
        r#"<section id="targets"><h2>Every target</h2><div class="scroll"><table class="numbers">
<thead><tr><th>target</th><th class="words">verdict</th><th>measured</th><th>aimed at</th><th class="words">least to most</th></tr></thead><tbody>
{rows}</tbody></table></div><p class="note">Measured is the median; the verdict says by how many times it is reached or missed. All on one machine: {}.</p></section>"#,
        machine(data)
    )
}

/// What everything ran on, in a few words.
pub(super) fn machine(data: &Throughput) -> String {
    format!(
        "{}, {} cores, {}",
        escape(&data.machine.cpu),
        data.machine.cores,
        escape(&data.machine.kernel)
    )
}

fn row(target: &Target) -> String {
    let than = if target.more_is_better {
        "over"
    } else {
        "under"
    };
    let (class, verdict) = match target.standing() {
        Standing::Reached => ("held", "reached"),
        Standing::Missed => ("weak", "missed"),
        Standing::Unknown => ("", "not measured"),
    };
    // How many times as good as aimed at, or how many times too little.
    let factor = target.factor().map(|factor| factor.max(1.0 / factor));
    let factor = factor.map_or_else(String::new, |f| format!(" {} ×", number(f)));
    format!(
        r#"<tr><td class="name">{}</td><td class="words"><span class="tag {class}">{verdict}{factor}</span></td><td>{}</td><td>{than} {} {unit}</td><td class="words">{}</td></tr>
"#,
        target.name,
        median(target.figure, target.unit),
        number(target.aim),
        range(target.figure),
        unit = target.unit,
    )
}

/// Operations that failed, if any did.
pub(super) fn failures(data: &Throughput) -> String {
    let failed: Vec<String> = data
        .measured
        .iter()
        .filter_map(|m| {
            let errors: u64 = m.runs.iter().map(|run| run.errors).sum();
            let first = m.runs.iter().find_map(|run| run.first_error.as_deref());
            (errors > 0).then(|| {
                format!(
                    "<li>{}: {} operations failed; the first: {}</li>",
                    escape(&format!("{}, {}", m.part.name(), m.condition)),
                    count(errors),
                    escape(first.unwrap_or("it is not told why")),
                )
            })
        })
        .collect();
    if failed.is_empty() {
        return String::new();
    }
    let more = match failed.len().saturating_sub(FAILURES_SHOWN) {
        0 => String::new(),
        more => format!("<li>… and under {more} more conditions</li>"),
    };
    format!(
        r#"<div class="box weak"><h3>Not every operation succeeded</h3><ul>{}{more}</ul></div>"#,
        failed[..failed.len().min(FAILURES_SHOWN)].concat()
    )
}
