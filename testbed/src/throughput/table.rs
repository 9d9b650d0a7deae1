//! The measured data as tables.

use dske_report::Table;
use serde::Serialize;

use super::condition::Condition;
use super::data::{Run, Throughput};
use super::plan::Part;
use crate::latencies::Bucket;

/// Folder of the CSV files, beside the page.
pub(super) const FOLDER: &str = "throughput";

/// A row for each run.
#[derive(Serialize)]
struct RunRow {
    part: Part,
    #[serde(flatten)]
    condition: Condition,
    repetition: usize,
    #[serde(flatten)]
    run: Run,
}

/// A bar of a histogram of latencies.
#[derive(Serialize)]
struct BucketRow {
    #[serde(flatten)]
    condition: Condition,
    repetition: usize,
    #[serde(flatten)]
    bucket: Bucket,
}

/// A part of the CPU time of a key.
#[derive(Serialize)]
pub(super) struct CpuRow<'a> {
    keys_per_call: usize,
    size_bits: usize,
    role: &'a str,
    category: &'a str,
    function: Option<&'a str>,
    us_per_key: f64,
}

/// All tables that have rows.
pub(super) fn tables(data: &Throughput) -> Vec<Table> {
    let all = [
        Table::of("runs", &runs(data)),
        Table::of("latencies", &buckets(data)),
        Table::of("memory", &data.memory),
        Table::of("cpu", &cpu(data)),
    ];
    all.into_iter().flatten().collect()
}

/// The runs of one part, for the page.
pub(super) fn part(data: &Throughput, part: Part) -> Option<Table> {
    let rows = runs(data).into_iter().filter(|row| row.part == part);
    Table::of("runs", &rows.collect::<Vec<_>>())
}

fn runs(data: &Throughput) -> Vec<RunRow> {
    let mut rows = Vec::new();
    for measured in &data.measured {
        for (i, run) in measured.runs.iter().enumerate() {
            rows.push(RunRow {
                part: measured.part,
                condition: measured.condition,
                repetition: i + 1,
                // Buckets have a table of their own.
                run: Run {
                    buckets: Vec::new(),
                    ..run.clone()
                },
            });
        }
    }
    rows
}

fn buckets(data: &Throughput) -> Vec<BucketRow> {
    let mut rows = Vec::new();
    for measured in &data.measured {
        for (i, run) in measured.runs.iter().enumerate() {
            rows.extend(run.buckets.iter().map(|bucket| BucketRow {
                condition: measured.condition,
                repetition: i + 1,
                bucket: *bucket,
            }));
        }
    }
    rows
}

pub(super) fn cpu(data: &Throughput) -> Vec<CpuRow<'_>> {
    let mut rows = Vec::new();
    for profile in &data.profiles {
        let Condition {
            keys_per_call,
            size_bits,
            ..
        } = profile.condition;
        for role in &profile.roles {
            let row = |category, function, us_per_key| CpuRow {
                keys_per_call,
                size_bits,
                role: &role.role,
                category,
                function,
                us_per_key,
            };
            let categories = role.us_per_key.iter();
            rows.extend(categories.map(|(category, us)| row(category, None, *us)));
            let functions = role.functions.iter();
            rows.extend(functions.map(|f| row(&f.category, Some(f.name.as_str()), f.us_per_key)));
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::super::data::{Held, Measured};
    use super::super::plan::BASE;
    use super::*;
    use crate::measure::Provenance;

    fn data() -> Throughput {
        let run = Run {
            keys: 3,
            first_error: Some("a, \"b\"".to_owned()),
            buckets: vec![Bucket {
                up_to_us: 5,
                count: 3,
            }],
            ..Run::default()
        };
        Throughput {
            provenance: Provenance::sample(),
            measured: vec![Measured {
                part: Part::Latency,
                condition: BASE,
                runs: vec![run.clone(), run],
            }],
            memory: vec![Held {
                shares: 1,
                rss_bytes: 2,
            }],
            profiles: Vec::new(),
            left_out: Vec::new(),
        }
    }

    #[test]
    fn every_run_is_a_row_with_its_condition_and_buckets_are_apart() {
        let tables = tables(&data());
        let names: Vec<&str> = tables.iter().map(|table| table.name).collect();
        assert_eq!(names, ["runs", "latencies", "memory"]);
        let csv = tables[0].csv();
        let lines: Vec<&str> = csv.split("\r\n").collect();
        assert_eq!(lines.len(), 4, "{csv}");
        assert!(lines[0].starts_with("part,subject,hubs,threshold,trouble,size_bits"));
        assert!(!lines[0].contains("buckets"));
        assert!(lines[2].starts_with("latency,processes,5,3,none,256,1,32,,,2,"));
        assert!(lines[1].contains("\"a, \"\"b\"\"\""));
        assert_eq!(tables[1].csv().lines().count(), 3);
        assert_eq!(tables[2].csv(), "shares,rss_bytes\r\n1,2\r\n");
    }

    #[test]
    fn a_part_has_its_own_rows_only() {
        assert!(part(&data(), Part::Limit).is_none());
        assert_eq!(part(&data(), Part::Latency).unwrap().rows.len(), 2);
    }
}
