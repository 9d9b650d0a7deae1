//! The figures of the page, one for each thing that grows.

use dske_report::Table;
use dske_report::statistics::Spread;
use dske_report::text::{count, short};

use super::clusters;
use super::data::{ClusterPoint, Growth, PoolPoint, SharesPoint};
use super::figure::{Bound, Cost, Figure, Panel};
use crate::throughput::condition::Subject;

/// All figures, in the order of the page.
pub(super) fn figures(growth: &Growth) -> [Figure; 4] {
    [hubs(growth), clients(growth), shares(growth), pools(growth)]
}

fn hubs(growth: &Growth) -> Figure {
    let cost = |name, subject| Cost {
        name,
        points: medians(&growth.hubs, subject, |p| p.hubs.into()),
        bound: Bound::Linear,
    };
    Figure {
        id: "hubs",
        title: "More hubs",
        lead: format!(
            "{}. Each mark is the median of its runs, whiskers reach from the least to the most. Processes share the cores of this \
             machine, and every hub is one more process.",
            clusters::words()
        ),
        x: "hubs (N)",
        x_name: |n| count(n as u64),
        panels: vec![Panel {
            title: "Time for a key",
            unit: "µs",
            costs: vec![
                cost("actors", Subject::Actors),
                cost("processes, HTTP", Subject::Processes),
            ],
        }],
        table: Table::of("hubs", &growth.hubs),
    }
}

fn clients(growth: &Growth) -> Figure {
    Figure {
        id: "clients",
        title: "More clients",
        lead: format!(
            "{}. Each client shares keys with its neighbour. All clients and hubs are actors in one process.",
            clusters::words()
        ),
        x: "clients",
        x_name: |n| count(n as u64),
        panels: vec![Panel {
            title: "Time for a key",
            unit: "µs",
            costs: vec![Cost {
                name: "actors",
                points: medians(&growth.clients, Subject::Actors, |p| p.clients),
                bound: Bound::Constant,
            }],
        }],
        table: Table::of("clients", &growth.clients),
    }
}

fn shares(growth: &Growth) -> Figure {
    let panel = |title, unit, name, y: fn(&SharesPoint) -> Option<f64>| Panel {
        title,
        unit,
        costs: vec![constant(name, &growth.shares, |p| p.shares, y)],
    };
    Figure {
        id: "shares",
        title: "More shares held by a hub",
        lead: "Shares of 256-bit keys, 128 in a deposit. While the hub holds so many, 5,000 more are stored, handed out and \
               erased, one after the other. Memory is everything that the store adds to this process; a share itself has 80 bytes. \
               The steps are the same for any number of shares, but beyond the processor's caches some of them wait for memory."
            .to_owned(),
        x: "shares held",
        x_name: |n| short(n as u64),
        panels: vec![
            panel(
                "Time for a share, from deposit to erasure",
                "ns",
                "time",
                |p| Some(p.ns_per_share),
            ),
            panel("Memory for a share", "bytes", "memory", |p| {
                p.bytes_per_share
            }),
        ],
        table: Table::of("shares", &growth.shares),
    }
}

fn pools(growth: &Growth) -> Figure {
    let cost =
        |name, y: fn(&PoolPoint) -> Option<f64>| constant(name, &growth.pools, |p| p.pool_bytes, y);
    Figure {
        id: "pools",
        title: "Larger pools of pre-shared random data",
        lead: "A pool of up to 64 blocks. Each message takes 112 bytes: a MAC key, and the pad for the share of a 256-bit key. \
               Where blocks are small a message takes bytes from several, which costs more."
            .to_owned(),
        x: "bytes of the pool",
        x_name: bytes,
        panels: vec![
            Panel {
                title: "Time for a message",
                unit: "ns",
                costs: vec![
                    cost("allocate", |p| Some(p.ns_per_allocation)),
                    cost("look up and use up", |p| Some(p.ns_per_receipt)),
                ],
            },
            Panel {
                title: "Memory of one end",
                unit: "bytes for each byte",
                costs: vec![cost("memory for a byte", |p| p.memory_per_byte)],
            },
        ],
        table: Table::of("pools", &growth.pools),
    }
}

/// A cost that is to be constant, at the points that have a value.
fn constant<T>(
    name: &'static str,
    points: &[T],
    x: fn(&T) -> usize,
    y: fn(&T) -> Option<f64>,
) -> Cost {
    let points = points.iter().filter_map(|point| {
        let value = y(point)?;
        Some((x(point) as f64, Spread::of([value])?))
    });
    Cost {
        name,
        points: points.collect(),
        bound: Bound::Constant,
    }
}

/// The runs of a subject at each size.
fn medians(
    points: &[ClusterPoint],
    subject: Subject,
    size: fn(&ClusterPoint) -> usize,
) -> Vec<(f64, Spread)> {
    let points = || points.iter().filter(|point| point.subject == subject);
    let mut sizes: Vec<usize> = points().map(size).collect();
    sizes.sort_unstable();
    sizes.dedup();
    let at = |n: usize| Spread::of(points().filter(|p| size(p) == n).map(|p| p.us_per_key));
    let medians = sizes.into_iter().filter_map(|n| Some((n as f64, at(n)?)));
    medians.collect()
}

fn bytes(n: f64) -> String {
    let n = n as u64;
    match n {
        0..1_000 => format!("{n}"),
        1_000..1_000_000 => format!("{}k", n / 1_000),
        1_000_000..1_000_000_000 => format!("{}M", n / 1_000_000),
        _ => format!("{}G", n / 1_000_000_000),
    }
}
