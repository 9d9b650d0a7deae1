//! The report: `growth.json` and CSV files for machines, and one self-contained `growth.html` for people.

use std::path::{Path, PathBuf};

use super::clusters;
use super::data::{ClusterPoint, Growth, PoolPoint, SharesPoint};
use super::figure::{Bound, CONSTANT_MAX, Chart, Figure, LINEAR_MAX, Series};
use crate::throughput::data::Subject;
use crate::throughput::stats::Spread;
use dske_report::beside::{GROWTH, link};
use dske_report::text::{count, escape, seconds, short};
use dske_report::{ReportError, Table, check_writable, frame, replace, write_json};
use maud::PreEscaped;

/// Folder of the CSV files, beside the page.
pub(super) const FOLDER: &str = "growth";

/// Writes `growth.html`, `growth.json`, and a CSV file for each table, into `out_dir`. Gives the path of the page.
///
/// # Errors
/// [`ReportError`] names the path that could not be created or written.
pub fn write(out_dir: &Path, growth: &Growth) -> Result<PathBuf, ReportError> {
    let folder = out_dir.join(FOLDER);
    check_writable(&folder)?;
    write_json(&out_dir.join("growth.json"), growth)?;
    for table in tables(growth) {
        replace(&folder.join(format!("{}.csv", table.name)), &table.csv())?;
    }
    let page = out_dir.join(GROWTH.file);
    replace(&page, &html(growth))?;
    link(out_dir)?;
    Ok(page)
}

fn tables(growth: &Growth) -> Vec<Table> {
    let all = [
        Table::of("hubs", &growth.hubs),
        Table::of("clients", &growth.clients),
        Table::of("shares", &growth.shares),
        Table::of("pools", &growth.pools),
    ];
    all.into_iter().flatten().collect()
}

/// The whole report as one HTML page that loads nothing. The same data gives the same bytes.
#[must_use]
pub fn html(growth: &Growth) -> String {
    frame(
        "DSKE growth",
        &PreEscaped(banner(growth) + &section(growth) + &footer(growth)),
    )
    .into_string()
}

/// All figures, for a page of any name.
#[must_use]
pub fn section(growth: &Growth) -> String {
    figures(growth).iter().map(Figure::html).collect()
}

fn figures(growth: &Growth) -> Vec<Figure> {
    let mut tables = tables(growth);
    let mut table = |name| {
        let index = tables.iter().position(|table| table.name == name)?;
        Some(tables.swap_remove(index))
    };
    let lead = clusters::words();
    let shares = |y: fn(&SharesPoint) -> Option<f64>| curve(&growth.shares, |p| p.shares as f64, y);
    let pools = |y: fn(&PoolPoint) -> Option<f64>| curve(&growth.pools, |p| p.pool_bytes as f64, y);
    vec![
        Figure {
            id: "hubs",
            title: "More hubs",
            lead: format!("{lead}. Each mark is the median of its runs. Processes share this machine's cores, on which every hub is one more."),
            x: "hubs (N)",
            x_name: |n| count(n as u64),
            charts: vec![Chart {
                title: "Time for a key",
                unit: "µs",
                series: [("actors", Subject::Actors), ("processes, HTTP", Subject::Processes)]
                    .into_iter()
                    .map(|(name, subject)| Series {
                        name,
                        points: medians(&growth.hubs, subject, |p| usize::from(p.hubs)),
                        bound: Bound::Linear,
                    })
                    .collect(),
            }],
            table: table("hubs"),
        },
        Figure {
            id: "clients",
            title: "More clients",
            lead: format!("{lead}. Each client shares keys with its neighbour; all are actors in one process, and so are the hubs."),
            x: "clients",
            x_name: |n| count(n as u64),
            charts: vec![Chart {
                title: "Time for a key",
                unit: "µs",
                series: vec![Series {
                    name: "actors",
                    points: medians(&growth.clients, Subject::Actors, |p| p.clients),
                    bound: Bound::Constant,
                }],
            }],
            table: table("clients"),
        },
        Figure {
            id: "shares",
            title: "More shares held by a hub",
            lead: "Shares of 256-bit keys, 128 in a deposit. While so many are held, 5,000 more come, are handed out and are erased, one \
                   after the other. Memory is what the store adds to this process, all included; a share itself has 80 bytes. The steps are the same however many there are; beyond the processor's caches some of them wait for memory."
                .to_owned(),
            x: "shares held",
            x_name: |n| short(n as u64),
            charts: vec![
                Chart {
                    title: "Time for a share, from deposit to erasure",
                    unit: "ns",
                    series: vec![Series {
                        name: "time",
                        points: shares(|p| Some(p.ns_per_share)),
                        bound: Bound::Constant,
                    }],
                },
                Chart {
                    title: "Memory for a share",
                    unit: "bytes",
                    series: vec![Series {
                        name: "memory",
                        points: shares(|p| p.bytes_per_share),
                        bound: Bound::Constant,
                    }],
                },
            ],
            table: table("shares"),
        },
        Figure {
            id: "pools",
            title: "Larger pools of pre-shared random data",
            lead: "A pool of up to 64 blocks. Each message takes 112 bytes: a MAC key, and the pad for the share of a 256-bit key. Small \
                   blocks make it take several, which costs more."
                .to_owned(),
            x: "bytes of the pool",
            x_name: bytes,
            charts: vec![
                Chart {
                    title: "Time for a message",
                    unit: "ns",
                    series: vec![
                        Series {
                            name: "allocate",
                            points: pools(|p| Some(p.ns_per_allocation)),
                            bound: Bound::Constant,
                        },
                        Series {
                            name: "look up and use up",
                            points: pools(|p| Some(p.ns_per_receipt)),
                            bound: Bound::Constant,
                        },
                    ],
                },
                Chart {
                    title: "Memory of one end",
                    unit: "bytes for each byte",
                    series: vec![Series {
                        name: "memory for a byte",
                        points: pools(|p| p.memory_per_byte),
                        bound: Bound::Constant,
                    }],
                },
            ],
            table: table("pools"),
        },
    ]
}

