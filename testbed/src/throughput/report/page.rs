//! The page's frame, in reading order.

use super::summary::{banner, failures, machine, targets_table};
use super::{beside, cpu, curves, latency, limit, memory, peers};
use crate::throughput::data::Throughput;
use crate::throughput::lab::BLOCK_BYTES;
use dske_report::frame;
use dske_report::text::{escape, seconds};
use maud::PreEscaped;

/// The whole report as one HTML page that loads nothing. The same data gives the same bytes.
#[must_use]
pub fn html(data: &Throughput) -> String {
    let sections = [
        banner(data),
        targets_table(data),
        failures(data),
        limit::section(data),
        curves::against_concurrency(data),
        curves::against_keys_per_call(data),
        curves::against_clusters(data),
        curves::against_key_size(data),
        latency::section(data),
        cpu::section(data),
        beside::actors(data),
        beside::troubles(data),
        memory::section(data),
        peers::section(data),
        footer(data),
    ];
    frame("DSKE throughput", &PreEscaped(sections.join("\n"))).into_string()
}

fn footer(data: &Throughput) -> String {
    format!(
        r#"<footer><h2>How to read this</h2>
<p>Every node is a process of its own, built for release, and is called over HTTP on loopback by a load generator that shares the
machine with them. An <b>operation</b> is both calls of ETSI GS QKD 014: the master gets keys, the slave gets the same ones by their
IDs; a key counts when both sides have it and found it to be the same. Latencies are of both calls together. Nodes run with their
default settings, but for blocks of {block} KiB of pre-shared random data (PSRD); its delivery, which is done by hand in real life, goes on all
the while and is part of all figures. Conditions of a figure are measured in turn, so that what disturbs the machine disturbs all of
them.</p>
<p>All numbers are in <code>throughput.json</code> and, as CSV, in the directory <code>throughput</code> beside this page. What each field
means is in <code>docs/throughput.md</code>.</p>
<p>The same again: <code>{command}</code></p>
<p class="digest">dske {version} · {machine} · {started} · {wall}</p></footer>"#,
        block = BLOCK_BYTES >> 10,
        command = escape(&data.command),
        version = escape(&data.version),
        machine = machine(data),
        started = escape(&data.started),
        wall = seconds(data.wall_s),
    )
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use crate::load::report::Bucket;

    use super::*;
    use crate::throughput::data::{
        Function, Held, LeftOut, Machine, Measured, Profile, RoleProfile, Run,
    };
    use crate::throughput::plan::{BASE, Extent, Part};

    /// Nothing measured.
    fn empty() -> Throughput {
        Throughput {
            version: "1.2.3".to_owned(),
            command: "cargo bench --bench throughput".to_owned(),
            started: "2026-11-25 12:00 UTC".to_owned(),
            extent: Extent::Full,
            machine: Machine {
                cpu: "A <fast> one".to_owned(),
                cores: 2,
                kernel: "Linux 6".to_owned(),
            },
            wall_s: 1.0,
            measured: Vec::new(),
            memory: Vec::new(),
            profiles: Vec::new(),
            left_out: Vec::new(),
        }
    }

    /// Every condition of the plan, with made-up figures that differ.
    fn full() -> Throughput {
        let mut data = empty();
        for experiment in Extent::Full.experiments() {
            for (i, condition) in experiment.conditions.iter().enumerate() {
                let run = |repetition: usize| Run {
                    keys: 1_000,
                    keys_per_s: 1_000.0 * (i + 1) as f64 + repetition as f64,
                    mbit_per_s: 10.0 * (i + 1) as f64,
                    p50_ms: 1.0 + i as f64,
                    p99_ms: 10.0 + i as f64,
                    hubs_cpu_us_per_key: Some(50.0),
                    clients_cpu_us_per_key: Some(70.0),
                    buckets: vec![
                        Bucket {
                            up_to_us: 1_000,
                            count: 990,
                        },
                        Bucket {
                            up_to_us: 90_000,
                            count: 10,
                        },
                    ],
                    ..Run::default()
                };
                data.measured.push(Measured {
                    part: experiment.part,
                    condition: *condition,
                    runs: (0..experiment.repetitions).map(run).collect(),
                });
            }
        }
        data.memory = vec![
            Held {
                shares: 0,
                rss_bytes: 10_000_000,
            },
            Held {
                shares: 1_000_000,
                rss_bytes: 260_000_000,
            },
        ];
        data.profiles = vec![Profile {
            condition: BASE,
            samples: 4_000,
            kernel_seen: true,
            roles: vec![RoleProfile {
                role: "hubs".to_owned(),
                us_per_key: BTreeMap::from([("crypto".to_owned(), 12.0)]),
                functions: vec![Function {
                    name: "<T as dske::Split>::split".to_owned(),
                    category: "crypto".to_owned(),
                    us_per_key: 12.0,
                }],
            }],
        }];
        data
    }

    fn sections(html: &str) -> Vec<&str> {
        let parts = html.split("<section id=\"").skip(1);
        parts.filter_map(|part| part.split('"').next()).collect()
    }

    #[test]
    fn every_part_has_its_section_and_the_answer_comes_first() {
        let html = html(&full());
        let found = sections(&html);
        assert_eq!(found.first(), Some(&"targets"));
        for part in Part::ALL {
            assert!(found.contains(&part.name().as_str()), "{part:?}: {found:?}");
        }
        assert!(html.contains("<h1><span class=\"sign\" aria-hidden=\"true\">!</span> 1,002 keys"));
        assert!(html.contains("250 bytes"));
        assert!(!html.contains("NaN") && !html.contains("inf "));
    }

    #[test]
    fn nothing_in_the_data_becomes_markup_and_nothing_is_loaded() {
        let html = html(&full());
        assert!(html.contains("A &lt;fast&gt; one"));
        assert!(html.contains("&lt;T as dske::Split&gt;::split"));
        assert!(!html.contains("<script") && !html.contains("src=") && !html.contains("<link"));
    }

    #[test]
    fn what_was_not_measured_is_left_out_or_said() {
        let mut data = empty();
        assert_eq!(sections(&html(&data)), ["targets", "peers"]);
        assert!(html(&data).contains("not measured"));
        data.left_out.push(LeftOut {
            part: Part::Profile,
            reason: "no <perf>".to_owned(),
        });
        assert!(html(&data).contains("Left out: no &lt;perf&gt;."));
    }

    #[test]
    fn a_part_in_which_nothing_arrived_is_drawn_and_its_failures_are_told() {
        let mut data = full();
        for run in data.measured.iter_mut().flat_map(|m| &mut m.runs) {
            *run = Run {
                errors: 7,
                first_error: Some("status 503: <busy>".to_owned()),
                ..Run::default()
            };
        }
        let html = html(&data);
        assert!(html.contains("Not every operation succeeded"));
        assert!(html.contains("status 503: &lt;busy&gt;"));
        assert!(html.contains("not measured") && !html.contains("NaN"));
    }

    #[test]
    fn runs_without_rows_or_figures_do_not_panic() {
        let mut data = full();
        for measured in &mut data.measured {
            measured.runs.clear();
        }
        data.memory.truncate(1);
        data.profiles[0].roles.clear();
        assert!(html(&data).contains("</html>"));
    }

    #[test]
    fn the_page_needs_nothing_but_the_json() {
        let data = full();
        let json = serde_json::to_string(&data).unwrap();
        let read: Throughput = serde_json::from_str(&json).unwrap();
        assert_eq!(html(&read), html(&data));
    }
}
