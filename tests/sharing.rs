//! Secrecy and robustness of sharing. The tests are exhaustive where that is possible, and by construction everywhere. The
//! biased `sharks` 0.5.0 is the negative control, which the same check has to catch.
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeSet;

use common::{Tape, coefficients};
use dske::crypto::gf256::mul;
use dske::crypto::key_tag::{KeyTag, TAG_SECRET_BYTES};
use dske::crypto::robust::{
    Method, ReconstructError, Search, SearchBudget, Step, Work, name_culprits, reconstruct,
};
use dske::crypto::secret::Secret;
use dske::crypto::shamir::{
    Share, ShareIndex, Sharing, SharingError, WINDOW_BYTES, recover, split,
};
use proptest::prelude::*;
use rand::rngs::ChaCha12Rng;
use rand::{Rng, RngExt, SeedableRng};
use sharks::Sharks;

const BUDGET: usize = 2_000;

fn x(index: u8) -> ShareIndex {
    ShareIndex::new(index).unwrap()
}

/// How often each value of the shares at `indices` occurs in dealings of one secret byte.
fn counts(dealings: impl Iterator<Item = Vec<Share>>, indices: &[u8]) -> Vec<u32> {
    let mut counts = vec![0; 256usize.pow(indices.len() as u32)];
    for shares in dealings {
        let value = indices.iter().fold(0, |value, index| {
            let share = shares.iter().find(|share| share.x.get() == *index).unwrap();
            value * 256 + usize::from(share.y[0])
        });
        counts[value] += 1;
    }
    counts
}

/// The dealings of one byte with every choice of coefficients, by the production code.
fn all_dealings(secret: u8, threshold: u8, shares: u8) -> impl Iterator<Item = Vec<Share>> {
    let sharing = Sharing::new(threshold, shares).unwrap();
    let degrees = u32::from(threshold) - 1;
    (0..256u32.pow(degrees)).map(move |coefficients| {
        let bytes = coefficients.to_le_bytes()[..degrees as usize].to_vec();
        let mut tape = Tape::new(bytes);
        let shares = split(&[secret], sharing, &mut tape);
        assert!(tape.is_used_up());
        shares
    })
}

#[test]
fn a_long_secret_is_split_window_by_window() {
    let length = 2 * WINDOW_BYTES + 77;
    let (mut secret, mut drawn) = (vec![0; length], vec![0; 2 * length]);
    let mut rng = ChaCha12Rng::seed_from_u64(3);
    rng.fill_bytes(&mut secret);
    rng.fill_bytes(&mut drawn);
    let mut tape = Tape::new(drawn.clone());
    let shares = split(&secret, Sharing::new(3, 5).unwrap(), &mut tape);
    assert!(tape.is_used_up());
    for start in (0..length).step_by(WINDOW_BYTES) {
        let window = WINDOW_BYTES.min(length - start);
        let (first, second) = drawn[2 * start..][..2 * window].split_at(window);
        for share in &shares {
            let x = share.x.get();
            for i in 0..window {
                let expected = secret[start + i] ^ mul(first[i], x) ^ mul(second[i], mul(x, x));
                assert_eq!(share.y[start + i], expected, "x = {x}, byte {}", start + i);
            }
        }
    }
    assert_eq!(*recover(&shares[2..], 3).unwrap(), secret);
}

#[test]
fn one_share_of_threshold_two_takes_every_value_once_whatever_the_secret() {
    for secret in 0..=255 {
        for index in 1..=5 {
            let counts = counts(all_dealings(secret, 2, 5), &[index]);
            assert!(
                counts.iter().all(|count| *count == 1),
                "secret {secret}, share {index}"
            );
        }
    }
}

#[test]
fn two_shares_of_threshold_three_take_every_pair_of_values_once_whatever_the_secret() {
    for secret in [0, 1, 0x53, 255] {
        for pair in [[1, 2], [1, 5], [2, 3], [3, 5], [4, 5]] {
            let counts = counts(all_dealings(secret, 3, 5), &pair);
            assert!(
                counts.iter().all(|count| *count == 1),
                "secret {secret}, shares {pair:?}"
            );
        }
    }
}

