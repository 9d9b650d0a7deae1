//! Whole vectors at once, on processors that can. What a vector is multiplied by is public, and chooses a table; what is
//! in the vector is not, and neither chooses nor branches: both ways take the same time for all data.

use core::arch::x86_64::{
    __m128i, __m256i, _mm_and_si128, _mm_gf2p8affine_epi64_epi8, _mm_set1_epi8, _mm_set1_epi64x,
    _mm_shuffle_epi8, _mm_srli_epi16, _mm_xor_si128, _mm256_and_si256, _mm256_broadcastsi128_si256,
    _mm256_gf2p8affine_epi64_epi8, _mm256_set1_epi8, _mm256_set1_epi64x, _mm256_shuffle_epi8,
    _mm256_srli_epi16, _mm256_xor_si256,
};

use zerocopy::transmute;
use zeroize::Zeroize;

use super::mul;

/// `acc += scalar · src`, unless the processor can do nothing faster than what is portable.
pub(super) fn mul_add(acc: &mut [u8], src: &[u8], scalar: u8) -> bool {
    for (is_there, kernel) in KERNELS {
        if is_there() {
            kernel(acc, src, scalar);
            return true;
        }
    }
    false
}

type Kernel = (fn() -> bool, fn(&mut [u8], &[u8], u8));

/// The fastest first. Each may be called only where its first part says so.
#[expect(
    unsafe_code,
    reason = "a function for some processors may only be called on those, which nothing but a look can tell"
)]
pub(super) const KERNELS: [Kernel; 2] = [
    (
        || is_x86_feature_detected!("gfni") && is_x86_feature_detected!("avx2"),
        // SAFETY: called where the first part has found GFNI and AVX2.
        |acc, src, scalar| unsafe { gfni(acc, src, scalar) },
    ),
    (
        || is_x86_feature_detected!("avx2"),
        // SAFETY: called where the first part has found AVX2.
        |acc, src, scalar| unsafe { avx2(acc, src, scalar) },
    ),
];

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
fn gfni(acc: &mut [u8], src: &[u8], scalar: u8) {
    let matrix = MATRICES[usize::from(scalar)];
    let (wide, narrow) = (_mm256_set1_epi64x(matrix), _mm_set1_epi64x(matrix));
    in_vectors(
        acc,
        src,
        |acc, src| _mm256_xor_si256(acc, _mm256_gf2p8affine_epi64_epi8::<0>(src, wide)),
        |acc, src| _mm_xor_si128(acc, _mm_gf2p8affine_epi64_epi8::<0>(src, narrow)),
    );
}

/// Byte shuffles: each half of a byte chooses its product from a register.
#[target_feature(enable = "avx2")]
#[expect(clippy::indexing_slicing, reason = "256 entries, and a byte")]
fn avx2(acc: &mut [u8], src: &[u8], scalar: u8) {
    let [low, high] = HALVES[usize::from(scalar)];
    let (low, high): (__m128i, __m128i) = (transmute!(low), transmute!(high));
    let (low_wide, high_wide) = (
        _mm256_broadcastsi128_si256(low),
        _mm256_broadcastsi128_si256(high),
    );
    let (mask, mask_wide) = (_mm_set1_epi8(0x0f), _mm256_set1_epi8(0x0f));
    in_vectors(
        acc,
        src,
        |acc, src| {
            let lows = _mm256_and_si256(src, mask_wide);
            let highs = _mm256_and_si256(_mm256_srli_epi16::<4>(src), mask_wide);
            let products = _mm256_xor_si256(
                _mm256_shuffle_epi8(low_wide, lows),
                _mm256_shuffle_epi8(high_wide, highs),
            );
            _mm256_xor_si256(acc, products)
        },
        |acc, src| {
            let lows = _mm_and_si128(src, mask);
            let highs = _mm_and_si128(_mm_srli_epi16::<4>(src), mask);
            let products =
                _mm_xor_si128(_mm_shuffle_epi8(low, lows), _mm_shuffle_epi8(high, highs));
            _mm_xor_si128(acc, products)
        },
    );
}

/// 32 bytes at a time, then 16, and what is left as 16 with zeros behind it.
#[inline(always)]
fn in_vectors(
    acc: &mut [u8],
    src: &[u8],
    wide: impl Fn(__m256i, __m256i) -> __m256i,
    narrow: impl Fn(__m128i, __m128i) -> __m128i,
) {
    let (accs, acc) = acc.as_chunks_mut::<32>();
    let (srcs, src) = src.as_chunks::<32>();
    for (acc, src) in accs.iter_mut().zip(srcs) {
        *acc = transmute!(wide(transmute!(*acc), transmute!(*src)));
    }
    let (accs, acc) = acc.as_chunks_mut::<16>();
    let (srcs, src) = src.as_chunks::<16>();
    for (acc, src) in accs.iter_mut().zip(srcs) {
        *acc = transmute!(narrow(transmute!(*acc), transmute!(*src)));
    }
    if acc.is_empty() {
        return;
    }
    let (mut last_acc, mut last_src) = ([0; 16], [0; 16]);
    last_acc
        .iter_mut()
        .zip(&*acc)
        .for_each(|(to, from)| *to = *from);
    last_src
        .iter_mut()
        .zip(src)
        .for_each(|(to, from)| *to = *from);
    last_acc = transmute!(narrow(transmute!(last_acc), transmute!(last_src)));
    acc.iter_mut()
        .zip(&last_acc)
        .for_each(|(to, from)| *to = *from);
    last_acc.zeroize();
    last_src.zeroize();
}
