//! The page's frame, in reading order.

use super::summary::{banner, failures, machine, targets_table};
use super::{beside, cpu, curves, latency, limit, memory, peers};
use crate::report::frame;
use crate::report::text::{escape, seconds};
use crate::throughput::data::Throughput;
use crate::throughput::lab::BLOCK_BYTES;

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
    frame("DSKE throughput", &sections.join("\n"))
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