/// The largest deviation of the counts from their mean, in standard deviations of a uniform draw.
fn deviation(counts: &[u32]) -> f64 {
    let total: u32 = counts.iter().sum();
    let mean = f64::from(total) / counts.len() as f64;
    counts
        .iter()
        .map(|count| (f64::from(*count) - mean).abs() / mean.sqrt())
        .fold(0.0, f64::max)
}

#[test]
fn the_same_count_catches_sharks_and_not_us() {
    const DEALINGS: usize = 100_000;
    let secret = 0x42;
    let theirs = (0..DEALINGS).map(|_| {
        let share = Sharks(2).dealer(&[secret]).next().unwrap();
        let bytes = Vec::from(&share);
        vec![Share {
            x: x(bytes[0]),
            y: Secret::from(vec![bytes[1]]),
        }]
    });
    let theirs = counts(theirs, &[1]);
    assert_eq!(
        theirs[usize::from(secret)],
        0,
        "a share of sharks 0.5.0 never equals the secret"
    );
    assert!(deviation(&theirs) > 15.0, "{}", deviation(&theirs));
    let mut rng = ChaCha12Rng::seed_from_u64(1);
    let sharing = Sharing::new(2, 2).unwrap();
    let ours = counts(
        (0..DEALINGS).map(|_| split(&[secret], sharing, &mut rng)),
        &[1],
    );
    assert!(deviation(&ours) < 5.0, "{}", deviation(&ours));
}

/// Parameters, a secret of some length, and a seed.
fn dealing() -> impl Strategy<Value = (Sharing, Vec<u8>, u64)> {
    (
        2u8..=12,
        0u8..=12,
        prop::collection::vec(any::<u8>(), 1..80),
        any::<u64>(),
    )
        .prop_map(|(k, spare, secret, seed)| (Sharing::new(k, k + spare).unwrap(), secret, seed))
}

