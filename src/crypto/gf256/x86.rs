//! Whole vectors at once, on processors that can. What a row is multiplied by is public, and chooses a table; what is in
//! the row is not, and neither chooses nor branches: both ways take the same time for all data.

use core::arch::x86_64::{
    __m128i, __m256i, _mm256_and_si256, _mm256_broadcastsi128_si256, _mm256_gf2p8affine_epi64_epi8,
    _mm256_set1_epi8, _mm256_set1_epi64x, _mm256_shuffle_epi8, _mm256_srli_epi16, _mm256_xor_si256,
};

use zerocopy::transmute;

use super::{mul, portable};

/// That the processor has GFNI and AVX2.
#[derive(Debug, Clone, Copy)]
pub(super) struct Gfni(());

impl Gfni {
    pub(super) fn find() -> Option<Self> {
        let found = is_x86_feature_detected!("gfni") && is_x86_feature_detected!("avx2");
        found.then_some(Self(()))
    }

    #[expect(
        unsafe_code,
        reason = "nothing but a look can tell that the processor can"
    )]
    pub(super) fn combine<'a>(
        self,
        out: &mut [u8],
        rows: impl Iterator<Item = (&'a [u8], u8)> + Clone,
    ) {
        // SAFETY: `self` is made by `find` alone, where GFNI and AVX2 were found.
        unsafe { gfni(out, rows) }
    }
}

/// That the processor has AVX2.
#[derive(Debug, Clone, Copy)]
pub(super) struct Avx2(());

impl Avx2 {
    pub(super) fn find() -> Option<Self> {
        is_x86_feature_detected!("avx2").then_some(Self(()))
    }

    #[expect(
        unsafe_code,
        reason = "nothing but a look can tell that the processor can"
    )]
    pub(super) fn combine<'a>(
        self,
        out: &mut [u8],
        rows: impl Iterator<Item = (&'a [u8], u8)> + Clone,
    ) {
        // SAFETY: `self` is made by `find` alone, where AVX2 was found.
        unsafe { avx2(out, rows) }
    }
}

/// To multiply by a constant is linear over GF(2): a matrix of 8 by 8 bits, as GF2P8AFFINEQB takes it. Byte 7 − i holds
/// the row that makes bit i.
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

/// The products of a constant with all low halves of a byte, and with all high halves.
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

/// Galois field instructions: one multiplies 32 bytes.
#[target_feature(enable = "avx2,gfni")]
#[expect(clippy::indexing_slicing, reason = "256 entries, and a byte")]
fn gfni<'a>(out: &mut [u8], rows: impl Iterator<Item = (&'a [u8], u8)> + Clone) {
    in_vectors(
        out,
        rows,
        |weight| _mm256_set1_epi64x(MATRICES[usize::from(weight)]),
        |sum, matrix, row| _mm256_xor_si256(sum, _mm256_gf2p8affine_epi64_epi8::<0>(row, *matrix)),
    );
}

/// Byte shuffles: each half of a byte chooses its product from a register.
#[target_feature(enable = "avx2")]
#[expect(clippy::indexing_slicing, reason = "256 entries, and a byte")]
fn avx2<'a>(out: &mut [u8], rows: impl Iterator<Item = (&'a [u8], u8)> + Clone) {
    let mask = _mm256_set1_epi8(0x0f);
    in_vectors(
        out,
        rows,
        |weight| {
            let [low, high] = HALVES[usize::from(weight)];
            let (low, high): (__m128i, __m128i) = (transmute!(low), transmute!(high));
            (
                _mm256_broadcastsi128_si256(low),
                _mm256_broadcastsi128_si256(high),
            )
        },
        |sum, (low, high), row| {
            let lows = _mm256_and_si256(row, mask);
            let highs = _mm256_and_si256(_mm256_srli_epi16::<4>(row), mask);
            let products = _mm256_xor_si256(
                _mm256_shuffle_epi8(*low, lows),
                _mm256_shuffle_epi8(*high, highs),
            );
            _mm256_xor_si256(sum, products)
        },
    );
}

const VECTOR_BYTES: usize = 32;

/// Eight sums at a time are kept in registers while all rows are added; then single ones.
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
    let (blocks, rest) = out.as_chunks_mut::<{ 8 * VECTOR_BYTES }>();
    let mut at = 0;
    for block in blocks {
        *block = transmute!(sums::<8, T>(rows.clone(), at, &table, &add_product));
        at += block.len();
    }
    let (vectors, rest) = rest.as_chunks_mut::<VECTOR_BYTES>();
    for vector in vectors {
        let [sum] = sums::<1, T>(rows.clone(), at, &table, &add_product);
        *vector = transmute!(sum);
        at += vector.len();
    }
    // What is left is done with what is before it once more: a sum depends on the rows alone.
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
        // Their number is known when this is compiled, so that the sums stay in registers.
        let vectors: &[[u8; VECTOR_BYTES]; N] =
            vectors.first_chunk().expect("rows are as long as the sum");
        for (sum, vector) in sums.iter_mut().zip(vectors) {
            *sum = add_product(*sum, &table, transmute!(*vector));
        }
    }
    sums
}
