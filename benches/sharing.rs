//! Sharing, MAC and key tag, beside `sharks` and a plain copy of the same bytes.
#![allow(missing_docs, reason = "criterion's macros make public functions")]

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use dske::crypto::key_tag::{KeyTag, TAG_SECRET_BYTES};
use dske::crypto::mac::MacKey;
use dske::crypto::shamir::{Sharing, recover, split};
use rand::rngs::ChaCha12Rng;
use rand::{Rng, SeedableRng};
use sharks::Sharks;
use std::hint::black_box;

const SIZES: [(&str, usize); 3] = [("32 B", 32), ("4 KiB", 4 << 10), ("1 MiB", 1 << 20)];

/// Number of shares, threshold.
const SHARINGS: [(u8, u8); 3] = [(3, 2), (5, 3), (10, 7)];

fn secret(bytes: usize) -> Vec<u8> {
    let mut secret = vec![0; bytes];
    ChaCha12Rng::seed_from_u64(1).fill_bytes(&mut secret);
    secret
}

fn sharing(criterion: &mut Criterion) {
    for (size, bytes) in SIZES {
        let secret = secret(bytes);
        let mut rng = ChaCha12Rng::seed_from_u64(2);
        let mut group = criterion.benchmark_group(format!("split {size}"));
        group
            .throughput(Throughput::Bytes(bytes as u64))
            .sample_size(10);
        group.bench_function("copy", |b| b.iter(|| black_box(secret.clone())));
        for (n, k) in SHARINGS {
            let sharing = Sharing::new(k, n).expect("a valid sharing");
            let name = format!("{k} of {n}");
            group.bench_function(BenchmarkId::new("dske", &name), |b| {
                b.iter(|| split(&secret, sharing, &mut rng))
            });
            group.bench_function(BenchmarkId::new("sharks", &name), |b| {
                b.iter(|| Sharks(k).dealer(&secret).take(n.into()).collect::<Vec<_>>());
            });
        }
        group.finish();
        let mut group = criterion.benchmark_group(format!("recover {size}"));
        group
            .throughput(Throughput::Bytes(bytes as u64))
            .sample_size(10);
        for (n, k) in SHARINGS {
            let name = format!("{k} of {n}");
            let ours = split(
                &secret,
                Sharing::new(k, n).expect("a valid sharing"),
                &mut rng,
            );
            group.bench_function(BenchmarkId::new("dske", &name), |b| {
                b.iter(|| recover(&ours, k))
            });
            let theirs: Vec<sharks::Share> = Sharks(k).dealer(&secret).take(k.into()).collect();
            group.bench_function(BenchmarkId::new("sharks", &name), |b| {
                b.iter(|| Sharks(k).recover(&theirs).is_ok())
            });
        }
        group.finish();
    }
}

fn authentication(criterion: &mut Criterion) {
    let key = MacKey::try_from(secret(32).as_slice()).expect("32 bytes");
    let u = secret(TAG_SECRET_BYTES);
    for (size, bytes) in SIZES {
        let message = secret(bytes);
        let mut group = criterion.benchmark_group(format!("authenticate {size}"));
        group.throughput(Throughput::Bytes(bytes as u64));
        group.bench_function("MAC", |b| b.iter(|| key.tag(&[&message])));
        group.bench_function("key tag", |b| b.iter(|| KeyTag::compute(&u, &message)));
        group.finish();
    }
}

criterion_group!(benches, sharing, authentication);
criterion_main!(benches);
