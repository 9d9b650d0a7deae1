//! Sharing, MAC and key tag, compared with `blahaj`, `sharks` and a plain copy of the same bytes; then their parts: the
//! kernels one by one, and the generators.
//!
//! The measured time includes dropping what was made, and dropping our secrets wipes them.
#![allow(missing_docs, reason = "criterion's macros make public functions")]

use std::hint::black_box;
use std::time::Duration;

use criterion::{
    BenchmarkGroup, BenchmarkId, Criterion, SamplingMode, Throughput, criterion_group,
    criterion_main, measurement::WallTime,
};
use dske::crypto::generator::{for_one_task, os_rng};
use dske::crypto::gf256::Kernel;
use dske::crypto::key_tag::{KeyTag, TAG_SECRET_BYTES};
use dske::crypto::mac::MacKey;
use dske::crypto::shamir::{Sharing, recover, split};
use rand::rand_core::UnwrapErr;
use rand::rngs::{ChaCha12Rng, ChaCha20Rng, SysRng};
use rand::{CryptoRng, Rng, SeedableRng};

/// The allocator of the command. With the system's, finding memory for a long secret would take as long as sharing it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const SIZES: [(&str, usize); 4] = [
    ("32 B", 32),
    ("256 B", 256),
    ("4 KiB", 4 << 10),
    ("1 MiB", 1 << 20),
];

/// Number of shares, threshold.
const SHARINGS: [(u8, u8); 4] = [(3, 2), (5, 3), (10, 7), (16, 11)];

fn secret(bytes: usize) -> Vec<u8> {
    let mut secret = vec![0; bytes];
    ChaCha12Rng::seed_from_u64(1).fill_bytes(&mut secret);
    secret
}

fn group<'a>(
    criterion: &'a mut Criterion,
    name: &str,
    bytes: usize,
) -> BenchmarkGroup<'a, WallTime> {
    let mut group = criterion.benchmark_group(name);
    group.throughput(Throughput::Bytes(bytes as u64));
    group
}

fn splitting(criterion: &mut Criterion) {
    let mut rng = ChaCha12Rng::seed_from_u64(2);
    for (size, bytes) in SIZES {
        let secret = secret(bytes);
        let mut group = group(criterion, &format!("split {size}"), bytes);
        group.bench_function("copy", |b| b.iter(|| black_box(secret.clone())));
        for (n, k) in SHARINGS {
            let sharing = Sharing::new(k, n).expect("a valid sharing");
            let name = format!("{k} of {n}");
            group.sampling_mode(SamplingMode::Auto);
            // As much memory as the shares take, obtained and given back each time as theirs is.
            group.bench_function(BenchmarkId::new("copies", &name), |b| {
                b.iter(|| (0..n).map(|_| secret.clone()).collect::<Vec<_>>());
            });
            group.bench_function(BenchmarkId::new("dske", &name), |b| {
                b.iter(|| split(&secret, sharing, &mut rng))
            });
            group.sampling_mode(SamplingMode::Flat);
            group.bench_function(BenchmarkId::new("blahaj", &name), |b| {
                b.iter(|| {
                    let dealer = blahaj::Sharks(k).dealer(&secret);
                    dealer.take(n.into()).collect::<Vec<_>>()
                });
            });
            group.bench_function(BenchmarkId::new("sharks", &name), |b| {
                b.iter(|| {
                    let dealer = sharks::Sharks(k).dealer(&secret);
                    dealer.take(n.into()).collect::<Vec<_>>()
                });
            });
        }
    }
}

fn recovering(criterion: &mut Criterion) {
    let mut rng = ChaCha12Rng::seed_from_u64(2);
    for (size, bytes) in SIZES {
        let secret = secret(bytes);
        let mut group = group(criterion, &format!("recover {size}"), bytes);
        group.bench_function("copy", |b| b.iter(|| black_box(secret.clone())));
        for (n, k) in SHARINGS {
            let sharing = Sharing::new(k, n).expect("a valid sharing");
            let name = format!("{k} of {n}");
            let shares = split(&secret, sharing, &mut rng);
            group.sampling_mode(SamplingMode::Auto);
            group.bench_function(BenchmarkId::new("dske", &name), |b| {
                b.iter(|| recover(&shares, k))
            });
            let dealer = blahaj::Sharks(k).dealer(&secret);
            let shares: Vec<blahaj::Share> = dealer.take(k.into()).collect();
            group.sampling_mode(SamplingMode::Flat);
            group.bench_function(BenchmarkId::new("blahaj", &name), |b| {
                b.iter(|| blahaj::Sharks(k).recover(&shares).is_ok())
            });
            let dealer = sharks::Sharks(k).dealer(&secret);
            let shares: Vec<sharks::Share> = dealer.take(k.into()).collect();
            group.bench_function(BenchmarkId::new("sharks", &name), |b| {
                b.iter(|| sharks::Sharks(k).recover(&shares).is_ok())
            });
        }
    }
}

fn authentication(criterion: &mut Criterion) {
    let key = secret(32);
    let u = secret(TAG_SECRET_BYTES);
    for (size, bytes) in SIZES {
        let message = secret(bytes);
        let mut group = group(criterion, &format!("authenticate {size}"), bytes);
        // A key tags one message, so that making the key is part of it.
        group.bench_function("MAC", |b| {
            b.iter(|| {
                let key = MacKey::try_from(key.as_slice()).expect("32 bytes");
                key.tag(&[&message])
            });
        });
        group.bench_function("key tag", |b| b.iter(|| KeyTag::compute(&u, &message)));
    }
}

/// What splitting and recovering with K = 3 consist of.
fn kernels(criterion: &mut Criterion) {
    for (size, bytes) in SIZES {
        let rows = [0xb7, 0x39, 0x5a].map(|weight| (secret(bytes), weight));
        let rows = rows
            .each_ref()
            .map(|(row, weight)| (row.as_slice(), *weight));
        let mut out = vec![0; bytes];
        let mut group = group(criterion, &format!("combine 3 rows of {size}"), bytes);
        for kernel in Kernel::available() {
            group.bench_function(kernel.to_string(), |b| {
                b.iter(|| {
                    kernel.combine(&mut out, rows.iter().copied());
                    black_box(&mut out);
                });
            });
        }
    }
}

/// Draws of a key ID, of the coefficients for a key of 32 bytes with u, and of those for 1 MiB, with K = 3. In production
/// nodes draw from ours.
fn generators(criterion: &mut Criterion) {
    let seeded = [7; 32];
    let mut generators: [(&str, Box<dyn CryptoRng>); 5] = [
        ("ours", os_rng()),
        ("ours, for one task", Box::new(for_one_task(&mut *os_rng()))),
        ("operating system", Box::new(UnwrapErr(SysRng))),
        ("ChaCha20", Box::new(ChaCha20Rng::from_seed(seeded))),
        ("ChaCha12", Box::new(ChaCha12Rng::from_seed(seeded))),
    ];
    for bytes in [16, 160, 2 << 20] {
        let mut drawn = vec![0; bytes];
        let mut group = group(criterion, &format!("draw {bytes} B"), bytes);
        for (name, rng) in &mut generators {
            group.bench_function(*name, |b| b.iter(|| rng.fill_bytes(&mut drawn)));
        }
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(800));
    targets = splitting, recovering, authentication, kernels, generators
}
criterion_main!(benches);
