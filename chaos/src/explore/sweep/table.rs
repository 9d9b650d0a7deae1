//! Figures as tables: a column for each field that the JSON has, under the same name.

use dske_report::Table;

use super::Sweep;

/// The tables of all that was measured.
#[must_use]
pub fn tables(sweep: &Sweep) -> Vec<Table> {
    let all = [
        Table::of("map", &sweep.map),
        Table::of("collusion", &sweep.collusion),
        Table::of("latency", &sweep.latency),
        Table::of("wan", &sweep.wan),
        Table::of("wan-links", &sweep.wan_links),
        Table::of("recovery", &sweep.recovery),
        Table::of("psrd", &sweep.psrd),
        Table::of("waste", &sweep.waste),
        Table::of("cost", &sweep.cost),
    ];
    all.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_measured_has_a_table() {
        assert!(tables(&Sweep::default()).is_empty());
    }
}
