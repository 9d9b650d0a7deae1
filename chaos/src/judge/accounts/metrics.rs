//! What a node tells in its metrics is what it tells in its status: the one before is the least that a counter can show, the
//! one after the most. Where nothing has happened in between, all else has to be the same, too.
//!
//! Which number belongs to which metric is written here once more, from `docs/http.md`.

use std::collections::BTreeMap;

use dske::node::client::{ClientStatus, HubPeerStatus};
use dske::protocol::hub::{Holding, HubStatus};

use super::super::{Facts, Verdict};
use super::{Counting, Seen, compare};
use crate::world::observer::record::{MetricsSeen, Node, NodeStatus};

/// Metrics that are not those of the status.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(
    missing_docs,
    reason = "the line of each variant says what its fields are"
)]
pub enum WrongMetrics {
    #[error("{node} has no metric {metric}, and its status has the number")]
    Missing { node: Counting, metric: String },
    #[error("{node} has the metric {metric}, and its status has no such number")]
    Unknown { node: Counting, metric: String },
    #[error("{node} has a line among its metrics that is none: {line}")]
    Unreadable { node: Counting, line: String },
}

/// A number of a status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Number {
    value: u64,
    /// Whether it never becomes smaller.
    grows: bool,
}

/// Metric, with its labels → its number.
type Numbers = BTreeMap<String, Number>;

/// The one metric that always differs. In milliseconds here.
const UPTIME: &str = "uptime_seconds";

pub(super) fn check(facts: &Facts<'_>, verdict: &mut Verdict) {
    for seen in &facts.seen.metrics {
        let (least, most) = (numbers(&seen.before), numbers(&seen.after));
        let uptime = |numbers: &Numbers| numbers.get(UPTIME).map(|number| number.value);
        // Otherwise the node has started anew in between.
        if uptime(&least) <= uptime(&most) {
            compare_all(seen, &least, &most, verdict);
        }
    }
}

fn compare_all(seen: &MetricsSeen, least: &Numbers, most: &Numbers, verdict: &mut Verdict) {
    let (node, prefix) = match seen.before {
        NodeStatus::Client(_) => (Node::Client(seen.node), "dske_client_"),
        NodeStatus::Hub(_) => (Node::Hub(seen.node), "dske_hub_"),
    };
    let node = Counting(node);
    let mut told = BTreeMap::new();
    for line in seen.text.lines().filter(|line| !line.starts_with('#')) {
        let sample = sample(line);
        verdict.expect(sample.is_some(), seen.at_us, || {
            let line = line.to_owned();
            WrongMetrics::Unreadable { node, line }.into()
        });
        // Those of the process and of the build have other prefixes.
        let of_node =
            sample.and_then(|(metric, value)| Some((metric.strip_prefix(prefix)?, value)));
        told.extend(of_node);
    }
    for metric in least.keys().filter(|metric| most.contains_key(*metric)) {
        verdict.expect(told.contains_key(metric.as_str()), seen.at_us, || {
            let metric = metric.clone();
            WrongMetrics::Missing { node, metric }.into()
        });
    }
    let is_quiet = least.len() == most.len()
        && least
            .iter()
            .all(|(metric, first)| metric == UPTIME || most.get(metric) == Some(first));
    for (metric, value) in told {
        let Some(last) = most.get(metric) else {
            let metric = metric.to_owned();
            verdict.expect(false, seen.at_us, || {
                WrongMetrics::Unknown { node, metric }.into()
            });
            continue;
        };
        if !last.grows && !is_quiet {
            continue;
        }
        let range = Seen {
            least: least.get(metric).map_or(0, |first| first.value),
            most: last.value,
        };
        // Exact up to 2^53.
        let counted = match metric {
            UPTIME => (value * 1000.0).round(),
            _ => value,
        } as u64;
        let what = format!("as {prefix}{metric}");
        compare(verdict, seen.at_us, node.0, &what, counted, range);
    }
}

/// A line of the text format: the metric with its labels, and its value.
fn sample(line: &str) -> Option<(&str, f64)> {
    let (metric, value) = line.rsplit_once(' ')?;
    let name = metric.split('{').next().unwrap_or_default();
    let is_name = !name.is_empty()
        && name
            .chars()
            .all(|letter| letter.is_ascii_alphanumeric() || letter == '_');
    let labels_end = metric.len() == name.len() || metric.ends_with("\"}");
    let value = value.parse().ok()?;
    (is_name && labels_end).then_some((metric, value))
}

