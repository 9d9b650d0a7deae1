//! Polynomials that are uniform, and some that are not, each in its own way.

use rand::rngs::ChaCha12Rng;
use rand::{Rng, RngExt, SeedableRng};

use super::*;

/// Bytes of each secret.
const LENGTH: usize = 80;

/// Makes the coefficients of one key: a row of bytes for each degree from 0 on.
type Draw<'a> = &'a mut dyn FnMut(&mut ChaCha12Rng, usize) -> Vec<Vec<u8>>;

fn bytes(rng: &mut ChaCha12Rng) -> Vec<u8> {
    let mut bytes = vec![0; LENGTH];
    rng.fill_bytes(&mut bytes);
    bytes
}

fn uniform(rng: &mut ChaCha12Rng) -> Vec<Vec<u8>> {
    (0..3).map(|_| bytes(rng)).collect()
}

/// So many calls for two keys each, with K = 3. The draw is told the number of the key.
fn keys(calls: usize, draw: Draw<'_>) -> Vec<Polynomials> {
    let mut rng = ChaCha12Rng::seed_from_u64(7);
    let keys = (0..2 * calls).map(|number| Polynomials {
        key: format!("number {number}"),
        call: number as u64 / 2,
        degrees: draw(&mut rng, number),
    });
    keys.collect()
}

fn found(calls: usize, draw: Draw<'_>) -> Vec<String> {
    let found = judge(&keys(calls, draw)).found;
    found.iter().map(ToString::to_string).collect()
}

/// Passes if exactly these are found, each by a part of what it says.
#[track_caller]
fn must_find(calls: usize, expected: &[&str], draw: Draw<'_>) {
    let found = found(calls, draw);
    let all = expected.iter().zip(&found).all(|(e, f)| f.contains(e));
    assert!(all && found.len() == expected.len(), "{found:#?}");
}

#[test]
fn uniform_polynomials_are_right_and_every_eye_looks_at_them() {
    for calls in [1, 2, 30, 130, 500] {
        assert_eq!(found(calls, &mut |rng, _| uniform(rng)), [""; 0]);
    }
    let evaluated = |calls| judge(&keys(calls, &mut |rng, _| uniform(rng))).evaluated;
    // Two keys: 160 places hold groups of 25 bits and some more; their pieces.
    let of_two = evaluated(1);
    assert!((5..=7).contains(&of_two), "{of_two}");
    // With many: 3 degrees, 3 pairs of them, 10 stretches of 8 bytes, and very many groups.
    assert!(evaluated(130) > of_two * 130 + 16);
    assert_eq!(judge(&[]), Judged::default());
}

#[test]
fn the_value_zero_has_to_occur_in_every_degree() {
    for degree in 0..3 {
        let why = format!("of degree {degree} are not uniform: the value 0 never occurs");
        must_find(130, &[&why], &mut |rng, _| {
            let mut degrees = uniform(rng);
            let zeros = degrees[degree].iter_mut().filter(|byte| **byte == 0);
            zeros.for_each(|byte| *byte = rng.random_range(1..=255));
            degrees
        });
    }
}

#[test]
fn values_that_occur_too_often_are_seen() {
    let found = found(130, &mut |rng, _| {
        let mut degrees = uniform(rng);
        // The remainder of a larger range: half of the values twice as often.
        let draw = |byte: &mut u8| *byte = (rng.random_range(0..384_u32) % 256) as u8;
        degrees[1].iter_mut().for_each(draw);
        degrees
    });
    assert!(found[0].contains("of degree 1 are not uniform: chi-square is"));
}

#[test]
fn two_equal_degrees_are_seen_in_one_key() {
    let equal = &mut |rng: &mut ChaCha12Rng, _: usize| {
        let mut degrees = uniform(rng);
        degrees[2] = degrees[1].clone();
        degrees
    };
    let rank =
        "bits of the polynomial of a byte depend on each other: 89 rows of 25 bits have rank 17";
    let twice = "16 bytes were drawn twice: for degree 1 of key number 0, from byte 0 on and for degree 2 of key \
        number 0, from byte 0 on";
    must_find(1, &[rank, twice], equal);
    let pair = "degrees 1 and 2 depend on each other: bits 0xff and 0xff of them have the same sum 20800 times of 20800";
    must_find(130, &[pair, rank, twice], equal);
}

