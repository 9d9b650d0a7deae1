//! Whether bits fulfil an equation: a sum of some of them that is always 0, or always 1.
//!
//! Bits that were drawn together are a row. Rows are collected until they span the whole space: then no equation holds for
//! all of them, and the next rows begin anew. An equation holds for a uniform row with probability 1/2, so that one of the
//! 2ᶜ equations of c bits holds for all of c + 64 rows with a probability of at most 2⁻⁶⁴. The constant 1 counts as a bit of
//! each row, so that sums that are always 1 are seen too.

use super::{Dependence, Judged, Of, Polynomials, threshold};

/// How many more rows than bits there have to be.
const ROWS_MORE: usize = 64;

/// Bytes at neighbouring places that are looked at together over many keys.
const STRETCH_BYTES: usize = 8;

pub(super) fn judge(keys: &[Polynomials], judged: &mut Judged) {
    let bits = 8 * threshold(keys);
    let mut one_place = Space::new(Of::OnePlace, bits);
    for key in keys {
        for at in 0..key.degrees[0].len() {
            one_place.add(key.bytes(at..at + 1), judged);
        }
    }
    if one_place.is_dependent {
        // Everything below would show the same.
        return;
    }
    let mut of_a_call = Space::new(Of::KeysOfACall, 2 * bits);
    let mut of_two_calls = Space::new(Of::KeysOfTwoCalls, 2 * bits);
    for both in keys.windows(2) {
        let [before, after] = both else { continue };
        let space = if before.call == after.call {
            &mut of_a_call
        } else {
            &mut of_two_calls
        };
        for at in 0..before.degrees[0].len().min(after.degrees[0].len()) {
            let bytes = before.bytes(at..at + 1).chain(after.bytes(at..at + 1));
            space.add(bytes, judged);
        }
    }
    if of_a_call.is_dependent || of_two_calls.is_dependent {
        return;
    }
    for at in (0..).step_by(STRETCH_BYTES) {
        let long = |key: &&Polynomials| key.degrees[0].len() >= at + STRETCH_BYTES;
        let mut space = Space::new(Of::EightBytes(at), STRETCH_BYTES * bits);
        if keys.iter().filter(long).count() < space.rows_max() {
            break;
        }
        for key in keys.iter().filter(long) {
            space.add(key.bytes(at..at + STRETCH_BYTES), judged);
        }
        if space.is_dependent {
            return;
        }
    }
}

impl Polynomials {
    /// These bytes of all degrees.
    fn bytes(&self, range: std::ops::Range<usize>) -> impl Iterator<Item = u8> {
        let degrees = self.degrees.iter();
        degrees.flat_map(move |bytes| bytes[range.clone()].iter().copied())
    }
}

/// What rows span, in echelon form.
struct Space {
    of: Of,
    columns: usize,
    /// Whether there is a row that begins in this column.
    leads: Vec<bool>,
    /// That row, one after the other.
    echelon: Vec<u64>,
    /// The row that is looked at.
    row: Vec<u64>,
    rows: usize,
    rank: usize,
    /// Whether an equation was found: one is enough.
    is_dependent: bool,
}

impl Space {
    fn new(of: Of, bits: usize) -> Self {
        let columns = bits + 1;
        let words = columns.div_ceil(64);
        Self {
            of,
            columns,
            leads: vec![false; columns],
            echelon: vec![0; columns * words],
            row: vec![0; words],
            rows: 0,
            rank: 0,
            is_dependent: false,
        }
    }

    fn rows_max(&self) -> usize {
        self.columns + ROWS_MORE
    }

    fn add(&mut self, bytes: impl Iterator<Item = u8>, judged: &mut Judged) {
        if self.is_dependent {
            return;
        }
        self.set_row(bytes);
        self.rank += usize::from(self.row_is_new());
        self.rows += 1;
        if self.rank == self.columns {
            judged.note(None);
            self.leads.fill(false);
            (self.rows, self.rank) = (0, 0);
        } else if self.rows == self.rows_max() {
            judged.note(Some(Dependence::Dependent {
                of: self.of,
                rows: self.rows,
                columns: self.columns,
                rank: self.rank,
            }));
            self.is_dependent = true;
        }
    }

    /// The constant 1, then the bits of the bytes.
    fn set_row(&mut self, bytes: impl Iterator<Item = u8>) {
        self.row.fill(0);
        self.row[0] = 1;
        for (at, byte) in (1..).step_by(8).zip(bytes) {
            let (word, shift) = (at / 64, at % 64);
            self.row[word] |= u64::from(byte) << shift;
            if shift > 56 {
                self.row[word + 1] |= u64::from(byte) >> (64 - shift);
            }
        }
    }

    /// Adds rows that are known to the new one, until it begins where none of them does, or nothing is left of it.
    fn row_is_new(&mut self) -> bool {
        let words = self.row.len();
        for word in 0..words {
            while self.row[word] != 0 {
                let column = word * 64 + self.row[word].trailing_zeros() as usize;
                let known = &mut self.echelon[column * words..][..words];
                if !self.leads[column] {
                    self.leads[column] = true;
                    known.copy_from_slice(&self.row);
                    return true;
                }
                for (word, known) in self.row.iter_mut().zip(known) {
                    *word ^= *known;
                }
            }
        }
        false
    }
}