fn numbers(status: &NodeStatus) -> Numbers {
    let mut numbers = Numbers::new();
    match status {
        NodeStatus::Client(status) => of_client(status, &mut numbers),
        NodeStatus::Hub(status) => of_hub(status, &mut numbers),
    }
    numbers
}

fn add(numbers: &mut Numbers, metric: String, value: u64, grows: bool) {
    numbers.insert(metric, Number { value, grows });
}

fn of_client(status: &ClientStatus, numbers: &mut Numbers) {
    let counters = &status.counters;
    for (metric, value) in [
        (UPTIME, status.uptime_ms),
        ("keys_requested_total", counters.keys_requested),
        ("keys_established_total", counters.keys_established),
        ("keys_fetched_total", counters.keys_fetched),
        ("late_shares_total", counters.late_shares),
        ("subsets_tried_total", counters.subsets_tried),
        ("search_bytes_total", counters.search_bytes),
        ("alarms_total", counters.alarms),
        (
            r#"calls_failed_total{method="enc_keys"}"#,
            counters.establish_failures,
        ),
        (
            r#"calls_failed_total{method="dec_keys"}"#,
            counters.fetch_failures,
        ),
        (
            r#"keys_corrected_total{method="error-correction"}"#,
            counters.error_corrections,
        ),
        (
            r#"keys_corrected_total{method="subset-search"}"#,
            counters.subset_searches,
        ),
    ] {
        add(numbers, metric.to_owned(), value, true);
    }
    let registered = status.hubs.iter().filter(|hub| hub.link.registered);
    for (metric, value) in [
        ("claims", status.claims),
        ("calls_in_flight", status.calls_in_flight),
        ("hubs", status.hubs.len()),
        ("registered_hubs", registered.count()),
    ] {
        add(numbers, metric.to_owned(), value as u64, false);
    }
    for hub in &status.hubs {
        of_link(hub, numbers);
    }
}