#[test]
fn a_coefficient_that_is_made_of_the_secret_is_seen() {
    // Turned by one bit, and the constant 99 added: nothing repeats.
    let made = |secret: &u8| secret.rotate_left(1) ^ 99;
    must_find(1, &["of the polynomial of a byte"], &mut |rng, _| {
        let mut degrees = uniform(rng);
        degrees[2] = degrees[0].iter().map(made).collect();
        degrees
    });
}

#[test]
fn a_function_of_another_degree_is_seen_though_it_is_not_linear_and_holds_in_some_keys_only() {
    let mut shuffled: Vec<u8> = (0..=255).collect();
    let mut rng = ChaCha12Rng::seed_from_u64(9);
    for last in (1..256).rev() {
        shuffled.swap(last, rng.random_range(0..=last));
    }
    for (calls, every) in [(130, 1), (500, 2)] {
        must_find(
            calls,
            &["degrees 0 and 2 depend on each other"],
            &mut |rng, number| {
                let mut degrees = uniform(rng);
                if number % every == 0 {
                    degrees[2] = degrees[0]
                        .iter()
                        .map(|byte| shuffled[usize::from(*byte)])
                        .collect();
                }
                degrees
            },
        );
    }
}

#[test]
fn three_degrees_that_add_up_are_seen_though_no_two_of_them_depend_on_each_other() {
    must_find(130, &["89 rows of 25 bits have rank 17"], &mut |rng, _| {
        let mut degrees = uniform(rng);
        degrees[2] = (0..LENGTH)
            .map(|at| degrees[0][at] ^ degrees[1][at])
            .collect();
        degrees
    });
}

#[test]
fn the_same_coefficients_for_all_keys_of_a_call_are_seen() {
    let mut first = None;
    let draw = &mut |rng: &mut ChaCha12Rng, number: usize| {
        let mut degrees = uniform(rng);
        if number.is_multiple_of(2) {
            first = Some(degrees[1..].to_vec());
        } else if let Some(first) = &first {
            degrees[1..].clone_from_slice(first);
        }
        degrees
    };
    let twice = "for degree 1 of key number 0, from byte 0 on and for degree 1 of key number 1, from byte 0 on";
    must_find(1, &[twice], draw);
    must_find(2, &["bits of two keys of a call", twice], draw);
}

#[test]
fn keys_that_go_on_from_the_one_before_are_seen() {
    for (odd, of) in [
        (1, "bits of two keys of a call"),
        (0, "bits of keys of two calls"),
    ] {
        let mut before: Option<Vec<u8>> = None;
        must_find(10, &[of], &mut |rng, number| {
            let mut degrees = uniform(rng);
            if let Some(before) = &before
                && number % 2 == odd
            {
                degrees[1] = before.iter().map(|byte| byte.rotate_left(3) ^ 1).collect();
            }
            before = Some(degrees[2].clone());
            degrees
        });
    }
}

#[test]
fn places_that_depend_on_their_neighbours_are_seen_over_many_keys() {
    must_find(
        130,
        &["bits of the polynomials of 8 bytes from byte 56 on"],
        &mut |rng, _| {
            let mut degrees = uniform(rng);
            degrees[1][58] = degrees[1][57].rotate_left(1) ^ degrees[0][61];
            degrees
        },
    );
}

#[test]
fn a_copy_is_seen_wherever_it_begins() {
    for (degree, at) in [(0, 1), (1, 7), (2, 49)] {
        let mut copied = Vec::new();
        must_find(
            3,
            &["16 bytes were drawn twice: for degree 2 of key number 1"],
            &mut |rng, number| {
                let mut degrees = uniform(rng);
                match number {
                    1 => copied = degrees[2][5..36].to_vec(),
                    4 => degrees[degree][at..at + 31].copy_from_slice(&copied),
                    _ => {}
                }
                degrees
            },
        );
    }
}