/// The points that have a value.
fn curve<T>(points: &[T], x: impl Fn(&T) -> f64, y: impl Fn(&T) -> Option<f64>) -> Vec<(f64, f64)> {
    points.iter().filter_map(|p| Some((x(p), y(p)?))).collect()
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

/// The median of the runs at each size.
fn medians(
    points: &[ClusterPoint],
    subject: Subject,
    size: fn(&ClusterPoint) -> usize,
) -> Vec<(f64, f64)> {
    let points = || points.iter().filter(|point| point.subject == subject);
    let mut sizes: Vec<usize> = points().map(size).collect();
    sizes.sort_unstable();
    sizes.dedup();
    let at = |n: usize| Spread::of(points().filter(|p| size(p) == n).map(|p| p.us_per_key));
    let medians = sizes
        .into_iter()
        .filter_map(|n| Some((n as f64, at(n)?.median)));
    medians.collect()
}

fn banner(growth: &Growth) -> String {
    let figures = figures(growth);
    let within = |series: &&Series| series.slope().is_none_or(|s| series.bound.allows(s));
    let (all, kept) = (
        figures.iter().flat_map(Figure::series).count(),
        figures
            .iter()
            .flat_map(Figure::series)
            .filter(within)
            .count(),
    );
    let failed: u64 = growth
        .hubs
        .iter()
        .chain(&growth.clients)
        .map(|p| p.failed)
        .sum();
    let (class, sign) = if kept == all && failed == 0 {
        ("held", "✓")
    } else {
        ("weak", "!")
    };
    let failures = match failed {
        0 => String::new(),
        failed => format!(" {} calls failed while it was measured.", count(failed)),
    };
    format!(
        r#"<header class="verdict {class}"><p class="kicker">DSKE growth · dske {version} · {started}</p>
<h1><span class="sign" aria-hidden="true">{sign}</span> {kept} of {all} costs grow no faster than they may</h1>
<p>Linear in the number of hubs, since each of them gets its share; constant in everything else.{failures} A <b>slope</b> is the power
with which a cost grows: 1 is linear, 0 is constant. Up to {LINEAR_MAX} counts as linear and up to {CONSTANT_MAX} as constant.</p></header>
"#,
        version = escape(&growth.version),
        started = escape(&growth.started),
    )
}

fn footer(growth: &Growth) -> String {
    format!(
        r#"<footer><h2>How to read this</h2>
<p>Both axes of all charts are logarithmic: what is proportional is a straight line that rises by as much as it goes to the right, what
is constant is a level one. All numbers are in <code>growth.json</code> and, as CSV, in the directory <code>{FOLDER}</code> beside this
page.</p>
<p>The same again: <code>{command}</code></p>
<p class="digest">dske {version} · {cpu}, {cores} cores, {kernel} · {started} · {wall}</p></footer>"#,
        command = escape(&growth.command),
        version = escape(&growth.version),
        cpu = escape(&growth.machine.cpu),
        cores = growth.machine.cores,
        kernel = escape(&growth.machine.kernel),
        started = escape(&growth.started),
        wall = seconds(growth.wall_s),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::throughput::data::Machine;

    fn growth(time: fn(f64) -> f64) -> Growth {
        let cluster = |hubs: u8, clients: usize, us_per_key: f64| ClusterPoint {
            subject: Subject::Actors,
            hubs,
            clients,
            us_per_key,
            failed: 0,
        };
        Growth {
            version: "1.2.3".to_owned(),
            command: "cargo bench --bench growth".to_owned(),
            started: "today".to_owned(),
            machine: Machine {
                cpu: "a <fast> one".to_owned(),
                cores: 2,
                kernel: "Linux".to_owned(),
            },
            wall_s: 1.0,
            hubs: vec![
                cluster(3, 2, 30.0),
                cluster(3, 2, 50.0),
                cluster(30, 2, 400.0),
            ],
            clients: vec![cluster(5, 2, 70.0), cluster(5, 200, 71.0)],
            shares: [1, 10_000, 1_000_000]
                .map(|shares| SharesPoint {
                    shares,
                    ns_per_share: time(shares as f64),
                    bytes_per_share: (shares > 1).then_some(250.0),
                })
                .to_vec(),
            pools: [1 << 10, 1 << 30]
                .map(|pool_bytes| PoolPoint {
                    pool_bytes,
                    blocks: 64,
                    ns_per_allocation: 100.0,
                    ns_per_receipt: 200.0,
                    memory_per_byte: None,
                })
                .to_vec(),
        }
    }

    #[test]
    fn what_grows_too_fast_is_told() {
        let good = html(&growth(|_| 500.0));
        assert!(good.contains("8 of 8 costs"), "{good}");
        assert!(good.contains("actors: from 40 to 400, slope <b>1</b>, no worse than linear"));
        assert!(good.contains("a &lt;fast&gt; one"));
        let bad = html(&growth(|n| 500.0 * n.powf(0.5)));
        assert!(bad.contains("7 of 8 costs"));
        assert!(bad.contains("slope <b>0.5</b>, <b>worse than constant</b>"));
    }

    #[test]
    fn nothing_measured_is_an_empty_page_and_no_panic() {
        let mut empty = growth(|_| 1.0);
        (empty.hubs, empty.clients) = (Vec::new(), Vec::new());
        (empty.shares, empty.pools) = (Vec::new(), Vec::new());
        assert!(html(&empty).contains("too few points to tell"));
    }
}
