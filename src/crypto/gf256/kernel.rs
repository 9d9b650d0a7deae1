//! Which kernel combines rows: the fastest that the processor can run.

use std::fmt;

use super::portable;
#[cfg(target_arch = "x86_64")]
use super::x86::{Avx2, Gfni};

/// An implementation of [`combine`](super::combine) that this processor can run. All of them give the same sums.
#[derive(Debug, Clone, Copy)]
pub struct Kernel(Backend);

/// A variant with a field holds the proof that the processor has what the kernel needs.
#[derive(Debug, Clone, Copy)]
enum Backend {
    #[cfg(target_arch = "x86_64")]
    Gfni(Gfni),
    #[cfg(target_arch = "x86_64")]
    Avx2(Avx2),
    Portable,
}

impl Kernel {
    /// The kernels that this processor can run, the fastest first.
    pub fn available() -> impl Iterator<Item = Self> {
        #[cfg(target_arch = "x86_64")]
        let detected = [
            Gfni::detect().map(Backend::Gfni),
            Avx2::detect().map(Backend::Avx2),
        ];
        #[cfg(not(target_arch = "x86_64"))]
        let detected: [Option<Backend>; 0] = [];
        let detected = detected.into_iter().flatten();
        detected.chain([Backend::Portable]).map(Self)
    }

    /// The fastest kernel that this processor can run.
    pub(super) fn fastest() -> Self {
        let mut available = Self::available();
        available.next().unwrap_or(Self(Backend::Portable))
    }

    /// [`combine`](super::combine) by this kernel.
    ///
    /// # Panics
    /// If the rows and `out` are of different lengths.
    pub fn combine<'a>(self, out: &mut [u8], rows: impl Iterator<Item = (&'a [u8], u8)> + Clone) {
        let length = out.len();
        let same_length = rows.clone().all(|(row, _)| row.len() == length);
        assert!(same_length, "the rows and the sum have the same length");
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            Backend::Gfni(gfni) => gfni.combine(out, rows),
            #[cfg(target_arch = "x86_64")]
            Backend::Avx2(avx2) => avx2.combine(out, rows),
            Backend::Portable => portable::combine(out, rows),
        }
    }
}

impl fmt::Display for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            #[cfg(target_arch = "x86_64")]
            Backend::Gfni(_) => "gfni",
            #[cfg(target_arch = "x86_64")]
            Backend::Avx2(_) => "avx2",
            Backend::Portable => "portable",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::{combine, mul};
    use super::*;

    const LONGEST: usize = 600;

    fn row(seed: u32) -> Vec<u8> {
        let bytes = (0..LONGEST as u32 + 64).map(|i| (i * 37 + seed * 91 + (i >> 3)) as u8);
        bytes.collect()
    }

    /// One element of the sum, by [`mul`].
    fn expected(rows: &[(&[u8], u8)], at: usize) -> u8 {
        rows.iter()
            .fold(0, |sum, (row, weight)| sum ^ mul(row[at], *weight))
    }

    #[test]
    fn every_weight_multiplies_as_mul_does() {
        let row: Vec<u8> = (0..=255).collect();
        for kernel in Kernel::available() {
            for weight in 0..=255 {
                let mut out = vec![0x5a; 256];
                kernel.combine(&mut out, [(row.as_slice(), weight)].into_iter());
                for (a, got) in (0..=255).zip(out) {
                    assert_eq!(got, mul(a, weight), "{kernel}: {a} {weight}");
                }
            }
        }
    }

    #[test]
    fn rows_of_every_length_and_number_are_combined_element_by_element() {
        let rows: Vec<Vec<u8>> = (0..6).map(row).collect();
        for kernel in Kernel::available() {
            for length in 0..=LONGEST {
                for number in 0..=rows.len() {
                    let weights = [0xb7, 1, 0, 0x1d, 0xff, 2];
                    let rows = rows.iter().map(|row| &row[..length]).zip(weights);
                    let rows: Vec<(&[u8], u8)> = rows.take(number).collect();
                    let mut out = vec![0x5a; length];
                    kernel.combine(&mut out, rows.iter().copied());
                    for (at, &got) in out.iter().enumerate() {
                        assert_eq!(got, expected(&rows, at), "{kernel}: {length}, {number}");
                    }
                }
            }
        }
    }

    #[test]
    fn rows_at_every_alignment_are_combined_and_neighbours_stay_untouched() {
        let (a, b) = (row(1), row(2));
        for kernel in Kernel::available() {
            for (from, at) in (0..33).flat_map(|from| (0..33).map(move |at| (from, at))) {
                for length in [
                    0, 1, 15, 16, 17, 31, 32, 33, 47, 80, 255, 256, 257, 333, 512,
                ] {
                    let rows = [(&a[from..][..length], 0xb7), (&b[at..][..length], 0x39)];
                    let mut out = [0x5a; LONGEST];
                    kernel.combine(&mut out[at..][..length], rows.into_iter());
                    for (i, &got) in out.iter().enumerate() {
                        let inside = (at..at + length).contains(&i);
                        let expected = inside.then(|| expected(&rows, i - at));
                        assert_eq!(got, expected.unwrap_or(0x5a), "{kernel}: {length}");
                    }
                }
            }
        }
    }

    #[test]
    fn the_portable_kernel_is_always_available_and_comes_last() {
        let names: Vec<String> = Kernel::available().map(|k| k.to_string()).collect();
        assert_eq!(names.last().map(String::as_str), Some("portable"));
        assert_eq!(names.first(), Some(&Kernel::fastest().to_string()));
    }

    #[test]
    #[should_panic(expected = "the same length")]
    fn rows_of_different_lengths_are_a_mistake() {
        combine(&mut [0; 3], [([0; 4].as_slice(), 1)].into_iter());
    }
}
