//! The page, in reading order.

use dske_report::frame;
use maud::{Markup, html};

use super::summary::{banner, failures, targets_table};
use super::{cpu, curves, latency, limit, memory, peers, subjects, trouble};
use crate::measure::report::footer;
use crate::throughput::data::Throughput;
use crate::throughput::lab::BLOCK_BYTES;

/// The report as one HTML page that loads nothing. The same data gives the same bytes.
#[must_use]
pub fn page(data: &Throughput) -> Markup {
    let body = html! {
        (banner(data))
        (targets_table(data))
        (failures(data))
        (limit::section(data))
        (curves::against_concurrency(data))
        (curves::against_keys_per_call(data))
        (curves::against_clusters(data))
        (curves::against_key_size(data))
        (latency::section(data))
        (cpu::section(data))
        (subjects::section(data))
        (trouble::section(data))
        (memory::section(data))
        (peers::section(data))
        (footer(&data.provenance, &explanation()))
    };
    frame("DSKE throughput", &body)
}

fn explanation() -> Markup {
    html! {
        p {
            "Every node is a process of its own, built for release. A load generator on the same machine calls it over HTTP on \
             loopback. An " b { "operation" } " is both calls of ETSI GS QKD 014: the master gets keys, and the slave gets the same \
             keys by their IDs. A key counts when both sides have it and both are the same. Latencies are of both calls together. Nodes \
             run with their default settings, except for blocks of " (BLOCK_BYTES >> 10) " KiB of pre-shared random data (PSRD). Its \
             delivery, which is manual in real life, continues all the time and is part of all figures. The conditions of a figure are \
             measured in turn, so that whatever disturbs the machine disturbs all of them."
        }
        p {
            "All numbers are in " code { "throughput.json" } " and, as CSV, in the directory " code { "throughput" } " beside this \
             page. " code { "docs/throughput.md" } " explains every field."
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use clap::ValueEnum;

    use super::*;
    use crate::latencies::Bucket;
    use crate::measure::{Extent, Provenance};
    use crate::throughput::data::{Function, Held, LeftOut, Measured, Profile, RoleProfile, Run};
    use crate::throughput::plan::{BASE, Part};

    fn html(data: &Throughput) -> String {
        page(data).into_string()
    }

    /// Nothing measured.
    fn empty() -> Throughput {
        Throughput {
            provenance: Provenance::sample(),
            measured: Vec::new(),
            memory: Vec::new(),
            profiles: Vec::new(),
            left_out: Vec::new(),
        }
    }

    /// Every condition of the plan, each with other made-up figures.
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
        for part in Part::value_variants() {
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
    fn what_was_not_measured_is_left_out_or_named() {
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
    fn a_part_without_keys_is_drawn_and_its_failures_are_listed() {
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
