//! Generators and polynomials that several tests need.
#![allow(dead_code, reason = "each test binary uses its part")]

use std::convert::Infallible;

use dske::crypto::gf256::{inv, mul};
use dske::crypto::secret::Secret;
use dske::crypto::shamir::{Share, ShareIndex, interpolate};
use rand::rand_core::utils::next_word_via_fill;
use rand::{TryCryptoRng, TryRng};

/// A generator that yields given bytes, and panics when they are used up.
pub(crate) struct Tape {
    bytes: Vec<u8>,
    at: usize,
}

impl Tape {
    pub(crate) fn new(bytes: Vec<u8>) -> Self {
        Self { bytes, at: 0 }
    }

    pub(crate) fn is_used_up(&self) -> bool {
        self.at == self.bytes.len()
    }
}

impl TryRng for Tape {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        next_word_via_fill(self)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        next_word_via_fill(self)
    }

    fn try_fill_bytes(&mut self, target: &mut [u8]) -> Result<(), Infallible> {
        target.copy_from_slice(&self.bytes[self.at..self.at + target.len()]);
        self.at += target.len();
        Ok(())
    }
}

impl TryCryptoRng for Tape {}

/// A generator that records what it yields.
pub(crate) struct Recorder<R> {
    inner: R,
    tape: std::rc::Rc<std::cell::RefCell<Vec<u8>>>,
}

impl<R> Recorder<R> {
    pub(crate) fn new(inner: R) -> (Self, std::rc::Rc<std::cell::RefCell<Vec<u8>>>) {
        let tape = std::rc::Rc::default();
        let recorder = Self {
            inner,
            tape: std::rc::Rc::clone(&tape),
        };
        (recorder, tape)
    }
}

impl<R: TryRng<Error = Infallible>> TryRng for Recorder<R> {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        next_word_via_fill(self)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        next_word_via_fill(self)
    }

    fn try_fill_bytes(&mut self, target: &mut [u8]) -> Result<(), Infallible> {
        self.inner.try_fill_bytes(target)?;
        self.tape.borrow_mut().extend_from_slice(target);
        Ok(())
    }
}

impl<R: TryCryptoRng<Error = Infallible>> TryCryptoRng for Recorder<R> {}

/// The coefficients of the polynomial of this degree that has these values at zero and at the first points, laid out as
/// `split` draws them: those of degree 1 for all bytes first.
pub(crate) fn coefficients(at_zero: &[u8], points: &[(u8, Vec<u8>)], degree: usize) -> Vec<u8> {
    // (f(x) − f(0)) / x has one degree less and is known at the same points. Its value at zero is the next coefficient.
    let mut values = points.to_vec();
    let mut low = at_zero.to_vec();
    let mut result = Vec::new();
    for _ in 0..degree {
        for (x, value) in &mut values {
            let inverse = inv(*x);
            for (v, low) in value.iter_mut().zip(&low) {
                *v = mul(*v ^ low, inverse);
            }
        }
        let shares: Vec<Share> = values
            .iter()
            .map(|(x, y)| Share {
                x: ShareIndex::new(*x).unwrap(),
                y: Secret::from(y.clone()),
            })
            .collect();
        low = interpolate(&shares.iter().collect::<Vec<_>>(), 0)
            .unwrap()
            .to_vec();
        result.extend_from_slice(&low);
        values.pop();
    }
    result
}
