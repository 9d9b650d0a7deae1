//! What the seed drew, as tables.

use maud::{Markup, html};

use crate::plan::HUB_NAMES;
use crate::tell::view::schema::Trace;
use crate::tell::view::seconds;

pub(super) fn tables(trace: &Trace) -> Markup {
    let plan = &trace.plan;
    let faults = trace.faults.iter().map(|fault| {
        let times = [seconds(fault.at_us), seconds(fault.until_us)];
        [times.to_vec(), vec![fault.text.clone()]].concat()
    });
    let liars = plan.liars.iter().map(|liar| {
        let lies: Vec<&str> = liar.lies.iter().map(|lie| lie.name()).collect();
        vec![
            seconds(liar.from_ms * 1000),
            seconds(liar.until_ms * 1000),
            HUB_NAMES[liar.hub].to_owned(),
            format!("{} %", liar.rate_percent),
            lies.join(", "),
        ]
    });
    let calls = plan.calls.iter().map(|call| {
        let slaves: Vec<String> = call.slaves().map(|slave| plan.sae_name(slave)).collect();
        let intruder = call.intruder.map(|intruder| plan.sae_name(intruder));
        let mistake = call.mistake.map(|mistake| mistake.to_string());
        vec![
            call.id.to_string(),
            seconds(call.at_ms * 1000),
            plan.sae_name(call.master),
            slaves.join(", "),
            format!("{} × {} bits", call.number, call.bits),
            format!("{} ms", call.fetch_after_ms),
            intruder.unwrap_or_default(),
            mistake.unwrap_or_default(),
        ]
    });
    let cluster = &plan.cluster;
    let numbers = [
        (
            "latency, ms",
            format!("{} to {}", cluster.latency_ms.0, cluster.latency_ms.1),
        ),
        (
            "request timeout, ms",
            cluster.request_timeout_ms.to_string(),
        ),
        ("call deadline, ms", cluster.call_deadline_ms.to_string()),
        ("grace, ms", cluster.grace_ms.to_string()),
        (
            "time to live of a share, ms",
            cluster.share_ttl_ms.to_string(),
        ),
        ("PSRD block, bytes", cluster.psrd_block_bytes.to_string()),
        (
            "PSRD low water, bytes",
            cluster.psrd_low_water_bytes.to_string(),
        ),
        ("coalition, hubs", cluster.coalition.to_string()),
        ("keys from", cluster.key_source.as_str().to_owned()),
        ("faults end at", seconds(plan.heal_at_ms * 1000)),
        ("end", seconds(plan.end_ms * 1000)),
    ];
    let numbers = numbers.map(|(name, value)| vec![name.to_owned(), value]);
    html! {
        section {
            details.plan {
                summary { "The plan: what the seed drew before the run" }
                (table("Cluster", &["", ""], numbers))
                (table("Faults", &["from", "until", "fault"], faults))
                (table("Lying hubs", &["from", "until", "hub", "of its answers", "lies"], liars))
                (table("Calls", &["call", "at", "master", "slaves", "keys", "fetched after", "intruder", "mistake"], calls))
            }
        }
    }
}

fn table(name: &str, head: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> Markup {
    let rows: Vec<Vec<String>> = rows.into_iter().collect();
    html! {
        h3 { (name) }
        @if rows.is_empty() {
            p { "None." }
        } @else {
            div.scroll {
                table {
                    thead { tr { @for cell in head { th { (cell) } } } }
                    tbody { @for row in &rows { tr { @for cell in row { td { (cell) } } } } }
                }
            }
        }
    }
}
