//! The kernels for x86-64: 32 bytes at a time in a vector register.
//!
//! Both take the same time whatever is in a row: row bytes neither select table entries nor decide branches. The weight
//! of a row is public, and selects the table that the row is multiplied with.

use core::arch::x86_64::{
    __m128i, __m256i, _mm256_and_si256, _mm256_broadcastsi128_si256, _mm256_gf2p8affine_epi64_epi8,
    _mm256_set1_epi8, _mm256_set1_epi64x, _mm256_shuffle_epi8, _mm256_srli_epi16, _mm256_xor_si256,
};

use zerocopy::transmute;

use super::{BLOCK_BYTES, mul, portable};

/// Declares a kernel by the processor features that it needs, the table that multiplies by a weight, and the step that
/// adds the product of a vector to a sum.
///
/// A value of the kernel's type proves that the processor has the features: only `detect` makes one. The features are
/// named once, so that those that are detected are those that the code is compiled for.
macro_rules! kernel {
    ($(#[$doc:meta])* $name:ident: $($feature:tt)&&+, $table:expr, $add_product:expr,) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy)]
        pub(super) struct $name(());

        impl $name {
            pub(super) fn detect() -> Option<Self> {
                let found = $(is_x86_feature_detected!($feature))&&+;
                found.then_some(Self(()))
            }

            #[expect(unsafe_code, reason = "only detection at run time shows what the processor has")]
            pub(super) fn combine<'a>(
                self,
                out: &mut [u8],
                rows: impl Iterator<Item = (&'a [u8], u8)> + Clone,
            ) {
                // SAFETY: `self` was made by `detect`, which found every feature that `run` is compiled for.
                unsafe { Self::run(out, rows) }
            }

            #[target_feature($(enable = $feature),+)]
            #[expect(clippy::indexing_slicing, reason = "tables of 256 entries, indexed by a byte")]
            fn run<'a>(out: &mut [u8], rows: impl Iterator<Item = (&'a [u8], u8)> + Clone) {
                in_vectors(out, rows, $table, $add_product);
            }
        }
    };
}

kernel! {
    /// Galois field instructions: one of them multiplies 32 bytes by a matrix of bits.
    Gfni: "gfni" && "avx2",
    |weight| _mm256_set1_epi64x(MATRICES[usize::from(weight)]),
    |sum, matrix, row| _mm256_xor_si256(sum, _mm256_gf2p8affine_epi64_epi8::<0>(row, *matrix)),
}

kernel! {
    /// Byte shuffles: each half of a byte selects its product from a register.
    Avx2: "avx2",
    |weight| {
        let [low, high] = HALVES[usize::from(weight)];
        let (low, high): (__m128i, __m128i) = (transmute!(low), transmute!(high));
        (_mm256_broadcastsi128_si256(low), _mm256_broadcastsi128_si256(high))
    },
    |sum, (low, high), row| {
        let half = _mm256_set1_epi8(0x0f);
        let lows = _mm256_and_si256(row, half);
        let highs = _mm256_and_si256(_mm256_srli_epi16::<4>(row), half);
        let products = _mm256_xor_si256(
            _mm256_shuffle_epi8(*low, lows),
            _mm256_shuffle_epi8(*high, highs),
        );
        _mm256_xor_si256(sum, products)
    },
}

/// Multiplication by a constant is linear over GF(2): a matrix of 8 by 8 bits, in the layout that GF2P8AFFINEQB takes.
/// Byte 7 − i holds the row that gives bit i.
const fn matrix(scalar: u8) -> i64 {
    let (mut rows, mut column) = (0_u64, 0);
    while column < 8 {
        let product = mul(scalar, 1 << column);
        let mut bit = 0;
        while bit < 8 {
            rows |= ((product >> bit & 1) as u64) << (8 * (7 - bit) + column);
            bit += 1;
        }
        column += 1;
    }
    rows.cast_signed()
}

/// The products of a constant with every low half of a byte, and with every high half.
#[expect(clippy::indexing_slicing, reason = "16 entries, indices below 16")]
const fn halves(scalar: u8) -> [[u8; 16]; 2] {
    let (mut halves, mut half) = ([[0; 16]; 2], 0);
    while half < 16 {
        halves[0][half as usize] = mul(scalar, half);
        halves[1][half as usize] = mul(scalar, half << 4);
        half += 1;
    }
    halves
}

/// A table with an entry for each scalar.
macro_rules! table {
    ($entry:ident: $type:ty) => {{
        let mut table: [$type; 256] = [$entry(0); 256];
        let mut scalar = 0;
        while scalar < 256 {
            table[scalar] = $entry(scalar as u8);
            scalar += 1;
        }
        table
    }};
}

#[expect(clippy::indexing_slicing, reason = "256 entries, indices below 256")]
static MATRICES: [i64; 256] = table!(matrix: i64);

#[expect(clippy::indexing_slicing, reason = "256 entries, indices below 256")]
static HALVES: [[[u8; 16]; 2]; 256] = table!(halves: [[u8; 16]; 2]);

const VECTOR_BYTES: usize = 32;

/// Sums that are kept in registers at a time, out of 16 registers.
const SUMS: usize = 8;

const _: () = assert!(BLOCK_BYTES.is_multiple_of(SUMS * VECTOR_BYTES));

/// Adds all rows to eight sums at a time, then to single ones.
#[inline(always)]
fn in_vectors<'a, T>(
    out: &mut [u8],
    rows: impl Iterator<Item = (&'a [u8], u8)> + Clone,
    table: impl Fn(u8) -> T,
    add_product: impl Fn(__m256i, &T, __m256i) -> __m256i,
) {
    if out.len() < VECTOR_BYTES {
        return portable::combine(out, rows);
    }
    let (blocks, rest) = out.as_chunks_mut::<{ SUMS * VECTOR_BYTES }>();
    let mut at = 0;
    for block in blocks {
        *block = transmute!(sums::<SUMS, T>(rows.clone(), at, &table, &add_product));
        at += block.len();
    }
    let (vectors, rest) = rest.as_chunks_mut::<VECTOR_BYTES>();
    for vector in vectors {
        let [sum] = sums::<1, T>(rows.clone(), at, &table, &add_product);
        *vector = transmute!(sum);
        at += vector.len();
    }
    // The rest is shorter than a vector. It is computed together with the bytes before it, which get the same values again.
    let left = rest.len();
    if left > 0
        && let Some(last) = out.last_chunk_mut::<VECTOR_BYTES>()
    {
        let at = at + left - VECTOR_BYTES;
        let [sum] = sums::<1, T>(rows, at, &table, &add_product);
        *last = transmute!(sum);
    }
}

/// The sums of `N` vectors from `at` on.
#[inline(always)]
fn sums<'a, const N: usize, T>(
    rows: impl Iterator<Item = (&'a [u8], u8)>,
    at: usize,
    table: impl Fn(u8) -> T,
    add_product: impl Fn(__m256i, &T, __m256i) -> __m256i,
) -> [__m256i; N] {
    let mut sums: [__m256i; N] = [transmute!([0_u8; VECTOR_BYTES]); N];
    for (row, weight) in rows {
        let table = table(weight);
        let (vectors, _) = row.get(at..).unwrap_or_default().as_chunks();
        // The number is known at compile time, so that the sums stay in registers.
        let vectors: &[[u8; VECTOR_BYTES]; N] =
            vectors.first_chunk().expect("rows are as long as the sum");
        for (sum, vector) in sums.iter_mut().zip(vectors) {
            *sum = add_product(*sum, &table, transmute!(*vector));
        }
    }
    sums
}