fn some_of(count: usize, shares: &[Share], rng: &mut ChaCha12Rng) -> Vec<Share> {
    let mut all = shares.to_vec();
    let mut chosen = Vec::new();
    for _ in 0..count {
        chosen.push(all.swap_remove(rng.random_range(0..all.len())));
    }
    chosen
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_other_secret_explains_the_same_shares_if_one_is_missing((sharing, secret, seed) in dealing()) {
        let mut rng = ChaCha12Rng::seed_from_u64(seed);
        let shares = split(&secret, sharing, &mut rng);
        let known = some_of(usize::from(sharing.threshold()) - 1, &shares, &mut rng);
        let mut other = secret.clone();
        rng.fill_bytes(&mut other);
        // The production code runs with the polynomial through the known shares that has the other secret at zero.
        let points: Vec<(u8, Vec<u8>)> = known.iter().map(|share| (share.x.get(), share.y.to_vec())).collect();
        let mut tape = Tape::new(coefficients(&other, &points, points.len()));
        let again = split(&other, sharing, &mut tape);
        prop_assert!(tape.is_used_up());
        for share in &known {
            let same = again.iter().find(|s| s.x == share.x).unwrap();
            prop_assert_eq!(&same.y, &share.y);
        }
    }

    #[test]
    fn any_threshold_of_shares_recover_and_fewer_do_not((sharing, secret, seed) in dealing()) {
        let mut rng = ChaCha12Rng::seed_from_u64(seed);
        let shares = split(&secret, sharing, &mut rng);
        let k = sharing.threshold();
        let enough = some_of(k.into(), &shares, &mut rng);
        prop_assert_eq!(&*recover(&enough, k).unwrap(), &secret);
        let too_few = recover(&enough[1..], k).unwrap_err();
        prop_assert_eq!(too_few, SharingError::TooFewShares { needed: k, got: usize::from(k) - 1 });
    }

    #[test]
    fn sharks_recovers_ours_and_we_recover_sharks((sharing, secret, seed) in dealing()) {
        let mut rng = ChaCha12Rng::seed_from_u64(seed);
        let k = sharing.threshold();
        let ours = some_of(k.into(), &split(&secret, sharing, &mut rng), &mut rng);
        let as_theirs: Vec<sharks::Share> = ours.iter().map(|share| {
            let bytes: Vec<u8> = std::iter::once(share.x.get()).chain(share.y.iter().copied()).collect();
            sharks::Share::try_from(bytes.as_slice()).unwrap()
        }).collect();
        prop_assert_eq!(Sharks(k).recover(&as_theirs).unwrap(), secret.clone());
        let theirs: Vec<Share> = Sharks(k).dealer(&secret).take(k.into()).map(|share| {
            let bytes = Vec::from(&share);
            Share { x: x(bytes[0]), y: Secret::from(bytes[1..].to_vec()) }
        }).collect();
        prop_assert_eq!(&*recover(&theirs, k).unwrap(), &secret);
    }

    #[test]
    fn wrong_shares_are_detected_corrected_and_named(
        (sharing, key, seed) in dealing(),
        liars in 0usize..=4,
    ) {
        let mut rng = ChaCha12Rng::seed_from_u64(seed);
        let mut secret = vec![0; TAG_SECRET_BYTES];
        rng.fill_bytes(&mut secret);
        secret.extend_from_slice(&key);
        let tag = KeyTag::compute(&secret[..TAG_SECRET_BYTES], &key);
        let mut shares = split(&secret, sharing, &mut rng);
        let (n, k) = (usize::from(sharing.shares()), usize::from(sharing.threshold()));
        let liars = liars.min(n - 1);
        let mut wrong = BTreeSet::new();
        while wrong.len() < liars {
            let index = rng.random_range(0..n);
            if wrong.insert(shares[index].x) {
                let at = rng.random_range(0..secret.len());
                shares[index].y[at] ^= rng.random_range(1..=255u8);
            }
        }
        let fits = |candidate: &[u8]| tag.fits(candidate);
        let found = reconstruct(&shares, k as u8, &fits, &mut rng, &mut subsets(BUDGET));
        match found {
            Ok(mut found) => {
                prop_assert_eq!(&*found.secret, &secret, "the tag fits the right secret only");
                // Wrong shares may cancel each other at zero: it takes so many right ones to tell beyond doubt who is wrong.
                name_culprits(&shares, &mut found, &mut rng);
                let culprits: BTreeSet<_> = found.culprits.iter().copied().collect();
                if n - liars >= k.max(2 * k - 2) && liars < k {
                    prop_assert_eq!(&culprits, &wrong);
                    prop_assert!(shares.iter().all(|s| found.off.contains(&s.x) == wrong.contains(&s.x)));
                } else if liars < k {
                    prop_assert!(culprits.is_subset(&wrong), "{culprits:?} of {wrong:?}");
                }
                if wrong.is_empty() {
                    prop_assert_eq!(found.method, Method::FirstShares);
                }
            }
            Err(ReconstructError::NoFit { .. }) => {
                // Only where too few shares are right, or the budget does not allow all subsets.
                let located = liars <= (n - k) / 2;
                prop_assert!(!located, "{liars} of {n} wrong, {k} needed");
                prop_assert!(n - liars < k || binomial(n, k) > BUDGET as f64);
            }
            Err(error) => prop_assert!(false, "{}", error),
        }
    }

    #[test]
    fn odd_shares_are_errors_and_never_panic(
        lengths in prop::collection::vec((1u8..=5, 0usize..60), 0..8),
        threshold in 0u8..=6,
    ) {
        let shares: Vec<Share> =
            lengths.iter().map(|(index, length)| Share { x: x(*index), y: Secret::from(vec![7; *length]) }).collect();
        let mut rng = ChaCha12Rng::seed_from_u64(1);
        let fits = |_: &[u8]| false;
        prop_assert!(reconstruct(&shares, threshold, &fits, &mut rng, &mut subsets(50)).is_err());
        let _ = recover(&shares, threshold);
    }
}

/// A budget of so many subsets, however long the shares are.
fn subsets(subsets: usize) -> SearchBudget {
    let bytes = usize::MAX;
    SearchBudget::new(Work { subsets, bytes })
}