fn of_link(hub: &HubPeerStatus, numbers: &mut Numbers) {
    let (name, link) = (&hub.name, &hub.link);
    for (metric, value) in [
        ("registrations", link.registrations),
        ("refills", link.refills),
        ("retries", link.retries),
        ("unverified_responses", link.unverified),
        ("psrd_exhausted", link.psrd_exhausted),
    ] {
        let metric = format!(r#"link_{metric}_total{{hub="{name}"}}"#);
        add(numbers, metric, value, true);
    }
    for (kind, count) in &hub.blame {
        let metric = format!(r#"blame_total{{hub="{name}",kind="{kind}"}}"#);
        add(numbers, metric, *count, true);
    }
    let in_flight = format!(r#"link_in_flight{{hub="{name}"}}"#);
    add(numbers, in_flight, link.in_flight as u64, false);
    let left = (link.up_bytes_left, link.down_bytes_left);
    psrd_left("hub", name.as_str(), left, numbers);
}

fn of_hub(status: &HubStatus, numbers: &mut Numbers) {
    add(numbers, UPTIME.to_owned(), status.uptime_ms, true);
    for (metric, value) in [
        ("registered_clients", status.peers.len()),
        ("shares", status.shares_held),
        ("shares_limit", status.shares_max),
        ("share_bytes", status.share_bytes_held),
        ("share_bytes_limit", status.share_bytes_max),
    ] {
        add(numbers, metric.to_owned(), value as u64, false);
    }
    for held in &status.holdings {
        of_holding(held, numbers);
    }
    for peer in &status.peers {
        let left = (peer.up_bytes_left, peer.down_bytes_left);
        psrd_left("client", peer.client.as_str(), left, numbers);
    }
    for (metric, counts) in [("served", &status.served), ("refused", &status.refused)] {
        for (kind, count) in counts {
            let metric = format!(r#"messages_{metric}_total{{kind="{kind}"}}"#);
            add(numbers, metric, *count, true);
        }
    }
}

fn of_holding(held: &Holding, numbers: &mut Numbers) {
    for (metric, value) in [
        ("shares", held.shares_held),
        ("shares_guaranteed", held.shares_guaranteed),
        ("share_bytes", held.share_bytes_held),
        ("share_bytes_guaranteed", held.share_bytes_guaranteed),
    ] {
        let metric = format!(r#"client_{metric}{{client="{}"}}"#, held.client);
        add(numbers, metric, value as u64, false);
    }
}

fn psrd_left(peer: &str, name: &str, (up, down): (usize, usize), numbers: &mut Numbers) {
    for (pool, bytes) in [("up", up), ("down", down)] {
        let metric = format!(r#"psrd_left_bytes{{{peer}="{name}",pool="{pool}"}}"#);
        add(numbers, metric, bytes as u64, false);
    }
}

#[cfg(test)]
mod tests {
    use dske::http::metrics::of_hub;

    use super::super::super::testing::Scene;
    use super::super::check;
    use super::*;

    /// Hub 1 has served two deposits, and tells it in its metrics, one more or less as the caller likes.
    fn told(change: impl Fn(&mut HubStatus, &mut HubStatus, &mut String)) -> Verdict {
        let mut scene = Scene::new(|_| {});
        scene.establish(0, 1_000);
        scene.establish(1, 2_000);
        scene.poll(1, 10_500, |_| {});
        let mut before = scene.see().hub_statuses[0].2.clone();
        let mut after = HubStatus {
            uptime_ms: before.uptime_ms + 5,
            ..before.clone()
        };
        let mut text = String::new();
        change(&mut before, &mut after, &mut text);
        if text.is_empty() {
            text = of_hub(before.clone()).unwrap();
        }
        scene.see().metrics.push(MetricsSeen {
            at_us: 10_600_000,
            node: 1,
            before: NodeStatus::Hub(before),
            text,
            after: NodeStatus::Hub(after),
        });
        scene.judge(check)
    }

    fn deposits(status: &mut HubStatus) -> &mut u64 {
        status.served.get_mut("deposit").unwrap()
    }

    #[test]
    fn metrics_say_what_the_statuses_around_them_say() {
        told(|_, _, _| {}).must_hold();
        told(|before, after, text| {
            *deposits(after) += 2;
            after.shares_held += 2;
            *deposits(before) += 1;
            *text = of_hub(before.clone()).unwrap();
            *deposits(before) -= 1;
        })
        .must_hold();
    }

    #[test]
    fn a_counter_that_is_another_is_seen() {
        for (change, seen) in [(1_i64, "3"), (-1, "1")] {
            let verdict = told(|before, _, text| {
                let mut other = before.clone();
                let served = deposits(&mut other);
                *served = served.saturating_add_signed(change);
                *text = of_hub(other).unwrap();
            });
            let metric = r#"dske_hub_messages_served_total{kind="deposit"}"#;
            verdict.must_break(&format!("hub 1 counts {seen} as {metric}, and 2 were seen"));
        }
    }

    #[test]
    fn what_goes_up_and_down_is_judged_where_nothing_has_happened() {
        let other = |before: &mut HubStatus, text: &mut String| {
            let mut other = before.clone();
            other.shares_held = 77;
            *text = of_hub(other).unwrap();
        };
        told(|before, _, text| other(before, text)).must_break("counts 77 as dske_hub_shares");
        told(|before, after, text| {
            other(before, text);
            *deposits(after) += 1;
        })
        .must_hold();
    }

    #[test]
    fn a_metric_that_is_missing_unknown_or_no_metric_is_seen() {
        let without = |line: &str, text: String| -> String {
            let lines = text.lines().filter(|one| !one.starts_with(line));
            lines.map(|line| format!("{line}\n")).collect()
        };
        told(|before, _, text| {
            *text = without("dske_hub_shares_limit", of_hub(before.clone()).unwrap());
        })
        .must_break("hub 1 has no metric shares_limit");
        told(|before, _, text| *text = of_hub(before.clone()).unwrap() + "dske_hub_x 1\n")
            .must_break("hub 1 has the metric x");
        for line in [
            "dske_hub_x",
            "dske_hub_x one",
            "dske hub_x 1",
            "dske_hub_x{a=1} 1",
        ] {
            told(|before, _, text| *text = of_hub(before.clone()).unwrap() + line)
                .must_break(&format!("that is none: {line}"));
        }
    }

    #[test]
    fn a_node_that_has_started_in_between_is_not_asked() {
        told(|before, after, text| {
            before.uptime_ms = 9;
            after.uptime_ms = 3;
            *text = "dske_hub_shares 77\n".to_owned();
        })
        .must_hold();
    }
}
