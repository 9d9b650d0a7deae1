//! Whether what was drawn for shared keys is uniform, each byte by itself and all of them together.
//!
//! Shamir's sharing hides a secret if, and only if, the coefficients are uniform *given the secret*, given each other and
//! given whatever was drawn for other keys. Whoever knows all shares knows the polynomials, and can look. A function of
//! the bytes drawn, however, can be any function: no test of finitely many bytes sees them all. These are looked for:
//!
//! | eye | sees | where there are enough bytes |
//! |---|---|---|
//! | `counts` | a value that is drawn too often, too rarely or never | 16,384 of a degree |
//! | `pairs` | that a byte of one degree is any function of the byte of another one at the same place, even if only for a part of the keys | 16,384 of a degree |
//! | `rank` | an XOR-linear relation of bits that always holds: of all degrees at one place; of two keys that follow each other, in a call or from call to call; of eight bytes of all degrees, over many keys | 8·K + 65 of a degree; 16·K + 65; 64·K + 65 keys |
//! | `repeats` | sixteen bytes that occur twice, anywhere: in two degrees, two keys, two calls, or at two places of one | any |
//!
//! What they do not see: a relation that is neither linear nor between two degrees at one place; one that mixes places
//! further apart than eight bytes, unless it copies; one that holds now and then, unless it is between two degrees at one
//! place or copies. A generator that is weak but made well, such as ChaCha with a seed that somebody knows, is beyond any
//! test of what it yields.
//!
//! # False alarms
//!
//! Of bytes that are uniform and independent, with the sizes of a run (K ≤ 16, below 2²⁰ keys and 2³⁰ bytes):
//!
//! | eye | probability of a false alarm in a run | why |
//! |---|---|---|
//! | `counts` | < 10⁻²³ | 16 degrees: see there |
//! | `pairs` | < 10⁻¹⁴ | 120 pairs of degrees · 65,535 characters · 2·e⁻⁵⁰ |
//! | `rank` | < 2⁻³⁴ < 10⁻¹⁰ | at most 2³⁰ groups of rows, each with 64 rows more than columns: 2⁻⁶⁴ |
//! | `repeats` | < 2⁻⁷² | at most 2²⁶ pieces · 2³⁰ windows · 2⁻¹²⁸ |

mod counts;
mod pairs;
mod rank;
mod repeats;

#[cfg(test)]
mod tests;

pub use counts::Skew;

/// What was drawn for one key: a polynomial for each byte of its secret.
#[derive(Clone)]
pub struct Polynomials {
    /// The key's name, for evidence.
    pub key: String,
    /// Which call it was drawn in. Keys of one call are next to each other.
    pub call: u64,
    /// The coefficients by degree, from the secret (degree 0) to K − 1. All are as long as the secret.
    pub degrees: Vec<Vec<u8>>,
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Judged {
    /// How many properties were looked at. Where there are too few bytes for one, it is not.
    pub evaluated: u64,
    /// Those that did not hold.
    pub found: Vec<Dependence>,
}

/// How what was drawn is not uniform. No byte of it is shown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(
    missing_docs,
    reason = "the line of each variant says what its fields are"
)]
pub enum Dependence {
    #[error("the coefficients of degree {degree} are not uniform: {why}")]
    Skewed { degree: usize, why: Skew },
    #[error(
        "the coefficients of degrees {} and {} depend on each other: bits {:#04x} and {:#04x} of them have the same sum {agree} times of {total}",
        .degrees.0, .degrees.1, .bits.0, .bits.1
    )]
    Correlated {
        degrees: (usize, usize),
        bits: (u8, u8),
        agree: u64,
        total: u64,
    },
    #[error("bits of {of} depend on each other: {rows} rows of {columns} bits have rank {rank}")]
    Dependent {
        of: Of,
        rows: usize,
        columns: usize,
        rank: usize,
    },
    #[error("16 bytes were drawn twice: for {} and for {}", .places.0, .places.1)]
    Repeated { places: (Place, Place) },
}

/// What the bits of a row belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Of {
    /// One byte of each degree.
    #[error("the polynomial of a byte")]
    OnePlace,
    /// One byte of each degree of a key, and of the next one of the same call.
    #[error("two keys of a call")]
    KeysOfACall,
    /// One byte of each degree of the last key of a call, and of the first one of the next.
    #[error("keys of two calls")]
    KeysOfTwoCalls,
    /// Eight bytes of each degree, from one place on.
    #[error("the polynomials of 8 bytes from byte {0} on")]
    EightBytes(usize),
}

/// Where bytes were drawn.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("degree {degree} of key {key}, from byte {at} on")]
pub struct Place {
    /// The key.
    pub key: String,
    /// The degree.
    pub degree: usize,
    /// The first byte.
    pub at: usize,
}

/// Looks at everything that was drawn with one threshold. Calls of one client are in their order.
#[must_use]
pub fn judge(keys: &[Polynomials]) -> Judged {
    let mut judged = Judged::default();
    counts::judge(keys, &mut judged);
    pairs::judge(keys, &mut judged);
    rank::judge(keys, &mut judged);
    repeats::judge(keys, &mut judged);
    judged
}

impl Judged {
    /// Notes that a property was looked at, and what is wrong with it.
    fn note(&mut self, found: Option<Dependence>) {
        self.evaluated += 1;
        self.found.extend(found);
    }
}

/// How many degrees the polynomials have: K.
fn threshold(keys: &[Polynomials]) -> usize {
    keys.first().map_or(0, |key| key.degrees.len())
}
