//! Everything that was measured as tables.

use dske::load::report::Bucket;
use serde::Serialize;

use super::data::{Condition, Run, Throughput};
use super::plan::Part;
use crate::report::Table;

/// Folder of the CSV files, beside the page.
pub const FOLDER: &str = "throughput";

/// A row for each time that a condition was measured.
#[derive(Serialize)]
struct RunRow {
    part: Part,
    #[serde(flatten)]
    condition: Condition,
    repetition: usize,
    #[serde(flatten)]
    run: Run,
}

/// A bar of a distribution of latencies.
#[derive(Serialize)]
struct BucketRow {
    #[serde(flatten)]
    condition: Condition,
    repetition: usize,
    #[serde(flatten)]
    bucket: Bucket,
}

/// A piece of the CPU time of a key.
#[derive(Serialize)]
struct CpuRow<'a> {
    role: &'a str,
    category: &'a str,
    function: Option<&'a str>,
    us_per_key: f64,
}

/// The tables of all that was measured; those without rows are left out.
#[must_use]
pub fn tables(data: &Throughput) -> Vec<Table> {
    let all = [
        Table::of("runs", &runs(data)),
        Table::of("latencies", &buckets(data)),
        Table::of("memory", &data.memory),
        Table::of("cpu", &cpu(data)),
    ];
    all.into_iter().flatten().collect()
}

/// The rows of one part, for the page.
#[must_use]
pub fn part(data: &Throughput, part: Part) -> Option<Table> {
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
                // They have a table of their own.
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

fn cpu(data: &Throughput) -> Vec<CpuRow<'_>> {
    let mut rows = Vec::new();
    for role in data.profile.iter().flat_map(|profile| &profile.roles) {
        let categories = role.us_per_key.iter();
        rows.extend(categories.map(|(category, us_per_key)| CpuRow {
            role: &role.role,
            category,
            function: None,
            us_per_key: *us_per_key,
        }));
        rows.extend(role.functions.iter().map(|function| CpuRow {
            role: &role.role,
            category: &function.category,
            function: Some(&function.name),
            us_per_key: function.us_per_key,
        }));
    }
    rows
}
