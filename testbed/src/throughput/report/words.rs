//! Conditions as people write them.

use dske_report::text::count;

use crate::throughput::condition::Condition;

/// A number of bits.
pub(super) fn bits(bits: usize) -> String {
    match bits {
        0..1024 => format!("{bits}"),
        1024..0x10_0000 => format!("{}k", bits >> 10),
        _ => format!("{}M", bits >> 20),
    }
}

/// What each call asks for.
pub(super) fn keys_asked_for(condition: &Condition) -> String {
    let keys = match condition.keys_per_call {
        1 => "one key".to_owned(),
        n => format!("{n} keys"),
    };
    format!("{keys} of {} bits per call", bits(condition.size_bits))
}

/// The operations that a closed loop keeps in flight.
pub(super) fn concurrency(condition: &Condition) -> String {
    let concurrency = condition.concurrency;
    concurrency.map_or_else(|| "open loop".to_owned(), |n| count(n as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_numbers_of_bits_have_a_prefix() {
        assert_eq!(
            [256, 4096, 1 << 16, 1 << 20].map(bits),
            ["256", "4k", "64k", "1M"]
        );
    }
}
