//! Whether sixteen bytes occur twice, anywhere.
//!
//! All bytes are cut into pieces of sixteen, and each piece is compared with every window of sixteen bytes. Two of them are
//! equal with a probability of 2⁻¹²⁸, also where they overlap. A copy of 31 bytes holds a whole piece wherever it begins.

use super::{Dependence, Judged, Place, Polynomials};

const PIECE_BYTES: usize = 16;

/// The last bits of a piece by which most windows are seen to be none.
const FILTER_BITS: u32 = 22;

pub(super) fn judge(keys: &[Polynomials], judged: &mut Judged) {
    let Some(pieces) = Pieces::of(keys) else {
        return;
    };
    judged.note(pieces.first_repeated(keys).map(|places| {
        let place = |(key, degree, at): Spot| Place {
            key: keys[key].key.clone(),
            degree,
            at,
        };
        Dependence::Repeated {
            places: (place(places.0), place(places.1)),
        }
    }));
}

/// Key, degree, and place of the first byte.
type Spot = (usize, usize, usize);

struct Pieces {
    sorted: Vec<(u128, Spot)>,
    filter: Vec<u64>,
}

impl Pieces {
    /// All pieces, if there are two at least.
    fn of(keys: &[Polynomials]) -> Option<Self> {
        let mut sorted = Vec::new();
        let mut filter = vec![0; 1 << (FILTER_BITS - 6)];
        for (key, polynomials) in keys.iter().enumerate() {
            for (degree, bytes) in polynomials.degrees.iter().enumerate() {
                let (pieces, _) = bytes.as_chunks::<PIECE_BYTES>();
                for (index, piece) in pieces.iter().enumerate() {
                    let piece = u128::from_be_bytes(*piece);
                    let (word, bit) = in_filter(piece);
                    filter[word] |= bit;
                    sorted.push((piece, (key, degree, index * PIECE_BYTES)));
                }
            }
        }
        sorted.sort_unstable();
        (sorted.len() >= 2).then_some(Self { sorted, filter })
    }

    fn first_repeated(&self, keys: &[Polynomials]) -> Option<(Spot, Spot)> {
        for (key, polynomials) in keys.iter().enumerate() {
            for (degree, bytes) in polynomials.degrees.iter().enumerate() {
                let mut window = 0;
                for (end, byte) in (1..).zip(bytes) {
                    window = window << 8 | u128::from(*byte);
                    if end < PIECE_BYTES || !self.may_hold(window) {
                        continue;
                    }
                    let spot = (key, degree, end - PIECE_BYTES);
                    if let Some(other) = self.other_than(spot, window) {
                        return Some((other.min(spot), other.max(spot)));
                    }
                }
            }
        }
        None
    }

    fn may_hold(&self, window: u128) -> bool {
        let (word, bit) = in_filter(window);
        self.filter[word] & bit != 0
    }

    /// Where else there is a piece with these bytes.
    fn other_than(&self, spot: Spot, window: u128) -> Option<Spot> {
        let from = self.sorted.partition_point(|(piece, _)| *piece < window);
        let equal = self.sorted.get(from..)?.iter();
        let equal = equal.take_while(|(piece, _)| *piece == window);
        equal.map(|(_, other)| *other).find(|other| *other != spot)
    }
}

fn in_filter(piece: u128) -> (usize, u64) {
    let last = (piece & ((1 << FILTER_BITS) - 1)) as usize;
    (last / 64, 1 << (last % 64))
}
