//! How long it takes until keys arrive again.

use dske_report::Section;
use dske_report::plot::{Axis, Look, Plot, legend};
use dske_report::text::{count, millis};
use maud::{Markup, html};

use super::numbers;
use crate::explore::sweep::Sweep;
use crate::explore::sweep::recovery::{CLUSTER, Point, QUICK_MS};

/// The section; empty if nothing was measured.
pub(super) fn section(sweep: &Sweep) -> Markup {
    let Some(first) = sweep.recovery.first() else {
        return html! {};
    };
    let same = |p: &&Point| (&p.trouble, p.lasted_ms) == (&first.trouble, first.lasted_ms);
    let runs = sweep.recovery.iter().filter(same).count();
    let tried = sweep.recovery.iter().map(|p| p.tried).sum();
    let succeeded = sweep.recovery.iter().map(|p| p.succeeded).sum();
    Section {
        id: "recovery",
        title: "How soon keys arrive again",
        lead: html! {
            "N = " (CLUSTER.0) ", K = " (CLUSTER.1) ". For some time nothing passes between any client and any hub; or all hubs \
             go down, and come back with no PSRD and no shares. Keys are asked for every 100 ms all the while, and every 20 ms \
             from the moment at which everything is well again. That moment is zero here."
        },
        legend: legend(&[
            ("a slave has a key again", Look::ALL[0]),
            ("from here on every call succeeds", Look::ALL[1]),
            (&format!("from here on every key takes at most {QUICK_MS} ms"), Look::ALL[2]),
        ]),
        panels: html! {
            (panel(sweep, "partition", "After a partition"))
            (panel(sweep, "restart", "After a restart of all hubs"))
        },
        caption: html! {
            "Marks: median; whiskers: from the shortest to the longest of " (runs) " runs each. " b { "What to learn:" }
            " after a partition the next call gets a key at once, because nothing was forgotten. After a restart the clients \
             first find out that they are unknown, then register and get PSRD. A long outage takes longer to get over, because \
             attempts in vain spend PSRD: after some seconds of them the pools are dry, and have to be filled again before \
             anything else. Of the " (count(tried)) " keys that were asked for since the trouble began, " (count(succeeded))
            " arrived: a call that begins in the midst of it waits up to its deadline of 2 s, and is answered if everything is \
             well by then."
        },
        tables: numbers(sweep, &["recovery"]),
    }
    .html()
}

fn panel(sweep: &Sweep, trouble: &str, title: &str) -> Markup {
    let points: Vec<&Point> = sweep
        .recovery
        .iter()
        .filter(|p| p.trouble == trouble)
        .collect();
    let mut lengths: Vec<u64> = points.iter().map(|p| p.lasted_ms).collect();
    lengths.sort_unstable();
    lengths.dedup();
    let all = sweep.recovery.iter();
    let most = all
        .map(|p| p.first_key_ms.max(p.all_quick_ms).max(p.all_succeed_ms))
        .fold(50.0, f64::max);
    let plot = Plot {
        title: title.to_owned(),
        x: Axis::names(
            "how long it lasted",
            lengths.iter().map(|ms| millis(*ms as f64)).collect(),
        ),
        y: Axis::linear("time since all is well", most, millis),
        height: 280,
    };
    plot.draw(|frame| {
        let measures: [fn(&Point) -> f64; 3] =
            [|p| p.first_key_ms, |p| p.all_succeed_ms, |p| p.all_quick_ms];
        for (x, length_ms) in lengths.iter().enumerate() {
            for (i, measure) in measures.iter().enumerate() {
                let of_length = points.iter().filter(|p| p.lasted_ms == *length_ms);
                let mut values: Vec<f64> = of_length.map(|p| measure(p)).collect();
                values.sort_by(f64::total_cmp);
                let (Some(low), Some(high)) = (values.first(), values.last()) else {
                    continue;
                };
                let median = values[(values.len() - 1) / 2];
                let aside = 11 * (i as i32 - 1);
                frame.mark((x as f64, median), (*low, *high), aside, Look::ALL[i]);
            }
        }
    })
}