fn binomial(n: usize, k: usize) -> f64 {
    (0..k).fold(1.0, |product, i| product * (n - i) as f64 / (i + 1) as f64)
}

#[test]
fn up_to_half_of_the_surplus_is_located_at_once_wherever_it_is() {
    let mut rng = ChaCha12Rng::seed_from_u64(5);
    let sharing = Sharing::new(3, 9).unwrap();
    // Every set of one to three wrong shares out of nine, in short and in long secrets. No search is allowed.
    let sets = (1u32..1 << 9).filter(|set| set.count_ones() <= 3);
    for (wrong, length) in sets.flat_map(|set| [60, 700].map(|length| (set, length))) {
        let mut secret = vec![0; length];
        rng.fill_bytes(&mut secret);
        let tag = KeyTag::compute(&secret[..TAG_SECRET_BYTES], &secret[TAG_SECRET_BYTES..]);
        let mut shares = split(&secret, sharing, &mut rng);
        for (index, share) in shares
            .iter_mut()
            .enumerate()
            .filter(|(i, _)| wrong >> i & 1 == 1)
        {
            share.y[index * length / 10] ^= 0x80;
            share.y[length - 1] ^= 1;
        }
        let fits = |candidate: &[u8]| tag.fits(candidate);
        let found = reconstruct(&shares, 3, &fits, &mut rng, &mut subsets(0)).unwrap();
        assert_eq!(
            found.culprits.len(),
            wrong.count_ones() as usize,
            "{wrong:b}"
        );
        assert!(
            found
                .culprits
                .iter()
                .all(|x| wrong >> (x.get() - 1) & 1 == 1)
        );
    }
}

/// Shares of a secret with its tag, of which a set is wrong: those lie on another polynomial, all of them on the same.
fn shares_with_wrong_ones(
    sharing: Sharing,
    wrong: u32,
    rng: &mut ChaCha12Rng,
) -> (Vec<u8>, KeyTag, Vec<Share>) {
    let mut secret = vec![0; TAG_SECRET_BYTES + 16];
    rng.fill_bytes(&mut secret);
    let tag = KeyTag::compute(&secret[..TAG_SECRET_BYTES], &secret[TAG_SECRET_BYTES..]);
    let mut other = secret.clone();
    rng.fill_bytes(&mut other);
    let (right, others) = (split(&secret, sharing, rng), split(&other, sharing, rng));
    let shares = right.into_iter().zip(others).enumerate();
    let shares = shares.map(|(i, (right, other))| if wrong >> i & 1 == 1 { other } else { right });
    (secret, tag, shares.collect())
}

#[test]
fn every_pattern_of_wrong_shares_among_ten_is_solved_as_soon_as_it_can_be() {
    let mut rng = ChaCha12Rng::seed_from_u64(6);
    for (k, n) in [(1_usize, 4), (2, 5), (3, 7), (5, 10), (8, 10)] {
        let sharing = Sharing::allowing_single(k as u8, n).unwrap();
        for wrong in 0..1_u32 << n {
            let (secret, tag, shares) = shares_with_wrong_ones(sharing, wrong, &mut rng);
            let fits = |candidate: &[u8]| tag.fits(candidate);
            let mut budget = subsets(binomial(n.into(), k) as usize);
            let mut search = Search::new(k as u8);
            // The shares come in one by one.
            let solved_with = (1..=shares.len()).find(|&m| {
                loop {
                    match search.step(&shares[..m], &|_| false, &fits, &mut rng, Some(&mut budget))
                    {
                        Step::Found(found) => {
                            assert_eq!(*found.secret, secret);
                            return true;
                        }
                        Step::Missed => {}
                        Step::Idle => return false,
                    }
                }
            });
            let right = (0..usize::from(n)).filter(|i| wrong >> i & 1 == 0);
            let can_be_solved_with = right.map(|i| i + 1).nth(k - 1);
            assert_eq!(
                solved_with, can_be_solved_with,
                "{wrong:b} of {n}, {k} needed"
            );
        }
    }
}

