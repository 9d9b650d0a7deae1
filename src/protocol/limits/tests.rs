//! Tests of the limits.

use super::*;
use crate::psrd::BLOCK_BYTES_MIN;

/// With a comma before every three digits.
fn count(number: usize) -> String {
    let digits = number.to_string();
    let mut shown = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

fn bytes(number: usize) -> String {
    match number {
        _ if number.is_multiple_of(1 << 30) => format!("{} GiB", number >> 30),
        _ if number.is_multiple_of(1 << 20) => format!("{} MiB", number >> 20),
        _ => count(number),
    }
}

/// What the table of limits says about something.
fn stated(what: &str) -> &'static str {
    let specification = include_str!("../../../docs/protocol.md");
    let start = format!("| {what} | ");
    let mut rows = specification.lines();
    let row = rows.find_map(|row| row.strip_prefix(&start)).expect(what);
    row.split_once(" | ").expect(what).0
}

#[test]
fn limits_are_those_of_the_specification() {
    let node = NodeLimits::default();
    for (what, limits) in [
        ("bytes of a key", vec![count(KEY_BYTES_MAX)]),
        (
            "operations in a batch",
            vec![count(OPERATIONS_PER_BATCH_MAX)],
        ),
        ("keys in an operation", vec![count(KEYS_PER_MESSAGE_MAX)]),
        ("slave SAEs of a key", vec![count(SLAVE_SAES_MAX)]),
        ("bytes of a body", vec![bytes(BODY_BYTES_MAX)]),
        (
            "keys in an answer",
            vec![
                format!("counted as {} bytes", count(JSON_BYTES_PER_KEY_MAX)),
                format!(": {} of 1 Mbit", keys_per_answer(KEY_BYTES_MAX)),
            ],
        ),
        (
            "blocks in a pool",
            vec![count(BLOCKS_MAX), bytes(POOL_BYTES_MAX)],
        ),
        (
            "bytes of a block",
            vec![count(BLOCK_BYTES_MIN), bytes(BLOCK_BYTES_MAX)],
        ),
        (
            "spans of used bytes that are remembered for a block",
            vec![count(node.spans_max)],
        ),
        (
            "blocks that are gone and remembered",
            vec![count(node.remembered_max)],
        ),
        ("fragments in an allocation", vec![count(FRAGMENTS_MAX)]),
        (
            "shares of a hub",
            vec![count(SHARES_MAX), bytes(SHARE_BYTES_MAX)],
        ),
        ("attempts of an exchange", vec![ATTEMPTS_MAX.to_string()]),
        (
            "exchanges of a client with a hub in flight",
            vec![count(node.exchanges_max), bytes(node.exchange_bytes_max)],
        ),
        (
            "subsets tried in a call",
            vec![count(node.subsets_max), bytes(node.search_bytes_max)],
        ),
        (
            "calls of a client in flight",
            vec![count(node.calls_max), bytes(node.call_bytes_max)],
        ),
    ] {
        for limit in limits {
            assert!(stated(what).contains(&limit), "{what}: {limit}");
        }
    }
    assert_eq!(stated("wrong MACs on a block"), "2^32");
    assert_eq!(node.mac_failures_max, 1 << 32);
}

#[test]
fn a_pool_is_bounded_by_its_bytes_too() {
    assert_eq!(blocks_max(BLOCK_BYTES_MIN), BLOCKS_MAX);
    assert_eq!(blocks_max(POOL_BYTES_MAX / BLOCKS_MAX), BLOCKS_MAX);
    assert_eq!(blocks_max(POOL_BYTES_MAX / BLOCKS_MAX + 1), BLOCKS_MAX - 1);
    assert_eq!(blocks_max(BLOCK_BYTES_MAX), 16);
}

#[test]
fn a_pool_has_the_limits_of_its_node() {
    let pool = PoolLimits {
        mac_failures_max: 1,
        spans_max: 2,
        remembered_max: 3,
    };
    let node = NodeLimits {
        mac_failures_max: 1,
        spans_max: 2,
        remembered_max: 3,
        ..NodeLimits::default()
    };
    assert_eq!(node.pool(), pool);
}

#[test]
fn ways_to_choose_are_counted() {
    assert_eq!([choose(10, 5), choose(4, 1), choose(3, 3)], [252, 4, 1]);
}

#[test]
fn as_many_keys_are_asked_for_at_once_as_an_answer_carries() {
    for key_bytes in (1..=KEY_BYTES_MAX).step_by(97) {
        let most = keys_per_answer(key_bytes);
        let takes = |keys| answer_bytes(std::iter::repeat_n(key_bytes, keys));
        assert!(takes(most) <= BODY_BYTES_MAX, "{most} of {key_bytes} bytes");
        assert!(takes(most + 1) > BODY_BYTES_MAX, "{key_bytes} bytes");
        for keys in [0, 1, 5] {
            assert_eq!(json_bytes(keys, key_bytes), takes(keys));
        }
    }
}