#[test]
fn no_subset_is_tried_twice_and_none_beyond_the_budget() {
    let mut rng = ChaCha12Rng::seed_from_u64(7);
    let sharing = Sharing::new(5, 10).unwrap();
    let shares = split(&[7; 100], sharing, &mut rng);
    // All of them, C(10, 5), but for the first shares, which cost nothing; and what another budget allows.
    let bytes = 20 * 5 * 100;
    for (mut budget, expected) in [
        (subsets(usize::MAX), 251),
        (subsets(30), 30),
        (
            SearchBudget::new(Work {
                subsets: 100,
                bytes,
            }),
            20,
        ),
    ] {
        let mut search = Search::new(5);
        for m in 1..=10 {
            let nothing = |_: &[u8]| false;
            let shares = &shares[..m];
            while !matches!(
                search.step(shares, &|_| false, &nothing, &mut rng, Some(&mut budget)),
                Step::Idle
            ) {}
        }
        let Work { subsets, bytes } = budget.spent();
        assert_eq!((subsets, bytes), (expected, expected * 5 * 100));
    }
}

#[test]
fn shares_of_suspects_are_believed_last() {
    let mut rng = ChaCha12Rng::seed_from_u64(8);
    let sharing = Sharing::new(3, 7).unwrap();
    let (secret, tag, shares) = shares_with_wrong_ones(sharing, 0b1011, &mut rng);
    let fits = |candidate: &[u8]| tag.fits(candidate);
    let suspects = |x: ShareIndex| [1, 2, 4].contains(&x.get());
    let mut search = Search::new(3);
    let found = search.step(&shares, &suspects, &fits, &mut rng, None);
    assert!(
        matches!(found, Step::Found(found) if *found.secret == secret),
        "at the first attempt"
    );
}

/// What is wrong cancels at zero, so that the first shares lead to the right secret on a wrong polynomial.
#[test]
fn liars_whose_errors_cancel_at_the_secret_are_named_wherever_it_can_be_told() {
    let mut rng = ChaCha12Rng::seed_from_u64(9);
    for (k, n, named) in [
        (3_u8, 6, true),
        (3, 5, false),
        (4, 9, true),
        (4, 8, false),
        (5, 16, true),
    ] {
        let sharing = Sharing::new(k, n).unwrap();
        let mut secret = vec![0; 300];
        rng.fill_bytes(&mut secret);
        let mut shares = split(&secret, sharing, &mut rng);
        // The first K − 1 hubs add a polynomial that is zero at zero and at the K-th hub.
        let liars = usize::from(k) - 1;
        let mut error = split(&[0; 300], Sharing::new(k - 1, n).unwrap(), &mut rng);
        for share in &mut error {
            // (x − xₖ) · p(x), with p(0) = 0 and a degree below K − 1
            let factor = share.x.get() ^ k;
            share
                .y
                .iter_mut()
                .for_each(|y| *y = dske::crypto::gf256::mul(*y, factor));
        }
        for (share, error) in shares.iter_mut().zip(&error).take(liars) {
            share
                .y
                .iter_mut()
                .zip(error.y.iter())
                .for_each(|(y, e)| *y ^= e);
        }
        let fits = |candidate: &[u8]| candidate == secret;
        let mut found = reconstruct(&shares, k, &fits, &mut rng, &mut subsets(0)).unwrap();
        assert_eq!(found.method, Method::FirstShares);
        assert_eq!(
            found.off.len(),
            usize::from(n - k),
            "the honest ones but one"
        );
        name_culprits(&shares, &mut found, &mut rng);
        let culprits: Vec<usize> = found.culprits.iter().map(|x| x.get().into()).collect();
        let expected: Vec<usize> = if named {
            (1..=liars).collect()
        } else {
            Vec::new()
        };
        assert_eq!(culprits, expected, "{k} of {n}");
    }
}

#[test]
fn threshold_one_has_to_be_asked_for() {
    assert!(Sharing::new(1, 3).is_err());
    assert!(Sharing::allowing_single(1, 3).is_ok());
    assert!(Sharing::allowing_single(0, 3).is_err());
    assert!(Sharing::new(4, 3).is_err());
    assert!(Sharing::new(255, 255).is_ok());
    // The secret is at zero.
    assert!(ShareIndex::new(0).is_none());
}
